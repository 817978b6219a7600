"""What goes to a method's process and comes back: packed small, since every crop pays for it."""

from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path
from typing import NamedTuple

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
    """

    shape: tuple[int, ...]
    dtype: str
    mask: tuple[int, ...]
    hidden: int

    @property
    def answer(self) -> tuple[int, ...]:
        """Shape of the hidden pixels, as `image[mask]`."""
        return (self.hidden, *self.shape[2:])


class Packed(NamedTuple):
    """Observations as bytes.

    Attributes
    ----------
    forms : of the pictures
    pixels : the pictures, with spare bytes so that each is aligned
    masks : all masks, a bit a pixel
    lent : path of a file that holds the pixels instead; several times faster than a pipe
    """

    forms: list[Form]
    pixels: bytes
    masks: bytes
    lent: str = ""


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
    forms, masks = [], [np.empty(0, bool)]
    pieces: list[bytes | memoryview] = []
    for observation in observations:
        image, mask = observation.image, observation.mask
        forms.append(Form(image.shape, image.dtype.str, mask.shape, int(np.count_nonzero(mask))))
        pieces += [np.ascontiguousarray(image).data, SPARE[: -image.nbytes % ALIGNED]]
        masks.append(mask.ravel())
    return Packed(forms, b"".join(pieces), np.packbits(np.concatenate(masks)).tobytes())


def lend(packed: Packed, path: Path) -> Packed:
    """Put the pixels into a file, for another process to take; as it is if there is no room."""
    try:
        path.write_bytes(packed.pixels)
    except OSError:
        return packed
    return packed._replace(pixels=b"", lent=str(path))


def take(packed: Packed) -> Packed:
    """Take the pixels out of the file that they were lent in."""
    if not packed.lent:
        return packed
    return packed._replace(pixels=Path(packed.lent).read_bytes(), lent="")


def unpack(packed: Packed) -> list[Observation]:
    """Make the observations again; their arrays may be written to."""
    memory = bytearray(packed.pixels)
    bits = np.unpackbits(np.frombuffer(packed.masks, np.uint8)).view(np.bool_)
    observations = []
    start = first = 0
    for form in packed.forms:
        image: Array = np.ndarray(form.shape, form.dtype, memory, start)
        size = prod(form.mask)
        mask = bits[first : first + size].reshape(form.mask)
        observations.append(Observation(image, mask))
        start += image.nbytes + -image.nbytes % ALIGNED
        first += size
    return observations


def modified(packed: Packed, observations: Sequence[Observation]) -> list[int]:
    """Numbers of the observations that are not what was packed any more."""
    if pack(observations) == packed:
        return []
    pairs = zip(unpack(packed), observations, strict=True)
    return [
        number
        for number, (before, now) in enumerate(pairs)
        if not (np.array_equal(before.image, now.image) and np.array_equal(before.mask, now.mask))
    ]


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


def finish_predictions(predicted: Sequence[object], forms: Sequence[Form]) -> list[Array] | None:
    """Check predicted hidden pixels of pictures of one dtype together, and finish them.

    Returns
    -------
    list of arrays
        As `finish_prediction` gives them one by one; None if anything is wrong, or dtypes differ.
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
    return split(_rounded(exact, np.dtype(dtypes.pop())), forms)


def split(values: Array, forms: Iterable[Form]) -> list[Array]:
    """Cut hidden pixels that stand one after the other into those of each picture."""
    parts: list[Array] = []
    start = 0
    for form in forms:
        size = prod(form.answer)
        parts.append(values[start : start + size].reshape(form.answer))
        start += size
    return parts


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
        dtype, count = np.dtype(form.dtype), prod(form.answer)
        parts.append(np.frombuffer(answers.hidden, dtype, count, start).reshape(form.answer))
        start += count * dtype.itemsize
    return parts


def picture_of(hidden: Array, observation: Observation) -> Array:
    """Make the restored picture: the known pixels, with the hidden ones pasted in."""
    if observation.mask.all():
        return hidden.reshape(observation.answer_shape)
    picture = observation.image.copy()
    picture[observation.mask] = hidden
    return picture
