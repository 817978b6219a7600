"""Thin-plate spline through the known pixels near the hole."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation, grown
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import PredictingMethod
from inpaintbench.methods.rectangles import folded, predict_rectangles

Floats = NDArray[np.float64]

MOST_POINTS = 1500  # beyond it one spline through all costs more than local ones


class ThinPlate(PredictingMethod):
    """The thin-plate spline through the known pixels near the hole.

    J. Duchon, "Splines minimizing rotation-invariant semi-norms in Sobolev spaces", 1977: of all
    surfaces through the given points the one with the least bending energy over the whole plane,
    by scipy's RBFInterpolator. Unlike `biharmonic` it has no grid, knows no pixels beyond the
    frame, and may pass by the points instead of through them (Wahba, "Spline models for
    observational data", 1990). The answer is limited to the range of the known pixels.

    Every hole (hidden pixels that touch, also by a corner) has a spline of its own. For a
    rectangle away from the border that is a fixed matrix, computed once per shape. Where over 1,500
    pixels are near a hole, one spline goes through the 64 nearest of them to each hidden pixel.

    Parameters
    ----------
    margin : int
        Known pixels up to this distance from the hole (by row and by column) carry the spline.
    smoothing : float
        How far the spline may pass by the known pixels, as RBFInterpolator has it; 0 for through.
    """

    name = "thin-plate"
    family = "diffusion"
    promises = ("shift", "contrast", "flip", "transpose")
    margin: int = 1
    smoothing: float = 3.0

    def __post_init__(self) -> None:
        if self.margin < 1:
            raise ValueError(f"margin must be 1 or more, not {self.margin}")
        if not 0 <= self.smoothing < np.inf:
            raise ValueError(f"smoothing must be 0 or more, not {self.smoothing}")

    def predict_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore the hidden pixels of several pictures, by one product per shape of hole."""
        return predict_rectangles(observations, self.margin, self._operator, self._fill, clip=True)

    def _operator(self, height: int, width: int) -> Floats:
        return _spline_matrix(height, width, self.margin, self.smoothing)

    def _fill(self, image: Array, mask: Mask) -> Array:
        from scipy.ndimage import find_objects, label

        filled = harmonic_fill(image, mask)
        low, high = image[~mask].min(), image[~mask].max()
        holes, _ = label(mask, np.ones((3, 3)))
        for number, box in enumerate(find_objects(holes), 1):
            window = grown(box, self.margin)
            hole = holes[window] == number
            part = filled[window]
            part[hole] = self._bend(part, hole, mask[window]).clip(low, high)
        return filled

    def _bend(self, image: Floats, hole: Mask, mask: Mask) -> Floats:
        """Give the spline at a hole's pixels; what they hold, where no spline goes through."""
        from scipy.ndimage import maximum_filter

        near = maximum_filter(hole, 2 * self.margin + 1, mode="constant") & ~mask
        points = np.argwhere(near)
        if np.linalg.matrix_rank(points - points[:1]) < 2:  # many planes go through one line
            return image[hole]
        neighbors = None if len(points) <= MOST_POINTS else 64
        return _spline(points, image[near], np.argwhere(hole), self.smoothing, neighbors)


@lru_cache(maxsize=128)
def _spline_matrix(height: int, width: int, margin: int, smoothing: float) -> Floats:
    """Matrix from the frame around a rectangle to its pixels: the spline of every unit vector."""
    mask = np.pad(np.ones((height, width), bool), margin)
    points = np.argwhere(~mask)
    matrix = _spline(points, np.eye(len(points)), np.argwhere(mask), smoothing)
    return folded(matrix, height, width, margin)


def _spline(
    points: Array, values: Floats, places: Array, smoothing: float, neighbors: int | None = None
) -> Floats:
    from scipy.interpolate import RBFInterpolator

    spline = RBFInterpolator(points, values, neighbors=neighbors, smoothing=smoothing)
    return np.asarray(spline(places))
