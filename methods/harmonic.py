"""Harmonic inpainting: the membrane stretched over the hole."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import PredictingMethod
from inpaintbench.methods.polyharmonic import folded_operator, polyharmonic_fill
from inpaintbench.methods.rectangles import predict_rectangles


class Harmonic(PredictingMethod):
    """The solution of Laplace's equation with the known pixels as its boundary.

    The five-point Laplacian of every hidden pixel is 0, so each is the mean of its neighbours; at
    the picture's border only the neighbours inside count (a reflecting border). See T. Chan and
    J. Shen, "Mathematical models for local nontexture inpaintings", SIAM Journal on Applied
    Mathematics 62(3), 2002, for the model. The linear system is solved exactly: for a rectangle
    away from the border by a matrix that is computed once per shape, else by a sparse
    factorisation, once per mask.
    """

    name = "harmonic"
    family = "diffusion"
    promises = ("shift", "contrast", "flip", "transpose")

    def predict_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore the hidden pixels of several pictures, by one product per shape of hole."""
        operator = partial(folded_operator, order=1)
        return predict_rectangles(observations, 1, operator, harmonic_fill)


def harmonic_fill(image: Array, mask: Mask) -> NDArray[np.float64]:
    """Fill the hidden pixels of an `(H, W)` image; at least one pixel must be known."""
    return polyharmonic_fill(image, mask, order=1)
