"""Biharmonic inpainting: the thin plate bent over the hole."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import PredictingMethod
from inpaintbench.methods.polyharmonic import folded_operator, polyharmonic_fill
from inpaintbench.methods.rectangles import predict_rectangles


class Biharmonic(PredictingMethod):
    """The solution of the bilaplacian's equation with the known pixels as its boundary.

    S. B. Damelin, N. S. Hoang, "On surface completion and image inpainting by biharmonic
    functions: numerical aspects", International Journal of Mathematics and Mathematical Sciences,
    2018: the hidden surface has a bilaplacian of 0 and joins the known one in value and slope. The
    five-point Laplacian is applied twice, with a reflecting border, and the answer is limited to
    the range of the known pixels, both as scikit-image does it, whose answer this is. The linear
    system is solved exactly: for a rectangle away from the border by a matrix that is computed once
    per shape, else by a sparse factorisation, once per mask.
    """

    name = "biharmonic"
    family = "diffusion"
    promises = ("shift", "contrast", "flip", "transpose")

    def predict_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore the hidden pixels of several pictures, by one product per shape of hole."""
        operator = partial(folded_operator, order=2)
        return predict_rectangles(observations, 2, operator, _fill, clip=True)


def _fill(image: Array, mask: Mask) -> Array:
    known = image[~mask]
    return np.clip(polyharmonic_fill(image, mask, order=2), known.min(), known.max())
