"""The grid challenge of 2022: a colour photograph of which only a grid of pixels is known.

A photograph becomes a case by taking a window of it, resizing that with LANCZOS to 100x100 pixels,
and hiding all but the pixels at an offset of 0..8 and a spacing of 2..6, both drawn for each axis.
The known pixels are those whose row is the offset plus a multiple of the spacing, and whose column
likewise. A grey photograph gets three equal channels, as PIL's `convert("RGB")` gives it.
"""

import numpy as np

from inpaintbench.datasets.cases import Array, Mask
from inpaintbench.datasets.tasks.drawing import draw_window, in_colour
from inpaintbench.datasets.tasks.metrics import Metric, usual_metrics

NAME = "grid"
SIDES = (100, 100)
COLOUR = True
LEVELS = 255
METRICS = (
    *usual_metrics("MSE", "grey levels"),
    Metric(
        "rmse",
        "challenge RMSE",
        "grey levels",
        "lower",
        0,
        255,
        "root of the case's MSE, the challenge's score: its mean over cases",
    ),
)
MOST_OFFSET = 8
SPACINGS = (2, 6)


def draw(pixels: Array, rng: np.random.Generator) -> tuple[Array, Mask]:
    """Draw a picture of 100x100 from a photograph, and what to hide.

    Raises
    ------
    ValueError
        If a side of the photograph is under 100 pixels.
    """
    picture = draw_window(in_colour(pixels), SIDES, rng)
    (row, column) = (int(rng.integers(MOST_OFFSET + 1)) for _ in range(2))
    (down, across) = (int(rng.integers(SPACINGS[0], SPACINGS[1] + 1)) for _ in range(2))
    mask = np.ones(SIDES, bool)
    mask[row::down, column::across] = False
    return picture, mask
