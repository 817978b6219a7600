"""Square windows around holes: what a network of a fixed size gets to see."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Mask

SIDE = 64  # pixels; a hole of 21 has at least 21 known pixels on every side
CONTEXT = 8  # pixels that a window must show around a hole, at the least


@dataclass(frozen=True, eq=False)
class Window:
    """A window of a picture that shows one hole.

    Attributes
    ----------
    pixels, mask : (SIDE, SIDE) arrays
        The window; what lies outside of a small picture is its mirror image.
    hole : pair of slices
        Where in the picture the hole's bounding box is.
    inner : pair of slices
        Where in the window that box is.
    """

    pixels: Array
    mask: Mask
    hole: tuple[slice, slice]
    inner: tuple[slice, slice]


def fits(hole: tuple[slice, slice]) -> bool:
    """Whether a window can show this bounding box with enough around it."""
    return all(side.stop - side.start <= SIDE - 2 * CONTEXT for side in hole)


def holes(mask: Mask) -> list[tuple[slice, slice]]:
    """Bounding boxes of the connected holes of a mask (pixels that touch by a corner connect)."""
    labels, _ = ndimage.label(mask, np.ones((3, 3), bool))
    return [(box[0], box[1]) for box in ndimage.find_objects(labels)]


def cut(image: Array, mask: Mask, hole: tuple[slice, slice]) -> Window:
    """Cut the window around a hole out of an `(H, W)` image: centred, but inside the picture."""
    origin = [
        max(0, min((side.start + side.stop - SIDE) // 2, length - SIDE))
        for side, length in zip(hole, image.shape, strict=True)
    ]
    area = tuple(slice(start, start + SIDE) for start in origin)
    padding = [(0, max(0, SIDE - length)) for length in image.shape]
    pixels, hidden = image[area], mask[area]
    if any(after for _, after in padding):
        pixels, hidden = (np.pad(a, padding, mode="symmetric") for a in (pixels, hidden))
    inner = [slice(s.start - o, s.stop - o) for s, o in zip(hole, origin, strict=True)]
    return Window(pixels, hidden, hole, (inner[0], inner[1]))


def paste(picture: NDArray[np.float64], mask: Mask, window: Window, restored: Array) -> None:
    """Write a restored window's hole into the picture, hidden pixels only."""
    hidden = mask[window.hole]
    picture[window.hole][hidden] = restored[window.inner][hidden]
