"""The conditional mean of a Gaussian random field, whose variogram photographs have given."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft, linalg, ndimage

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.fitted import FittedMethod
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import PredictingMethod
from inpaintbench.methods.patterns import alike, unpacked
from inpaintbench.methods.photographs import draw_windows
from inpaintbench.methods.rectangles import folded, predict_rectangles
from inpaintbench.methods.weights import WeightsFile, loaded_arrays

Floats = NDArray[np.float64]

SIDE = 61  # pixels of the windows fitted on: the largest hole with 20 known pixels on every side
WINDOWS = 120_000  # drawn to fit on
MARGIN = 12  # known pixels on every side that are read
AROUND = 2 * MARGIN + 1  # pixels of a side of what a single pixel sees
NEAREST = 48  # known pixels that a pixel of a large hole is predicted from; more at equal distance
NUGGET = 0.004  # of the variance between neighbours: noise that keeps the systems well-posed


class Gaussian(PredictingMethod, FittedMethod):
    """The best linear unbiased prediction of the hole from the 12 pixels around it: kriging.

    Windows of photographs are taken for draws from one Gaussian distribution. Its covariance is
    averaged over all places in the window and over the 8 symmetries of the square, so what is left
    is the variogram: half the mean squared difference of two pixels, by their distance along rows
    and columns. That says nothing of the mean, which is unknown in every window: the weights of the
    known pixels add up to 1 (ordinary kriging, G. Matheron, "Principles of geostatistics", Economic
    Geology 58, 1963). A rectangle is restored by one matrix per shape; any other hole by a
    system of its own over its bounding box with the margin (what lies outside the picture, or is
    hidden as well, is left out). In a hole too large for the windows that were fitted on, over 37
    pixels, each pixel has a system of its own over the 48 known pixels next to it; one that knows
    none within 12 pixels keeps its harmonic fill. Answers are limited to the range of the known
    pixels.
    """

    name = "gaussian"
    promises = ("shift", "contrast", "flip", "transpose")
    fits = ("variogram",)

    def predict_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore the hidden pixels of several pictures, by one product per shape of hole."""
        file, variogram = self.weights_file, self.fitted()["variogram"]

        def operator(height: int, width: int) -> Floats:
            return _rectangle_operator(file, height, width)

        @cache  # the channels of a picture, and pictures with one mask, have the same systems
        def one(seen: bytes) -> Floats:
            return weights_of_one(seen, variogram)

        def fallback(image: Array, mask: Mask) -> Floats:
            return kriging_fill(image, mask, variogram, one)

        return predict_rectangles(observations, MARGIN, operator, fallback, clip=True)

    @staticmethod
    def fit(pictures: Sequence[Array], seed: int) -> dict[str, NDArray[Any]]:
        """Estimate the variogram, in units of that between neighbours."""
        return {"variogram": shrunk(mean_variogram(pictures, seed, WINDOWS)).astype(np.float32)}


@lru_cache(maxsize=128)
def _rectangle_operator(file: WeightsFile, height: int, width: int) -> Floats:
    """Matrix from the frame around a rectangle to its pixels."""
    hidden = np.pad(np.ones((height, width), bool), MARGIN)
    variogram = loaded_arrays(file, Gaussian.fits)["variogram"]
    return folded(kriging_weights(variogram, hidden, ~hidden), height, width, MARGIN)


def mean_variogram(pictures: Sequence[Array], seed: int, windows: int) -> Floats:
    """Half the mean squared difference of two pixels of a window: `(SIDE, SIDE)`, lags 0 and up.

    By Fourier transforms of windows padded with zeros, over all pairs of pixels at each lag.
    """
    total, count = np.zeros((SIDE, SIDE)), 0
    shape = (2 * SIDE, 2 * SIDE)
    inside = fft.rfft2(np.ones((SIDE, SIDE)), shape)
    pairs = fft.irfft2(inside * inside.conj(), shape)
    for block in draw_windows(pictures, windows, SIDE, seed):
        centred = block - block.mean(axis=(1, 2), keepdims=True)
        once = fft.rfft2(centred, shape)
        square = fft.rfft2(centred**2, shape)
        # sum of (a - b)^2 over pairs = sum of a^2 + sum of b^2 - 2 * correlation
        spectrum = (square * inside.conj()).sum(0).real - (once * once.conj()).sum(0).real
        total += fft.irfft2(spectrum, shape)[:SIDE, :SIDE]
        count += len(block)
    variogram = total / np.rint(pairs[:SIDE, :SIDE]) / count
    return np.asarray((variogram + variogram.T) / (variogram[0, 1] + variogram[1, 0]))


def shrunk(variogram: Floats) -> Floats:
    """Shrink a variogram towards white noise's until it is one: no further than is needed.

    An estimate from few photographs may give some weighted sum of pixels a negative variance.
    """
    places = np.argwhere(np.ones(variogram.shape, bool))
    white = np.ones_like(variogram)
    white[0, 0] = 0
    for share in (0.0, *2.0 ** np.arange(-12, 1)):
        mixed = (1 - share) * variogram + share * white
        try:
            linalg.cholesky(_covariance(mixed, places), overwrite_a=True, check_finite=False)
        except linalg.LinAlgError:
            continue
        break
    return np.asarray(mixed)


