"""The border challenge of 2021: the frame around a small greyscale photograph.

A photograph becomes a case by taking a window of it, resizing that with LANCZOS to 90x90 pixels,
and hiding a border of at least 5 pixels on each side, inside of which at least 75x75 pixels are
known. So two opposite borders have 15 pixels together at the most. Axis 0 is the challenge's X,
axis 1 its Y.
"""

import numpy as np

from inpaintbench.datasets.cases import Array, Mask
from inpaintbench.datasets.tasks.drawing import draw_window
from inpaintbench.datasets.tasks.metrics import usual_metrics

NAME = "border"
SIDES = (90, 90)
COLOUR = False
LEVELS = 255
METRICS = usual_metrics("challenge MSE", "grey levels")
THINNEST = 5  # pixels of a border, at the least
KNOWN = 75  # pixels of a side of what is known, at the least


def draw_borders(length: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw the two borders of a side: every pair that the challenge allows is equally likely."""
    most = length - KNOWN
    pairs = [
        (first, second)
        for first in range(THINNEST, most - THINNEST + 1)
        for second in range(THINNEST, most - first + 1)
    ]
    return pairs[int(rng.integers(len(pairs)))]


def draw(pixels: Array, rng: np.random.Generator) -> tuple[Array, Mask]:
    """Draw a picture of 90x90 from a photograph, and the border to hide.

    Raises
    ------
    ValueError
        If a side of the photograph is under 90 pixels.
    """
    side = SIDES[0]
    picture = draw_window(pixels, (side, side), rng)
    top, bottom = draw_borders(side, rng)
    left, right = draw_borders(side, rng)
    mask = np.ones(picture.shape, bool)
    mask[top : side - bottom, left : side - right] = False
    return picture, mask
