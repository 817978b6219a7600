"""The conditional mean of a Gaussian random field, whose variogram photographs have given."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from typing import Any

import numba
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft, linalg, ndimage

from inpaintbench.datasets.cases import Array, Mask, Observation, grown
from inpaintbench.methods.fitted import Arrays, FittedMethod
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import PredictingMethod, each_channel
from inpaintbench.methods.patterns import alike, unpacked
from inpaintbench.methods.photographs import draw_windows
from inpaintbench.methods.rectangles import predict_rectangles
from inpaintbench.methods.weights import WeightsFile, loaded_arrays

Floats = NDArray[np.float64]
# How rough surroundings are, from 0; and whether they change more along rows (1), columns (-1) or
# neither (0). None if nothing is to be seen of either.
Kind = tuple[int, int] | None

SIDE = 61  # pixels of the windows fitted on: the largest hole with 20 known pixels on every side
WINDOWS = 120_000  # drawn to fit on
HOLE = 21  # pixels of a side of what windows are thought to hide
MARGIN = 12  # known pixels on every side that are read
AROUND = 2 * MARGIN + 1  # pixels of a side of what a single pixel sees
NEAREST = 48  # known pixels that a pixel of a large hole is predicted from; more at equal distance
NUGGET = 0.004  # of the variance between neighbours: noise that keeps the systems well-posed
FAR = 6  # pixels between those whose differences tell the kind of surroundings from neighbours'
ROUGH = 4  # classes of roughness, each with as many windows
DIRECTED = 0.3  # logarithm of the ratio of mean squares along rows and columns that is a direction


class Gaussian(PredictingMethod, FittedMethod):
    """The best linear unbiased prediction of the hole from the 12 pixels around it: kriging.

    Windows of photographs are taken for draws from Gaussian distributions, one for each kind of
    surroundings: how much less neighbours differ than pixels 6 apart, in four classes, and whether
    these differ more along rows, along columns, or alike. Each covariance is averaged over all
    places in a window and over mirror images, so what is left is a variogram: half the mean squared
    difference of two pixels, by their distance along rows and columns. That says nothing of the
    mean, which is unknown in every window: the weights of the known pixels add up to 1 (ordinary
    kriging, G. Matheron, "Principles of geostatistics", Economic Geology 58, 1963). A rectangle is
    restored by one matrix per shape and kind; any other hole by a system of its own over its
    bounding box with the margin (what lies outside the picture, or is hidden as well, is left out).
    In a hole too large for the windows that were fitted on, over 37 pixels, each pixel has a system
    of its own over the 48 known pixels next to it, by the variogram of all windows; one that knows
    none within 12 pixels keeps its harmonic fill. Answers are limited to the range of the known
    pixels.
    """

    name = "gaussian"
    promises = ("shift", "contrast", "flip", "transpose")
    fits = ("variogram", "variograms", "roughness")

    def predict_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore the hidden pixels of several pictures, by one product per shape and kind."""
        file, fitted = self.weights_file, self.fitted()

        @cache  # the channels of a picture, and pictures with one mask, have the same systems
        def one(seen: bytes) -> Floats:
            return weights_of_one(seen, fitted["variogram"])

        def local(image: Array, mask: Mask) -> Floats:
            return variogram_of(kind_of(image, mask, fitted["roughness"]), fitted)

        def fallback(image: Array, mask: Mask) -> Floats:
            return kriging_fill(image, mask, local, one)

        kinds = [_kind_along(o, fitted["roughness"]) for o in observations]
        predictions: dict[int, Array] = {}
        for kind in set(kinds):
            numbers = [number for number, own in enumerate(kinds) if own == kind]
            part = [observations[number] for number in numbers]
            operator = partial(_rectangle_operator, file, kind)
            answers = predict_rectangles(part, MARGIN, operator, fallback, clip=True)
            predictions |= zip(numbers, answers, strict=True)
        return [predictions[number] for number in range(len(observations))]

    @staticmethod
    def fit(pictures: Sequence[Array], seed: int) -> dict[str, NDArray[Any]]:
        """Estimate the variograms, each in units of that between neighbours."""
        edge = (SIDE - HOLE) // 2 - MARGIN
        area = slice(edge, SIDE - edge)
        mask = np.pad(np.ones((HOLE, HOLE), bool), MARGIN)

        def seen(block: Array) -> Floats:
            return np.array([_statistics(window[area, area], mask) for window in block])

        first = seen(next(draw_windows(pictures, WINDOWS, SIDE, seed)))[:, 0]
        roughness = np.nanquantile(first, np.arange(1, ROUGH) / ROUGH)
        sums = np.zeros((ROUGH, 3, SIDE, SIDE))  # direction -1 is the last
        for block in draw_windows(pictures, WINDOWS, SIDE, seed):
            kinds = [_kind(rough, directed, roughness) for rough, directed in seen(block)]
            for kind in set(kinds) - {None}:
                sums[kind] += squared_differences(block[[own == kind for own in kinds]])
        turned = sums.swapaxes(2, 3)
        variograms = np.stack([sums[:, 0] + turned[:, 0], sums[:, 1] + turned[:, -1]], axis=1)
        every = (sums + turned).sum(axis=(0, 1))
        variograms[~variograms.any(axis=(2, 3))] = every  # kinds that no window is of
        fitted = {
            "variogram": shrunk(normalised(every)),
            "variograms": np.stack([[shrunk(normalised(v)) for v in kind] for kind in variograms]),
            "roughness": roughness,
        }
        return {name: array.astype(np.float32) for name, array in fitted.items()}


