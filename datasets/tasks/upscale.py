"""Super-resolution: a grey picture of 128x128 from the means of its 2x2 pixels.

A photograph becomes a case by taking a window of it and resizing that with LANCZOS to 128x128
pixels, which is the truth. The window's size is drawn for every case: as much as there is of a
square photograph, again and again, would be the same case, as nothing else tells them apart. What
is given is the exact mean of every 2x2 pixels, 64x64, computed in floating point and rounded to the
picture's dtype (a half to the even number): the published input, which is the target halved by an
old scikit-image's `resize`, of order 1 and without anti-aliasing.

Departures: the published pictures are a whole photograph squeezed to 128x128 whatever its shape,
and their input is not rounded. A picture as people have it is of whole numbers.
"""

import numpy as np

from inpaintbench.datasets.cases import Array, Mask
from inpaintbench.datasets.tasks.drawing import draw_window
from inpaintbench.datasets.tasks.metrics import NEED_KNOWN, Metric, usual_metrics

NAME = "upscale"
SIDES = (128, 128)
FACTOR = 2
COLOUR = False
LEVELS = 255
METRICS = (
    *usual_metrics("MSE", "grey levels", without=NEED_KNOWN),
    Metric(
        "unit_mse",
        "MSE of 0..1",
        "",
        "lower",
        0,
        1,
        "the MSE of pictures in 0..1, in which the published network's loss is about 0.002",
    ),
)


def halve(picture: Array) -> Array:
    """Mean of every 2x2 pixels of a grey or colour picture with even sides, rounded to its dtype.

    Examples
    --------
    >>> halve(np.array([[1, 2, 0, 0], [3, 4, 0, 2]], np.uint8)).tolist()
    [[2, 0]]
    """
    return np.asarray(np.rint(block_means(picture, FACTOR)), picture.dtype)


def block_means(picture: Array, factor: int) -> Array:
    """Mean of every `factor` x `factor` pixels of an `(H, W)` or `(H, W, 3)` array, in float64."""
    rows, columns = picture.shape[0] // factor, picture.shape[1] // factor
    blocks = picture.reshape(rows, factor, columns, factor, *picture.shape[2:])
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float64))


def draw(pixels: Array, rng: np.random.Generator) -> tuple[Array, Mask, Array]:
    """Draw a picture of 128x128 from a photograph: the truth, all asked for, its 2x2 means.

    Raises
    ------
    ValueError
        If a side of the photograph is under 128 pixels.
    """
    picture = draw_window(pixels, SIDES, rng, whole=0.0)
    return picture, np.ones(SIDES, bool), halve(picture)
