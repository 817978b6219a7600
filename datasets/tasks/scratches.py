"""The scratches of the U-Net report: a colour picture of 32x32 under a few straight lines.

Pictures are CIFAR-10's own (`--images cifar10`), or windows of photographs shrunk to 32x32. The
mask is the published one: `randint(1, 10)`, that is 1 to 9 lines, both ends of each drawn uniformly
from 1..31 along both axes, 1 or 2 pixels thick, drawn by OpenCV.

Departure: the report ANDs the picture with a mask of 1 and 255, which leaves a hidden pixel its
lowest bit; here hidden pixels are 0. No method that is given the mask can tell the difference.
"""

import cv2
import numpy as np

from inpaintbench.datasets.cases import Array, Mask
from inpaintbench.datasets.tasks.drawing import draw_window, in_colour
from inpaintbench.datasets.tasks.metrics import Metric, usual_metrics

NAME = "scratches"
SIDES = (32, 32)
COLOUR = True
LEVELS = 255
METRICS = (
    *usual_metrics("MSE", "grey levels"),
    Metric(
        "picture_mae",
        "picture MAE",
        "0..1",
        "lower",
        0,
        1,
        "over the whole picture as the report has it: most of it is known, and counts as 0 here",
    ),
    Metric(
        "picture_dice",
        "picture Dice",
        "",
        "higher",
        0,
        1,
        "the report's soft Dice of intensities over the whole picture: it depends on brightness, "
        "and a perfect picture does not reach 1; compare it with perfect_dice",
    ),
    Metric(
        "perfect_dice",
        "perfect Dice",
        "",
        "",
        0,
        1,
        "what the soft Dice gives the true picture itself",
    ),
)
MOST_LINES = 9
ENDS = (1, 31)  # pixels along either axis, both included
THICKNESSES = (1, 2)


def draw_lines(rng: np.random.Generator) -> Mask:
    """Draw the published mask: `(32, 32)`, `True` on the lines."""
    mask = np.zeros(SIDES, np.uint8)
    for _ in range(int(rng.integers(1, MOST_LINES + 1))):
        x1, y1, x2, y2 = (int(value) for value in rng.integers(ENDS[0], ENDS[1] + 1, 4))
        thickness = int(rng.integers(THICKNESSES[0], THICKNESSES[1] + 1))
        cv2.line(mask, (x1, y1), (x2, y2), 1, thickness)
    return mask.astype(bool)


def draw(pixels: Array, rng: np.random.Generator) -> tuple[Array, Mask]:
    """Take a picture of 32x32 as it is, or draw one from a photograph; and the lines to hide.

    Raises
    ------
    ValueError
        If a side of the photograph is under 32 pixels.
    """
    picture = draw_window(in_colour(pixels), SIDES, rng)
    return picture, draw_lines(rng)