def kind_of(image: Array, mask: Mask, roughness: Floats) -> Kind:
    """Tell what kind of surroundings the known pixels of an `(H, W)` or `(H, W, 3)` image are."""
    return _kind(*_statistics(image, mask), roughness)


def _kind(rough: float, directed: float, roughness: Floats) -> Kind:
    if math.isnan(rough):
        return None
    direction = int(directed > DIRECTED) - int(directed < -DIRECTED)
    return sum(rough > limit for limit in roughness.tolist()), direction


def _kind_along(observation: Observation, roughness: Floats) -> Kind:
    """Tell the kind of a hole's surroundings, rows being along its longer side."""
    box = observation.hidden_box
    area = grown(box, MARGIN)
    kind = kind_of(observation.image[area], observation.mask[area], roughness)
    height, width = (side.stop - side.start for side in box)
    return kind if kind is None or height <= width else (kind[0], -kind[1])


def _statistics(image: Array, mask: Mask) -> tuple[float, float]:
    """Roughness and direction of the known pixels: logarithms of ratios; NaN if there is none."""
    channels = [_mean_squares(channel, mask) for channel in each_channel(image)]
    means = [sum(mean) for mean in zip(*channels, strict=True)]
    if not all(means):
        return math.nan, math.nan
    row, column, far_row, far_column = means
    return math.log((far_row + far_column) / (row + column)), math.log(far_row / far_column)


@numba.njit(cache=True)
def _mean_squares(
    plane: Array, mask: Mask
) -> tuple[float, float, float, float]:  # pragma: no cover
    """Mean squared differences of known pixels: neighbours in a row and in a column, then `FAR`."""
    height, width = mask.shape
    means = np.zeros(4)
    for k in range(4):
        apart = 1 if k < 2 else FAR
        down, across = (0, apart) if k % 2 == 0 else (apart, 0)
        total, count = 0.0, 0
        for y in range(height - down):
            for x in range(width - across):
                if not (mask[y, x] or mask[y + down, x + across]):
                    total += (float(plane[y, x]) - float(plane[y + down, x + across])) ** 2
                    count += 1
        if count:
            means[k] = total / count
    return means[0], means[1], means[2], means[3]


def variogram_of(kind: Kind, fitted: Arrays) -> Floats:
    """Give the variogram of a kind of surroundings."""
    if kind is None:
        return fitted["variogram"]
    variogram: Floats = fitted["variograms"][kind[0], abs(kind[1])]
    return variogram.T if kind[1] < 0 else variogram


@lru_cache(maxsize=1024)  # 45 shapes of the challenge, lying or standing, of 12 kinds
def _rectangle_operator(file: WeightsFile, kind: Kind, height: int, width: int) -> Floats:
    """Matrix from the frame around a rectangle to its pixels, see `rectangle_weights`."""
    return rectangle_weights(variogram_of(kind, loaded_arrays(file, Gaussian.fits)), height, width)


