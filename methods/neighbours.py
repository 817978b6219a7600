"""Looking for what is hidden in the other pictures of a test set.

Pictures often come in bursts, several views of one wall or one harbour, so that a neighbour may
show what is missing here. The frame of known pixels around the hole is looked for in all the
others; the surroundings of the best places are then laid beside the picture, where a method that
copies or averages known patches finds them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Mask, Observation, grown
from inpaintbench.methods.method import Method, check_choice, per_channel
from inpaintbench.methods.patches import known_patches

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FRAME = 5  # pixels: width of the frame that is looked for
MARGIN = 12  # pixels around the hole's likeness that are laid beside the picture
MOST_HOLES = 4  # of a picture that are looked for in the others
PLACES = 3  # pictures that are taken, the best place of each
GRID = 8  # pixels: windows start on multiples, with so many blank ones between, for coarser levels


@dataclass(frozen=True)
class Window:
    """A piece of another picture, and how unlike it is.

    `distance` is the mean squared difference of the frames after their means are taken out, divided
    by the variance of the frame around the hole.
    """

    pixels: Array
    mask: Mask
    distance: float


class Exemplar(Method):
    """A method that copies from the picture, or also from the other pictures of the test set.

    `search` is "picture" or "set"; `limit` is the largest distance of a window that is used: less
    alike ones seemed to do copies more harm than good on validation photographs.
    """

    family = "exemplar"
    limit = 0.4
    search: str = "picture"

    def __post_init__(self) -> None:
        check_choice("search", self.search, ("picture", "set"))
        self.others: tuple[Observation, ...] = ()

    def look_around(self, others: Sequence[Observation]) -> None:
        """Receive the other pictures of the test set."""
        self.others = tuple(others)

    def windows(self, observation: Observation) -> list[Window]:
        """Find what the other pictures show that is alike: nothing for a search of the picture."""
        if self.search != "set" or not self.others:
            return []
        return [w for w in windows_alike(observation, self.others) if w.distance <= self.limit]


def windows_alike(observation: Observation, others: Sequence[Observation]) -> list[Window]:
    """Find the windows of other pictures that look most like the surroundings of each hole.

    Pictures of another dtype or number of channels, and those too small, are left out; of many
    holes, only the largest are looked for.
    """
    grey, kind = _grey(observation.image), (observation.image.dtype, observation.image.ndim)
    alike = [(_grey(o.image), o) for o in others if (o.image.dtype, o.image.ndim) == kind]
    labels, _ = ndimage.label(observation.mask, np.ones((3, 3), bool))
    boxes = ndimage.find_objects(labels)
    largest = np.argsort(-np.bincount(labels.ravel())[1:], kind="stable")
    windows = []
    for number in largest[:MOST_HOLES]:
        box = boxes[number]
        frame = grown(box, FRAME)
        known = ~observation.mask[frame]
        if known.sum() >= FRAME:
            windows += _search_frame(grey[frame], known, box, frame, alike)
    return windows


def _search_frame(
    pixels: Floats,
    known: Mask,
    box: tuple[slice, slice],
    frame: tuple[slice, slice],
    others: Sequence[tuple[Floats, Observation]],
) -> list[Window]:
    offsets, values = np.argwhere(known), pixels[known]
    order = np.random.default_rng(0).permutation(len(values))  # unlike places show early
    spread = max(float(values.var()), 1e-12)
    found = []
    for number, (grey, other) in enumerate(others):
        free = known_patches(other.mask, *known.shape)
        if free.any():
            cost, y, x = _best_place(grey, free, offsets[order], values[order])
            found.append((cost / spread, number, y, x))
    windows = []
    for cost, number, y, x in sorted(found)[:PLACES]:
        other = others[number][1]
        down, right = y - frame[0].start, x - frame[1].start
        there = (
            slice(box[0].start + down, box[0].stop + down),
            slice(box[1].start + right, box[1].stop + right),
        )
        around = grown(there, MARGIN)
        windows.append(Window(other.image[around], other.mask[around], cost))
    return windows


def fill_beside(
    fill: Callable[[Array, Mask, tuple[int, int]], Array],
    observation: Observation,
    windows: Sequence[Window],
    apply: Callable[[Callable[[Array, Mask], Array], Observation], Array] = per_channel,
) -> Array:
    """Apply `fill(image, mask, shape)` to the channels of the picture with windows beside it.

    The picture itself is the part of `shape` in the upper left corner; the rest is there to be
    copied from, where the mask does not hide it.
    """
    height, width = observation.mask.shape
    canvas = _canvas(observation, windows) if windows else observation
    filled = apply(lambda image, mask: fill(image, mask, (height, width)), canvas)
    return filled[:height, :width]


def _canvas(observation: Observation, windows: Sequence[Window]) -> Observation:
    """Lay windows to the right of the picture, one below the other."""
    left, y = _next(observation.mask.shape[1]), 0
    pieces = [(0, 0, observation.image, observation.mask)]
    for window in windows:
        pieces.append((y, left, window.pixels, window.mask))
        y = _next(y + window.mask.shape[0])
    rows = max(y + hidden.shape[0] for y, _, _, hidden in pieces)
    columns = max(x + hidden.shape[1] for _, x, _, hidden in pieces)
    image = np.zeros((rows, columns, *observation.image.shape[2:]), observation.image.dtype)
    mask = np.ones((rows, columns), bool)
    for y, x, pixels, hidden in pieces:
        image[y : y + hidden.shape[0], x : x + hidden.shape[1]] = pixels
        mask[y : y + hidden.shape[0], x : x + hidden.shape[1]] = hidden
    return Observation(image, mask)


def _next(position: int) -> int:
    return -(-position // GRID) * GRID + GRID


def _grey(image: Array) -> Floats:
    pixels = image.astype(np.float64)
    return pixels if pixels.ndim == 2 else pixels.mean(axis=2)


@numba.njit(cache=True)
def _best_place(
    image: Floats, free: Mask, offsets: Ints, values: Floats
) -> tuple[float, int, int]:  # pragma: no cover
    """Find the place where pixels at `offsets` differ least from `values`, but for their means.

    Returns the mean squared difference and the place. The sum of squares about the mean never falls
    as pixels are added, so that a place is given up as soon as it exceeds the best.
    """
    best, top, left = np.inf, 0, 0
    count = len(values)
    for y in range(free.shape[0]):
        for x in range(free.shape[1]):
            if not free[y, x]:
                continue
            first = second = total = 0.0
            for k in range(count):
                difference = image[y + offsets[k, 0], x + offsets[k, 1]] - values[k]
                first += difference
                second += difference * difference
                if k % 8 == 7 or k == count - 1:
                    total = second - first * first / (k + 1)
                    if total >= best:
                        break
            if total < best:
                best, top, left = total, y, x
    return max(best, 0.0) / count, top, left
