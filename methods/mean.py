"""Fill with the mean of all known pixels."""

import numpy as np

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import Method, per_channel


class Mean(Method):
    """The mean of the whole picture's known pixels: the least that any method must beat."""

    name = "mean"
    family = "constant"
    promises = ("shift", "contrast", "flip", "transpose")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(_fill, observation)


def _fill(image: Array, mask: Mask) -> Array:
    return np.where(mask, image[~mask].mean(dtype=np.float64), image)
