"""Fills whose Laplacian, or its power, is 0: what `harmonic` and `biharmonic` share."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from inpaintbench.datasets.cases import Array, Mask, bounding_box, grown
from inpaintbench.methods.rectangles import LARGEST, folded

Floats = NDArray[np.float64]


def polyharmonic_fill(image: Array, mask: Mask, order: int) -> Floats:
    """Fill the hidden pixels of an `(H, W)` image; at least one pixel must be known.

    The Laplacian is that of the pixels' graph: the sum of a pixel's differences to its neighbours
    inside the picture, which is the five-point Laplacian with a reflecting border. Its power
    `order` is 0 at every hidden pixel.
    """
    filled = image.astype(np.float64)
    if not mask.any():
        return filled
    # No equation reaches further than `order` pixels, so this window is all that matters.
    box = bounding_box(mask)
    window = grown(box, order)
    part, hidden = filled[window], mask[window]
    height, width = (int(side.stop - side.start) for side in box)
    inside = hidden.shape == (height + 2 * order, width + 2 * order)
    if inside and max(height, width) <= LARGEST and mask[box].all():
        part[hidden] = polyharmonic_operator(height, width, order) @ part[~hidden]
    else:
        solver, boundary = _factorised(hidden.tobytes(), hidden.shape, order)
        part[hidden] = solver.solve(boundary @ part.ravel())
    return filled


@lru_cache(maxsize=256)
def polyharmonic_operator(height: int, width: int, order: int) -> Floats:
    """Matrix from the frame of `order` pixels around a rectangle to the rectangle's pixels."""
    mask = np.pad(np.ones((height, width), bool), order)
    system, boundary = _equations(mask, order)
    return np.asarray(_factorise(system).solve(boundary[:, ~mask.ravel()].toarray()))


@lru_cache(maxsize=256)
def folded_operator(height: int, width: int, order: int) -> Floats:
    """Give the same matrix as `predict_rectangles` wants it."""
    return folded(polyharmonic_operator(height, width, order), height, width, order)


@lru_cache(maxsize=4)  # a picture's channels, or pictures with one mask, are solved one by one
def _factorised(mask: bytes, shape: tuple[int, int], order: int) -> tuple[Any, sparse.csc_array]:
    """Factorise the equations of a mask, given as its bytes so that it can be looked up."""
    system, boundary = _equations(np.frombuffer(mask, bool).reshape(shape), order)
    return _factorise(system), boundary


def _factorise(system: sparse.csc_array) -> Any:
    """Factorise a symmetric positive definite matrix."""
    options = {"SymmetricMode": True}
    return splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options=options)


def _equations(mask: Mask, order: int) -> tuple[sparse.csc_array, sparse.csc_array]:
    """Set up A, B of A @ hidden = B @ picture: hidden pixels in row-major order, picture flat."""
    # Between holes far apart lie pixels that are in no equation: they are not numbered.
    near = ndimage.binary_dilation(mask, iterations=order)
    places = np.flatnonzero(near)
    count, hidden = places.size, np.flatnonzero(mask[near])
    number = np.full(np.add(mask.shape, 1), -1, np.int32)  # with nothing below and to the right
    number[:-1, :-1][near] = np.arange(count)
    y, x = np.nonzero(near)
    there = np.concatenate([number[y, x + 1], number[y + 1, x]])
    here, there = np.tile(np.arange(count), 2)[there >= 0], there[there >= 0]
    pairs = (np.concatenate([here, there]), np.concatenate([there, here]))
    adjacent = sparse.csr_array((np.ones(pairs[0].size), pairs), shape=(count, count))
    laplacian = (sparse.diags_array(adjacent.sum(axis=1)) - adjacent).tocsr()
    rows = laplacian[hidden]
    for _ in range(order - 1):
        rows = rows @ laplacian
    known = ((~mask[near]).astype(np.float64), (np.arange(count), places))
    into = sparse.csr_array(known, shape=(count, mask.size))
    return rows[:, hidden].tocsc(), (-rows @ into).tocsc()
