"""Predicting rectangular holes by one matrix per hole shape, whole batches at once.

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
Folded = tuple[Floats, Floats]

LARGEST = 32  # pixels of a side; a larger hole's matrix would cost more than it saves
CHUNK = 16  # masks looked at together, so that they stay in the processor's cache
BLOCK = 64  # pixels of a mask looked at together, in vector instructions


def folded(matrix: Floats) -> Folded:
    """Split a matrix into two of a quarter of its size, which do the same in half the time.

    Turn a hole with its frame by 180 degrees, and both are read in reverse order; the matrix must
    give the turned answer for a turned frame, as it does without a preferred direction. So it maps
    even frames to even holes and odd ones to odd, and each is known by its first half. Where the
    matrix is not quite so, its part that is counts.
    """
    half, frame = -(-matrix.shape[0] // 2), matrix.shape[1] // 2
    turned = matrix[::-1, ::-1]
    first, second = (
        ((matrix + turned) / 4)[:half, part] for part in (slice(frame), slice(-1, frame - 1, -1))
    )
    return np.ascontiguousarray((first + second).T), np.ascontiguousarray((first - second).T)


def predict_rectangles(
    observations: Sequence[Observation],
    margin: int,
    operator: Callable[[int, int], Folded],
    fallback: Callable[[Array, Mask], Array],
    clip: bool = False,
    largest: int = LARGEST,
) -> list[Array]:
    """Restore hidden pixels by a matrix where they are a rectangle inside, otherwise where not.

    Every pixel of every mask is looked at, but of a picture only the frame around its hole (all of
    it to clip).

    Parameters
    ----------
    observations : pictures of any sizes and dtypes, grey or colour
    margin : known pixels on every side of the hole that the matrix reads
    operator : from a hole's height and width, its matrix as `folded` gives it, of shape (hidden
        pixels, frame pixels); both in row-major order, the frame being the rectangle larger by
        `margin` on every side, without the hole. It should remember what it computed
    fallback : restores an `(H, W)` picture with any other mask, some pixels known, some hidden
    clip : limit what a matrix gives to the range of the channel's known pixels
    largest : side in pixels of the largest hole that has a matrix

    Returns
    -------
    list of float arrays
        For each picture what `picture[mask]` should be: `(n,)`, or `(n, channels)` in colour.
    """
    sizes = np.array([o.mask.shape for o in observations], np.int64).reshape(-1, 2)
    boxes = _boxes([o.mask for o in observations], sizes, margin, largest)
    channels = np.array([o.image.size for o in observations], np.int64) // sizes.prod(axis=1)
    order = np.lexsort((channels, boxes[:, 3], boxes[:, 2]))  # those of one shape together
    sizes, boxes, numbers = sizes[order], boxes[order], order.tolist()
    predictions: list[Array | None] = [None] * len(observations)
    for part in _runs(np.column_stack([boxes[:, 2:], channels[order]])):
        height, width = boxes[part.start, 2:].tolist()
        if not height:
            continue
        images = [observations[number].image for number in numbers[part]]
        holes = _predict(images, sizes[part], boxes[part], operator(height, width), margin, clip)
        for number, hole in zip(numbers[part], holes, strict=True):
            predictions[number] = hole
    return [
        per_channel(fallback, o)[o.mask] if prediction is None else prediction
        for o, prediction in zip(observations, predictions, strict=True)
    ]


def _boxes(masks: Sequence[Mask], sizes: Ints, margin: int, largest: int) -> Ints:
    """Find the rectangles (top, left, height, width) that masks hide; zeros where others."""
    boxes = np.zeros((len(masks), 4), np.int64)
    for first in range(0, len(masks), CHUNK):
        part = slice(first, first + CHUNK)
        hidden = np.concatenate([mask.ravel() for mask in masks[part]])
        _find(hidden, sizes[part], margin, largest, boxes[part])
    return boxes


def _runs(rows: Ints) -> Iterator[slice]:
    """Find runs of equal rows, cut to the length of a chunk."""
    changes = np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1
    ends = [*changes.tolist(), len(rows)]
    for start, end in zip([0, *ends], ends, strict=False):
        for first in range(start, end, CHUNK):
            yield slice(first, min(first + CHUNK, end))


def _predict(
    images: Sequence[Array],
    sizes: Ints,
    boxes: Ints,
    operands: Folded,
    margin: int,
    clip: bool,
) -> Array:
    """Restore holes of one shape in pictures with one number of channels: one row each."""
    if images[0].ndim == 2:
        pixels = np.concatenate([image.ravel() for image in images])
        return _restore(pixels, sizes, boxes, *operands, margin, clip)
    channels = images[0].shape[2]
    pixels = np.concatenate([image[..., c].ravel() for image in images for c in range(channels)])
    sizes, boxes = sizes.repeat(channels, axis=0), boxes.repeat(channels, axis=0)
    holes = _restore(pixels, sizes, boxes, *operands, margin, clip)
    return holes.reshape(len(images), channels, -1).swapaxes(1, 2)


@numba.njit(cache=True)
def _find(
    hidden: Mask, sizes: Ints, margin: int, largest: int, boxes: Ints
) -> None:  # pragma: no cover
    """Write the rectangles that masks hide which lie end to end."""
    start = 0
    for number in range(len(sizes)):
        height, width = sizes[number]
        mask = hidden[start : start + height * width]
        start += height * width
        first, end = _ends(mask)
        top, left = first // width, first % width
        high, wide = (end - 1) // width - top + 1, (end - 1) % width - left + 1
        inside = min(top, left, height - top - high, width - left - wide) >= margin
        if first == end or not inside or wide < 1 or max(high, wide) > largest:
            continue
        within = 0
        for y in range(top, top + high):
            within += mask[y * width + left : y * width + left + wide].sum()
        if within == mask[first:end].sum() == high * wide:
            boxes[number] = top, left, high, wide


@numba.njit(cache=True)
def _ends(mask: Mask) -> tuple[int, int]:  # pragma: no cover
    """Find the first hidden pixel of a flat mask, and the end after the last: equal without any.

    Whole blocks are summed first, which compiles to vector instructions.
    """
    first, end = 0, len(mask)
    while first + BLOCK <= end and mask[first : first + BLOCK].sum() == 0:
        first += BLOCK
    while first < end and not mask[first]:
        first += 1
    while end - BLOCK >= first and mask[end - BLOCK : end].sum() == 0:
        end -= BLOCK
    while end > first and not mask[end - 1]:
        end -= 1
    return first, end


@numba.njit(cache=True)
def _restore(
    pixels: Array, sizes: Ints, boxes: Ints, even: Floats, odd: Floats, margin: int, clip: bool
) -> Floats:  # pragma: no cover
    """Multiply the frames of planes, which lie end to end, by their holes' folded matrix."""
    count, half, hidden = len(sizes), len(even), boxes[0, 2] * boxes[0, 3]
    frames = np.empty((count, 2 * half))
    start = 0
    for number in range(count):
        _read_frame(pixels[start:], sizes[number, 1], boxes[number], margin, frames[number])
        start += sizes[number, 0] * sizes[number, 1]
    first, second = frames[:, :half], frames[:, : half - 1 : -1]
    same, other = (first + second) @ even, (first - second) @ odd
    holes = np.empty((count, hidden))
    for row in range(count):
        for k in range(even.shape[1]):
            holes[row, hidden - 1 - k] = same[row, k] - other[row, k]
            holes[row, k] = same[row, k] + other[row, k]
    start = 0
    for number in range(count if clip else 0):
        end = start + sizes[number, 0] * sizes[number, 1]
        known = _range(frames[number])
        _limit(holes[number], known, pixels[start:end], sizes[number, 1], boxes[number])
        start = end
    return holes


