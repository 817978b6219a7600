"""Fill with the mean of the known pixels that touch the hole."""

import numpy as np
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import Method, per_channel


class RingMean(Method):
    """The mean of the ring of known pixels around each hole, corners included.

    Every connected hole gets its own constant; a wider ring takes more of the surroundings in.
    """

    name = "ring-mean"
    family = "constant"
    promises = ("shift", "contrast", "flip", "transpose")
    width: int = 1

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be 1 pixel or more, not {self.width}")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(self._fill, observation)

    def _fill(self, image: Array, mask: Mask) -> Array:
        filled = image.astype(np.float64)
        square = np.ones((3, 3), bool)
        holes, count = ndimage.label(mask, square)
        for number in range(1, count + 1):
            hole = holes == number
            ring = ndimage.binary_dilation(hole, square, self.width) & ~mask
            filled[hole] = image[ring].mean(dtype=np.float64)
        return filled
