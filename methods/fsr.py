"""Frequency-selective reconstruction: few waves that explain the surroundings of the hole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2
from scipy.ndimage import binary_dilation, distance_transform_edt, find_objects, label

from inpaintbench.datasets.cases import Array, Mask, Observation, bounding_box, grown
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.local_spectrum import local_spectrum_fill
from inpaintbench.methods.method import Method, highest_value, per_channel

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

FSR_SHARE, SPECTRUM_SHARE = 0.4, 0.82  # of a fill's difference from the harmonic one; validation
ENOUGH = 1e-10  # share of the first wave's energy at which a model is as good as single floats get
LEAST = 1e-300  # weight of a pixel, as a floating-point number still tells it from 0
SMALL = 32 * 32  # pixels of a hole whose plan is remembered


@dataclass(frozen=True, eq=False)
class Step:
    """What must be known of a block apart from the pixels' values.

    Attributes
    ----------
    window : slices of its window in the padded picture
    block : slices of the block in the window
    hidden : the block's pixels that are to be filled
    weight : weights of the window's pixels; their sum is 1
    spectrum : Fourier transform of the weights, as `_model` takes it
    """

    window: tuple[slice, slice]
    block: tuple[slice, slice]
    hidden: Mask
    weight: Floats
    spectrum: tuple[Singles, Singles]


class Fsr(Method):
    """Waves that explain the surroundings of the hole are continued into it.

    The hole is filled block by block from its rim inwards. Around each block a window is modelled
    as a sum of few Fourier basis functions, found one after the other: the one that lowers the
    weighted error of the model most gets its coefficient, times `gamma`, added to the model, and
    the spectrum of the weighted residual is updated by the weights' own spectrum, moved to that
    frequency. A known pixel at distance d from the block's centre weighs rho^d, one that was
    filled before `delta` times that, a hidden one nothing. See J. Seiler and A. Kaup,
    "Complex-valued frequency selective extrapolation for fast image and video signal
    extrapolation", IEEE Signal Processing Letters 17(11), 2010; for the preference for low
    frequencies J. Seiler, M. Jonscher, M. Schoeberl and A. Kaup, "Resampling images to a regular
    grid from a non-regular subset of pixel positions using frequency selective reconstruction",
    IEEE Transactions on Image Processing 24(11), 2015; for small blocks in an order that follows
    the loss N. Genser, J. Seiler, F. Schilling and A. Kaup, "Signal and loss geometry aware
    frequency selective extrapolation for error concealment", Picture Coding Symposium 2018.

    Departs from the papers in that a wave and its conjugate are added together, so that the model
    is real and half of the spectrum suffices; that the weighted mean is taken off beforehand and
    the highest frequency left out; that frequency k of a window counts with (1 + f^2)^(-`falloff`
    / 2), f = 64 k / `window`, like the spectra of photographs, instead of a linear slope; and that
    all blocks have one size.

    Parameters
    ----------
    block : int
        Side of the blocks, in pixels.
    window : int
        Even side of the modelled window and of its Fourier transform, in pixels.
    iterations : int
        Waves added to the model of one block.
    gamma : float
        Share of each coefficient that is added, in (0, 1]: compensates that the basis functions
        are not orthogonal under the weights.
    rho : float
        Decay of the weights per pixel, in (0, 1).
    delta : float
        Weight of a pixel that was filled before, in (0, 1].
    falloff : float
        Exponent of the frequency weight; 0 treats all frequencies alike.
    quality : bool
        Combine the fill with the conditional mean under the window's own power spectrum (see
        `local_spectrum.py`): slower, and a lower squared error.
    """

    name = "fsr"
    family = "spectral"
    promises = ("shift", "contrast")
    block: int = 4
    window: int = 28
    iterations: int = 50
    gamma: float = 0.5
    rho: float = 0.6
    delta: float = 0.5
    falloff: float = 1.0
    quality: bool = False

    def __post_init__(self) -> None:
        if self.block < 1 or self.window % 2 or self.window < max(4, 2 * self.block):
            raise ValueError("block must be 1 or more, and window even, 4 and 2 * block or more")
        if self.iterations < 1:
            raise ValueError(f"iterations must be 1 or more, not {self.iterations}")
        if not (0 < self.gamma <= 1 and 0 < self.rho < 1 and 0 < self.delta <= 1):
            raise ValueError("gamma and delta must be in (0, 1], rho in (0, 1)")
        if self.delta * self.rho**self.window < LEAST:  # the weights might vanish
            raise ValueError(f"delta * rho**window must be {LEAST} or more: raise rho or delta")
        if not 0 <= self.falloff < np.inf:
            raise ValueError(f"falloff must be 0 or more, not {self.falloff}")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(self._fill, observation).clip(0, highest_value(observation))

    def _fill(self, image: Array, mask: Mask) -> Array:
        filled = image.astype(np.float64)
        holes = _holes(mask)
        for hole in holes:
            self._fill_hole(filled, mask, hole)
        if not self.quality:
            return filled
        smooth = harmonic_fill(image, mask)
        spectral = local_spectrum_fill(smooth, mask, holes)
        return smooth + FSR_SHARE * (filled - smooth) + SPECTRUM_SHARE * (spectral - smooth)

    def _fill_hole(self, filled: Floats, mask: Mask, hole: tuple[slice, slice]) -> None:
        """Fill the hidden pixels of a box, block after block."""
        half = self.window // 2
        pixels, hidden = (_surroundings(picture, hole, half) for picture in (filled, mask))
        inside = _surroundings(np.broadcast_to(np.True_, mask.shape), hole, half)
        settings = self.block, self.window, self.rho, self.delta
        if mask[hole].size <= SMALL:
            steps: Iterable[Step] = _plan(
                hidden.tobytes(), inside.tobytes(), hidden.shape, *settings
            )
        else:
            steps = _steps(hidden, inside, *settings)
        waves, forth = _waves(self.window)
        for step in steps:
            window, (rows, columns) = pixels[step.window], step.block
            mean = np.vdot(step.weight, window)
            model = self._model(step, window - mean)
            block = (forth[rows] @ model @ waves[columns].T).real + mean
            window[step.block][step.hidden] = block[step.hidden]
        filled[hole] = pixels[half:-half, half:-half]

    def _model(self, step: Step, window: Floats) -> Array:
        """Spectrum of the model of a window."""
        waves, _ = _waves(self.window)
        half = self.window // 2
        residual = waves[:, :half].T @ (step.weight * window).astype(np.complex64) @ waves
        real, imag = np.ascontiguousarray(residual.real), -residual.imag
        model = np.zeros((2, *residual.shape), np.float32)
        prior = _frequency_weight(self.window, self.falloff)
        _pursue(real, imag, *step.spectrum, prior, self.gamma, self.iterations, *model)
        return np.asarray(model[0] + np.complex64(1j) * model[1])


def _surroundings(picture: Array, hole: tuple[slice, slice], margin: int) -> Array:
    """Cut a box with a margin out of a picture, 0 outside of it."""
    top, left = (max(margin - side.start, 0) for side in hole)
    cut = picture[grown(hole, margin)]
    shape = [side.stop - side.start + 2 * margin for side in hole]
    padded = np.zeros(shape, picture.dtype)
    padded[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    return padded


def _holes(mask: Mask) -> list[tuple[slice, slice]]:
    """Boxes around the holes; holes that nearly touch share one."""
    box = bounding_box(mask)
    if mask[box].size <= SMALL:
        return [box]
    numbers, _ = label(binary_dilation(mask, iterations=2), np.ones((3, 3)))
    boxes = []
    for box in find_objects(numbers):
        rows, columns = bounding_box(mask[box])
        top, left = box[0].start, box[1].start
        boxes.append(
            (
                slice(top + rows.start, top + rows.stop),
                slice(left + columns.start, left + columns.stop),
            )
        )
    return boxes


def _steps(
    hidden: Mask, inside: Mask, block: int, size: int, rho: float, delta: float
) -> Iterator[Step]:
    """Plan the blocks of a hole, the outermost first; both masks reach size / 2 around the hole."""
    half = size // 2
    known = inside & ~hidden
    trust, depth = known.astype(np.float64), distance_transform_edt(~known)
    height, width = (n - size for n in hidden.shape)
    boxes = [(r, c) for r in _split(height, block, half) for c in _split(width, block, half)]
    boxes = [box for box in boxes if hidden[box].any()]
    boxes.sort(key=lambda box: round(depth[box][hidden[box]].mean(), 6))
    for rows, columns in boxes:
        top, left = (s.start - (size - (s.stop - s.start)) // 2 for s in (rows, columns))
        window = slice(top, top + size), slice(left, left + size)
        y = np.arange(top, top + size) - (rows.start + rows.stop - 1) / 2
        x = np.arange(left, left + size) - (columns.start + columns.stop - 1) / 2
        weight = trust[window] * rho ** np.hypot(y[:, None], x)
        weight /= weight.sum()
        place = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        here = hidden[rows, columns]
        yield Step(window, place, here, weight, _unrolled(weight))
        trust[rows, columns][here] = delta


@lru_cache(maxsize=128)
def _plan(
    hidden: bytes,
    inside: bytes,
    shape: tuple[int, int],
    block: int,
    size: int,
    rho: float,
    delta: float,
) -> tuple[Step, ...]:
    """Remember the plans of small holes: a test set has few shapes of hole."""
    first, second = (np.frombuffer(mask, bool).reshape(shape) for mask in (hidden, inside))
    return tuple(_steps(first, second, block, size, rho, delta))


def _split(length: int, block: int, offset: int) -> list[slice]:
    """Split a side into equal blocks of at most the given length."""
    edges = np.rint(np.linspace(0, length, -(-length // block) + 1)).astype(int) + offset
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def _unrolled(weight: Floats) -> tuple[Singles, Singles]:
    """Real and imaginary part of a spectrum: rows from -size/2 to size, all columns twice."""
    size = len(weight)
    spectrum = fft2(weight).astype(np.complex64)
    spectrum = spectrum[np.arange(-(size // 2), size) % size][:, np.arange(2 * size) % size]
    return np.ascontiguousarray(spectrum.real), np.ascontiguousarray(spectrum.imag)


@lru_cache(maxsize=16)
def _waves(size: int) -> tuple[Array, Array]:
    """All waves of a side, one a column; and half of them, doubled for their conjugates."""
    number = np.arange(size)
    waves = np.exp(2j * np.pi / size * np.outer(number, number)).astype(np.complex64)
    half = waves[:, : size // 2] * np.where(number[: size // 2], 2, 1).astype(np.float32)
    return waves, half


@lru_cache(maxsize=16)
def _frequency_weight(size: int, falloff: float) -> Singles:
    """How much each frequency of the half spectrum is preferred."""
    y, x = np.arange(size // 2)[:, None], np.fft.fftfreq(size, 1 / size)
    scale = 64 / size
    preferred = (1 + (scale * y) ** 2 + (scale * x) ** 2) ** (-falloff / 2)
    preferred[:, size // 2] = 0  # as in the rows, which end before it
    return np.asarray(preferred, np.float32)


@numba.njit(cache=True, fastmath=True)
def _pursue(  # pragma: no cover
    real: Singles,
    imag: Singles,
    weight_real: Singles,
    weight_imag: Singles,
    prior: Singles,
    gamma: float,
    iterations: int,
    model_real: Singles,
    model_imag: Singles,
) -> None:
    """Add waves to a model one by one and take them off the weighted residual.

    The residual's spectrum has the rows from 0 to size/2 - 1 and all columns, which determine a
    real picture but for the highest frequency; the weights' is unrolled so that each shift of it
    is a plain slice.
    """
    half, size = real.shape
    row, best, largest = 0, 0, np.float32(-1)
    for y in range(half):
        for x in range(size):
            energy = (real[y, x] ** 2 + imag[y, x] ** 2) * prior[y, x]
            if energy > largest:
                row, best, largest = y, x, energy
    enough = largest * np.float32(ENOUGH)
    for _ in range(iterations):
        if largest <= enough:
            break
        column, opposite = best, (size - best) % size
        a = np.float32(gamma * real[row, column])
        b = np.float32(gamma * imag[row, column])
        model_real[row, column] += a
        model_imag[row, column] += b
        c, d = a, b  # of the conjugate
        if row == 0 and column == opposite:  # its own conjugate
            c = d = np.float32(0)
        elif row == 0:  # the conjugate stands in the same half
            model_real[row, opposite] += a
            model_imag[row, opposite] -= b
        chosen, largest = 0, np.float32(-1)
        for y in range(half):
            near_real = weight_real[half + y - row, opposite : opposite + size]
            near_imag = weight_imag[half + y - row, opposite : opposite + size]
            far_real = weight_real[half + y + row, column : column + size]
            far_imag = weight_imag[half + y + row, column : column + size]
            p, q, preferred = real[y], imag[y], prior[y]
            highest = np.float32(-1)
            for x in range(size):
                u = p[x] - a * near_real[x] + b * near_imag[x] - c * far_real[x] - d * far_imag[x]
                v = q[x] - a * near_imag[x] - b * near_real[x] - c * far_imag[x] + d * far_real[x]
                p[x] = u
                q[x] = v
                energy = (u * u + v * v) * preferred[x]
                highest = energy if energy > highest else highest
            if highest > largest:
                chosen, largest = y, highest
        row, highest = chosen, np.float32(-1)
        for x in range(size):
            energy = (real[row, x] ** 2 + imag[row, x] ** 2) * prior[row, x]
            if energy > highest:
                best, highest = x, energy
