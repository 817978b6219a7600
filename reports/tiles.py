"""Small pictures, and other files, that stand in a page itself."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ERROR_RANGE = 64  # grey levels (of 255) at which an error picture is brightest
STRETCHED = 1 / 4  # of the range of 16 bits: pictures that use less are stretched


@dataclass(frozen=True)
class Tile:
    """A small picture with two lines under it; pictures are data addresses."""

    title: str
    caption: str
    picture: str
    error: str = ""


@dataclass(frozen=True)
class Shades:
    """Which of a picture's values are shown black and white: those outside are clipped.

    Attributes
    ----------
    black, white : the values
    stretched : whether this is less than the whole range of the picture's dtype
    """

    black: int
    white: int
    stretched: bool

    @property
    def text(self) -> str:
        """What a reader must know of it; "" where the whole range is shown."""
        if not self.stretched:
            return ""
        return f"16 bits shown from {self.black:,} (black) to {self.white:,} (white), clipped"

    @property
    def share(self) -> float:
        """The part of 16 bits' range that is shown."""
        return (self.white - self.black + 1) / 65536 if self.stretched else 1.0


def shades_of(pixels: NDArray[Any]) -> Shades:
    """Choose how a picture is shown: its whole range, or what it uses of 16 bits if that is little.

    Counts of a sensor with 12 bits would else be nearly black. A picture that uses at least a
    quarter of the range is shown whole, as 8 bits are; one that uses less than 256 values gets so
    many, around its own, so that noise is not made to look like more than it is.

    Parameters
    ----------
    pixels : array of uint8 or uint16
        What the choice goes by, of any shape: best the known pixels, which every picture of a case
        shares.
    """
    top = int(np.iinfo(pixels.dtype).max)
    low, high = (int(pixels.min()), int(pixels.max())) if pixels.size else (0, top)
    if pixels.dtype == np.uint8 or high - low + 1 >= STRETCHED * (top + 1):
        return Shades(0, top, False)
    missing = max(255 - (high - low), 0)
    low = min(max(low - missing // 2, 0), top - 255)
    return Shades(low, max(high, low + 255), True)


def eight_bits(pixels: NDArray[Any], shades: Shades) -> NDArray[np.uint8]:
    """For showing only: in 256 steps from black to white. Of a whole range the upper 8 bits."""
    if pixels.dtype == np.uint8:
        return pixels
    steps = (pixels.astype(np.int64) - shades.black) * 256 // (shades.white - shades.black + 1)
    return steps.clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class ErrorScale:
    """What the colours of error pictures stand for: one scale for all cases of a run.

    Attributes
    ----------
    most : error at which they are brightest, in the task's unit
    levels : what the highest value of a picture's dtype stands for in this unit
    unit : its name
    """

    most: float
    levels: int
    unit: str

    @property
    def text(self) -> str:
        """The brightest error with its unit."""
        return f"{self.most_text} {self.unit}"

    @property
    def most_text(self) -> str:
        """The brightest error, which has two digits."""
        return f"{self.most:,.0f}" if self.most >= 10 else f"{self.most:g}"

    @property
    def grey_levels(self) -> float:
        """The brightest error in grey levels of 0..255."""
        return self.most * 255 / self.levels

    def steps(self, restored: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.uint8]:
        """Absolute errors, of colour the channels' mean, in 256 steps from none to the brightest.

        Both of a shape `(H, W)` or `(H, W, 3)`; the result is `(H, W)`.
        """
        exact = np.abs(restored.astype(np.float64) - truth.astype(np.float64))
        error = exact.mean(axis=2) if exact.ndim == 3 else exact
        share = error * (self.levels / np.iinfo(truth.dtype).max / self.most)
        return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)

    def picture(self, restored: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.uint8]:
        """The same in colours, `(H, W, 3)`."""
        return palette()[self.steps(restored, truth)]


def error_scale(shown: Iterable[Shades], levels: int, unit: str) -> ErrorScale:
    """Choose the scale of a run: a quarter of the widest range that a case is shown with.

    64 grey levels, unless all pictures are of 16 bits of which they use little. To two digits.

    Parameters
    ----------
    shown : how the cases are shown
    levels, unit : as `ErrorScale` has them
    """
    widest = max((shades.share for shades in shown), default=1.0)
    return ErrorScale(float(f"{ERROR_RANGE * widest * levels / 255:.2g}"), levels, unit)


def palette() -> NDArray[np.uint8]:
    """The 256 colours of errors, from none to the brightest: (256, 3)."""
    from matplotlib import colormaps

    return np.asarray(colormaps["inferno"](np.arange(256), bytes=True))[:, :3]


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode a picture as a PNG file, as small as may be."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def address(pixels: NDArray[np.uint8]) -> str:
    """Make a picture a data address that stands in the page itself."""
    return data_address("image/png", png(pixels))


def data_address(kind: str, content: bytes) -> str:
    """Make a file of a MIME type a data address, so that a page can hold it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
