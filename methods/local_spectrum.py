"""The conditional mean of a hole under the power spectrum of its own surroundings."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import distance_transform_edt

from inpaintbench.datasets.cases import Array, Mask

Singles = NDArray[np.float32]

WINDOW, TILE = 64, 24  # sides of the modelled window and of the part of it that is filled, pixels
RHO = np.float32(0.7)  # decay of a known pixel's weight per pixel of distance from the hole
NOISE = np.float32(1e-2)  # variance of what the model does not explain, where the weight is 1
SLOPE = 1.5  # photographs' power falls like frequency to this power
LEAST = np.float32(1e-3)  # share of that power which is added to the estimated one
STEPS = (10, 20, 25)  # conjugate gradient steps of each round, at the most
ENOUGH = np.float32(1e-10)  # a squared residual that cannot get smaller, as a share of the first


def local_spectrum_fill(
    filled: NDArray[np.float64], mask: Mask, holes: Iterable[tuple[slice, slice]]
) -> NDArray[np.float64]:
    """Estimate the hidden pixels of an `(H, W)` picture that has been filled in some simple way.

    A window around a hole is taken for a stationary Gaussian field. Its mean given the known
    pixels and a power spectrum, and the spectrum given that mean, are estimated in turns, as in
    the expectation-maximisation algorithm: first the spectrum is that of photographs in general,
    then the geometric mean of that one and the estimate's periodogram, smoothed over neighbouring
    frequencies. A known pixel weighs less the farther it is from what is hidden. A hole larger
    than a tile is estimated tile by tile; where a window shows nothing known, the first fill stays.
    """
    estimate = filled.copy()
    for rows, columns in holes:
        for top in range(rows.start, rows.stop, TILE):
            for left in range(columns.start, columns.stop, TILE):
                bottom, right = min(top + TILE, rows.stop), min(left + TILE, columns.stop)
                tile = slice(top, bottom), slice(left, right)
                if mask[tile].any():
                    estimate[tile][mask[tile]] = _tile(filled, mask, tile)
    return estimate


def _tile(filled: NDArray[np.float64], mask: Mask, tile: tuple[slice, slice]) -> Array:
    """Estimate the hidden pixels of one tile, which lies in the middle of its window."""
    first = [(side.start + side.stop - WINDOW) // 2 for side in tile]
    cut = [slice(max(a, 0), max(a + WINDOW, 0)) for a in first]
    hidden = mask[cut[0], cut[1]]
    inside = tuple(
        slice(max(-a, 0), max(-a, 0) + n) for a, n in zip(first, hidden.shape, strict=True)
    )
    pixels, weight = np.zeros((2, WINDOW, WINDOW))
    weight[inside] = np.where(hidden, 0, RHO ** distance_transform_edt(~hidden))
    pixels[inside] = filled[cut[0], cut[1]]
    total = weight.sum()
    if not total:
        return np.asarray(filled[tile][mask[tile]])
    mean = np.vdot(weight, pixels) / total
    pixels = np.where(weight > 0, pixels - mean, 0)
    spread = np.sqrt(np.vdot(weight, pixels**2) / total) or 1.0
    field = _field((pixels / spread).astype(np.float32), weight.astype(np.float32))
    place = tuple(slice(s.start - a, s.stop - a) for s, a in zip(tile, first, strict=True))
    return np.asarray((field[place] * spread + mean)[mask[tile]])


def _field(pixels: Singles, weight: Singles) -> Singles:
    """Estimate field and spectrum in turns."""
    general, taper = _general()
    power, known = general, rfft2(weight * pixels)
    for steps in STEPS:
        root = np.sqrt(power) * np.float32(WINDOW)
        spectrum = root * _solve(root, weight, root * known, steps)
        periodogram = (spectrum.real**2 + spectrum.imag**2) / np.float32(WINDOW**4)
        smooth = rfft2(taper * irfft2(periodogram)).real
        power = np.sqrt(np.maximum(smooth + LEAST * general, 1e-9) * general)
    field: Singles = irfft2(spectrum)
    return field


def _solve(root: Singles, weight: Singles, right: Array, steps: int) -> Array:
    """Whitened spectrum of the conditional mean, by conjugate gradients."""
    twice = np.full(WINDOW // 2 + 1, 2, np.float32)  # columns that stand for their conjugates too
    twice[[0, -1]] = 1
    solution, residual, direction = np.zeros_like(right), right, right
    norm = first = _product(residual, residual, twice)
    for _ in range(steps):
        if norm <= ENOUGH * first:
            break
        image = NOISE * direction + root * rfft2(weight * irfft2(root * direction))
        length = norm / _product(direction, image, twice)
        solution = solution + length * direction
        residual = residual - length * image
        last, norm = norm, _product(residual, residual, twice)
        direction = residual + (norm / last) * direction
    return solution


def _product(first: Array, second: Array, twice: Singles) -> np.float32:
    return np.float32(((first.real * second.real + first.imag * second.imag) @ twice).sum())


@lru_cache(maxsize=1)
def _general() -> tuple[Singles, Singles]:
    """Power spectrum of photographs, and the taper that smooths a spectrum by one frequency."""
    y, x = np.fft.fftfreq(WINDOW, 1 / WINDOW), np.fft.rfftfreq(WINDOW, 1 / WINDOW)
    power = (1 + y[:, None] ** 2 + x**2) ** (-SLOPE / 2)
    side = np.exp(-2 * (np.pi * y / WINDOW) ** 2)
    return (power / power.sum() / 2).astype(np.float32), np.outer(side, side).astype(np.float32)
