"""What goes to a method's process and comes back: packed small, since every crop pays for it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from inpaintbench.datasets.cases import Array, Observation


class InvalidRestoration(ValueError):
    """A method returned something that is no restoration; the message says what."""


class Packed(NamedTuple):
    """Observations as bytes.

    Attributes
    ----------
    forms : shape and dtype of each picture
    pixels : all pictures, one after the other
    masks : all masks, one after the other, a bit a pixel
    """

    forms: list[tuple[tuple[int, ...], str]]
    pixels: bytes
    masks: bytes


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
    masks = [observation.mask.ravel() for observation in observations]
    return Packed(
        [(o.image.shape, o.image.dtype.str) for o in observations],
        b"".join(np.ascontiguousarray(o.image).data for o in observations),
        np.packbits(np.concatenate(masks)).tobytes() if masks else b"",
    )


def unpack(packed: Packed) -> list[Observation]:
    """Make the observations again; their arrays may be written to."""
    pixels = bytearray(packed.pixels)
    sizes = [(height * width, shape) for shape, _ in packed.forms for height, width in [shape[:2]]]
    bits = np.unpackbits(np.frombuffer(packed.masks, np.uint8))[: sum(n for n, _ in sizes)]
    masks = bits.view(np.bool_)
    observations = []
    start = first = 0
    for (size, shape), (_, dtype) in zip(sizes, packed.forms, strict=True):
        count = int(np.prod(shape))
        image = np.frombuffer(pixels, dtype, count, start).reshape(shape)
        observations.append(Observation(image, masks[first : first + size].reshape(shape[:2])))
        start += image.nbytes
        first += size
    return observations


def modified(packed: Packed, observations: Sequence[Observation]) -> list[int]:
    """Numbers of the observations that are not what was packed any more."""
    after = pack(observations)
    if after == packed:
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
    exact = _numbers(restored, image.shape)
    difference = np.abs(exact - image)
    difference[observation.mask] = 0
    altered = difference.max(initial=0.0) * (255 / np.iinfo(image.dtype).max)
    return _rounded(exact[observation.mask], image.dtype), float(altered)


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


def hidden_parts(
    answers: Answers, observations: Sequence[Observation]
) -> Iterator[tuple[Array | None, str]]:
    """Take the hidden pixels of every case out of the answers.

    Yields
    ------
    hidden, problem
        The hidden pixels as `image[mask]`, or None and what is wrong.
    """
    start = 0
    for number, observation in enumerate(observations):
        if number in answers.problems:
            yield None, answers.problems[number]
            continue
        image = observation.image
        shape = (np.count_nonzero(observation.mask), *image.shape[2:])
        count = int(np.prod(shape))
        yield np.frombuffer(answers.hidden, image.dtype, count, start).reshape(shape), ""
        start += count * image.itemsize


def picture_of(hidden: Array, observation: Observation) -> Array:
    """Make the restored picture: the known pixels, with the hidden ones pasted in."""
    picture = observation.image.copy()
    picture[observation.mask] = hidden
    return picture
