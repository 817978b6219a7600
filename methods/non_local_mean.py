"""The hole as a weighted mean of what stands in places with like surroundings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Mask, Observation, bounding_box
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.neighbours import Exemplar, fill_beside
from inpaintbench.methods.patches import known_patches

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

MOST_PLACES = 4000  # the nearest; more would cost memory and show little else
MOST_HOLES = 32  # separate ones; speckles are filled harmonically
LARGEST = 1024  # pixels of a hole; no larger picture piece would resemble its surroundings
FALL = 0.85  # of a frame pixel's weight, per pixel of its way from the hole


class NonLocalMean(Exemplar):
    """The mean of what other places show inside a like frame: what squared error wants.

    Non-local means (Buades, Coll and Morel, "A non-local algorithm for image denoising", CVPR 2005)
    average pixels by the likeness of their surroundings. Here the surroundings are the frame of
    known pixels around the hole, compared with every completely known place of the picture in all
    8 symmetries, and what is averaged is the difference of the true pixels inside the frame from
    their harmonic filling: where nothing is alike, the answer is the harmonic one. The hole is
    filled in tiles, each of which looks most at the part of the frame that is near to it.

    The weights of the best places are those with which their frames add up to the frame of the
    hole, by least squares with a penalty, as in neighbour embedding (Turkan and Guillemot, "Image
    prediction based on neighbor-embedding methods", IEEE TIP 21(4), 2012): weights that fall with
    unlikeness alone were 6 % worse on validation photographs.

    A hole of over 1,024 pixels keeps its harmonic fill, and so do all holes of a picture with over
    32 of them. In colour every channel is restored by itself.

    Parameters
    ----------
    frame : int
        Width of the frame, in pixels.
    tile : int
        Approximate side of the tiles, in pixels.
    places : int
        How many of the best places are averaged for each tile.
    penalty : float
        On large weights, as a share of how unlike the best place is.
    search : str
        "picture" averages from the picture alone, "set" also from the other pictures of the test
        set.
    """

    name = "non-local-mean"
    tasks = ("crop", "scratches", "center-pixel")
    limits = "its windows hold no hole so wide"
    limit = np.inf  # its weights know better
    frame: int = 2
    tile: int = 4
    places: int = 100
    penalty: float = 1.0

    def __post_init__(self) -> None:
        if self.frame < 1 or self.tile < 1 or self.places < 1:
            raise ValueError("frame, tile and places must be 1 or more")
        if not 0 <= self.penalty < np.inf:
            raise ValueError(f"penalty must be 0 or more, and finite, not {self.penalty}")
        super().__post_init__()

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return fill_beside(self._fill, observation, self.windows(observation))

    def caveat(self, mask: Mask) -> str:
        """Say whether holes are too many, or one too large."""
        holes, count = ndimage.label(mask, np.ones((3, 3), bool))
        if count > MOST_HOLES:
            return f"over {MOST_HOLES} holes are too many for it: kept their harmonic fill"
        if np.bincount(holes.ravel())[1:].max(initial=0) > LARGEST:
            return f"a hole of over {LARGEST} pixels does not fit it: kept its harmonic fill"
        return ""

    def _fill(self, image: Array, mask: Mask, shape: tuple[int, int]) -> Array:
        part = (slice(shape[0]), slice(shape[1]))
        filled = image.astype(np.float64)
        filled[part] = harmonic_fill(image[part], mask[part])
        known = image[~mask]
        holes, count = ndimage.label(mask[part], np.ones((3, 3), bool))
        if count > MOST_HOLES:
            return filled
        for number in range(1, count + 1):
            hole = holes == number
            if hole.sum() <= LARGEST:
                filled[part][hole] += self._difference(image, mask, hole)
        return np.clip(filled, known.min(), known.max())

    def _difference(self, image: Array, mask: Mask, hole: Mask) -> Floats:
        """Estimate how the pixels of one hole differ from their harmonic filling."""
        window = tuple(
            slice(max(side.start - self.frame, 0), min(side.stop + self.frame, length))
            for side, length in zip(bounding_box(hole), hole.shape, strict=True)
        )
        inside, known = hole[window], ~mask[window]
        nothing = np.zeros(int(hole.sum()))
        if known.sum() < 2:
            return nothing
        pieces = _pieces(image, mask, hole, inside.shape)
        if not len(pieces):
            return nothing
        frames, truths = pieces[:, known], pieces[:, inside]
        smooth = _harmonic_operator(inside.tobytes(), known.tobytes(), inside.shape)
        truths -= frames @ smooth.T
        ours = image[window][known].astype(np.float32)
        mean = ours.mean()  # rounding alone asks for it: every tile takes its own mean out
        return self._average(ours - mean, frames - mean, truths, _tiles(inside, known, self.tile))

    def _average(
        self, ours: Singles, frames: Singles, truths: Singles, tiles: Sequence["_Tile"]
    ) -> Floats:
        weights = np.stack([tile.weights for tile in tiles], axis=1)
        our_means, means = ours @ weights, frames @ weights
        our_squares = np.square(ours) @ weights - our_means**2
        squares = np.maximum(np.square(frames) @ weights - means**2, 0)
        products = frames @ (weights * ours[:, None]) - means * our_means
        tiny = 1e-6 * float(our_squares.max()) + 1e-6
        gains = np.clip(products / (squares + tiny), -1.5, 1.5)  # also of less or reversed contrast
        unlike = np.maximum(our_squares + gains**2 * squares - 2 * gains * products, 0)
        answer = np.empty(truths.shape[1])
        for number, tile in enumerate(tiles):
            near = np.argpartition(unlike[:, number], min(self.places, len(frames)) - 1)
            near = near[: self.places]
            root = np.sqrt(tile.weights)
            best = (frames[near] - means[near, number, None]).astype(np.float64) * root
            system = best @ best.T
            penalty = self.penalty * np.sqrt(len(best)) * unlike[:, number].min() + tiny
            system[np.diag_indices(len(best))] += penalty
            right = best @ ((ours - our_means[number]) * root)
            share = np.linalg.solve(system, right)
            answer[tile.pixels] = share @ truths[near][:, tile.pixels]
        return answer


@dataclass(frozen=True)
class _Tile:
    """Which of the hole's pixels a tile holds, and how much each frame pixel counts (sum 1)."""

    pixels: NDArray[np.int64]
    weights: Singles


def _tiles(inside: Mask, known: Mask, side: int) -> list[_Tile]:
    """Divide the hole of a window into tiles, each looking at the frame pixels near to it."""
    places, frame = np.argwhere(inside), np.argwhere(known)
    low = places.min(axis=0)
    length = places.max(axis=0) + 1 - low
    count = np.maximum(np.rint(length / side).astype(int), 1)
    rows, columns = ((places - low) * count // length).T
    number = rows * count[1] + columns
    way = ndimage.distance_transform_cdt(~inside, "chessboard")[known]
    tiles = []
    for one in np.unique(number):
        pixels = np.flatnonzero(number == one)
        distance = np.hypot(*(frame - places[pixels].mean(axis=0)).T)
        nearest = distance.min()
        weights = np.exp((nearest - distance) / (nearest + 1)) * FALL ** (way - 1.0)
        tiles.append(_Tile(pixels, (weights / weights.sum()).astype(np.float32)))
    return tiles


def _pieces(image: Array, mask: Mask, hole: Mask, shape: tuple[int, ...]) -> Singles:
    """Cut completely known pieces of a shape out of an image, in all 8 symmetries.

    Where there are too many: all from beside the picture, which were looked for, and then the
    nearest.
    """
    pieces = []
    box = bounding_box(hole)
    center = np.array([(side.start + side.stop) / 2 for side in box])
    for transposed in (False, True):
        pixels, hidden = (image.T, mask.T) if transposed else (image, mask)
        free = np.argwhere(known_patches(hidden, *shape))
        if not len(free):
            continue
        if len(free) > MOST_PLACES:
            here = center[::-1] if transposed else center
            far = np.square(free + np.array(shape) / 2 - here).sum(axis=1)
            far[(free >= (hole.shape[::-1] if transposed else hole.shape)).any(axis=1)] = 0
            free = free[np.argpartition(far, MOST_PLACES)[:MOST_PLACES]]
        views = np.lib.stride_tricks.sliding_window_view(pixels, shape)
        cut = views[free[:, 0], free[:, 1]].astype(np.float32)
        pieces += [cut, cut[:, ::-1], cut[:, :, ::-1], cut[:, ::-1, ::-1]]
    return np.concatenate(pieces) if pieces else np.zeros((0, *shape), np.float32)


@lru_cache(maxsize=128)
def _harmonic_operator(inside: bytes, known: bytes, shape: tuple[int, int]) -> Singles:
    """Matrix from the known pixels of a window to the harmonic filling of its hole.

    Other pixels, hidden too but not of this hole, count as not there.
    """
    hole = np.frombuffer(inside, bool).reshape(shape)
    there = hole | np.frombuffer(known, bool).reshape(shape)
    number = np.cumsum(there).reshape(shape) - 1
    laplacian = np.zeros((there.sum(), there.sum()))
    for first, second in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        both = there[first] & there[second]
        here, beside = number[first][both], number[second][both]
        for one, other in ((here, beside), (beside, here)):
            laplacian[one, other] -= 1
            np.add.at(laplacian, (one, one), 1)
    hidden = hole[there]
    system = laplacian[hidden][:, hidden]
    solved = np.linalg.lstsq(system, -laplacian[hidden][:, ~hidden], rcond=None)[0]
    return np.asarray(solved, np.float32)
