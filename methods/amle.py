"""Absolutely minimising Lipschitz extension: the infinity-harmonic fill."""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation, bounding_box, grown
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import Method, per_channel
from inpaintbench.methods.patches import halve

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DEEP = 21  # pixels from a hidden pixel to the nearest known one: more is filled coarse to fine


class Amle(Method):
    """The absolutely minimising Lipschitz extension of the known pixels.

    V. Caselles, J.-M. Morel, C. Sbert, "An axiomatic approach to image interpolation", IEEE
    Transactions on Image Processing 7(3), 1998: the surface whose steepest slope is least, in the
    hole and in every part of it; its infinity Laplacian is 0. By the monotone scheme of A. Oberman,
    "A convergent difference scheme for the infinity Laplacian", Mathematics of Computation 74,
    2005: each hidden pixel takes the value whose steepest slope to any pixel of its stencil is
    least. The hidden pixels are visited in turn, forth and back, from a harmonic fill, until no
    value changes by more than `tolerance`, or for `sweeps` sweeps: then what is reached stays. A
    hole with pixels over 21 away from any known one starts from the answer at half the size, since
    sweeps alone come to rest there far from it.

    Departs from the papers in nothing but the stencils, which are cut at the picture's border.

    Parameters
    ----------
    radius : int
        The stencil is the square of pixels up to this far away, in every direction once: 8
        directions for 1, 16 for 2, 32 for 3.
    tolerance : float
        The largest change in the last sweep, of the range of the known pixels around the hole.
    sweeps : int
        At most so many, at each size.
    """

    name = "amle"
    family = "diffusion"
    promises = ("shift", "contrast", "flip", "transpose")
    radius: int = 1
    tolerance: float = 1e-5
    sweeps: int = 1000

    def __post_init__(self) -> None:
        if not 1 <= self.radius <= 5:
            raise ValueError(f"radius must be 1 to 5, not {self.radius}")
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be over 0, not {self.tolerance}")
        if self.sweeps < 1:
            raise ValueError(f"sweeps must be 1 or more, not {self.sweeps}")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(self._fill, observation)

    def _fill(self, image: Array, mask: Mask) -> Array:
        filled = harmonic_fill(image, mask)
        window = grown(bounding_box(mask), self.radius)
        part = filled[window].copy()
        self._settle(part, mask[window])
        filled[window] = part
        return filled

    def _settle(self, image: Floats, mask: Mask) -> None:
        """Sweep over the hidden pixels, in place: of a deep hole first over those of half the size.

        A sweep carries a value no further than the stencil, so a deep hole would take too many.
        """
        from scipy.ndimage import distance_transform_cdt, zoom

        if distance_transform_cdt(mask, "chessboard").max() > DEEP:
            smooth, _ = halve(image, np.zeros_like(mask))
            small, hidden = halve(image, mask)
            small[hidden] = smooth[hidden]
            self._settle(small, hidden)
            larger = zoom(small, 2, order=1, mode="nearest", grid_mode=True)
            image[mask] = larger[: image.shape[0], : image.shape[1]][mask]
        known = image[~mask]
        change = self.tolerance * (known.max() - known.min())
        _extend(image, np.argwhere(mask), *_stencil(self.radius), change, self.sweeps)


def _stencil(radius: int) -> tuple[Ints, Floats]:
    """Offsets in every direction once, ordered by distance, and their distances."""
    side = range(-radius, radius + 1)
    offsets = [(y, x) for y in side for x in side if math.gcd(y, x) == 1]
    offsets.sort(key=lambda offset: math.hypot(*offset))
    return np.array(offsets), np.hypot(*np.array(offsets).T)


@numba.njit(cache=True)
def _extend(
    image: Floats, places: Ints, offsets: Ints, distances: Floats, tolerance: float, sweeps: int
) -> int:  # pragma: no cover
    """Sweep over the hidden places until they rest; `image` is changed in place."""
    for sweep in range(sweeps):
        change = 0.0
        for k in range(len(places)):
            y, x = places[k] if sweep % 2 == 0 else places[len(places) - 1 - k]
            value = _least_slope(image, y, x, offsets, distances)
            change = max(change, abs(value - image[y, x]))
            image[y, x] = value
        if change <= tolerance:
            return sweep + 1
    return sweeps


@numba.njit(cache=True)
def _least_slope(
    image: Floats, y: int, x: int, offsets: Ints, distances: Floats
) -> float:  # pragma: no cover
    """Find the value at a pixel that makes its steepest slope to the stencil least.

    It lies on the line between the two pixels whose difference over the sum of their distances is
    largest; of the pixels at one distance only the lowest and the highest can be among them.
    """
    most = len(offsets)
    lows, highs, rings = np.empty(most), np.empty(most), np.empty(most)
    count = 0
    for k in range(len(offsets)):
        v, u = y + offsets[k, 0], x + offsets[k, 1]
        if not (0 <= v < image.shape[0] and 0 <= u < image.shape[1]):
            continue
        value = image[v, u]
        if count == 0 or distances[k] != rings[count - 1]:
            lows[count] = highs[count] = value
            rings[count] = distances[k]
            count += 1
        lows[count - 1] = min(lows[count - 1], value)
        highs[count - 1] = max(highs[count - 1], value)
    steepest = -1.0
    best: float = image[y, x]
    for a in range(count):
        for b in range(count):
            slope = (highs[a] - lows[b]) / (rings[a] + rings[b])
            if slope > steepest:
                steepest, best = slope, lows[b] + slope * rings[b]
    return best
