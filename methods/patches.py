"""Filling with patches, coarse to fine: what patchmatch and its exact reference share."""

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Mask, bounding_box
from inpaintbench.methods.harmonic import harmonic_fill

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

LEVELS = 2  # the picture and its half; with a third the first trials were worse
TRUST = 0.5  # in a filled pixel, per pixel of its way from the known ones
DOUBT = 0.8  # how much of a match's unlikeness, in shares of the patch's variance, is not believed
WIDE = 8  # pixels: rows of a patch are filled up to a multiple, for vector instructions
RUN = 32  # places in a row that a random try looks at together, in vector instructions
SHRINK = 4  # by how much the window of the random tries shrinks from one to the next
CARRIED = 0.5  # share of the coarser level's answer in the next start; the rest is harmonic


def check_parameters(patch: int, rounds: int, sweeps: int) -> None:
    """Raise a ValueError for parameters that no filling with patches can have."""
    if patch < 3 or patch % 2 == 0:
        raise ValueError(f"patch must be odd and 3 or more, not {patch}")
    if rounds < 1 or sweeps < 1:
        raise ValueError("rounds and sweeps must be 1 or more")


def fill_with_patches(
    image: Array,
    mask: Mask,
    shape: tuple[int, int],
    patch: int,
    rounds: int,
    sweeps: int,
    seed: int = 0,
) -> Floats:
    """Fill the hole so that every patch of it resembles some known patch.

    Where no patch is wholly known, the fill is harmonic.

    Parameters
    ----------
    image : (H, W) array
        The picture in the upper left corner, and beside it what else may be copied from.
    mask : (H, W) array of bool
        What is unknown.
    shape : height and width of the picture
    patch : odd side of a patch, in pixels
    rounds : of matching and voting at each level
    sweeps : of propagation and random search in each round; 0 tries every known patch instead
    seed : of the random search
    """
    levels = [(image.astype(np.float64), mask, shape)]
    while len(levels) < LEVELS and min(levels[-1][2]) >= 4 * patch:
        pixels, hidden = halve(*levels[-1][:2])
        height, width = (-(-side // 2) for side in levels[-1][2])
        if hidden[:height, :width].sum() < 4 or not known_patches(hidden, patch).any():
            break  # too little is hidden to gain by it, or nothing left to copy
        levels.append((pixels, hidden, (height, width)))
    rng = np.random.default_rng(seed)
    coarser: tuple[Floats, Ints, Ints] | None = None
    for pixels, hidden, (height, width) in reversed(levels):
        part = (slice(height), slice(width))
        filled = pixels.copy()
        filled[part] = harmonic_fill(pixels[part], hidden[part])
        sources = known_patches(hidden, patch)
        if not sources.any() or min(height, width) < patch:
            break
        smooth, target = filled.copy(), np.zeros_like(hidden)
        target[part] = hidden[part]
        box = targets_of(hidden[part], patch)
        match = _random_matches(sources, box, rng)
        if coarser:
            larger = coarser[0].repeat(2, 0).repeat(2, 1)[: hidden.shape[0], : hidden.shape[1]]
            filled[target] += CARRIED * (larger - smooth)[target]
            _carry_matches(match, sources, box, *coarser[1:])
        way = ndimage.distance_transform_cdt(hidden, "chessboard")
        trust = TRUST ** way.astype(np.float64)
        _refine(filled, target, trust, smooth, sources, match, box, patch, rounds, sweeps, seed)
        coarser = (filled, match, box)
    known = image[~mask]
    return np.clip(filled, known.min(), known.max())


def halve(image: Floats, mask: Mask) -> tuple[Floats, Mask]:
    """Average 2x2 known pixels; where all four are hidden, so is their average."""
    padding = [(0, length % 2) for length in image.shape]
    values = np.pad(np.where(mask, 0, image), padding, mode="edge")
    weights = np.pad((~mask).astype(np.float64), padding, mode="edge")
    shape = (values.shape[0] // 2, 2, values.shape[1] // 2, 2)
    known = weights.reshape(shape).sum((1, 3))
    total = values.reshape(shape).sum((1, 3))
    return total / np.maximum(known, 1), known == 0


def known_patches(mask: Mask, height: int, width: int = 0) -> Mask:
    """`True` at the top left pixel of every patch (square by default) without a hidden pixel."""
    width = width or height
    if mask.shape[0] < height or mask.shape[1] < width:
        return np.zeros((0, 0), bool)
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int64)
    sums[1:, 1:] = mask.cumsum(0).cumsum(1)
    inner = sums[height:, width:] - sums[height:, :-width] - sums[:-height, width:]
    return np.asarray(inner + sums[:-height, :-width] == 0)


def no_patch_caveat(mask: Mask, side: int) -> str:
    """Say whether a picture has no square of that side to copy; "" where it has."""
    if not mask.any() or known_patches(mask, side).any():
        return ""
    return f"no {side}x{side} pixels are wholly known, to be copied: kept its harmonic fill"


def targets_of(mask: Mask, patch: int) -> Ints:
    """Find the range of patches that touch the hole: first and end row, first and end column."""
    rows, columns = bounding_box(mask)
    height, width = mask.shape
    top, left = max(rows.start - patch + 1, 0), max(columns.start - patch + 1, 0)
    bottom, right = min(rows.stop, height - patch + 1), min(columns.stop, width - patch + 1)
    return np.array([top, bottom, left, right])


def _random_matches(sources: Mask, box: Ints, rng: np.random.Generator) -> Ints:
    places = np.argwhere(sources)
    return places[rng.integers(len(places), size=(box[1] - box[0], box[3] - box[2]))]


def _carry_matches(match: Ints, sources: Mask, box: Ints, coarse: Ints, coarse_box: Ints) -> None:
    """Start from twice the coarser level's matches, where such a patch is known."""
    y, x = np.mgrid[box[0] : box[1], box[2] : box[3]]
    i = np.clip(y // 2 - coarse_box[0], 0, coarse.shape[0] - 1)
    j = np.clip(x // 2 - coarse_box[2], 0, coarse.shape[1] - 1)
    carried = 2 * coarse[i, j] + np.stack([y % 2, x % 2], axis=-1)
    inside = (carried < sources.shape).all(axis=-1)
    inside[inside] = sources[tuple(carried[inside].T)]
    match[inside] = carried[inside]


@numba.njit(cache=True)
def gather(
    image: Floats, trust: Floats, y: int, x: int, patch: int, ours: Singles
) -> None:  # pragma: no cover
    """Write the patch at `(y, x)`, its trust, and 1 / (sum of trust up to each row's end).

    `ours` has shape (3, pixels), each row of the patch filled up to a multiple of `WIDE` pixels;
    the trust in what fills up stays 0.
    """
    weights, columns = 1e-30, ours.shape[1] // patch
    for i in range(patch):
        for j in range(patch):
            ours[0, i * columns + j] = image[y + i, x + j]
            ours[1, i * columns + j] = trust[y + i, x + j]
            weights += trust[y + i, x + j]
        ours[2, i] = 1 / weights


@numba.njit(cache=True)
def room_for(patch: int) -> Singles:  # pragma: no cover
    """Make room for `gather`."""
    return np.zeros((3, patch * (-(-patch // WIDE) * WIDE)), np.float32)


@numba.njit(cache=True)
def flattened(image: Floats) -> Singles:  # pragma: no cover
    """Lay an image's pixels end to end, with room behind to read `WIDE` or `RUN` at a time."""
    flat = np.zeros(image.size + WIDE + RUN, np.float32)
    flat[: image.size] = image.ravel()
    return flat


@numba.njit(cache=True, fastmath=True)
def distance(
    ours: Singles, pixels: Singles, start: int, width: int, patch: int, limit: float
) -> float:  # pragma: no cover
    """Sum of squared differences of a gathered patch and another but for their means.

    The other one starts at pixel `start` of a flattened image of that width. Differences are
    weighted by the trust in the first patch's pixels. The sum about the mean never falls as pixels
    are added, so that it may stop early above `limit`.
    """
    first, second = np.float32(0), np.float32(0)
    columns, middle = ours.shape[1] // patch, patch // 2
    for begin, end in ((0, middle), (middle, patch)):
        for i in range(begin, end):
            here, there = i * columns, start + i * width
            for j in range(columns):
                difference = ours[0, here + j] - pixels[there + j]
                weighted = ours[1, here + j] * difference
                first += weighted
                second += weighted * difference
        total = second - first * first * ours[2, end - 1]
        if total > limit:
            return np.inf
    return max(float(total), 0.0)


@numba.njit(cache=True)
def _refine(
    image: Floats,
    hole: Mask,
    trust: Floats,
    smooth: Floats,
    sources: Mask,
    match: Ints,
    box: Ints,
    patch: int,
    rounds: int,
    sweeps: int,
    seed: int,
) -> None:  # pragma: no cover
    """Alternate matching and voting on one level; `image` and `match` are changed in place."""
    state = np.full(1, seed * 2 + 1, np.uint64)
    top, left = box[0], box[2]
    cost = np.empty((match.shape[0], match.shape[1]))
    ours, pixels, width = room_for(patch), flattened(image), image.shape[1]
    for number in range(rounds):
        for i in range(cost.shape[0]):
            for j in range(cost.shape[1]):
                gather(image, trust, top + i, left + j, patch, ours)
                start = match[i, j, 0] * width + match[i, j, 1]
                cost[i, j] = distance(ours, pixels, start, width, patch, np.inf)
        for sweep in range(sweeps):
            search(image, trust, sources, match, cost, top, left, patch, sweep % 2 == 1, state)
        if sweeps == 0:
            search_all(image, trust, sources, match, cost, top, left, patch)
        last = number == rounds - 1
        _vote(image, hole, trust, smooth, match, cost, top, left, patch, DOUBT if last else 0.0)


@numba.njit(cache=True)
def search(
    image: Floats,
    trust: Floats,
    sources: Mask,
    match: Ints,
    cost: Floats,
    top: int,
    left: int,
    patch: int,
    backwards: bool,
    state: NDArray[np.uint64],
) -> None:  # pragma: no cover
    """One sweep of propagation and random search over all patches that touch the hole."""
    rows, columns = cost.shape
    sums = np.empty((2, RUN), np.float32)
    step = -1 if backwards else 1
    ours, pixels, width = room_for(patch), flattened(image), image.shape[1]
    for a in range(rows):
        i = rows - 1 - a if backwards else a
        for b in range(columns):
            j = columns - 1 - b if backwards else b
            gather(image, trust, top + i, left + j, patch, ours)
            for di, dj in ((step, 0), (0, step)):  # what the neighbour before found, moved along
                p, q = i - di, j - dj
                if 0 <= p < rows and 0 <= q < columns:
                    v, u = match[p, q, 0] + di, match[p, q, 1] + dj
                    _try(ours, pixels, width, sources, match, cost, i, j, v, u, patch)
            radius = max(sources.shape)
            while radius >= 1:
                v = _near(match[i, j, 0], radius, sources.shape[0], state)
                u = _near(match[i, j, 1], radius, sources.shape[1], state)
                u -= RUN // 2
                _try_run(ours, pixels, width, sources, match, cost, i, j, v, u, patch, sums)
                radius //= SHRINK


@numba.njit(cache=True)
def _near(place: int, radius: int, end: int, state: NDArray[np.uint64]) -> int:  # pragma: no cover
    """Draw from the places at most `radius` away that there are.

    The generator is Knuth's linear congruential one (MMIX): far faster than numpy's, and its upper
    bits are random enough for a search.
    """
    low, high = max(place - radius, 0), min(place + radius + 1, end)
    state[0] = state[0] * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return low + int(((state[0] >> np.uint64(40)) * np.uint64(high - low)) >> np.uint64(24))


@numba.njit(cache=True)
def search_all(
    image: Floats,
    trust: Floats,
    sources: Mask,
    match: Ints,
    cost: Floats,
    top: int,
    left: int,
    patch: int,
) -> None:  # pragma: no cover
    """Try every known patch for every patch that touches the hole."""
    ours, pixels, width = room_for(patch), flattened(image), image.shape[1]
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            gather(image, trust, top + i, left + j, patch, ours)
            for v in range(sources.shape[0]):
                for u in range(sources.shape[1]):
                    _try(ours, pixels, width, sources, match, cost, i, j, v, u, patch)


@numba.njit(cache=True)
def _try(
    ours: Singles,
    pixels: Singles,
    width: int,
    sources: Mask,
    match: Ints,
    cost: Floats,
    i: int,
    j: int,
    v: int,
    u: int,
    patch: int,
) -> None:  # pragma: no cover
    """Take the patch at `(v, u)` as the match if it is known and better."""
    if 0 <= v < sources.shape[0] and 0 <= u < sources.shape[1] and sources[v, u]:
        found = distance(ours, pixels, v * width + u, width, patch, cost[i, j])
        if found < cost[i, j]:
            cost[i, j] = found
            match[i, j, 0], match[i, j, 1] = v, u


@numba.njit(cache=True, fastmath=True)
def _try_run(
    ours: Singles,
    pixels: Singles,
    width: int,
    sources: Mask,
    match: Ints,
    cost: Floats,
    i: int,
    j: int,
    v: int,
    u: int,
    patch: int,
    sums: Singles,
) -> None:  # pragma: no cover
    """Take the best of the known patches from `(v, u)` on to the right, if it is better.

    The same distance as `distance`, of all of them at once; `sums` is room to work in.
    """
    u = max(min(u, sources.shape[1] - RUN), 0)
    first, second = sums[0], sums[1]
    first[:] = second[:] = 0
    columns = ours.shape[1] // patch
    for row in range(patch):
        for column in range(patch):
            value, trust = ours[0, row * columns + column], ours[1, row * columns + column]
            there = np.uint64((v + row) * width + u + column)
            for number in range(RUN):
                k = np.uint64(number)  # unsigned: no index counts from the end
                difference = value - pixels[there + k]
                weighted = trust * difference
                first[k] += weighted
                second[k] += weighted * difference
    for number in range(min(RUN, sources.shape[1] - u)):
        found = second[number] - first[number] * first[number] * ours[2, patch - 1]
        if found < cost[i, j] and sources[v, u + number]:
            cost[i, j] = max(float(found), 0.0)
            match[i, j, 0], match[i, j, 1] = v, u + number


@numba.njit(cache=True)
def _vote(
    image: Floats,
    hole: Mask,
    trust: Floats,
    smooth: Floats,
    match: Ints,
    cost: Floats,
    top: int,
    left: int,
    patch: int,
    doubt: float,
) -> None:  # pragma: no cover
    """Set every hidden pixel to the weighted average of what the patches over it say.

    The weight is the patch's trust times exp(-d / (2 s^2)) with d the mean squared difference and
    s^2 the 75th percentile of them, as Wexler et al. Each patch speaks with its match's pixels,
    shifted to its own mean; `doubt` draws unlike matches towards the smooth filling.
    """
    spread = np.empty_like(cost)
    weights_of = np.empty_like(cost)
    shift = np.empty_like(cost)
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            y, x, v, u = top + i, left + j, match[i, j, 0], match[i, j, 1]
            weights, first, second, other = 1e-300, 0.0, 0.0, 0.0
            for k in range(patch):
                for m in range(patch):
                    weight, value = trust[y + k, x + m], image[y + k, x + m]
                    weights += weight
                    first += weight * value
                    second += weight * value * value
                    other += weight * image[v + k, u + m]
            weights_of[i, j] = weights
            shift[i, j] = (first - other) / weights
            spread[i, j] = max(second - first * first / weights, 1e-12)
    scale = 2 * max(np.percentile(cost / weights_of, 75), 1e-12)
    total, weight_sum = np.zeros_like(image), np.zeros_like(image)
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            belief = max(1 - doubt * cost[i, j] / spread[i, j], 0.0)
            weight = weights_of[i, j] * np.exp(-cost[i, j] / weights_of[i, j] / scale)
            for k in range(patch):
                for m in range(patch):
                    y, x = top + i + k, left + j + m
                    if hole[y, x]:
                        said = image[match[i, j, 0] + k, match[i, j, 1] + m] + shift[i, j]
                        total[y, x] += weight * (smooth[y, x] + belief * (said - smooth[y, x]))
                        weight_sum[y, x] += weight
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if hole[y, x] and weight_sum[y, x] > 0:
                image[y, x] = total[y, x] / weight_sum[y, x]
