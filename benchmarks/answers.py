"""What goes to a method's process and comes back: packed small, since every crop pays for it."""

import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from mmap import ACCESS_COPY, PAGESIZE, mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from inpaintbench.datasets.cases import Array, Observation

ALIGNED = 16  # bytes: arrays in packed observations begin at multiples of it
SPARE = bytes(ALIGNED)


class InvalidRestoration(ValueError):
    """A method returned something that is no restoration; the message says what."""


class Form(NamedTuple):
    """What a packed picture looks like.

    Attributes
    ----------
    shape, dtype : of the image
    mask : shape of the mask
    hidden : number of hidden pixels
    place, mask_place : of the image's and the mask's first byte among the packed ones
    """

    shape: tuple[int, ...]
    dtype: str
    mask: tuple[int, ...]
    hidden: int
    place: int
    mask_place: int

    @property
    def answer(self) -> tuple[int, ...]:
        """Shape of the hidden pixels, as `image[mask]`."""
        return (self.hidden, *self.shape[2:])


class Packed(NamedTuple):
    """Observations as bytes.

    Attributes
    ----------
    forms : of the pictures
    pixels : each image and its mask, with spare bytes so that all are aligned
    lent : path of a file that holds the pixels instead; many times faster than a pipe
    """

    forms: list[Form]
    pixels: bytes
    lent: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        # Plain tuples are sent several times faster than named ones.
        return _packed, ([tuple(form) for form in self.forms], self.pixels, self.lent)

    def only(self, part: slice) -> "Packed":
        """Take some of the observations; the pixels stay together."""
        return self._replace(forms=self.forms[part])


def _packed(forms: list[tuple[Any, ...]], pixels: bytes, lent: str) -> Packed:
    return Packed([Form(*form) for form in forms], pixels, lent)


class Answers(NamedTuple):
    """What a method made of a block of cases.

    Attributes
    ----------
    hidden : the restored hidden pixels of all cases without a problem, one after the other
    problems : what is wrong with the answer, by the case's number in the block
    altered : by how much a known pixel was changed at the most, in grey levels of 0..255
    expected : the mean squared error that the method itself expects; NaN where it cannot tell
    seconds : that restoring took, for the whole block
    """

    hidden: bytes
    problems: dict[int, str]
    altered: list[float]
    expected: list[float]
    seconds: float


def pack(observations: Sequence[Observation]) -> Packed:
    """Pack observations to send them to another process."""
    forms: list[Form] = []
    pieces: list[bytes | memoryview] = []
    place = 0
    for observation in observations:
        image, mask = (np.ascontiguousarray(a) for a in (observation.image, observation.mask))
        behind = place + image.nbytes + -image.nbytes % ALIGNED
        hidden = int(np.count_nonzero(mask))
        forms.append(Form(image.shape, image.dtype.str, mask.shape, hidden, place, behind))
        place = behind + mask.nbytes + -mask.nbytes % ALIGNED
        for array in (image, mask):
            pieces += [array.data, SPARE[: -array.nbytes % ALIGNED]]
    return Packed(forms, b"".join(pieces))


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
            self.packed = packed._replace(pixels=b"", lent=path)


def taken(packed: Packed) -> mmap | bytearray:
    """Take the packed bytes: a copy of this process alone, which may be written to."""
    if not packed.lent:
        return bytearray(packed.pixels)
    with open(packed.lent, "rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_COPY)


def unpack(packed: Packed, memory: mmap | bytearray) -> list[Observation]:
    """Make the observations again, in bytes that were `taken`."""
    return [
        Observation(
            np.ndarray(shape, dtype, memory, place), np.ndarray(mask, bool, memory, mask_place)
        )
        for shape, dtype, mask, _, place, mask_place in packed.forms
    ]


def modified(packed: Packed, memory: mmap | bytearray) -> list[int]:
    """Numbers of the observations that are not what was packed any more."""
    if _is_untouched(memory):
        return []
    before, now = (np.frombuffer(m, np.uint64) for m in (taken(packed), memory))
    if np.array_equal(before, now):
        return []
    changed = np.flatnonzero(before != now) * before.itemsize
    starts = [form.place for form in packed.forms]
    return sorted(set((np.searchsorted(starts, changed, "right") - 1).tolist()))


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


def finish_picture(restored: object, observation: Observation) -> tuple[Array, float]:
    """Check a whole restored picture, and take out what is scored.

    Returns
    -------
    hidden : (n,) or (n, channels) array of the picture's dtype
        The hidden pixels as `image[mask]`, clipped to the dtype's range and rounded.
    altered : float
        By how much the method changed a known pixel at the most, in grey levels of 0..255.

    Raises
    ------
    InvalidRestoration
        If it is no array of numbers of the picture's shape, or not finite.
    """
    image = observation.image
    exact = _numbers(restored, observation.answer_shape)
    if observation.mask.all():
        return _rounded(exact[observation.mask], image.dtype), 0.0
    difference = np.abs(exact - image)
    difference[observation.mask] = 0
    altered = difference.max(initial=0.0) * (255 / np.iinfo(image.dtype).max)
    return _rounded(exact[observation.mask], image.dtype), float(altered)


def finish_predictions(predicted: Sequence[object], forms: Sequence[Form]) -> Array | None:
    """Check predicted hidden pixels of pictures of one dtype together, and finish them.

    Returns
    -------
    (n,) array
        As `finish_prediction` gives them one by one, one after the other; None if anything is
        wrong, or dtypes differ.
    """
    dtypes = {form.dtype for form in forms}
    answers = [answer for answer in predicted if isinstance(answer, np.ndarray)]
    if len(dtypes) != 1 or [answer.shape for answer in answers] != [f.answer for f in forms]:
        return None
    if any(answer.dtype.kind not in "buif" for answer in answers):
        return None
    exact = np.concatenate([answer.ravel() for answer in answers], dtype=np.float64)
    if not np.isfinite(exact).all():
        return None
    return _rounded(exact, np.dtype(dtypes.pop()))


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
    shape = (np.count_nonzero(observation.mask), *observation.image.shape[2:])
    return _rounded(_numbers(predicted, shape), observation.image.dtype)


def _numbers(answer: object, shape: tuple[int, ...]) -> Array:
    if not isinstance(answer, np.ndarray):
        raise InvalidRestoration(f"returned {type(answer).__name__}, not an array")
    if answer.shape != shape:
        raise InvalidRestoration(f"returned shape {answer.shape}, not {shape}")
    if answer.dtype.kind not in "buif":
        raise InvalidRestoration(f"returned dtype {answer.dtype}, not real numbers")
    exact = answer.astype(np.float64)
    if not np.isfinite(exact).all():
        raise InvalidRestoration(f"returned {int((~np.isfinite(exact)).sum())} values not finite")
    return exact


def _rounded(exact: Array, dtype: "np.dtype[np.generic]") -> Array:
    highest = np.iinfo(dtype).max  # type: ignore[type-var]
    return np.rint(exact).clip(0, highest).astype(dtype)


def hidden_parts(answers: Answers, packed: Packed) -> list[Array | None]:
    """Take the hidden pixels of every case out of the answers; None where there is a problem."""
    parts: list[Array | None] = []
    start = 0
    for number, form in enumerate(packed.forms):
        if number in answers.problems:
            parts.append(None)
            continue
        part: Array = np.ndarray(form.answer, form.dtype, answers.hidden, start)
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
