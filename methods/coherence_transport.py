"""Image inpainting based on coherence transport."""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation, bounding_box, grown
from inpaintbench.methods.method import Method, highest_value, per_channel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class CoherenceTransport(Method):
    """Carry grey levels into the hole along its edges, from its rim to its middle.

    F. Bornemann, T. Maerz, "Fast image inpainting based on coherence transport", Journal of
    Mathematical Imaging and Vision 28, 2007. The hidden pixels are visited once, in the order of
    their distance to the known ones. Each becomes the weighted mean of what is known by then
    within `epsilon`; the weights prefer pixels on the line of the local edge, whose direction comes
    from the structure tensor of the known part, the more so the clearer that edge is.

    Departs from the paper in the order: the distance is the exact Euclidean one, not fast
    marching's approximation to it, and pixels at the same distance are filled at once, so that
    flips and transposes change nothing.

    Parameters
    ----------
    epsilon : float
        Radius of the pixels that are averaged, in pixels.
    kappa : float
        How much the weights sharpen at a clear edge; 0 for the same weights in all directions.
    sigma : float
        Standard deviation of the smoothing before gradients are taken, in pixels.
    rho : float
        Standard deviation of the smoothing of the structure tensor, in pixels.
    """

    name = "coherence-transport"
    family = "diffusion"
    promises = ("shift", "flip", "transpose")
    epsilon: float = 7.0
    kappa: float = 8.0
    sigma: float = 0.7
    rho: float = 3.5

    def __post_init__(self) -> None:
        if not 1 <= self.epsilon <= 100:
            raise ValueError(f"epsilon must be 1 to 100, not {self.epsilon}")
        if not 0 <= self.kappa <= 1e6:
            raise ValueError(f"kappa must be 0 to 1000000, not {self.kappa}")
        if not (0.1 <= self.sigma <= 100 and 0.1 <= self.rho <= 100):
            raise ValueError("sigma and rho must be 0.1 to 100")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        scale = 255 / highest_value(observation)  # the paper's one grey level is of 255

        def fill(image: Array, mask: Mask) -> Array:
            return self._fill(image * scale, mask) / scale

        return per_channel(fill, observation)

    def _fill(self, image: Floats, mask: Mask) -> Floats:
        from scipy.ndimage import distance_transform_edt

        reach = math.ceil(self.epsilon + 3 * self.sigma + 3 * self.rho) + 2
        window = grown(bounding_box(mask), reach)
        part, hidden = np.where(mask, 0, image)[window].copy(), mask[window].copy()
        places = np.argwhere(hidden)
        depths = distance_transform_edt(hidden)[hidden]
        order = np.argsort(depths, kind="stable")
        levels = np.flatnonzero(np.diff(depths[order], prepend=-1.0, append=np.inf))
        smooth, inner = _bell(self.sigma), _bell(self.rho)
        _transport(part, ~hidden, places[order], levels, self.epsilon, self.kappa, smooth, inner)
        filled = image.astype(np.float64)
        filled[window] = part
        return filled


def _bell(deviation: float) -> Floats:
    """The right half of a Gaussian, from its peak to three standard deviations."""
    return np.exp(-0.5 * (np.arange(math.ceil(3 * deviation) + 1) / deviation) ** 2)


@numba.njit(cache=True)
def _transport(
    image: Floats,
    known: Mask,
    places: Ints,
    levels: Ints,
    epsilon: float,
    kappa: float,
    smooth: Floats,
    inner: Floats,
) -> None:  # pragma: no cover
    """Fill all places, level by level; `image` and `known` are changed in place."""
    total, weight = _smoothed(image, known, smooth)
    slopes = np.zeros((2, *image.shape))
    _take_slopes(total, weight, slopes, 0, image.shape[0], 0, image.shape[1])
    values = np.empty(len(places))
    reach = len(smooth)
    for number in range(len(levels) - 1):
        level = range(levels[number], levels[number + 1])
        for k in level:
            y, x = places[k]
            across, strength = _edge(slopes, known, y, x, inner, kappa)
            values[k] = _average(image, known, y, x, epsilon, across, strength)
        for k in level:
            y, x = places[k]
            image[y, x], known[y, x] = values[k], True
            _add(total, weight, y, x, values[k], smooth)
        for k in level:
            y, x = places[k]
            _take_slopes(total, weight, slopes, y - reach, y + reach + 1, x - reach, x + reach + 1)


