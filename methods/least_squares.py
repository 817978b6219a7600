"""Least squares on the patch: a pixel from the known ones around it, by weights of photographs."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import linalg, ndimage

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.fitted import FittedMethod
from inpaintbench.methods.method import check_choice, per_channel
from inpaintbench.methods.patterns import alike, unpacked
from inpaintbench.methods.photographs import draw_windows
from inpaintbench.methods.weights import WeightsFile, loaded_arrays

Floats = NDArray[np.float64]

SIDES = (5, 7, 9, 11)  # pixels of a patch, as PixelNet has them
WINDOWS = 200_000  # patches fitted on
NUGGET = 1e-3  # of the mean squared difference to a neighbour: keeps the systems well-posed


class LeastSquares(FittedMethod):
    """The linear prediction of a pixel from its patch that errs least on photographs.

    For a single hidden pixel this is linear regression of the centre on the other pixels of the
    patch, which PixelNet's networks should be compared with. The weights add up to 1, so that
    brightness does not matter: with d the differences of the patch to its centre, and D the mean of
    d d' over patches of photographs and their 8 flips and turns, the weights w of the known pixels
    are those that minimise w' D w, that is D^-1 1, scaled. Where other pixels of the patch are
    hidden, D's rows and columns of the known ones serve, so every mask has its best weights. Pixels
    without a known one in their patch come later, from what was restored. Answers are limited to
    the range of the known pixels.

    Parameters
    ----------
    patch : int
        Side of the patch: 5, 7, 9 or 11 pixels.
    """

    name = "least-squares"
    promises = ("shift", "contrast", "flip", "transpose")
    fits = ("increments",)
    patch: int = 7

    def __post_init__(self) -> None:
        check_choice("patch", self.patch, SIDES)

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        self.fitted()  # complains about a bad file before the work
        fill = partial(patch_fill, file=self.weights_file, side=self.patch)
        return per_channel(fill, observation)

    @staticmethod
    def fit(pictures: Sequence[Array], seed: int) -> dict[str, NDArray[Any]]:
        """Average d d' over patches of the largest size, in units of that of a neighbour."""
        side = SIDES[-1]
        total = np.zeros((side * side, side * side))
        for block in draw_windows(pictures, WINDOWS, side, seed):
            differences = (block - block[:, side // 2, side // 2, None, None]).astype(np.float64)
            flat = differences.reshape(len(block), -1)
            total += flat.T @ flat
        return {"increments": _symmetric(total).astype(np.float32)}


def _symmetric(total: Floats) -> Floats:
    """Average over the 8 flips and turns of the patch; the centre's neighbours get 1."""
    side = SIDES[-1]
    number = np.arange(side * side).reshape(side, side)
    turned = [np.rot90(n, k).ravel() for n in (number, number.T) for k in range(4)]
    mean = np.mean([total[np.ix_(order, order)] for order in turned], axis=0)
    beside = number[side // 2, side // 2 + 1]
    return np.asarray(mean / mean[beside, beside])


def patch_fill(image: Array, mask: Mask, file: WeightsFile, side: int) -> Floats:
    """Fill the hidden pixels of an `(H, W)` image; at least one pixel must be known."""
    reach = side // 2
    filled = np.pad(image.astype(np.float64), reach)
    hidden = np.pad(mask, reach)
    known = np.pad(~mask, reach)  # what lies outside is neither
    while hidden.any():
        near = ndimage.maximum_filter(known, side, mode="constant") & hidden
        rows, columns = np.nonzero(near)
        corners = (rows - reach, columns - reach)
        patterns = sliding_window_view(known, (side, side))[corners].reshape(len(rows), -1)
        values = sliding_window_view(filled, (side, side))[corners].reshape(len(rows), -1)
        filled[near] = _predicted(patterns, values, file)
        hidden &= ~near
        known |= near
    inner = filled[reach:-reach, reach:-reach]
    return np.where(mask, inner.clip(image[~mask].min(), image[~mask].max()), image)


def _predicted(patterns: NDArray[np.bool_], values: Floats, file: WeightsFile) -> Floats:
    """Predict the centres of flat patches from their known pixels."""
    predicted = np.empty(len(patterns))
    for bits, numbers in alike(patterns).items():
        places = unpacked(bits, patterns.shape[1])
        predicted[numbers] = values[numbers][:, places] @ _weights(file, bits, len(places))
    return predicted


@lru_cache(maxsize=20_000)
def _weights(file: WeightsFile, pattern: bytes, size: int) -> Floats:
    """Weights of a patch's known pixels, which add up to 1."""
    known = unpacked(pattern, size)
    side = round(size**0.5)
    edge = (SIDES[-1] - side) // 2
    number = np.arange(SIDES[-1] ** 2).reshape(SIDES[-1], -1)
    own = number[edge : SIDES[-1] - edge, edge : SIDES[-1] - edge].ravel()[known]
    increments = loaded_arrays(file, LeastSquares.fits)["increments"]
    system = increments[np.ix_(own, own)] + NUGGET * np.eye(len(own))
    solved = linalg.solve(system, np.ones(len(own)), assume_a="pos")
    return np.asarray(solved / solved.sum())
