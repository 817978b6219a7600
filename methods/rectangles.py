"""Predicting rectangular holes by one matrix per hole shape, whole batches at once.

A linear method restores a rectangle away from the picture's border by a fixed matrix from the known
pixels around it. So each matrix is computed once, and every batch costs one product per hole shape.
No direction is preferred: mirror or transpose a picture, and the answer must be mirrored or
transposed. So a matrix is kept by its parts that differ, and serves lying and standing holes alike.
"""

from collections.abc import Callable, Iterator, Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import per_channel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Steps = tuple[int, int]

LARGEST = 32  # pixels of a side; a larger hole's matrix would cost more than it saves
CHUNK = 32  # masks, or planes of pictures, that compiled code is given at once
COARSE, FINE = 512, 32  # pixels of a mask looked at together, in vector instructions
LINE = 64  # bytes that memory is read in


def folded(matrix: Array, height: int, width: int, margin: int) -> Floats:
    """Split a hole's matrix into four of a sixteenth of its size, which do the same.

    A matrix that prefers no direction maps a frame that is even or odd from top to bottom, and from
    left to right, to a hole that is the same. So it falls into four parts, and each is known by its
    upper left quarter. Where a matrix is not quite so, its part that is counts.

    Parameters
    ----------
    matrix : (hidden pixels, frame pixels) array
        Both in row-major order, the frame being the rectangle larger by `margin` on every side,
        without the hole.
    height, width, margin : of the hole, in pixels

    Returns
    -------
    (4, frame pixels of a quarter, hidden pixels of a quarter) array
        Even both ways; odd from left to right; odd from top to bottom; odd both ways. The middle
        row and column belong to the quarter.
    """
    frame = np.pad(np.zeros((height, width), bool), margin, constant_values=True)
    whole = np.zeros((height, width, *frame.shape))
    whole[..., frame] = np.reshape(matrix, (height, width, -1))
    whole += whole[::-1, :, ::-1]
    whole += whole[:, ::-1, :, ::-1]  # four times the mean of it and its mirror images
    half = [-(-length // 2) for length in whole.shape]
    # A middle row or column is its own mirror image, and is not to be counted twice.
    whole[:, :, half[2] - 1] /= 1 + frame.shape[0] % 2
    whole[..., half[3] - 1] /= 1 + frame.shape[1] % 2
    seen = frame[: half[2], : half[3]]
    parts = []
    for down, across in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        part = whole[: half[0], : half[1]]
        part = part + down * part[:, :, ::-1]
        part = part + across * part[..., ::-1]
        quarter = part[:, :, : half[2], : half[3]][..., seen]
        parts.append(quarter.reshape(half[0] * half[1], -1).T / 16)
    return np.stack(parts)


def predict_rectangles(
    observations: Sequence[Observation],
    margin: int,
    operator: Callable[[int, int], Floats],
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
    operator : from a hole's height and width, its matrix as `folded` gives it; asked only for holes
        that are no higher than wide, and to remember what it computed
    fallback : restores an `(H, W)` picture with any other mask, some pixels known, some hidden
    clip : limit what a matrix gives to the range of the channel's known pixels
    largest : side in pixels of the largest hole that has a matrix

    Returns
    -------
    list of float arrays
        For each picture what `picture[mask]` should be: `(n,)`, or `(n, channels)` in colour.
    """
    boxes = _boxes([o.mask for o in observations], margin, largest)
    sides = np.sort(boxes[:, 2:], axis=1)
    depths = np.array([o.image.nbytes // o.mask.size for o in observations], np.int64)
    order = np.lexsort((depths, sides[:, 1], sides[:, 0]))  # those of one shape together
    boxes, numbers = boxes[order], order.tolist()
    predictions: list[Array | None] = []
    for part in _runs(np.column_stack([sides, depths])[order]):
        images = [observations[number].image for number in numbers[part]]
        height, width = sides[numbers[part.start]].tolist()
        if height:
            matrix = operator(height, width)
            predictions.extend(_predict(images, boxes[part], matrix, margin, clip))
        else:
            predictions.extend([None] * len(images))
    places = np.argsort(order).tolist()
    return [
        per_channel(fallback, o)[o.mask] if (found := predictions[place]) is None else found
        for o, place in zip(observations, places, strict=True)
    ]


def is_rectangle(mask: Mask, margin: int, largest: int) -> bool:
    """Whether a mask hides what a matrix of `predict_rectangles` restores."""
    return bool(_boxes([mask], margin, largest).any())


def _boxes(masks: Sequence[Mask], margin: int, largest: int) -> Ints:
    """Find the rectangles (top, left, height, width) that masks hide; zeros where others."""
    boxes = np.zeros((len(masks), 4), np.int64)
    for first in range(0, len(masks), CHUNK):
        part = slice(first, first + CHUNK)
        _find(_chunk(masks[part]), margin, largest, boxes[part])
    return boxes


def _runs(rows: Ints) -> Iterator[slice]:
    """Find runs of equal rows, cut to the length of a chunk."""
    changes = np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1
    ends = [*changes.tolist(), len(rows)]
    for start, end in zip([0, *ends], ends, strict=False):
        for first in range(start, end, CHUNK):
            yield slice(first, min(first + CHUNK, end))


def _chunk(arrays: Sequence[Array]) -> tuple[Array, ...]:
    """Make arrays what compiled code takes: always as many, row-major and writeable."""
    plain = [array if array.flags.carray else array.copy() for array in arrays]
    return (*plain, *plain[:1] * (CHUNK - len(plain)))


def _predict(
    images: Sequence[Array], boxes: Ints, matrix: Floats, margin: int, clip: bool
) -> Array:
    """Restore holes of one shape in pictures of one type: one row each."""
    if images[0].ndim == 2:
        holes = np.empty((len(images), boxes[0, 2] * boxes[0, 3]))
        _restore(_chunk(images), boxes, matrix, margin, clip, holes)
        return holes
    channels = [[image[..., c] for image in images] for c in range(images[0].shape[2])]
    return np.stack([_predict(c, boxes, matrix, margin, clip) for c in channels], axis=-1)


@numba.njit(cache=True)
def _find(
    masks: tuple[Mask, ...], margin: int, largest: int, boxes: Ints
) -> int:  # pragma: no cover
    """Write the rectangles that masks hide."""
    fetched = 0
    for number in range(len(boxes)):
        if number + 1 < len(boxes):
            fetched += _fetch(masks[number + 1].view(np.uint8).ravel())
        mask = masks[number].view(np.uint8)
        pixels = mask.ravel()
        first = _first(pixels)
        if first == len(pixels):
            continue
        height, width = mask.shape
        top, left = first // width, first % width
        high = wide = 1
        while left + wide < width and mask[top, left + wide]:
            wide += 1
        while top + high < height and mask[top + high, left]:
            high += 1
        inside = min(top, left, height - top - high, width - left - wide) >= margin
        if inside and max(high, wide) <= largest and _alone(pixels, width, first, high, wide):
            boxes[number] = top, left, high, wide
    return fetched  # else the compiler would see that nobody wants it


@numba.njit(cache=True)
def _fetch(pixels: Bytes) -> int:  # pragma: no cover
    """Read from every line of memory of an array, so that all are fetched at the same time."""
    fetched = np.uint8(0)
    for k in range(np.uint64(0), np.uint64(len(pixels)), np.uint64(LINE)):
        fetched |= pixels[k]
    return int(fetched)


@numba.njit(cache=True)
def _first(pixels: Bytes) -> int:  # pragma: no cover
    """Find the first hidden pixel of a flat mask; its length without any."""
    first = 0
    for block in (COARSE, FINE, 1):
        while first + block <= len(pixels) and not _any(pixels, first, first + block):
            first += block
    return first


@numba.njit(cache=True)
def _alone(pixels: Bytes, width: int, first: int, high: int, wide: int) -> bool:  # pragma: no cover
    """Whether a rectangle is hidden, and nothing behind its first pixel, `first`, but that."""
    other = 0
    for y in range(high):
        begin = first + y * width
        end = begin + wide
        for k in range(np.uint64(begin), np.uint64(end)):
            other |= 1 - pixels[k]
        other |= _any(pixels, end, begin + width if y + 1 < high else len(pixels))
    return other == 0


@numba.njit(cache=True)
def _any(pixels: Bytes, first: int, end: int) -> int:  # pragma: no cover
    """Whether a pixel is hidden from one place to another, in vector instructions."""
    found = np.uint8(0)
    for k in range(np.uint64(first), np.uint64(end)):  # an index with a sign would prevent them
        found |= pixels[k]
    return int(found)


@numba.njit(cache=True)
def _restore(
    planes: tuple[Array, ...], boxes: Ints, matrix: Floats, margin: int, clip: bool, holes: Floats
) -> None:  # pragma: no cover
    """Multiply the frames of planes by their holes' folded matrix."""
    count, short, long = len(boxes), boxes[0, 2:].min(), boxes[0, 2:].max()
    frames, parts = np.empty((4, count, matrix.shape[1])), np.empty((4, count, matrix.shape[2]))
    known = np.empty((count, 2))
    for row in range(count):
        top, left, high, wide = boxes[row]
        width, pixels = planes[row].shape[1], planes[row].ravel()
        corner = (top - margin) * width + left - margin
        steps = (1, width) if high > wide else (width, 1)
        known[row] = _fold(pixels, corner, steps, short, long, margin, frames[:, row])
    for part in range(4):
        np.dot(frames[part], matrix[part], parts[part])
    for row in range(count):
        high, wide = boxes[row, 2:]
        steps = (1, wide) if high > wide else (wide, 1)
        _unfold(parts[:, row], steps, short, long, holes[row])
        if clip:
            _limit(holes[row], known[row], planes[row], boxes[row])


@numba.njit(cache=True, fastmath=True)
def _fold(
    pixels: Array, corner: int, steps: Steps, short: int, long: int, margin: int, parts: Floats
) -> tuple[float, float]:  # pragma: no cover
    """Read the frame of a rectangle, split as `folded` splits it; give the frame's range.

    The frame begins at the pixel `corner`. `steps` lead to the next pixel down the rectangle's
    short side and along its long one.
    """
    down, across = steps
    last_row, last_column = (short + 2 * margin - 1) * down, (long + 2 * margin - 1) * across
    low = high = float(pixels[corner])
    k = 0
    for y in range((short + 1) // 2 + margin):
        upper = corner + y * down
        lower = corner + last_row - y * down
        for x in range((long + 1) // 2 + margin if y < margin else margin):
            left, right = x * across, last_column - x * across
            a, b = float(pixels[upper + left]), float(pixels[upper + right])
            c, d = float(pixels[lower + left]), float(pixels[lower + right])
            low, high = min(low, a, b, c, d), max(high, a, b, c, d)
            parts[0, k] = (a + b) + (c + d)
            parts[1, k] = (a - b) + (c - d)
            parts[2, k] = (a + b) - (c + d)
            parts[3, k] = (a - b) - (c - d)
            k += 1
    return low, high


@numba.njit(cache=True)
def _unfold(
    parts: Floats, steps: Steps, short: int, long: int, hole: Floats
) -> None:  # pragma: no cover
    """Join the parts of a hole, whose pixels lie as `steps` say."""
    down, across = steps
    k = 0
    for y in range((short + 1) // 2):
        upper, lower = y * down, (short - 1 - y) * down
        for x in range((long + 1) // 2):
            left, right = x * across, (long - 1 - x) * across
            even, odd = parts[0, k] + parts[2, k], parts[1, k] + parts[3, k]
            hole[upper + left], hole[upper + right] = even + odd, even - odd
            even, odd = parts[0, k] - parts[2, k], parts[1, k] - parts[3, k]
            hole[lower + left], hole[lower + right] = even + odd, even - odd
            k += 1


@numba.njit(cache=True)
def _limit(hole: Floats, known: Floats, plane: Array, box: Ints) -> None:  # pragma: no cover
    """Limit a hole to the range of the plane's known pixels; that of some of them is known.

    Stops as soon as the range of what was looked at holds the hole's.
    """
    top, left, high, wide = box
    width, pixels = plane.shape[1], plane.ravel()
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
