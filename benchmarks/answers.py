"""What goes to a method's process and comes back: packed small, since every crop pays for it."""

import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from mmap import ACCESS_COPY, PAGESIZE, mmap
from pathlib import Path
from typing import NamedTuple

import numpy as np

from inpaintbench.datasets.cases import Array, Observation

ALIGNED = 16  # bytes: arrays in packed observations begin at multiples of it
SPARE = bytes(ALIGNED)


class InvalidRestoration(ValueError):
    """A method returned something that is no restoration; the message says what."""


@dataclass(frozen=True)
class Packed:
    """Observations as bytes, and what they look like: a column for each thing, quickly sent.

    Attributes
    ----------
    shapes, dtypes : of the images
    masks : shapes of the masks
    answers : shapes of the hidden pixels, as `image[mask]`
    places, mask_places : of each image's and mask's first byte among the pixels
    pixels : each image and its mask, with spare bytes so that all are aligned
    lent : path of a file that holds the pixels instead; many times faster than a pipe
    """

    shapes: list[tuple[int, ...]]
    dtypes: list[str]
    masks: list[tuple[int, ...]]
    answers: list[tuple[int, ...]]
    places: list[int]
    mask_places: list[int]
    pixels: bytes
    lent: str = ""

    def __len__(self) -> int:
        return len(self.shapes)

    def only(self, part: slice) -> "Packed":
        """Take some of the observations; the pixels stay together."""
        columns = ("shapes", "dtypes", "masks", "answers", "places", "mask_places")
        return replace(self, **{name: getattr(self, name)[part] for name in columns})


class Answers(NamedTuple):
    """What a method made of a block of cases.

    Attributes
    ----------
    hidden : the restored hidden pixels of all cases without a problem, one after the other
    problems : what is wrong with the answer, by the case's number in the block
    altered : by how much a known pixel was changed at the most, in grey levels of 0..255
    expected : the mean squared error that the method itself expects; NaN where it cannot tell
    seconds : that restoring took, for the whole block
    again : seconds that restoring the first case once more took; infinite where it was not asked
    """

    hidden: bytes
    problems: dict[int, str]
    altered: list[float]
    expected: list[float]
    seconds: float
    again: float


def pack(observations: Sequence[Observation]) -> Packed:
    """Pack observations to send them to another process."""
    packed = Packed([], [], [], [], [], [], b"")
    pieces: list[bytes | memoryview] = []
    place = 0
    for observation in observations:
        image, mask = (np.ascontiguousarray(a) for a in (observation.image, observation.mask))
        packed.shapes.append(image.shape)
        packed.dtypes.append(image.dtype.str)
        packed.masks.append(mask.shape)
        packed.answers.append((int(np.count_nonzero(mask)), *image.shape[2:]))
        for array, places in ((image, packed.places), (mask, packed.mask_places)):
            places.append(place)
            place += array.nbytes + -array.nbytes % ALIGNED
            pieces += [array.data, SPARE[: -array.nbytes % ALIGNED]]
    return replace(packed, pixels=b"".join(pieces))


class Lending:
    """Packed observations in a file for other processes to map, as long as this object lives.

    Attributes
    ----------
    packed : Packed
        What to send them; with the pixels in it if there is no room for the file.
    size : int
        Bytes that it takes.

    Parameters
    ----------
    packed : from `pack`
    folder : where the file may stand, in memory if that is to be had
    """

    def __init__(self, packed: Packed, folder: Path) -> None:
        self.packed = packed
        self.size = len(packed.pixels)
        if not packed.pixels:
            return
        with suppress(OSError):
            number, path = tempfile.mkstemp(dir=folder)
            weakref.finalize(self, Path(path).unlink, missing_ok=True)
            with open(number, "wb") as file:
                file.write(packed.pixels)
            self.packed = replace(packed, pixels=b"", lent=path)


