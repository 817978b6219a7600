"""Exemplar filling in the order of Criminisi, Perez and Toyama."""

import numba
import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import all_channels
from inpaintbench.methods.neighbours import Exemplar, fill_beside
from inpaintbench.methods.patches import known_patches, no_patch_caveat

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Criminisi(Exemplar):
    """Copy whole patches, those first that continue a strong edge into the hole.

    A. Criminisi, P. Perez and K. Toyama, "Region filling and object removal by exemplar-based image
    inpainting", IEEE Transactions on Image Processing 13(9), 2004. The next patch is that on the
    hole's rim of highest priority: the product of its confidence (how much of it is known, and for
    how long) and its data term (how strongly an edge runs into the hole there). It takes its hidden
    pixels from the known patch that differs least in the pixels known of both.

    Departs from the paper in that gradients are central differences (one-sided at the rim) and that
    the data term has a small floor, so that flat rims are filled in the order of confidence. In
    colour the strongest edge is that of any channel, and patches differ by all channels together.
    Where no patch is wholly known, the fill is harmonic.

    Parameters
    ----------
    patch : int
        Odd side of a patch, in pixels.
    search : str
        "picture" copies from the picture alone, "set" also from the other pictures of the test set.
    """

    name = "criminisi"
    tasks = ("crop", "border", "scratches", "center-pixel")
    limits = "no patch of a grid is wholly known"
    patch: int = 9

    def __post_init__(self) -> None:
        if self.patch < 3 or self.patch % 2 == 0:
            raise ValueError(f"patch must be odd and 3 or more, not {self.patch}")
        super().__post_init__()

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        windows = self.windows(observation)
        return fill_beside(self._fill, observation, windows, all_channels)

    def caveat(self, mask: Mask) -> str:
        """Say whether there is no patch to copy."""
        return no_patch_caveat(mask, self.patch)

    def _fill(self, image: Array, mask: Mask, shape: tuple[int, int]) -> Array:
        part = (slice(shape[0]), slice(shape[1]))
        filled, sources = image.astype(np.float64), known_patches(mask, self.patch)
        if not sources.any():
            for plane in filled:
                plane[part] = harmonic_fill(plane[part], mask[part])
            return filled
        hidden = mask[part].copy()
        confidence = (~hidden).astype(np.float64)
        highest = float(np.iinfo(image.dtype).max)
        while hidden.any():
            seen = filled[:, *part]
            rim, priority = priorities(seen, hidden, confidence, self.patch, highest)
            y, x = rim[np.argmax(priority)]
            _copy(filled, hidden, confidence, sources, y, x, self.patch)
        return filled


FLOOR = 1e-3  # of the data term, whose largest value is about 1


@numba.njit(cache=True)
def priorities(
    image: Floats, hidden: Mask, confidence: Floats, patch: int, highest: float
) -> tuple[Ints, Floats]:  # pragma: no cover
    """Find the rim of the hole, hidden pixels beside a known one, and the priority of each.

    The image is `(channels, H, W)`.
    """
    height, width = hidden.shape
    rim = np.empty((hidden.sum(), 2), np.int64)
    priority = np.empty(len(rim))
    count = 0
    for y in range(height):
        for x in range(width):
            if not hidden[y, x] or not _beside_known(hidden, y, x):
                continue
            rim[count] = y, x
            sure = _confidence(confidence, y, x, patch)
            normal_y, normal_x = _normal(hidden, y, x)
            length = np.hypot(normal_y, normal_x)
            edge_y, edge_x = _strongest_gradient(image, hidden, y, x, patch)
            data = 0.0
            if length > 0:  # the isophote is the gradient turned by 90 degrees
                data = abs(-edge_x * normal_y + edge_y * normal_x) / length / highest
            priority[count] = sure * (data + FLOOR)
            count += 1
    return rim[:count], priority[:count]


