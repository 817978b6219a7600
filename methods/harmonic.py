"""Harmonic inpainting: the membrane stretched over the hole."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from inpaintbench.datasets.cases import Array, Mask, Observation, bounding_box
from inpaintbench.methods.method import Method
from inpaintbench.methods.rectangles import LARGEST, fill_rectangles


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
    promises = ("shift", "contrast", "flip", "transpose")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return self.restore_batch([observation])[0]

    def restore_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore several pictures, those with a hole of one shape by one matrix product."""
        return fill_rectangles(observations, 1, _rectangle_operator, harmonic_fill)


def harmonic_fill(image: Array, mask: Mask) -> NDArray[np.float64]:
    """Fill the hidden pixels of an `(H, W)` image; at least one pixel must be known."""
    filled = image.astype(np.float64)
    rows, columns = box = bounding_box(mask)
    height, width = int(rows.stop - rows.start), int(columns.stop - columns.start)
    if not height:
        return filled
    inside = all(side.start > 0 and side.stop < n for side, n in zip(box, mask.shape, strict=True))
    if inside and max(height, width) <= LARGEST and mask[box].all():
        around = (slice(rows.start - 1, rows.stop + 1), slice(columns.start - 1, columns.stop + 1))
        hole = _rectangle_operator(height, width) @ filled[around][~mask[around]]
        filled[box] = hole.reshape(height, width)
        return filled
    system, boundary = _laplace_system(mask)
    filled[mask] = splu(system).solve(boundary @ filled.ravel())
    return filled


@lru_cache(maxsize=128)
def _rectangle_operator(height: int, width: int) -> NDArray[np.float64]:
    """Matrix from the frame around a rectangle, one pixel wide, to its pixels."""
    mask = np.pad(np.ones((height, width), bool), 1)
    system, boundary = _laplace_system(mask)
    return np.asarray(splu(system).solve(boundary[:, np.flatnonzero(~mask)].toarray()))


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
