"""Filling rectangular holes by one matrix per hole shape, whole batches at once.

A linear method restores a rectangle away from the picture's border by a fixed matrix from the known
pixels around it. So each matrix is computed once, and every batch costs one product per hole shape.
"""

from collections.abc import Callable, Iterator, Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import per_channel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST = 32  # pixels of a side; a larger hole's matrix would cost more than it saves
CHUNK = 64  # planes looked at together, so that they stay in the processor's cache


def fill_rectangles(
    observations: Sequence[Observation],
    margin: int,
    operator: Callable[[int, int], Floats],
    fallback: Callable[[Array, Mask], Array],
    clip: bool = False,
) -> list[Array]:
    """Restore pictures by a matrix where the hole is a rectangle inside, and otherwise where not.

    Parameters
    ----------
    observations : pictures of any sizes and dtypes, grey or colour
    margin : known pixels on every side of the hole that the matrix reads
    operator : from a hole's height and width, the matrix of shape (hidden pixels, frame pixels);
        both in row-major order, the frame being the rectangle larger by `margin` on every side,
        without the hole. It should remember what it computed
    fallback : restores an `(H, W)` picture with any other mask, some pixels known, some hidden
    clip : limit what a matrix gives to the range of the channel's known pixels

    Returns
    -------
    list of float arrays of the pictures' shapes
        float32 where a matrix was applied (exact for 16 bits).
    """
    if not observations:
        return []
    planes = [plane for o in observations for plane in _planes(o)]
    masks = [o.mask for o in observations for _ in _planes(o)]
    sizes = np.array([mask.shape for mask in masks], np.int64).reshape(-1, 2)
    ends = np.cumsum(sizes.prod(axis=1))
    starts = ends - sizes.prod(axis=1)
    pixels = np.empty(ends[-1], np.float32)
    looked = []
    for first in range(0, len(planes), CHUNK):
        part = slice(first, first + CHUNK)
        into = pixels[starts[part][0] : ends[part][-1]]
        np.concatenate([p.ravel() for p in planes[part]], out=into, casting="unsafe")
        hidden = np.flatnonzero(np.concatenate([m.ravel() for m in masks[part]]))
        looked.append(_look(into, hidden, sizes[part], margin))
    boxes = np.concatenate([box for box, _ in looked])
    frames = np.concatenate([frame for _, frame in looked])
    _restore(pixels, starts, sizes, boxes, frames, margin, operator, clip)
    filled = zip(starts.tolist(), ends.tolist(), boxes[:, 2].tolist(), strict=True)
    return [_picture(o, pixels, filled, fallback) for o in observations]


def _restore(
    pixels: NDArray[np.float32],
    starts: Ints,
    sizes: Ints,
    boxes: Ints,
    frames: Floats,
    margin: int,
    operator: Callable[[int, int], Floats],
    clip: bool,
) -> None:
    """Multiply the frames, which lie end to end, by their holes' matrices, shape by shape."""
    area = boxes[:, 2] * boxes[:, 3]
    around = np.where(area > 0, (boxes[:, 2] + 2 * margin) * (boxes[:, 3] + 2 * margin) - area, 0)
    frame_at = np.cumsum(around) - around
    order = np.lexsort((boxes[:, 3], boxes[:, 2]))
    order = order[np.count_nonzero(area == 0) :]
    changes = (np.diff(boxes[order, 2:], axis=0) != 0).any(axis=1)
    for chosen in np.split(order, np.flatnonzero(changes) + 1):
        if not chosen.size:
            continue
        one = chosen[0]
        matrix = operator(*boxes[one, 2:].tolist())
        rows = _rows(frames, frame_at[chosen], around[one])
        holes = rows @ matrix.T
        _paste(pixels, starts, sizes, boxes, chosen, rows, holes, clip)


def _planes(observation: Observation) -> Sequence[Array]:
    image = observation.image
    return [image] if image.ndim == 2 else [image[..., c] for c in range(image.shape[2])]


def _picture(
    observation: Observation,
    pixels: NDArray[np.float32],
    filled: Iterator[tuple[int, int, int]],
    fallback: Callable[[Array, Mask], Array],
) -> Array:
    """Take a picture's planes, the next ones of `filled`, or restore it otherwise."""
    shape = observation.image.shape
    if len(shape) == 2:
        start, end, whole = next(filled)
        return pixels[start:end].reshape(shape) if whole else per_channel(fallback, observation)
    places = [next(filled) for _ in range(shape[2])]
    if not places[0][2]:
        return per_channel(fallback, observation)
    return np.stack([pixels[start:end].reshape(shape[:2]) for start, end, _ in places], axis=-1)