@numba.njit(cache=True)
def _smoothed(
    image: Floats, known: Mask, smooth: Floats
) -> tuple[Floats, Floats]:  # pragma: no cover
    """Gaussian-weighted sum of the known pixels around each pixel, and the sum of the weights."""
    total, weight = np.zeros_like(image), np.zeros_like(image)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if known[y, x]:
                _add(total, weight, y, x, image[y, x], smooth)
    return total, weight


@numba.njit(cache=True)
def _add(
    total: Floats, weight: Floats, y: int, x: int, value: float, smooth: Floats
) -> None:  # pragma: no cover
    """Let a newly known pixel take part in the smoothed picture around it."""
    reach = len(smooth) - 1
    for v in range(max(y - reach, 0), min(y + reach + 1, total.shape[0])):
        for u in range(max(x - reach, 0), min(x + reach + 1, total.shape[1])):
            share = smooth[abs(v - y)] * smooth[abs(u - x)]
            total[v, u] += share * value
            weight[v, u] += share


@numba.njit(cache=True)
def _take_slopes(
    total: Floats, weight: Floats, slopes: Floats, top: int, bottom: int, left: int, right: int
) -> None:  # pragma: no cover
    """Central differences of the smoothed picture in a box; one-sided at the picture's border."""
    height, width = total.shape
    for y in range(max(top, 0), min(bottom, height)):
        for x in range(max(left, 0), min(right, width)):
            if weight[y, x] > 0:
                up, down = max(y - 1, 0), min(y + 1, height - 1)
                before, after = max(x - 1, 0), min(x + 1, width - 1)
                slopes[0, y, x] = _slope(total, weight, up, x, down, x)
                slopes[1, y, x] = _slope(total, weight, y, before, y, after)


@numba.njit(cache=True)
def _slope(
    total: Floats, weight: Floats, y: int, x: int, v: int, u: int
) -> float:  # pragma: no cover
    """Slope of the smoothed picture from one pixel to another; 0 where it is unknown."""
    distance = v - y + u - x
    if distance == 0 or weight[y, x] == 0 or weight[v, u] == 0:
        return 0.0
    rise: float = total[v, u] / weight[v, u] - total[y, x] / weight[y, x]
    return rise / distance


@numba.njit(cache=True)
def _edge(
    slopes: Floats, known: Mask, y: int, x: int, inner: Floats, kappa: float
) -> tuple[tuple[float, float], float]:  # pragma: no cover
    """Direction across the edge at a pixel, and how much the weights sharpen there.

    From the structure tensor: the mean of the products of known slopes, weighted by `inner`.
    """
    reach = len(inner) - 1
    yy, yx, xx, weight = 0.0, 0.0, 0.0, 0.0
    for v in range(max(y - reach, 0), min(y + reach + 1, known.shape[0])):
        for u in range(max(x - reach, 0), min(x + reach + 1, known.shape[1])):
            if known[v, u]:
                share = inner[abs(v - y)] * inner[abs(u - x)]
                down, along = slopes[0, v, u], slopes[1, v, u]
                yy += share * down * down
                yx += share * down * along
                xx += share * along * along
                weight += share
    if weight == 0:
        return (0.0, 0.0), 1.0
    spread = math.hypot(yy - xx, 2 * yx) / weight  # of the two eigenvalues
    if spread < 1e-9:
        return (0.0, 0.0), 1.0
    angle = 0.5 * math.atan2(2 * yx, xx - yy)  # of the larger one's eigenvector, from the x axis
    return (math.sin(angle), math.cos(angle)), 1 + kappa * math.exp(-1 / spread**2)


@numba.njit(cache=True)
def _average(
    image: Floats,
    known: Mask,
    y: int,
    x: int,
    epsilon: float,
    across: tuple[float, float],
    strength: float,
) -> float:  # pragma: no cover
    """Weighted mean of the known pixels within `epsilon`, mostly of those along the edge."""
    reach = int(epsilon)
    sharpness = 0.5 * (strength / epsilon) ** 2
    nearest, total, weight = np.inf, 0.0, 0.0
    for twice in range(2):  # first for the pixel nearest to the line, lest all weights be 0
        for v in range(max(y - reach, 0), min(y + reach + 1, image.shape[0])):
            for u in range(max(x - reach, 0), min(x + reach + 1, image.shape[1])):
                squared = (v - y) ** 2 + (u - x) ** 2
                if not known[v, u] or squared > epsilon**2:
                    continue
                off = (across[0] * (v - y) + across[1] * (u - x)) ** 2
                if twice == 0:
                    nearest = min(nearest, off)
                else:
                    share = math.exp(sharpness * (nearest - off)) / math.sqrt(squared)
                    total += share * image[v, u]
                    weight += share
    return total / weight
