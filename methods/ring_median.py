"""Fill with the median of the known pixels that touch the hole."""

import numpy as np
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import Method, per_channel


class RingMedian(Method):
    """The median of the ring of known pixels around each hole, corners included.

    For a single hidden pixel that is the median of its 8 neighbours. Every connected hole gets its
    own constant; a wider ring takes more of the surroundings in.
    """

    name = "ring-median"
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
            filled[hole] = np.median(image[ring])
        return filled
