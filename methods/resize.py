"""Plain enlarging: every picture viewer's ways."""

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import UPSCALE, Array, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.methods.method import Method, highest_value

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
        if self.kind not in KINDS:
            raise InputError(f"resize has no kind {self.kind!r}; there are {', '.join(KINDS)}")

    def restore(self, observation: Observation) -> Array:
        """Enlarge one picture."""
        enlarged = resized(observation.image, observation.mask.shape, self.kind)
        return enlarged.clip(0, highest_value(observation))


def resized(picture: Array, shape: tuple[int, ...], kind: str) -> NDArray[np.float32]:
    """Enlarge an `(H, W)` or `(H, W, 3)` array to `shape`, not clipped.

    Parameters
    ----------
    picture : of any type of number
    shape : rows and columns of the answer
    kind : one of `KINDS`
    """
    from PIL import Image

    if picture.ndim == 3:
        channels = [resized(picture[..., c], shape, kind) for c in range(picture.shape[2])]
        return np.stack(channels, axis=-1)
    exact = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    way = Image.Resampling[kind.upper()]
    return np.asarray(exact.resize((shape[1], shape[0]), way))
