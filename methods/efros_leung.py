"""Texture synthesis pixel by pixel, of Efros and Leung."""

import numba
import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import Method, all_channels, check_seed
from inpaintbench.methods.patches import known_patches, no_patch_caveat

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class EfrosLeung(Method):
    """Fill pixel by pixel from the rim, each as the centre of some window that looks alike.

    A. Efros and T. Leung, "Texture synthesis by non-parametric sampling", ICCV 1999. The hidden
    pixel with the most known neighbours comes next. The known part of the window around it,
    weighted by a Gaussian of 1/6.4 of the window's side, is compared with every known window; one
    of those that differ by at most 1 + `tolerance` times the least difference is drawn at random
    and gives the pixel. It is made for texture, not for squared error.

    Departs from the paper in that there is no upper limit of the difference, since a hole must be
    filled, and that of pixels with equally many known neighbours the uppermost comes first. Where
    no window is wholly known, the fill is harmonic.

    Parameters
    ----------
    window : int
        Odd side of a window, in pixels.
    tolerance : float
        How much worse than the best a window may be, as a share of the least difference.
    seed : int
        Of the draws: the same seed gives the same restoration.
    """

    name = "efros-leung"
    family = "exemplar"
    tasks = ("crop", "border", "scratches", "center-pixel")
    limits = "no patch of a grid is wholly known"
    window: int = 9
    tolerance: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.window < 3 or self.window % 2 == 0:
            raise ValueError(f"window must be odd and 3 or more, not {self.window}")
        if not 0 <= self.tolerance < np.inf:
            raise ValueError(f"tolerance must be 0 or more, and finite, not {self.tolerance}")
        check_seed(self.seed)

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return all_channels(self._fill, observation)

    def caveat(self, mask: Mask) -> str:
        """Say whether there is no window to copy."""
        return no_patch_caveat(mask, self.window)

    def _fill(self, image: Array, mask: Mask) -> Array:
        places = np.argwhere(known_patches(mask, self.window))
        if not len(places):
            return np.stack([harmonic_fill(plane, mask) for plane in image])
        filled = image.astype(np.float64)
        offset = np.arange(self.window) - self.window // 2
        bell = np.exp(-np.square(offset * 6.4 / self.window) / 2)
        _synthesise(filled, mask.copy(), places, np.outer(bell, bell), self.tolerance, self.seed)
        return filled


@numba.njit(cache=True)
def _synthesise(
    image: Floats, hidden: Mask, places: Ints, bell: Floats, tolerance: float, seed: int
) -> None:  # pragma: no cover
    """Fill all hidden pixels of `(channels, H, W)`; `image` and `hidden` are changed in place."""
    np.random.seed(seed)  # noqa: NPY002  (numba's own generator, private to compiled code)
    todo = np.argwhere(hidden)
    unlike = np.empty(len(places))
    half = len(bell) // 2
    for _ in range(len(todo)):
        most, y, x = -1, 0, 0
        for k in range(len(todo)):
            if hidden[todo[k, 0], todo[k, 1]]:
                count = _known_neighbours(hidden, todo[k, 0], todo[k, 1])
                if count > most:
                    most, y, x = count, todo[k, 0], todo[k, 1]
        best = _compare(image, hidden, places, bell, y, x, tolerance, unlike)
        drawn = np.random.randint((unlike <= best * (1 + tolerance)).sum())  # noqa: NPY002
        for k in range(len(places)):
            if unlike[k] <= best * (1 + tolerance):
                if drawn == 0:
                    image[:, y, x] = image[:, places[k, 0] + half, places[k, 1] + half]
                    break
                drawn -= 1
        hidden[y, x] = False


@numba.njit(cache=True)
def _known_neighbours(hidden: Mask, y: int, x: int) -> int:  # pragma: no cover
    count = 0
    for i in range(max(y - 1, 0), min(y + 2, hidden.shape[0])):
        for j in range(max(x - 1, 0), min(x + 2, hidden.shape[1])):
            count += not hidden[i, j]
    return count


@numba.njit(cache=True)
def _compare(
    image: Floats,
    hidden: Mask,
    places: Ints,
    bell: Floats,
    y: int,
    x: int,
    tolerance: float,
    unlike: Floats,
) -> float:  # pragma: no cover
    """Write how every known window differs from that around a pixel; return the least.

    A window that is beyond the tolerance of the best so far counts as infinitely unlike.
    """
    half, best = len(bell) // 2, np.inf
    rows = range(max(-half, -y), min(half + 1, hidden.shape[0] - y))
    columns = range(max(-half, -x), min(half + 1, hidden.shape[1] - x))
    for k in range(len(places)):
        total = 0.0
        for c in range(len(image)):
            for i in rows:
                for j in columns:
                    if not hidden[y + i, x + j]:
                        there = image[c, places[k, 0] + half + i, places[k, 1] + half + j]
                        total += bell[half + i, half + j] * (image[c, y + i, x + j] - there) ** 2
                if total > best * (1 + tolerance):
                    total = np.inf
                    break
        unlike[k] = total
        best = min(best, total)
    return best
