"""Total-variation inpainting by the primal-dual algorithm of Chambolle and Pock."""

import numba
import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation, bounding_box, grown
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import Method, per_channel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROOT_HALF = 0.5**0.5


class TotalVariation(Method):
    """The hole of least total variation that fits the known pixels around it.

    The model is that of T. Chan and J. Shen, "Mathematical models for local nontexture
    inpaintings", SIAM Journal on Applied Mathematics 62(3), 2002, with the known pixels kept as
    they are; it is minimised by algorithm 1 of A. Chambolle and T. Pock, "A first-order primal-dual
    algorithm for convex problems with applications to imaging", Journal of Mathematical Imaging and
    Vision 40, 2011, from a harmonic fill.

    Departs from the papers in the discretisation: the gradient's length is taken over squares of
    2x2 pixels, as the root of half the sum of their four squared differences, so that flips and
    transposes change nothing (forward differences prefer one diagonal). Values are scaled by the
    range of the known pixels, so that contrast changes nothing either.

    It stops when the duality gap is under `tolerance` of the start's total variation, or after
    `iterations`. The gap bounds how much total variation the answer has too much; it is finite
    because no minimiser leaves the range of the known pixels.

    Parameters
    ----------
    tolerance : float
        Of the gap, relative to the total variation of the harmonic fill.
    step : float
        The primal step; the dual one is the largest that is allowed, 1 / (8 step).
    iterations : int
        At most so many.
    """

    name = "total-variation"
    family = "diffusion"
    promises = ("shift", "contrast", "flip", "transpose")
    tolerance: float = 0.001
    step: float = 0.05
    iterations: int = 2000

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be over 0, not {self.tolerance}")
        if not 0 < self.step < np.inf:
            raise ValueError(f"step must be over 0, not {self.step}")
        if self.iterations < 1:
            raise ValueError(f"iterations must be 1 or more, not {self.iterations}")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(self._fill, observation)

    def _fill(self, image: Array, mask: Mask) -> Array:
        filled = harmonic_fill(image, mask)
        window = grown(bounding_box(mask), 1)
        around = filled[window][~mask[window]]
        low, high = around.min(), around.max()
        if high > low:
            scaled, hidden = (filled[window] - low) / (high - low), mask[window].copy()
            _descend(scaled, hidden, self.step, self.tolerance, self.iterations)
            filled[window][hidden] = low + (high - low) * np.clip(scaled[hidden], 0, 1)
        return filled


@numba.njit(cache=True)
def _descend(
    image: Floats, mask: Mask, step: float, tolerance: float, iterations: int
) -> int:  # pragma: no cover
    """Minimise over the hidden pixels of an image of range 0..1, in place; count the iterations."""
    squares, places = _squares(mask)
    dual = np.zeros((len(squares), 4))
    ahead, pull = image.copy(), np.zeros_like(image)
    start = _total_variation(image, squares)
    for iteration in range(iterations):
        _ascend(ahead, dual, squares, 1 / (8 * step))
        _pull(dual, squares, places, pull)
        for y, x in places:
            if mask[y, x]:
                before = image[y, x]
                image[y, x] -= step * pull[y, x]
                ahead[y, x] = 2 * image[y, x] - before
        if iteration % 10 == 9 and _gap(image, mask, squares, places, pull) <= tolerance * start:
            return iteration + 1
    return iterations


@numba.njit(cache=True)
def _squares(mask: Mask) -> tuple[Ints, Ints]:  # pragma: no cover
    """Top left pixels of all squares of 2x2 pixels that hold a hidden one; all their pixels."""
    touched = mask[:-1, :-1] | mask[1:, :-1] | mask[:-1, 1:] | mask[1:, 1:]
    squares, inside = np.argwhere(touched), np.zeros_like(mask)
    for y, x in squares:
        inside[y : y + 2, x : x + 2] = True
    return squares, np.argwhere(inside)


@numba.njit(cache=True)
def _differences(
    image: Floats, y: int, x: int
) -> tuple[float, float, float, float]:  # pragma: no cover
    """A square's differences along its top, bottom, left and right side, times root 1/2."""
    a, b, c, d = image[y, x], image[y, x + 1], image[y + 1, x], image[y + 1, x + 1]
    return ROOT_HALF * (b - a), ROOT_HALF * (d - c), ROOT_HALF * (c - a), ROOT_HALF * (d - b)


@numba.njit(cache=True)
def _total_variation(image: Floats, squares: Ints) -> float:  # pragma: no cover
    total = 0.0
    for y, x in squares:
        top, bottom, left, right = _differences(image, y, x)
        total += np.sqrt(top * top + bottom * bottom + left * left + right * right)
    return total


@numba.njit(cache=True)
def _ascend(ahead: Floats, dual: Floats, squares: Ints, step: float) -> None:  # pragma: no cover
    """Move each square's dual vector along its differences, and back into the unit ball."""
    for k in range(len(squares)):
        top, bottom, left, right = _differences(ahead, squares[k, 0], squares[k, 1])
        top, bottom = dual[k, 0] + step * top, dual[k, 1] + step * bottom
        left, right = dual[k, 2] + step * left, dual[k, 3] + step * right
        length = np.sqrt(top * top + bottom * bottom + left * left + right * right)
        shrink = 1 / max(1.0, length)
        dual[k, 0], dual[k, 1] = shrink * top, shrink * bottom
        dual[k, 2], dual[k, 3] = shrink * left, shrink * right


@numba.njit(cache=True)
def _pull(dual: Floats, squares: Ints, places: Ints, pull: Floats) -> None:  # pragma: no cover
    """Apply the transpose of the differences to the dual vectors."""
    for y, x in places:
        pull[y, x] = 0
    for k in range(len(squares)):
        y, x = squares[k]
        top, bottom = ROOT_HALF * dual[k, 0], ROOT_HALF * dual[k, 1]
        left, right = ROOT_HALF * dual[k, 2], ROOT_HALF * dual[k, 3]
        pull[y, x] -= top + left
        pull[y, x + 1] += top - right
        pull[y + 1, x] += left - bottom
        pull[y + 1, x + 1] += bottom + right


@numba.njit(cache=True)
def _gap(
    image: Floats, mask: Mask, squares: Ints, places: Ints, pull: Floats
) -> float:  # pragma: no cover
    """Total variation less the dual value, the least of `pull @ image` over hidden 0..1."""
    gap = _total_variation(image, squares)
    for y, x in places:
        gap -= min(0.0, pull[y, x]) if mask[y, x] else pull[y, x] * image[y, x]
    return gap
