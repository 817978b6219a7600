"""The words that every room shares: observation and case."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]

# The tasks that hide pixels by a mask and ask for them: any method of inpainting can try these.
HIDING = ("crop", "border", "grid", "scratches", "center-pixel")
# The tasks that show a degraded picture and ask for all of it.
UPSCALE = ("upscale",)
LOW_LIGHT = (
    "low-light",
    "low-light-published",
    "low-light-gaussian",
    "low-light-poisson",
    "low-light-speckle",
)


def bounding_box(mask: Mask) -> tuple[slice, slice]:
    """Find the smallest rectangle that holds every `True` of a mask (empty if there is none)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def grown(box: tuple[slice, slice], by: int) -> tuple[slice, slice]:
    """Grow a rectangle by so many pixels to all sides, but not over the upper and left border.

    Beyond the others there is nothing to cut out.
    """
    rows, columns = (slice(max(side.start - by, 0), side.stop + by) for side in box)
    return rows, columns


def evenly(length: int, count: int) -> NDArray[np.int64]:
    """Choose `count` of the numbers below `length`, evenly, the first and the last among them.

    All of them, where there are fewer.
    """
    return np.linspace(0, length - 1, min(count, length)).round().astype(np.int64)


def hide(picture: Array, mask: Mask) -> Array:
    """Give a copy of an `(H, W)` or `(H, W, 3)` picture with 0 at hidden pixels."""
    shown = picture.copy()
    shown[mask] = 0
    return shown


@dataclass(frozen=True, eq=False)
class Observation:
    """What a method may see of a case.

    Attributes
    ----------
    image : (H, W) or (H, W, 3) array of uint8 or uint16
        The picture; hidden pixels are 0. Of the tasks that ask for all of a picture it is what is
        given of it: degraded, or smaller.
    mask : (H, W) array of bool
        `True` where a pixel is hidden. All `True` where all of a picture is asked for; its shape,
        which is then not always that of the image, is the picture's.
    """

    image: Array
    mask: Mask

    @property
    def hidden_box(self) -> tuple[slice, slice]:
        """The smallest rectangle that holds every hidden pixel (empty if there is none)."""
        return bounding_box(self.mask)

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """Shape of the restored picture: `(H, W)` or `(H, W, 3)`."""
        return (*self.mask.shape, *self.image.shape[2:])

    @property
    def enlarged(self) -> Array:
        """The image in the restored picture's size, for people to look at: pixels repeated."""
        times = [
            whole // own for whole, own in zip(self.mask.shape, self.image.shape, strict=False)
        ]
        return self.image.repeat(times[0], axis=0).repeat(times[1], axis=1)


@dataclass(frozen=True, eq=False)
class Case:
    """One degraded picture with its hidden truth, and where it came from.

    Attributes
    ----------
    case_id : str
        Unique in a suite, and safe as a file name.
    task : str
        Name of the task that made it.
    image_id, source : str
        The photograph, and the collection that the photograph came from.
    seed : int
        Seed of the random generator that drew this case and nothing else.
    truth : (H, W) or (H, W, 3) array of uint8 or uint16
        The whole undamaged picture.
    mask : (H, W) array of bool
        `True` where a pixel is hidden.
    given : array of the truth's dtype and number of axes, or None
        What a method gets to see, where that is not the truth with 0 at hidden pixels.
    """

    case_id: str
    task: str
    image_id: str
    source: str
    seed: int
    truth: Array
    mask: Mask
    given: Array | None = None

    @cached_property
    def observation(self) -> Observation:
        """What a method gets to see: `given`, else the truth with 0 at hidden pixels; the mask."""
        shown = hide(self.truth, self.mask) if self.given is None else self.given
        return Observation(shown, self.mask)

    @cached_property
    def sha256(self) -> str:
        """Hash of shape, dtype, every pixel, the mask and what is given: equal for equal cases."""
        digest = hashlib.sha256(f"{self.truth.shape} {self.truth.dtype}".encode())
        digest.update(_little_endian(self.truth))
        digest.update(np.packbits(self.mask).tobytes())
        if self.given is not None:
            digest.update(_little_endian(self.given))
        return digest.hexdigest()


def _little_endian(pixels: Array) -> bytes:
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes()


class Share(NamedTuple):
    """How many cases a photograph gives: its cases number 0 to `cases` - 1.

    Attributes
    ----------
    image_id : the photograph
    cases : how many
    sha256 : of its pixels, by which a later run knows that it is still the same
    """

    image_id: str
    cases: int
    sha256: str
