"""Exemplar filling with PatchMatch correspondences."""

import numba
import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import Method, per_channel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class PatchMatch(Method):
    """Fill the hole so that every patch of it resembles some known patch.

    Correspondences by PatchMatch (Barnes, Shechtman, Finkelstein, Goldman, "PatchMatch: a
    randomized correspondence algorithm for structural image editing", ACM Transactions on Graphics
    28(3), 2009): random initialisation, propagation from neighbours in scan order and back, and
    random search in shrinking windows. The hole is filled as in Wexler, Shechtman and Irani 2007:
    each hidden pixel becomes the average of what the matches of all patches over it say, weighted
    by how well they match; matching and averaging alternate, from coarse to fine.

    Departs from the papers in that the coarsest level starts from a harmonic fill, that levels are
    halved by averaging known pixels alone, and that a match must be known completely.

    Parameters
    ----------
    patch : int
        Odd side of a patch, in pixels.
    iterations : int
        Rounds of matching and averaging at each level.
    searches : int
        Sweeps of propagation and random search in each round.
    seed : int
        Of the random numbers: the same seed gives the same restoration.
    """

    name = "patchmatch"
    family = "exemplar"
    patch: int = 7
    iterations: int = 8
    searches: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.patch < 3 or self.patch % 2 == 0:
            raise ValueError(f"patch must be odd and 3 or more, not {self.patch}")
        if self.iterations < 1 or self.searches < 1:
            raise ValueError("iterations and searches must be 1 or more")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(self._fill, observation)

    def _fill(self, image: Array, mask: Mask) -> Array:
        levels = [(image.astype(np.float64), mask)]
        while self._can_halve(levels[-1][1]):
            levels.append(_halve(*levels[-1]))
        filled = harmonic_fill(*levels[-1])
        for number in reversed(range(len(levels))):
            known, hidden = levels[number]
            if number < len(levels) - 1:  # take the coarser level's answer over
                larger = filled.repeat(2, 0).repeat(2, 1)
                filled = np.where(hidden, larger[: hidden.shape[0], : hidden.shape[1]], known)
            sources = _known_patches(hidden, self.patch)
            if not sources.any():
                filled = harmonic_fill(known, hidden)
                continue
            _refine(filled, hidden, sources, self.patch, self.iterations, self.searches, self.seed)
        return filled

    def _can_halve(self, mask: Mask) -> bool:
        """Whether half the picture still has known patches and a hole worth a coarser level."""
        if min(mask.shape) < 4 * self.patch:
            return False
        _, half = _halve(mask.astype(np.float64), mask)
        return bool(_known_patches(half, self.patch).any() and half.sum() >= self.patch**2 // 2)


def _halve(image: Floats, mask: Mask) -> tuple[Floats, Mask]:
    """Average 2x2 known pixels; where all four are hidden, so is their average."""
    padding = [(0, length % 2) for length in image.shape]
    values = np.pad(np.where(mask, 0, image), padding, mode="edge")
    weights = np.pad((~mask).astype(np.float64), padding, mode="edge")
    shape = (values.shape[0] // 2, 2, values.shape[1] // 2, 2)
    known = weights.reshape(shape).sum((1, 3))
    total = values.reshape(shape).sum((1, 3))
    return total / np.maximum(known, 1), known == 0


def _known_patches(mask: Mask, patch: int) -> Mask:
    """`True` at the top left pixel of every patch without a hidden pixel."""
    if min(mask.shape) < patch:
        return np.zeros((0, 0), bool)
    views = np.lib.stride_tricks.sliding_window_view(mask, (patch, patch))
    return np.asarray(~views.any(axis=(2, 3)))


@numba.njit(cache=True)
def _distance(
    image: Floats, y: int, x: int, v: int, u: int, patch: int, limit: float
) -> float:  # pragma: no cover
    """Sum of squared differences of two patches; stops early above `limit`."""
    total = 0.0
    for i in range(patch):
        for j in range(patch):
            difference = image[y + i, x + j] - image[v + i, u + j]
            total += difference * difference
        if total > limit:
            break
    return total


@numba.njit(cache=True)
def _refine(
    image: Floats, mask: Mask, sources: Mask, patch: int, iterations: int, searches: int, seed: int
) -> None:  # pragma: no cover
    """Alternate matching and averaging on one level; `image` is changed in place."""
    np.random.seed(seed)  # noqa: NPY002  (numba's own generator, private to compiled code)
    height, width = sources.shape
    places = np.argwhere(sources)
    top, bottom, left, right = height, -1, width, -1
    for y, x in np.argwhere(mask):
        top, bottom = min(top, y - patch + 1), max(bottom, y)
        left, right = min(left, x - patch + 1), max(right, x)
    top, left = max(top, 0), max(left, 0)
    bottom, right = min(bottom, height - 1) + 1, min(right, width - 1) + 1
    match = np.empty((bottom - top, right - left, 2), np.int64)
    for i in range(bottom - top):
        for j in range(right - left):
            match[i, j] = places[np.random.randint(len(places))]  # noqa: NPY002
    cost = np.empty((bottom - top, right - left))
    for _ in range(iterations):
        for i in range(bottom - top):
            for j in range(right - left):
                v, u = match[i, j]
                cost[i, j] = _distance(image, top + i, left + j, v, u, patch, np.inf)
        for sweep in range(searches):
            _search(image, sources, match, cost, top, left, patch, sweep % 2 == 1)
        _average(image, mask, match, cost, top, left, patch)


@numba.njit(cache=True)
def _search(
    image: Floats,
    sources: Mask,
    match: Ints,
    cost: Floats,
    top: int,
    left: int,
    patch: int,
    backwards: bool,
) -> None:  # pragma: no cover
    """One sweep of propagation and random search over all patches that touch the hole."""
    rows, columns = cost.shape
    height, width = sources.shape
    step = -1 if backwards else 1
    for a in range(rows):
        i = rows - 1 - a if backwards else a
        for b in range(columns):
            j = columns - 1 - b if backwards else b
            y, x = top + i, left + j
            for di, dj in ((step, 0), (0, step)):  # what the neighbour before found, moved along
                p, q = i - di, j - dj
                if 0 <= p < rows and 0 <= q < columns:
                    v, u = match[p, q, 0] + di, match[p, q, 1] + dj
                    _try(image, sources, match, cost, i, j, y, x, v, u, patch)
            radius = max(height, width)
            while radius >= 1:
                v = match[i, j, 0] + np.random.randint(-radius, radius + 1)  # noqa: NPY002
                u = match[i, j, 1] + np.random.randint(-radius, radius + 1)  # noqa: NPY002
                _try(image, sources, match, cost, i, j, y, x, v, u, patch)
                radius //= 2


@numba.njit(cache=True)
def _try(
    image: Floats,
    sources: Mask,
    match: Ints,
    cost: Floats,
    i: int,
    j: int,
    y: int,
    x: int,
    v: int,
    u: int,
    patch: int,
) -> None:  # pragma: no cover
    """Take the patch at `(v, u)` as the match if it is known and better."""
    if 0 <= v < sources.shape[0] and 0 <= u < sources.shape[1] and sources[v, u]:
        found = _distance(image, y, x, v, u, patch, cost[i, j])
        if found < cost[i, j]:
            cost[i, j] = found
            match[i, j] = v, u


@numba.njit(cache=True)
def _average(
    image: Floats, mask: Mask, match: Ints, cost: Floats, top: int, left: int, patch: int
) -> None:  # pragma: no cover
    """Set every hidden pixel to the weighted average of what the patches over it say.

    The weight is exp(-cost / (2 s^2)) with s^2 the 75th percentile of the costs, as Wexler et al.
    """
    scale = 2 * max(np.percentile(cost, 75), 1e-12)
    total, weights = np.zeros_like(image), np.zeros_like(image)
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            v, u = match[i, j]
            weight = np.exp(-cost[i, j] / scale)
            for k in range(patch):
                for m in range(patch):
                    y, x = top + i + k, left + j + m
                    if mask[y, x]:
                        total[y, x] += weight * image[v + k, u + m]
                        weights[y, x] += weight
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if mask[y, x] and weights[y, x] > 0:
                image[y, x] = total[y, x] / weights[y, x]
