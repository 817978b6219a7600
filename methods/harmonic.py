"""Harmonic inpainting: the membrane stretched over the hole."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import Method, per_channel


class Harmonic(Method):
    """The solution of Laplace's equation with the known pixels as its boundary.

    The five-point Laplacian of every hidden pixel is 0, so each is the mean of its neighbours; at
    the picture's border only the neighbours inside count (a reflecting border). See T. Chan and
    J. Shen, "Mathematical models for local nontexture inpaintings", SIAM Journal on Applied
    Mathematics 62(3), 2002, for the model. The linear system is solved exactly: for a rectangle
    away from the border by an operator that is computed once per shape, else by a sparse
    factorisation.
    """

    name = "harmonic"
    family = "diffusion"

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(harmonic_fill, observation)


def harmonic_fill(image: Array, mask: Mask) -> NDArray[np.float64]:
    """Fill the hidden pixels of an `(H, W)` image; at least one pixel must be known."""
    filled = image.astype(np.float64)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return filled
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    height, width = int(bottom - top), int(right - left)
    inside = top > 0 and left > 0 and bottom < mask.shape[0] and right < mask.shape[1]
    if inside and height * width <= 32 * 32 and mask[top:bottom, left:right].all():
        ring = [filled[top - 1, left:right], filled[bottom, left:right]]
        ring += [filled[top:bottom, left - 1], filled[top:bottom, right]]
        hole = _rectangle_operator(height, width) @ np.concatenate(ring)
        filled[top:bottom, left:right] = hole.reshape(height, width)
        return filled
    system, boundary = _laplace_system(mask)
    filled[mask] = splu(system).solve(boundary @ filled.ravel())
    return filled


@lru_cache(maxsize=128)
def _rectangle_operator(height: int, width: int) -> NDArray[np.float64]:
    """Matrix from the ring of a rectangle (top, bottom, left, right side) to its pixels."""
    mask = np.zeros((height + 2, width + 2), bool)
    mask[1:-1, 1:-1] = True
    number = np.arange(mask.size).reshape(mask.shape)
    sides = (number[0, 1:-1], number[-1, 1:-1], number[1:-1, 0], number[1:-1, -1])
    system, boundary = _laplace_system(mask)
    return np.asarray(splu(system).solve(boundary[:, np.concatenate(sides)].toarray()))


def _laplace_system(mask: Mask) -> tuple[sparse.csc_array, sparse.csc_array]:
    """Set up A, B of A @ hidden = B @ picture: hidden pixels in row-major order, picture flat."""
    number = np.arange(mask.size).reshape(mask.shape)
    here = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    there = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    pairs = (np.concatenate([here, there]), np.concatenate([there, here]))
    adjacent = sparse.csr_array((np.ones(pairs[0].size), pairs), shape=(mask.size, mask.size))
    hidden = np.flatnonzero(mask)
    rows = adjacent[hidden]
    system = sparse.diags_array(rows.sum(axis=1)) - rows[:, hidden]
    known = sparse.diags_array((~mask).ravel().astype(np.float64))
    return system.tocsc(), (rows @ known).tocsc()
