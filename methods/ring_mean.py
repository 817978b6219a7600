"""Fill with the mean of the known pixels that touch the hole."""

import numpy as np

from inpaintbench.datasets.cases import Array
from inpaintbench.methods.ring import RingMethod


class RingMean(RingMethod):
    """The mean of the ring of known pixels around each hole, corners included.

    Every connected hole gets its own constant; a wider ring takes more of the surroundings in.
    """

    name = "ring-mean"

    def constant(self, ring: Array) -> float:
        """Average the ring."""
        return float(ring.mean(dtype=np.float64))