@numba.njit(cache=True)
def _read_frame(
    pixels: Array, width: int, box: Ints, margin: int, frame: Floats
) -> None:  # pragma: no cover
    """Read the known pixels around a rectangle of a plane, row by row."""
    top, left, high, wide = box
    k = 0
    for y in range(top - margin, top + high + margin):
        row = y * width + left
        beside = wide if top <= y < top + high else 0
        for value in pixels[row - margin : row]:
            frame[k] = value
            k += 1
        for value in pixels[row + beside : row + wide + margin]:
            frame[k] = value
            k += 1


@numba.njit(cache=True)
def _limit(
    hole: Floats, known: tuple[float, float], pixels: Array, width: int, box: Ints
) -> None:  # pragma: no cover
    """Limit a hole to the range of the plane's known pixels; that of some of them is known.

    Stops as soon as the range of what was looked at holds the hole's.
    """
    top, left, high, wide = box
    lowest, highest = _range(hole)
    low, limit = known
    end = len(pixels)
    for y in range(top + high - 1, top - 2, -1):  # the runs of known pixels behind the hole's rows
        if low <= lowest and highest <= limit:
            return
        begin = y * width + left + wide if y >= top else 0
        run = _range(pixels[begin:end])
        low, limit = min(low, run[0]), max(limit, run[1])
        end = begin - wide
    for k in range(len(hole)):
        hole[k] = min(max(hole[k], low), limit)


@numba.njit(cache=True, fastmath=True)
def _range(values: Array) -> tuple[float, float]:  # pragma: no cover
    """Find the lowest and the highest value, in vector instructions."""
    low = limit = values[0]
    for value in values:
        low, limit = min(low, value), max(limit, value)
    return float(low), float(limit)
