"""The conditional mean under a mixture of Gaussians, bent to the picture's own statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, linalg

from inpaintbench.datasets.cases import Array, Mask, Observation, bounding_box
from inpaintbench.methods.fitted import FittedMethod
from inpaintbench.methods.gaussian import kriging_fill, mean_variogram, shrunk, weights_of_one
from inpaintbench.methods.method import per_channel
from inpaintbench.methods.mixtures import Symmetry, fit_mixture
from inpaintbench.methods.photographs import draw_windows
from inpaintbench.methods.weights import WeightsFile, loaded_arrays

Floats = NDArray[np.float64]

SIDE = 29  # pixels of a window
LARGEST = 21  # pixels of a hole's side: 4 known pixels around it at the least
RADIUS = 11.5  # of the frequencies whose covariances a component has, in half periods a window
COMPONENTS = 32  # each in 8 symmetries
WINDOWS = 60_000  # drawn to fit on
ITERATIONS = 12
PRIOR = 50.0  # windows that the overall covariance counts as, in each component's
FLAT = 3 / 255  # standard deviation under which a window is left out of the fitting
REACH = 48  # pixels around the hole's middle whose autocorrelation is taken


class GaussianMixture(FittedMethod):
    """The conditional mean under a Gaussian mixture of windows, after D. Zoran and Y. Weiss.

    As in "From learning models of natural image patches to whole image restoration" (ICCV 2011)
    windows of photographs are taken for draws from a mixture of Gaussians. It departs in that a
    window holds the whole hole with what is around it (29x29 pixels), so that the conditional mean
    is had in one step; that contrast is no part of a component (a Gaussian scale mixture, see
    `inpaintbench.methods.mixtures`); that each component stands for its 8 flips and transposes; and
    that a component has a full covariance of the lower frequencies of the window's cosine
    transform, and only a scale for the higher ones. How likely the components are given the known
    pixels is tempered, since the pixels of a photograph follow no model as surely as that.

    A mixture knows photographs in general. What is to be seen in this one, its directions and
    periods, its autocorrelation says (as for B. Galerne and A. Leclaire, "Texture inpainting using
    efficient Gaussian conditional simulation", SIAM Journal on Imaging Sciences 10(3), 2017). So
    the covariances of the components, weighted by how likely they are, are averaged with that of
    the known pixels near the hole, and the conditional mean is taken under the average.

    Holes that are no rectangle with odd sides of up to 21 pixels, or too near to the border for a
    window, are filled by kriging as `gaussian` does. Answers are limited to the range of the known
    pixels.

    Parameters
    ----------
    temper : float
        Power of the components' likelihoods.
    local : float
        Share of the picture's own autocorrelation in the covariance, 0 to 1 (exclusive).
    spread : float
        Standard deviation in pixels of the Gaussian weights, around the hole's middle, of the
        pixels that the autocorrelation is taken of.
    taper : float
        Standard deviation in pixels of the Gaussian that damps the autocorrelation at long lags.
    """

    name = "gaussian-mixture"
    tasks = ("crop", "scratches", "center-pixel")
    limits = "its windows hold no hole so wide"
    promises = ("shift", "contrast", "flip", "transpose")
    fits = ("covariances", "shares", "scales", "high", "variogram")
    temper: float = 0.1
    local: float = 0.65
    spread: float = 16.0
    taper: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.temper <= 1:
            raise ValueError("temper must be over 0 and at most 1")
        if not 0 <= self.local < 1:
            raise ValueError("local must be at least 0 and under 1")
        if not (1 <= self.spread <= 1e6 and 0.1 <= self.taper <= 1e6):
            raise ValueError("spread must be 1 to 1000000, taper 0.1 to 1000000")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return per_channel(self._fill, observation)

    def caveat(self, mask: Mask) -> str:
        """Say whether the components know nothing of such a hole."""
        if not mask.any() or _fits(mask, bounding_box(mask)):
            return ""
        return (
            f"not one rectangle with odd sides of up to {LARGEST} pixels in a window of {SIDE}: "
            f"{self.name} fills it by kriging"
        )

    def _fill(self, image: Array, mask: Mask) -> Floats:
        """Fill an `(H, W)` picture."""
        box = bounding_box(mask)
        height, width = (int(side.stop - side.start) for side in box)
        if not _fits(mask, box):
            variogram = self.fitted()["variogram"]
            one = partial(weights_of_one, variogram=variogram)
            return kriging_fill(image, mask, lambda *_: variogram, one)
        filled = image.astype(np.float64)
        known = filled[~mask]
        low, high = known.min(), known.max()
        filled[mask] = low
        if low < high:
            middle = [(side.start + side.stop) // 2 for side in box]
            swap = height > width  # one hole shape serves its transpose, too
            picture, hidden = (filled.T, mask.T) if swap else (filled, mask)
            restored = self._conditional_mean(
                (picture - low) / (high - low), hidden, middle[::-1] if swap else middle
            )
            filled[box] = low + (high - low) * np.clip(restored.T if swap else restored, 0, 1)
        return filled

    def _conditional_mean(self, picture: Floats, mask: Mask, middle: Sequence[int]) -> Floats:
        """Restore the hole of a picture of 0..1, no higher than wide: its pixels."""
        box = bounding_box(mask)
        height, width = (int(side.stop - side.start) for side in box)
        hole = _hole(self.weights_file, height, width)
        window = picture[tuple(slice(m - SIDE // 2, m + SIDE // 2 + 1) for m in middle)].ravel()
        pixels = window[hole.known]
        if np.ptp(pixels) == 0:
            return np.full((height, width), pixels[0])
        covariance = _prior_covariance(
            _model(self.weights_file), hole, pixels - pixels.mean(), self.temper
        )
        if self.local:
            own = autocorrelation(picture, mask, middle, self.spread, self.taper)
            covariance *= 1 - self.local
            covariance += self.local * own.ravel()[_lags()]
        covariance /= covariance.trace() / len(covariance)
        covariance[np.diag_indices_from(covariance)] += 1e-4
        within = covariance[np.ix_(hole.known, hole.known)]
        factor = linalg.cho_factor(within, lower=True, overwrite_a=True, check_finite=False)
        solved = linalg.cho_solve(factor, np.column_stack([pixels, np.ones(len(pixels))]))
        mean = solved[:, 0].sum() / solved[:, 1].sum()  # the best estimate of the unknown mean
        across = covariance[np.ix_(hole.hidden, hole.known)]
        restored = mean + across @ (solved[:, 0] - mean * solved[:, 1])
        return np.asarray(restored.reshape(height, width))

    @staticmethod
    def fit(pictures: Sequence[Array], seed: int) -> dict[str, NDArray[Any]]:
        """Fit the components to windows' lower frequencies, and the scales of the higher ones."""
        low = _frequencies()
        lower, higher = [], []
        for block in draw_windows(pictures, WINDOWS, SIDE, seed):
            waves = fft.dctn(block[block.std(axis=(1, 2)) >= FLAT], axes=(1, 2), norm="ortho")
            lower.append(waves[:, low])
            higher.append(np.square(waves[:, _high(low)]))
        samples, powers = np.concatenate(lower), np.concatenate(higher)
        components = max(1, min(COMPONENTS, len(samples) // 500))
        mixture = fit_mixture(samples, _symmetries(low), components, ITERATIONS, PRIOR, seed)
        powers *= np.square(mixture.scale)[:, None].astype(np.float32)
        overall = np.zeros((SIDE, SIDE))
        overall[_high(low)] = powers.mean(axis=0, dtype=np.float64)
        overall = (overall + overall.T) / 2
        ratio = (powers / overall[_high(low)]).mean(axis=1)
        sums = np.bincount(mixture.member, ratio, components)
        sizes = np.bincount(mixture.member, minlength=components)
        fitted = {
            "covariances": mixture.covariances,
            "shares": mixture.shares,
            "scales": (sums + PRIOR) / (sizes + PRIOR),
            "high": overall[_high(low)],
            "variogram": shrunk(mean_variogram(pictures, seed, WINDOWS // 4)),
        }
        return {name: array.astype(np.float32) for name, array in fitted.items()}


def _fits(mask: Mask, box: tuple[slice, slice]) -> bool:
    """Whether what is hidden is a rectangle that the components know, in a window of its own."""
    sides = [side.stop - side.start for side in box]
    odd = all(side % 2 == 1 for side in sides) and max(sides) <= LARGEST
    starts = [(side.start + side.stop) // 2 - SIDE // 2 for side in box]
    inside = all(s >= 0 and s + SIDE <= n for s, n in zip(starts, mask.shape, strict=True))
    return bool(odd and inside and mask[box].all())


@dataclass(frozen=True, eq=False)
class _Model:
    """The mixture in pixels of the window, which lie in row-major order."""

    waves: Floats  # (pixels, D): the lower frequencies' cosines
    rest: Floats  # (pixels, pixels): covariance of the higher frequencies
    covariances: Floats  # (2 K, D, D): each component, then its transposes
    scales: Floats  # (2 K,): of the higher frequencies
    log_shares: Floats  # (2 K,)
    flips: Floats  # (4, D): the signs that a flip gives the lower frequencies


@dataclass(frozen=True, eq=False)
class _Hole:
    """What the components say about a hole of one shape in the middle of a window."""

    known: NDArray[np.int64]  # numbers of the window's pixels
    hidden: NDArray[np.int64]
    inverse: NDArray[np.float32]  # of the known pixels' covariance by the higher frequencies alone
    read: NDArray[np.float32]  # (known, D): the inverse times the lower frequencies' cosines
    posterior: NDArray[np.float32]  # (2 K, D, D): covariance of the lower frequencies, given these
    log_volume: Floats  # (2 K,): log determinants of the known pixels' covariances


@lru_cache(maxsize=2)
def _model(file: WeightsFile) -> _Model:
    fitted = loaded_arrays(file, GaussianMixture.fits)
    low = _frequencies()
    symmetries = _symmetries(low)
    cosines = fft.dct(np.eye(SIDE), axis=0, norm="ortho")
    waves, fine = (
        np.einsum("fi,fj->ijf", cosines[p[:, 0]], cosines[p[:, 1]]).reshape(SIDE * SIDE, -1)
        for p in (np.argwhere(low), np.argwhere(_high(low)))
    )
    rest = (fine * fitted["high"]) @ fine.T
    rest[np.diag_indices_from(rest)] += fitted["high"].min()
    order = symmetries[-1][0]
    straight = fitted["covariances"]
    turned = straight[:, order][:, :, order]
    return _Model(
        waves,
        rest,
        np.concatenate([straight, turned]),
        np.tile(fitted["scales"], 2),
        np.tile(np.log(fitted["shares"]), 2),
        np.stack([signs.astype(np.float64) for _, signs in symmetries[:4]]),
    )


@lru_cache(maxsize=45)  # as many shapes as the challenge has, but for transposes
def _hole(file: WeightsFile, height: int, width: int) -> _Hole:
    model = _model(file)
    rows, columns = ((SIDE - length) // 2 for length in (height, width))
    mask = np.zeros((SIDE, SIDE), bool)
    mask[rows : rows + height, columns : columns + width] = True
    known, hidden = np.flatnonzero(~mask), np.flatnonzero(mask)
    # The mean is unknown: it has 10,000 times the higher frequencies' variance.
    rest = model.rest[np.ix_(known, known)]
    rest = rest + 1e4 * rest.trace() / len(rest)
    inverse = linalg.inv(rest, check_finite=False)
    read = inverse @ model.waves[known]
    seen = model.waves[known].T @ read
    scales = model.scales[:, None, None]
    precision = np.linalg.inv(model.covariances) + seen / scales
    volume = np.linalg.slogdet(precision)[1] + np.linalg.slogdet(model.covariances)[1]
    return _Hole(
        known,
        hidden,
        inverse.astype(np.float32),
        read.astype(np.float32),
        (np.linalg.inv(precision) / scales).astype(np.float32),
        volume + len(known) * np.log(model.scales),
    )


def _prior_covariance(model: _Model, hole: _Hole, pixels: Floats, temper: float) -> Floats:
    """The window's covariance: the components', weighted by how likely the known pixels make them.

    By Woodbury's identity all is said by the known pixels' products with the lower frequencies.
    """
    plain = pixels.astype(np.float32)
    length = float(plain @ (hole.inverse @ plain))
    reading = model.flips * (plain @ hole.read)
    answers = np.einsum("kde,fe->kfd", hole.posterior, reading, optimize=True)
    explained = np.einsum("kfd,fd->kf", answers, reading)
    lengths = np.maximum(length - explained, 1e-9 * length) / model.scales[:, None]
    count = len(pixels)
    score = model.log_shares[:, None] - (count * np.log(lengths) + hole.log_volume[:, None]) / 2
    weights = np.exp(temper * (score - score.max()))
    weights *= lengths / weights.sum()  # each component at the contrast that suits it
    mixed = np.zeros(model.covariances.shape[1:])
    for flip, share in zip(model.flips, weights.T, strict=True):
        mixed += np.outer(flip, flip) * np.tensordot(share, model.covariances, 1)
    fine = float(weights.sum(axis=1) @ model.scales)
    return np.asarray((model.waves @ mixed @ model.waves.T + fine * model.rest) / count)


def autocorrelation(
    picture: Floats, mask: Mask, middle: Sequence[int], spread: float, taper: float
) -> Floats:
    """Autocorrelation of the known pixels around a place, by lag: `(2 SIDE - 1, 2 SIDE - 1)`.

    Hidden pixels count as the mean; so the estimate is that of some picture, hence a covariance.
    """
    area = tuple(slice(max(0, m - REACH), m + REACH + 1) for m in middle)
    near, known = picture[area], ~mask[area]
    rows, columns = (
        np.square(np.arange(n) + a.start - m)
        for n, a, m in zip(near.shape, area, middle, strict=True)
    )
    weights = np.exp(np.add.outer(rows, columns) / (-2 * spread**2)) * known
    weights /= weights.sum()
    centred = (near - (weights * near).sum()) * np.sqrt(weights)
    shape = tuple(fft.next_fast_len(n + SIDE, real=True) for n in near.shape)
    power = np.square(np.abs(fft.rfft2(centred, shape)))
    lags = np.arange(1 - SIDE, SIDE)
    damp = np.exp(np.square(lags) / (-2 * taper**2))
    return np.asarray(fft.irfft2(power, shape)[np.ix_(lags, lags)] * np.outer(damp, damp))


@lru_cache(maxsize=1)
def _lags() -> NDArray[np.int64]:
    """Where in a flat autocorrelation the lag of each pair of a window's pixels is."""
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    rows, columns = (np.subtract.outer(p, p) + SIDE - 1 for p in (row, column))
    return np.asarray(rows * (2 * SIDE - 1) + columns)


def _frequencies() -> Mask:
    """Mask of the lower frequencies of a window's cosine transform, but the mean."""
    squared = np.square(np.arange(SIDE))
    low = np.add.outer(squared, squared) <= RADIUS**2
    low[0, 0] = False
    return low


def _high(low: Mask) -> Mask:
    """Mask of all other frequencies, but the mean."""
    high = ~low
    high[0, 0] = False
    return high


def _symmetries(low: Mask) -> list[Symmetry]:
    """What the 8 symmetries of the square do to cosines: 4 flips, then the same transposed."""
    places = np.argwhere(low)
    number = np.cumsum(low).reshape(low.shape) - 1
    straight, turned = np.arange(len(places)), number[places[:, 1], places[:, 0]]
    signs = [
        np.where((up * places[:, 0] + across * places[:, 1]) % 2, -1, 1).astype(np.float32)
        for up in (0, 1)
        for across in (0, 1)
    ]
    return [(order, sign) for order in (straight, turned) for sign in signs]
