"""Harmonic inpainting: the membrane stretched over the hole."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from inpaintbench.datasets.cases import Array, Mask, Observation, bounding_box
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
    rows, columns = box = bounding_box(mask)
    height, width = int(rows.stop - rows.start), int(columns.stop - columns.start)
    if not height:
        return filled
    inside = all(side.start > 0 and side.stop < n for side, n in zip(box, mask.shape, strict=True))
    if inside and height * width <= 32 * 32 and mask[box].all():
        ring = [filled[rows.start - 1, columns], filled[rows.stop, columns]]
        ring += [filled[rows, columns.start - 1], filled[rows, columns.stop]]
        hole = _rectangle_operator(height, width) @ np.concatenate(ring)
        filled[box] = hole.reshape(height, width)
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
