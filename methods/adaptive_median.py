"""Brighten, and take medians only where a pixel looks like an impulse."""

import numba
import numpy as np

from inpaintbench.datasets.cases import LOW_LIGHT, Array, Observation
from inpaintbench.methods.gain import brightened
from inpaintbench.methods.method import Method, each_channel, joined


class AdaptiveMedian(Method):
    """Five times the picture, then the median of a square that grows until it means something.

    H. Hwang and R. A. Haddad, "Adaptive median filters: new algorithms and results", IEEE
    Transactions on Image Processing 4(4), 1995, the ranked-order filter. The square around a pixel
    grows until its median is neither its least nor its greatest value. Then the pixel stays if it
    is neither of these itself, and else becomes the median; where no square helps, it becomes the
    median of the largest. Each channel is filtered by itself, mirrored at its borders.

    The published noise, which makes most values one and the same, is beyond it: the median of every
    square is that value.

    Parameters
    ----------
    largest : int
        Side of the largest square, in pixels; odd.
    """

    name = "adaptive-median"
    family = "filter"
    tasks = LOW_LIGHT
    limits = "it brightens dark pictures, and fills no holes"
    largest: int = 7

    def __post_init__(self) -> None:
        if self.largest < 3 or self.largest % 2 == 0:
            raise ValueError(f"largest must be odd and 3 or more, not {self.largest}")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        image, reach = observation.image, self.largest // 2
        channels = (c.astype(np.float64) for c in each_channel(image))
        padded = [np.pad(channel, reach, mode="symmetric") for channel in channels]
        # Before the gain, which clips what noise has made too bright.
        filtered = joined([_filtered(channel, self.largest) for channel in padded], image.shape)
        return brightened(Observation(filtered.astype(image.dtype), observation.mask))


@numba.njit(cache=True)
def _filtered(padded: Array, largest: int) -> Array:  # pragma: no cover
    """Filter a channel that has half of the largest square around it."""
    reach = largest // 2
    height, width = padded.shape[0] - 2 * reach, padded.shape[1] - 2 * reach
    filtered = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            own = padded[y + reach, x + reach]
            middle = own
            for half in range(1, reach + 1):
                top, left = y + reach - half, x + reach - half
                side = 2 * half + 1
                values = np.sort(padded[top : top + side, left : left + side].copy().ravel())
                middle = values[values.size // 2]
                if values[0] < middle < values[-1]:
                    if values[0] < own < values[-1]:
                        middle = own
                    break
            filtered[y, x] = middle
    return filtered