@numba.njit(cache=True)
def _beside_known(hidden: Mask, y: int, x: int) -> bool:  # pragma: no cover
    height, width = hidden.shape
    return bool(
        (y > 0 and not hidden[y - 1, x])
        or (y + 1 < height and not hidden[y + 1, x])
        or (x > 0 and not hidden[y, x - 1])
        or (x + 1 < width and not hidden[y, x + 1])
    )


@numba.njit(cache=True)
def _confidence(confidence: Floats, y: int, x: int, patch: int) -> float:  # pragma: no cover
    """Sum over the patch around a pixel, cut at the border, by the area of a whole patch."""
    half, total = patch // 2, 0.0
    for i in range(max(y - half, 0), min(y + half + 1, confidence.shape[0])):
        for j in range(max(x - half, 0), min(x + half + 1, confidence.shape[1])):
            total += confidence[i, j]
    return total / (patch * patch)


@numba.njit(cache=True)
def _normal(hidden: Mask, y: int, x: int) -> tuple[float, float]:  # pragma: no cover
    """Gradient of the hole's indicator by central differences (one-sided at the border)."""
    height, width = hidden.shape
    top, bottom = max(y - 1, 0), min(y + 1, height - 1)
    left, right = max(x - 1, 0), min(x + 1, width - 1)
    return (
        (int(hidden[bottom, x]) - int(hidden[top, x])) / max(bottom - top, 1),
        (int(hidden[y, right]) - int(hidden[y, left])) / max(right - left, 1),
    )


@numba.njit(cache=True)
def _strongest_gradient(
    image: Floats, hidden: Mask, y: int, x: int, patch: int
) -> tuple[float, float]:  # pragma: no cover
    """Find the longest gradient of any channel at the known pixels of the patch around a pixel."""
    height, width = hidden.shape
    half, best, best_y, best_x = patch // 2, -1.0, 0.0, 0.0
    for plane in image:
        for i in range(max(y - half, 0), min(y + half + 1, height)):
            for j in range(max(x - half, 0), min(x + half + 1, width)):
                if hidden[i, j]:
                    continue
                top = i - 1 if i > 0 and not hidden[i - 1, j] else i
                bottom = i + 1 if i + 1 < height and not hidden[i + 1, j] else i
                left = j - 1 if j > 0 and not hidden[i, j - 1] else j
                right = j + 1 if j + 1 < width and not hidden[i, j + 1] else j
                along_y = (plane[bottom, j] - plane[top, j]) / max(bottom - top, 1)
                along_x = (plane[i, right] - plane[i, left]) / max(right - left, 1)
                if along_y * along_y + along_x * along_x > best:
                    best = along_y * along_y + along_x * along_x
                    best_y, best_x = along_y, along_x
    return best_y, best_x


@numba.njit(cache=True)
def _copy(
    image: Floats, hidden: Mask, confidence: Floats, sources: Mask, y: int, x: int, patch: int
) -> None:  # pragma: no cover
    """Fill the hidden pixels of the patch around `(y, x)` from the best known patch."""
    half = patch // 2
    rows = range(max(y - half, 0), min(y + half + 1, hidden.shape[0]))
    columns = range(max(x - half, 0), min(x + half + 1, hidden.shape[1]))
    best, best_v, best_u = np.inf, 0, 0
    for v in range(sources.shape[0]):
        for u in range(sources.shape[1]):
            if not sources[v, u]:
                continue
            total = 0.0
            for c in range(len(image)):
                for i in rows:
                    for j in columns:
                        if not hidden[i, j]:
                            there = image[c, v + i - y + half, u + j - x + half]
                            difference = image[c, i, j] - there
                            total += difference * difference
                    if total >= best:
                        break
            if total < best:
                best, best_v, best_u = total, v, u
    sure = _confidence(confidence, y, x, patch)
    for i in rows:
        for j in columns:
            if hidden[i, j]:
                image[:, i, j] = image[:, best_v + i - y + half, best_u + j - x + half]
                confidence[i, j] = sure
                hidden[i, j] = False
