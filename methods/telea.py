"""Fast-marching inpainting, by OpenCV."""

import cv2
import numpy as np

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import Method, per_channel


class Telea(Method):
    """Fast-marching inpainting (Telea 2004), as OpenCV implements it.

    A. Telea, "An image inpainting technique based on the fast marching method", Journal of Graphics
    Tools 9(1), 2004. `radius` (pixels) is the neighbourhood that each pixel is estimated from.
    Colour is restored channel by channel, which is what lets 16 bits through.
    """

    name = "telea"
    family = "diffusion"
    radius: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.radius < 1000:
            raise ValueError(f"radius must be over 0 and under 1000 pixels, not {self.radius}")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(self._fill, observation)

    def _fill(self, image: Array, mask: Mask) -> Array:
        return np.asarray(cv2.inpaint(image, mask.astype(np.uint8), self.radius, cv2.INPAINT_TELEA))
