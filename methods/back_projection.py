"""Iterative back-projection: an enlarged picture whose means are the picture given."""

import numpy as np

from inpaintbench.datasets.cases import UPSCALE, Array, Observation
from inpaintbench.datasets.images import resize_exactly
from inpaintbench.datasets.tasks.upscale import block_means
from inpaintbench.methods.method import Method, highest_value


class BackProjection(Method):
    """Corrects an enlarged picture until shrinking it gives what was given (Irani, Peleg 1991).

    M. Irani, S. Peleg, "Improving resolution by image registration", CVGIP: Graphical Models and
    Image Processing 53, 1991, for a single picture: it is enlarged, shrunk again as the given one
    was made (the mean of 2x2 pixels), and what the two differ by is enlarged and added; and so on.
    The original's kernels are those of a camera; here both enlargements are bicubic, so that at
    every step the error shrinks to half or less. Values that leave the dtype's range are clipped in
    every step, so the means hold but for what rounding and such values leave.

    Parameters
    ----------
    steps : int
        How many corrections.
    """

    name = "back-projection"
    family = "interpolation"
    tasks = UPSCALE
    limits = "it only enlarges pictures"
    promises = ("shift", "contrast", "flip", "transpose")
    steps: int = 20

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps must be 0 or more, not {self.steps}")

    def restore(self, observation: Observation) -> Array:
        """Enlarge one picture."""
        given, shape = observation.image, observation.mask.shape
        factor, highest = shape[0] // given.shape[0], highest_value(observation)
        picture = resize_exactly(given, shape, "bicubic").astype(np.float64).clip(0, highest)
        for _ in range(self.steps):
            wrong = given - block_means(picture, factor)
            picture = (picture + resize_exactly(wrong, shape, "bicubic")).clip(0, highest)
        return picture
