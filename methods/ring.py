"""Filling holes by a constant of the known pixels around them: `ring-mean` and `ring-median`."""

from abc import abstractmethod

import numpy as np
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Mask, Observation, grown
from inpaintbench.methods.method import Method, per_channel


class RingMethod(Method):
    """Fills every connected hole with a constant of its ring of known pixels, corners included.

    Parameters
    ----------
    width : int
        Of the ring, in pixels; a wider one takes more of the surroundings in.
    """

    family = "constant"
    promises = ("shift", "contrast", "flip", "transpose")
    width: int = 1

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be 1 pixel or more, not {self.width}")

    @abstractmethod
    def constant(self, ring: Array) -> float:
        """Choose the constant from the ring's known pixels, `(n,)`."""

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(self._fill, observation)

    def _fill(self, image: Array, mask: Mask) -> Array:
        filled = image.astype(np.float64)
        square = np.ones((3, 3), bool)
        labels, _ = ndimage.label(mask, square)
        for number, box in enumerate(ndimage.find_objects(labels), start=1):
            # Of a large picture with many holes each looks at no more than its ring.
            area = grown(box, self.width)
            hole = labels[area] == number
            ring = ndimage.binary_dilation(hole, square, self.width) & ~mask[area]
            filled[area][hole] = self.constant(image[area][ring])
        return filled