@numba.njit(cache=True)
def _look(
    pixels: NDArray[np.float32], hidden: Ints, sizes: Ints, margin: int
) -> tuple[Ints, Floats]:  # pragma: no cover
    """Find the holes of planes that lie end to end, and the frames around rectangular ones."""
    boxes = np.zeros((len(sizes), 4), np.int64)
    frames = np.empty(len(sizes) * 4 * margin * (LARGEST + margin))
    k, start, first = 0, 0, 0
    for number in range(len(sizes)):
        height, width = sizes[number]
        last = first
        while last < len(hidden) and hidden[last] < start + height * width:
            last += 1
        box = _rectangle(hidden[first:last] - start, height, width, margin)
        top, left, high, wide = boxes[number] = box
        for y in range(top - margin, top + high + margin) if high else range(0):
            row = start + y * width + left
            for x in range(-margin, wide + margin):
                if not (0 <= x < wide and top <= y < top + high):
                    frames[k] = pixels[row + x]
                    k += 1
        start, first = start + height * width, last
    return boxes, frames[:k].copy()


@numba.njit(cache=True)
def _rectangle(
    hidden: Ints, height: int, width: int, margin: int
) -> tuple[int, int, int, int]:  # pragma: no cover
    """Find the rectangle (top, left, height, width) that the hidden pixels are; else zeros."""
    if not hidden.size:
        return 0, 0, 0, 0
    top, left = hidden[0] // width, hidden[0] % width
    high, wide = hidden[-1] // width - top + 1, hidden[-1] % width - left + 1
    inside = min(top, left, height - top - high, width - left - wide) >= margin
    if not inside or max(high, wide) > LARGEST or hidden.size != high * wide:
        return 0, 0, 0, 0
    for k in range(hidden.size):
        if hidden[k] != (top + k // wide) * width + left + k % wide:
            return 0, 0, 0, 0
    return top, left, high, wide


@numba.njit(cache=True)
def _rows(frames: Floats, starts: Ints, count: int) -> Floats:  # pragma: no cover
    """Collect frames of `count` pixels, one a row."""
    rows = np.empty((len(starts), count))
    for row in range(len(starts)):
        rows[row] = frames[starts[row] : starts[row] + count]
    return rows


@numba.njit(cache=True)
def _paste(
    pixels: NDArray[np.float32],
    starts: Ints,
    sizes: Ints,
    boxes: Ints,
    chosen: Ints,
    rows: Floats,
    holes: Floats,
    clip: bool,
) -> None:  # pragma: no cover
    """Write the chosen pictures' holes into them."""
    for row, number in enumerate(chosen):
        top, left, high, wide = boxes[number]
        hole = holes[row]
        frame = rows[row]
        # What the frame's range holds, the known pixels' range holds.
        if clip and (hole.min() < frame.min() or hole.max() > frame.max()):
            low, limit = _known_range(pixels[starts[number] :], sizes[number], boxes[number])
            for k in range(high * wide):
                hole[k] = min(max(hole[k], low), limit)
        for y in range(high):
            place = starts[number] + (top + y) * sizes[number, 1] + left
            for x in range(wide):
                pixels[place + x] = hole[y * wide + x]


@numba.njit(cache=True)
def _known_range(
    pixels: NDArray[np.float32], size: Ints, box: Ints
) -> tuple[float, float]:  # pragma: no cover
    """Find the lowest and the highest value outside a rectangle.

    Their bits are compared as integers, which order floats of 0 and more alike and compile to
    vector instructions.
    """
    height, width = size
    top, left, high, wide = box
    bits = pixels.view(np.int32)
    ends = np.array([bits[0], bits[0]])
    begin = 0
    for y in range(top, top + high + 1):  # the runs of known pixels between the hole's rows
        end = y * width + left if y < top + high else height * width
        _widen(ends, bits, begin, end)
        begin = end + wide
    low, limit = ends.view(np.float32)
    return low, limit


@numba.njit(cache=True)
def _widen(
    ends: NDArray[np.int32], bits: NDArray[np.int32], begin: int, end: int
) -> None:  # pragma: no cover
    """Widen a range to what stands from `begin` up to `end`."""
    low, limit = ends
    for k in range(begin, end):
        low, limit = min(low, bits[k]), max(limit, bits[k])
    ends[0], ends[1] = low, limit
