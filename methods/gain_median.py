"""Brighten, then take the median of each pixel's surroundings."""

from scipy import ndimage

from inpaintbench.datasets.cases import LOW_LIGHT, Array, Observation
from inpaintbench.methods.gain import brightened
from inpaintbench.methods.method import Method


class GainMedian(Method):
    """Five times the picture, then the median of the square around each pixel.

    J. W. Tukey, "Exploratory Data Analysis", 1977, for the filter. Each channel has its own; the
    picture is mirrored at its borders.

    Parameters
    ----------
    size : int
        Side of the square, in pixels; odd.
    """

    name = "gain-median"
    family = "filter"
    tasks = LOW_LIGHT
    limits = "it brightens dark pictures, and fills no holes"
    size: int = 3

    def __post_init__(self) -> None:
        if self.size < 1 or self.size % 2 == 0:
            raise ValueError(f"size must be odd and 1 or more, not {self.size}")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        bright = brightened(observation)
        square = (self.size, self.size) + (1,) * (bright.ndim - 2)
        filtered: Array = ndimage.median_filter(bright, square, mode="reflect")
        return filtered
