"""Texture synthesis block by block with minimum-cost cuts, of Efros and Freeman."""

import numba
import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation, bounding_box
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import Method, all_channels, check_seed
from inpaintbench.methods.patches import known_patches, no_patch_caveat

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Quilting(Method):
    """Lay overlapping blocks of the picture over the hole, joined along the least visible cut.

    A. Efros and W. Freeman, "Image quilting for texture synthesis and transfer", SIGGRAPH 2001.
    Blocks come in rows from the upper left. Each is drawn at random from the known blocks that
    differ from what is there already by at most 1 + `tolerance` times the least difference. Where
    it overlaps what is there on its left and upper side, the cut between the old and the new runs
    where they differ least (dynamic programming). It is made for texture, not for squared error.

    Departs from the paper in that blocks must fit also the known pixels below and to the right of
    the hole, and that known pixels always stay, so that cuts run inside the hole alone. Where no
    block is wholly known, the fill is harmonic.

    Parameters
    ----------
    block : int
        Side of a block, in pixels.
    overlap : int
        Width of the overlap of two blocks, in pixels.
    tolerance : float
        How much worse than the best a block may be, as a share of the least difference.
    seed : int
        Of the draws: the same seed gives the same restoration.
    """

    name = "quilting"
    family = "exemplar"
    tasks = ("crop", "border", "scratches", "center-pixel")
    limits = "no patch of a grid is wholly known"
    block: int = 9
    overlap: int = 3
    tolerance: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.overlap < self.block:
            raise ValueError(f"overlap must be 1 to block - 1 pixels, not {self.overlap}")
        if not 0 <= self.tolerance < np.inf:
            raise ValueError(f"tolerance must be 0 or more, and finite, not {self.tolerance}")
        check_seed(self.seed)

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return all_channels(self._fill, observation)

    def caveat(self, mask: Mask) -> str:
        """Say whether there is no block to copy."""
        return no_patch_caveat(mask, self.block)

    def _fill(self, image: Array, mask: Mask) -> Array:
        places = np.argwhere(known_patches(mask, self.block))
        if not len(places):
            return np.stack([harmonic_fill(plane, mask) for plane in image])
        filled, there, rng = image.astype(np.float64), ~mask, np.random.default_rng(self.seed)
        starts = [
            _starts(side, length, self.block, self.overlap)
            for side, length in zip(bounding_box(mask), mask.shape, strict=True)
        ]
        for y in starts[0]:
            for x in starts[1]:
                here = (slice(y, y + self.block), slice(x, x + self.block))
                if not mask[here].any():
                    continue
                old, known = filled[:, *here], there[here]
                unlike = _compare(filled, old, known, places)
                good = np.flatnonzero(unlike <= unlike.min() * (1 + self.tolerance))
                v, u = places[rng.choice(good)]
                new = filled[:, v : v + self.block, u : u + self.block]
                take = _new_pixels(old, new, known, self.overlap) & mask[here]
                old[:, take] = new[:, take]
                known[:] = True
        return filled


def _starts(side: slice, length: int, block: int, overlap: int) -> list[int]:
    """List where blocks start along one axis to cover the hole and an overlap before it."""
    starts = range(max(side.start - overlap, 0), side.stop, block - overlap)
    return sorted({min(start, length - block) for start in starts})


def _new_pixels(old: Floats, new: Floats, known: Mask, overlap: int) -> Mask:
    """Mark which pixels the new block takes: all that are not there yet, and those past cuts."""
    errors = np.where(known, np.square(old - new).sum(axis=0), 0)
    steps = np.arange(overlap)
    take = np.ones(known.shape, bool)
    if known[:, :overlap].any():
        take[:, :overlap] &= steps >= cheapest_path(errors[:, :overlap])[:, None]
    if known[:overlap].any():
        take[:overlap] &= (steps >= cheapest_path(errors[:overlap].T)[:, None]).T
    return take | ~known


def cheapest_path(errors: Floats) -> Ints:
    """Find the path from the first row to the last with the least sum of errors.

    Returns its column in every row; it moves by at most one column from row to row.
    """
    total = errors.astype(np.float64)
    for row in range(1, len(total)):
        above = np.pad(total[row - 1], 1, constant_values=np.inf)
        total[row] += np.minimum(np.minimum(above[:-2], above[1:-1]), above[2:])
    path = np.empty(len(total), np.int64)
    path[-1] = total[-1].argmin()
    for row in range(len(total) - 2, -1, -1):
        low = max(path[row + 1] - 1, 0)
        path[row] = low + total[row, low : path[row + 1] + 2].argmin()
    return path


@numba.njit(cache=True)
def _compare(image: Floats, old: Floats, known: Mask, places: Ints) -> Floats:  # pragma: no cover
    """Sum of squared differences of known blocks from what is known of another, all channels."""
    unlike = np.zeros(len(places))
    for k in range(len(places)):
        for c in range(len(old)):
            for i in range(len(known)):
                for j in range(len(known)):
                    if known[i, j]:
                        there = image[c, places[k, 0] + i, places[k, 1] + j]
                        unlike[k] += (old[c, i, j] - there) ** 2
    return unlike
