"""Cubic interpolation along rows and columns."""

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import Method, per_channel

Floats = NDArray[np.float64]


class Bicubic(Method):
    """Cubic interpolation between the known pixels of each row and each column.

    Between two known pixels of a line goes the cubic with their values, and with the slopes of
    numpy's second-order differences there: at equal distances Keys' cubic convolution (R. Keys,
    "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics,
    Speech, and Signal Processing 29, 1981), so that on a grid of known pixels this is the usual
    bicubic interpolation. A hidden pixel is the mean of what its row and its column say, each
    weighted by one over the squared width of its gap; where only one of them has known pixels, that
    one. Pixels in a row and a column without any come next, from what was restored. Beyond the last
    known pixel of a line its value goes on. Answers are limited to the range of the known pixels.
    """

    name = "bicubic"
    family = "interpolation"
    promises = ("shift", "contrast", "flip", "transpose")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(_fill, observation)


def _fill(image: Array, mask: Mask) -> Floats:
    filled, hidden = image.astype(np.float64), mask.copy()
    while hidden.any():  # twice at the most: afterwards every line holds something
        down = (part.T for part in _along_rows(filled.T, hidden.T))
        (across, weight), (upright, other) = _along_rows(filled, hidden), down
        known = weight + other
        found = hidden & (known > 0)
        filled[found] = ((weight * across + other * upright)[found]) / known[found]
        hidden &= ~found
    return filled.clip(image[~mask].min(), image[~mask].max())


def _along_rows(image: Floats, hidden: Mask) -> tuple[Floats, Floats]:
    """Interpolate each row: values, and their weights, which are 0 where nothing is known."""
    values, weights = np.zeros(image.shape), np.zeros(image.shape)
    for row in np.flatnonzero(hidden.any(axis=1) & ~hidden.all(axis=1)):
        known, places = np.flatnonzero(~hidden[row]), np.flatnonzero(hidden[row])
        values[row, places] = _cubic(known, image[row, known], places)
        after = np.searchsorted(known, places)
        before = known[np.maximum(after - 1, 0)]
        following = known[np.minimum(after, len(known) - 1)]
        # At an end the gap is counted twice: going on is worse than going between.
        gap = np.maximum(np.abs(places - before), np.abs(following - places)) * 2
        inside = (before < places) & (places < following)
        weights[row, places] = 1 / np.where(inside, following - before, gap) ** 2.0
    return values, weights


def _cubic(known: NDArray[np.int64], values: Floats, places: NDArray[np.int64]) -> Floats:
    from scipy.interpolate import CubicHermiteSpline

    if len(known) == 1:
        return np.full(len(places), values[0])
    spline = CubicHermiteSpline(known, values, np.gradient(values, known))
    return np.asarray(spline(places.clip(known[0], known[-1])), np.float64)