def rectangle_weights(variogram: Floats, height: int, width: int) -> Floats:
    """Make the matrix of a rectangle as `rectangles.folded` would from `kriging_weights`.

    Pixels and their mirror images have the same covariance, so that the system falls into four of a
    quarter of the size: of what is even or odd from top to bottom and from left to right.
    """
    frame = np.pad(np.zeros((height, width), bool), MARGIN, constant_values=True)
    quarter = frame[: -(-frame.shape[0] // 2), : -(-frame.shape[1] // 2)]
    at, to = np.argwhere(quarter), np.argwhere(~quarter)
    last = np.array(frame.shape) - 1
    mirrored = [np.where(turn, last - at, at) for turn in ((0, 0), (0, 1), (1, 0), (1, 1))]
    own = np.array([(image == at).all(axis=1) for image in mirrored])
    among, across = (
        [_covariance(variogram, image, places) for image in mirrored] for places in (at, to)
    )
    parts = []
    for down, right in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        system, wanted = (
            (m[0] + right * m[1]) + down * (m[2] + right * m[3]) for m in (among, across)
        )
        # The middle row and column have no odd part: their equations say that it is 0.
        nothing = (own[1] & (right < 0)) | (own[2] & (down < 0))
        system[np.diag_indices_from(system)] += np.where(nothing, 1, NUGGET * own.sum(axis=0))
        unbiased = down == right == 1  # what is odd adds up to 0 whatever the mean
        parts.append(np.ascontiguousarray(_solved(system, wanted, unbiased)) / 4)
    return np.stack(parts)


def _solved(covariance: Floats, across: Floats, unbiased: bool = True) -> Floats:
    """Solve for weights, `(known, hidden)`; `unbiased`: those of each hidden pixel add up to 1."""
    factor = linalg.cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
    solved = linalg.cho_solve(factor, np.column_stack([across, np.ones(len(across))]))
    weights, ones = solved[:, :-1], solved[:, -1]
    if unbiased:  # Lagrange's condition
        weights += np.outer(ones / ones.sum(), 1 - weights.sum(axis=0))
    return np.asarray(weights)


def mean_variogram(pictures: Sequence[Array], seed: int, windows: int) -> Floats:
    """Half the mean squared difference of two pixels of a window: `(SIDE, SIDE)`, lags 0 and up."""
    drawn = draw_windows(pictures, windows, SIDE, seed)
    total = sum((squared_differences(block) for block in drawn), np.zeros((SIDE, SIDE)))
    return normalised(total + total.T)


def normalised(variogram: Floats) -> Floats:
    """Scale a variogram so that it is 1 between neighbours, on average over both directions."""
    return np.asarray(2 * variogram / (variogram[0, 1] + variogram[1, 0]))


def squared_differences(windows: Array) -> Floats:
    """Mean squared difference of two pixels of a window by their lags, summed over windows.

    By Fourier transforms of windows padded with zeros, over all pairs of pixels at each lag.
    """
    shape = (2 * SIDE, 2 * SIDE)
    inside = fft.rfft2(np.ones((SIDE, SIDE)), shape)
    pairs = fft.irfft2(inside * inside.conj(), shape)
    centred = windows - windows.mean(axis=(1, 2), keepdims=True)
    once = fft.rfft2(centred, shape)
    square = fft.rfft2(centred**2, shape)
    # sum of (a - b)^2 over pairs = sum of a^2 + sum of b^2 - 2 * correlation
    spectrum = (square * inside.conj()).sum(0).real - (once * once.conj()).sum(0).real
    return np.asarray(fft.irfft2(spectrum, shape)[:SIDE, :SIDE] / np.rint(pairs[:SIDE, :SIDE]))


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
            linalg.cholesky(_noisy_covariance(mixed, places), overwrite_a=True, check_finite=False)
        except linalg.LinAlgError:
            continue
        break
    return np.asarray(mixed)


def kriging_weights(variogram: Floats, hidden: Mask, known: Mask) -> Floats:
    """Matrix from the known to the hidden pixels of a window, both in row-major order."""
    to, at = np.argwhere(hidden), np.argwhere(known)
    across = _covariance(variogram, at, to)
    return np.ascontiguousarray(_solved(_noisy_covariance(variogram, at), across).T)


def _noisy_covariance(variogram: Floats, places: NDArray[np.int64]) -> Floats:
    """Covariance of pixels with each other, and the nugget of each."""
    covariance = _covariance(variogram, places, places)
    covariance[np.diag_indices_from(covariance)] += NUGGET
    return covariance


def _covariance(variogram: Floats, first: NDArray[np.int64], second: NDArray[np.int64]) -> Floats:
    """A covariance of two lists of pixels with this variogram: any constant added is another."""
    places = np.abs(first[:, None, 0] - second[:, 0]) * variogram.shape[1]
    places += np.abs(first[:, None, 1] - second[:, 1])
    return np.asarray(2 * variogram.max() - variogram.take(places))


def kriging_fill(
    image: Array,
    mask: Mask,
    local: Callable[[Array, Mask], Floats],
    one: Callable[[bytes], Floats],
) -> Floats:
    """Fill the hidden pixels of an `(H, W)` image, each connected hole from what is around it.

    `local` gives the variogram of a hole, from the image and mask around it; `one` the weights of a
    pixel of a large hole, see `weights_of_one`. Holes with the same variogram that look the same
    share their weights: of thousands of specks many do.
    """
    filled = image.astype(np.float64)
    left = np.zeros_like(mask)
    labels, _ = ndimage.label(mask, np.ones((3, 3), bool))
    low, high = image[~mask].min(), image[~mask].max()
    same = defaultdict(list)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        area = grown(box, MARGIN)
        hole, known = labels[area] == number, ~mask[area]
        variogram = local(image[area], mask[area])
        if max(hole.shape) > min(variogram.shape) or not known.any():
            left[area] |= hole
            continue
        key = (variogram.tobytes(), hole.shape, hole.tobytes(), known.tobytes())
        same[key].append((area, variogram, hole, known))
    for holes in same.values():
        weights = kriging_weights(*holes[0][1:])
        for area, _, hole, known in holes:
            filled[area][hole] = np.clip(weights @ image[area][known], low, high)
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
