"""Plain enlarging: every picture viewer's ways."""

from inpaintbench.datasets.cases import UPSCALE, Array, Observation
from inpaintbench.datasets.images import resize_exactly
from inpaintbench.methods.method import Method, check_choice, highest_value

KINDS = ("nearest", "bilinear", "bicubic", "lanczos")


class Resize(Method):
    """Enlarges a picture by a fixed kernel, as PIL implements it, in floating point.

    Pixels are squares, not points: the corners of both pictures coincide, so that the centre of a
    given pixel is that of the 2x2 pixels whose mean it is (the half-pixel convention; other
    programs line up the centres of the corner pixels, which shifts all the rest). Bicubic is Keys'
    cubic convolution with a = -0.5 (R. Keys, "Cubic convolution interpolation for digital image
    processing", IEEE Transactions on Acoustics, Speech, and Signal Processing 29, 1981), Lanczos
    has three lobes (C. Duchon, "Lanczos filtering in one and two dimensions", Journal of Applied
    Meteorology 18, 1979). At the border a kernel is cut off and scaled to add up to 1 again. What
    overshoots the dtype's range is clipped.

    Parameters
    ----------
    kind : str
        "nearest" (pixels repeated), "bilinear", "bicubic" or "lanczos".
    """

    name = "resize"
    family = "interpolation"
    tasks = UPSCALE
    limits = "it only enlarges pictures"
    promises = ("shift", "contrast", "flip", "transpose")
    kind: str = "bicubic"

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)

    def restore(self, observation: Observation) -> Array:
        """Enlarge one picture."""
        enlarged = resize_exactly(observation.image, observation.mask.shape, self.kind)
        return enlarged.clip(0, highest_value(observation))
