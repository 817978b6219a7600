"""Fill with the median of the known pixels that touch the hole."""

import numpy as np

from inpaintbench.datasets.cases import Array
from inpaintbench.methods.ring import RingMethod


class RingMedian(RingMethod):
    """The median of the ring of known pixels around each hole, corners included.

    For a single hidden pixel that is the median of its 8 neighbours. Every connected hole gets its
    own constant; a wider ring takes more of the surroundings in.
    """

    name = "ring-median"

    def constant(self, ring: Array) -> float:
        """Take the ring's median."""
        return float(np.median(ring))