def kriging_weights(variogram: Floats, hidden: Mask, known: Mask) -> Floats:
    """Matrix from the known to the hidden pixels of a window, both in row-major order."""
    to, at = np.argwhere(hidden), np.argwhere(known)
    covariance = _covariance(variogram, at)
    factor = linalg.cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
    across = 2 * variogram.max() - _between(variogram, at, to)
    solved = linalg.cho_solve(factor, np.column_stack([across, np.ones(len(at))]))
    weights, ones = solved[:, :-1], solved[:, -1]
    # Lagrange's condition: the weights of each hidden pixel add up to 1.
    weights += np.outer(ones / ones.sum(), 1 - weights.sum(axis=0))
    return np.ascontiguousarray(weights.T)


def _covariance(variogram: Floats, places: NDArray[np.int64]) -> Floats:
    """A covariance of pixels with this variogram: any constant added is another."""
    covariance: Floats = 2 * variogram.max() - _between(variogram, places, places)
    covariance[np.diag_indices_from(covariance)] += NUGGET
    return covariance


def _between(variogram: Floats, first: NDArray[np.int64], second: NDArray[np.int64]) -> Floats:
    """The variogram of every pair of two lists of places."""
    rows = np.abs(first[:, None, 0] - second[:, 0])
    return np.asarray(variogram[rows, np.abs(first[:, None, 1] - second[:, 1])])


def kriging_fill(
    image: Array, mask: Mask, variogram: Floats, one: Callable[[bytes], Floats]
) -> Floats:
    """Fill the hidden pixels of an `(H, W)` image, each connected hole from what is around it.

    `one` gives the weights of a pixel of a large hole, see `weights_of_one`.
    """
    filled = image.astype(np.float64)
    left = np.zeros_like(mask)
    labels, _ = ndimage.label(mask, np.ones((3, 3), bool))
    known = image[~mask]
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        hole = labels == number
        area = tuple(slice(max(0, s.start - MARGIN), s.stop + MARGIN) for s in box)
        if max(mask[area].shape) > min(variogram.shape) or mask[area].all():
            left |= hole
            continue
        weights = kriging_weights(variogram, hole[area], ~mask[area])
        filled[hole] = np.clip(weights @ image[area][~mask[area]], known.min(), known.max())
    if left.any():
        filled[left] = harmonic_fill(image, mask)[left]
        _krige_each(filled, image, mask, left, one)
    return filled


def _krige_each(
    filled: Floats, image: Array, mask: Mask, hidden: Mask, one: Callable[[bytes], Floats]
) -> None:
    """Predict some hidden pixels one by one, from the known ones next to each.

    Pixels that see known ones at the same places share their weights, so a grid has few systems.
    """
    rows, columns = np.nonzero(hidden)
    values = sliding_window_view(np.pad(image, MARGIN), (AROUND, AROUND))
    low, high = image[~mask].min(), image[~mask].max()
    for bits, numbers in _systems(mask.tobytes(), hidden.tobytes(), mask.shape):
        y, x = rows[numbers], columns[numbers]
        predicted = values[y, x][:, unpacked(bits, AROUND**2).reshape(AROUND, -1)] @ one(bits)
        filled[y, x] = predicted.clip(low, high)


@lru_cache(maxsize=4)  # a picture's channels, or pictures with one mask, are restored one by one
def _systems(
    mask: bytes, hidden: bytes, shape: tuple[int, int]
) -> list[tuple[bytes, NDArray[np.intp]]]:
    """Find which hidden pixels see the same, given as bytes: packed windows, and their numbers."""
    unknown, wanted = (np.frombuffer(part, bool).reshape(shape) for part in (mask, hidden))
    windows = sliding_window_view(np.pad(~unknown, MARGIN), (AROUND, AROUND))
    seen = _nearest(windows[np.nonzero(wanted)].reshape(-1, AROUND**2))
    return [(bits, numbers) for bits, numbers in alike(seen).items() if any(bits)]


def weights_of_one(seen: bytes, variogram: Floats) -> Floats:
    """Weights of the known pixels that a pixel sees: packed bits of the window around it."""
    known = unpacked(seen, AROUND**2).reshape(AROUND, -1)
    centre = np.zeros_like(known)
    centre[MARGIN, MARGIN] = True
    return np.asarray(kriging_weights(variogram, centre, known)[0])


def _nearest(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep of the known pixels of flat windows those nearest to the centre."""
    across = np.arange(-MARGIN, MARGIN + 1)
    distance = (across[:, None] ** 2 + across**2).ravel()
    order = np.argsort(distance, kind="stable")
    count = np.cumsum(known[:, order], axis=1)
    last = distance[order][np.argmax(count >= np.minimum(NEAREST, count[:, -1:]), axis=1)]
    return np.asarray(known & (distance <= last[:, None]))
