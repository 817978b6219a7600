"""Small pictures, and other files, that stand in a page itself."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ERROR_RANGE = 64  # grey levels (of 255) at which the error picture is brightest


@dataclass(frozen=True)
class Tile:
    """A small picture with two lines under it; pictures are data addresses."""

    title: str
    caption: str
    picture: str
    error: str = ""


def eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """For showing only: the upper 8 bits of 16."""
    return (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels.astype(np.uint8)


def error_picture(restored: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.uint8]:
    """Absolute error in colours, on one scale for the whole page."""
    from matplotlib import colormaps

    scale = ERROR_RANGE * (257 if truth.dtype == np.uint16 else 1)
    error = np.abs(restored.astype(np.float64) - truth.astype(np.float64)) / scale
    error = error.mean(axis=2) if error.ndim == 3 else error
    return np.asarray(colormaps["inferno"](np.clip(error, 0, 1), bytes=True))[..., :3]


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