def taken(packed: Packed) -> mmap | bytearray:
    """Take the packed bytes: a copy of this process alone, which may be written to."""
    if not packed.lent:
        return bytearray(packed.pixels)
    with open(packed.lent, "rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_COPY)


def unpack(packed: Packed, memory: mmap | bytearray) -> list[Observation]:
    """Make the observations again, in bytes that were `taken`."""
    columns = (packed.shapes, packed.dtypes, packed.places, packed.masks, packed.mask_places)
    return [
        Observation(
            np.ndarray(shape, dtype, memory, place), np.ndarray(mask, bool, memory, mask_place)
        )
        for shape, dtype, place, mask, mask_place in zip(*columns, strict=True)
    ]


def modified(packed: Packed, memory: mmap | bytearray) -> list[int]:
    """Numbers of the observations that are not what was packed any more."""
    if _is_untouched(memory):
        return []
    before, now = (np.frombuffer(m, np.uint64) for m in (taken(packed), memory))
    if np.array_equal(before, now):
        return []
    changed = np.flatnonzero(before != now) * before.itemsize
    return sorted(set((np.searchsorted(packed.places, changed, "right") - 1).tolist()))


def _is_untouched(memory: mmap | bytearray) -> bool:
    """Whether no page of a mapped file was written to; False where the system does not tell.

    Linux keeps 64 bits on every page: the highest three say that it is in memory, that it is
    swapped out, and that it is a file's. One that was written to is this process's own.
    """
    first = np.frombuffer(memory, np.uint8).ctypes.data // PAGESIZE
    try:
        with open("/proc/self/pagemap", "rb", buffering=0) as file:
            file.seek(8 * first)
            pages = np.frombuffer(file.read(8 * -(-len(memory) // PAGESIZE)), np.uint64)
    except OSError:
        return False
    marks = pages >> np.uint64(61)
    return bool(marks.any() and not ((marks > 1) & (marks % 2 == 0)).any())


def hidden_of(restored: object, observation: Observation) -> tuple[Array, float]:
    """Check a whole restored picture, and take its hidden pixels out.

    Returns
    -------
    hidden : (n,) or (n, channels) array
        The hidden pixels as `restored[mask]`, to be finished as predictions are.
    altered : float
        By how much the method changed a known pixel at the most, in grey levels of 0..255.

    Raises
    ------
    InvalidRestoration
        If it is no array of numbers of the picture's shape, or known pixels are not finite.
    """
    image, mask = observation.image, observation.mask
    numbers = _numbers(restored, observation.answer_shape)
    hidden = numbers[mask]
    if hidden.size == numbers.size:
        return hidden, 0.0
    changed = numbers != image
    changed[mask] = False
    if not changed.any():
        return hidden, 0.0
    altered = np.abs(_finite(numbers) - image)[changed].max()
    return hidden, float(altered) * 255 / np.iinfo(image.dtype).max


def finish_predictions(predicted: Sequence[object], packed: Packed) -> Array | None:
    """Check predicted hidden pixels of pictures of one dtype together, and finish them.

    Returns
    -------
    (n,) array
        As `finish_prediction` gives them one by one, one after the other; None if anything is
        wrong, or dtypes differ.
    """
    dtypes = set(packed.dtypes)
    answers = [answer for answer in predicted if isinstance(answer, np.ndarray)]
    if len(dtypes) != 1 or [answer.shape for answer in answers] != packed.answers:
        return None
    if any(dtype.kind not in "buif" for dtype in {answer.dtype for answer in answers}):
        return None
    exact = np.concatenate(answers, axis=None, dtype=np.float64)
    try:
        return _rounded(exact, np.dtype(dtypes.pop()))
    except InvalidRestoration:
        return None


def finish_prediction(predicted: object, observation: Observation) -> Array:
    """Check predicted hidden pixels, and make them what is scored.

    Returns
    -------
    (n,) or (n, channels) array of the picture's dtype
        Clipped to the dtype's range and rounded.

    Raises
    ------
    InvalidRestoration
        If it is no array of numbers, one for every hidden pixel, or not finite.
    """
    shape = (int(np.count_nonzero(observation.mask)), *observation.image.shape[2:])
    return _rounded(_numbers(predicted, shape), observation.image.dtype)


def _numbers(answer: object, shape: tuple[int, ...]) -> Array:
    if not isinstance(answer, np.ndarray):
        raise InvalidRestoration(f"returned {type(answer).__name__}, not an array")
    if answer.shape != shape:
        raise InvalidRestoration(f"returned shape {answer.shape}, not {shape}")
    if answer.dtype.kind not in "buif":
        raise InvalidRestoration(f"returned dtype {answer.dtype}, not real numbers")
    return answer


def _rounded(numbers: Array, dtype: "np.dtype[np.generic]") -> Array:
    highest = np.iinfo(dtype).max  # type: ignore[type-var]
    exact = _finite(numbers)
    return np.rint(exact, out=exact).clip(0, highest, out=exact).astype(dtype)


def _finite(numbers: Array) -> Array:
    exact = numbers.astype(np.float64)
    if not np.isfinite(exact).all():
        raise InvalidRestoration(f"returned {int((~np.isfinite(exact)).sum())} values not finite")
    return exact


def hidden_parts(answers: Answers, packed: Packed) -> list[Array | None]:
    """Take the hidden pixels of every case out of the answers; None where there is a problem."""
    parts: list[Array | None] = []
    start = 0
    for number, (shape, dtype) in enumerate(zip(packed.answers, packed.dtypes, strict=True)):
        if number in answers.problems:
            parts.append(None)
            continue
        part: Array = np.ndarray(shape, dtype, answers.hidden, start)
        parts.append(part)
        start += part.nbytes
    return parts


def picture_of(hidden: Array, observation: Observation) -> Array:
    """Make the restored picture: the known pixels, with the hidden ones pasted in."""
    if observation.mask.all():
        return hidden.reshape(observation.answer_shape)
    picture = observation.image.copy()
    picture[observation.mask] = hidden
    return picture
