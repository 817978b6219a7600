"""PixelNet's question: the centre of a 31x31 window of intensities in 16-bit counts.

A user's own 16-bit pictures are taken in their counts: 31x31 windows as they are, of a larger
picture a window at its own scale. An 8-bit photograph is made an intensity map first, since
PixelNet's infrared data is not public: a window is shrunk to half the size or less by LANCZOS in
floating point, where averages fall between the 256 levels, and mapped from 0..255 onto the
487..2736 counts of the published data. So it needs 62 pixels a side, and a window of 8 bits is
refused, and so is a collection of both kinds, since no average can be of both.
"""

from collections.abc import Sequence

import numpy as np

from inpaintbench.datasets.cases import Array, Mask
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.images import resize_exactly
from inpaintbench.datasets.tasks.metrics import Metric, usual_metrics

NAME = "center-pixel"
SIDES = (31, 31)
COLOUR = False
LEVELS = 65535  # one count is one: scores are in counts, not in shares of the dtype's range
METRICS = (
    # One hidden pixel is all edge, and 65,536 levels of range leave a similarity no meaning.
    *usual_metrics("MSE", "counts", without=("ssim", "edge_mse")),
    Metric("actual", "actual", "counts", "", 0, 65535, "the true centre"),
    Metric(
        "predicted",
        "predicted",
        "counts",
        "",
        0,
        65535,
        "the restored centre; R2 over all cases is 1 - sum (actual - predicted)^2 / "
        "sum (actual - mean actual)^2",
    ),
)
COUNTS = (487, 2736)  # smallest and largest of the published data
SHRUNK = 2  # times at the least, of an 8-bit photograph


def notes(where: str, bits: Sequence[int]) -> list[str]:
    """Say what a user should know of the counts that photographs of so many bits each give.

    Raises
    ------
    InputError
        If some of them are in counts, and others are not.
    """
    made = sum(each == 8 for each in bits)
    s = "" if made == 1 else "s"
    if 0 < made < len(bits):
        raise InputError(
            f"{where} has {made} picture{s} of 8 bits among {len(bits)}, the others being in "
            "16-bit counts: no average can be of both, so keep them apart"
        )
    counts = f"{'is' if made == 1 else 'are'} mapped to counts of {COUNTS[0]}..{COUNTS[1]}"
    return [f"{made} photograph{s} of 8 bits {counts}"] if made else []


def draw(pixels: Array, rng: np.random.Generator) -> tuple[Array, Mask]:
    """Draw a 31x31 window of uint16 counts from a picture, and hide its centre.

    Raises
    ------
    ValueError
        If it is too small, or of 8 bits and under 62 pixels a side.
    """
    side = SIDES[0]
    window = _own_counts(pixels, rng) if pixels.dtype == np.uint16 else _made_counts(pixels, rng)
    mask = np.zeros(SIDES, bool)
    mask[side // 2, side // 2] = True
    return window, mask


def _own_counts(pixels: Array, rng: np.random.Generator) -> Array:
    side = SIDES[0]
    top, left = (int(rng.integers(length - side + 1)) for length in pixels.shape)
    return pixels[top : top + side, left : left + side].copy()


def _made_counts(pixels: Array, rng: np.random.Generator) -> Array:
    """Make a window of an intensity map from an 8-bit photograph."""
    side, shortest = SIDES[0], min(pixels.shape)
    if shortest < SHRUNK * side:
        raise ValueError(
            f"{pixels.shape[0]}x{pixels.shape[1]} pixels of 8 bits: windows must be in 16-bit "
            f"counts, and a photograph needs {SHRUNK * side} pixels a side"
        )
    scale = SHRUNK * (shortest / (SHRUNK * side)) ** rng.random()  # as likely at any size
    length = min(round(side * scale), shortest)
    top, left = (int(rng.integers(n - length + 1)) for n in pixels.shape)
    part = resize_exactly(pixels[top : top + length, left : left + length], SIDES)
    counts = COUNTS[0] + part.clip(0, 255).astype(np.float64) * ((COUNTS[1] - COUNTS[0]) / 255)
    return np.rint(counts).astype(np.uint16)
