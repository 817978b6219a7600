"""Scoring one restoration of one case; the only place where truth and restoration meet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Case, Mask, grown
from inpaintbench.datasets.tasks.low_light import BRIGHT, DARK

ROUNDING = 1 / 12  # variance of rounding to integers: the least MSE that PSNR is computed from
SSIM_SIDE = 7  # pixels, scikit-image's default window


USUAL = ("mse", "mae", "psnr", "ssim", "edge_mse")


def score_picture(
    picture: Array, case: Case, columns: Sequence[str] = USUAL, levels: int = 255
) -> dict[str, float]:
    """Score a finished picture against the truth, in float64.

    Parameters
    ----------
    picture : the truth's shape and dtype, its known pixels those of the case
    columns : which scores, of those in `SCORES`
    levels : what the dtype's highest value stands for: by default errors are in grey levels of
        0..255, also for 16 bits, so that a mean over both means something

    Returns
    -------
    dict
        The scores; each is NaN where it is not defined.
    """
    pair = _Pair(picture, case, levels)
    return {column: SCORES[column](pair) for column in columns if column in SCORES}


@dataclass
class _Pair:
    """A finished picture, and the case that it was made of."""

    picture: Array
    case: Case
    levels: int

    @cached_property
    def errors(self) -> Array:
        """Picture less truth, in the unit that `levels` says."""
        exact = self.picture.astype(np.float64) - self.case.truth.astype(np.float64)
        return exact * (self.levels / np.iinfo(self.case.truth.dtype).max)

    @cached_property
    def mse(self) -> float:
        """Mean squared error over hidden pixels."""
        return _mean(self.errors[self.case.mask] ** 2)

    @property
    def shares(self) -> tuple[Array, Array]:
        """Truth and picture in 0..1."""
        highest = np.iinfo(self.case.truth.dtype).max
        return self.case.truth / highest, self.picture / highest


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")


def _psnr(pair: _Pair) -> float:
    return float(10 * np.log10(pair.levels**2 / max(pair.mse, ROUNDING)))


def _ssim(pair: _Pair) -> float:
    """Structural similarity (Wang et al. 2004), averaged over hidden pixels."""
    from skimage.metrics import structural_similarity

    mask, truth = pair.case.mask, pair.case.truth
    if min(mask.shape) < SSIM_SIDE or not mask.any():
        return float("nan")
    # Only what lies around the hole plays a part.
    near = grown(pair.case.observation.hidden_box, SSIM_SIDE)
    similarity = structural_similarity(
        pair.picture[near],
        truth[near],
        win_size=SSIM_SIDE,
        data_range=np.iinfo(truth.dtype).max,
        channel_axis=2 if truth.ndim == 3 else None,
        full=True,
    )[1]
    return _mean(similarity[mask[near]])


def _edge_mse(pair: _Pair) -> float:
    return _mean(pair.errors[edge_of(pair.case.mask)] ** 2)


def soft_dice(truth: Array, picture: Array) -> float:
    """The U-Net report's Dice of two pictures in 0..1: of intensities, smoothed by 1."""
    overlap = 2 * (truth * picture).sum() + 1
    return float(overlap / (truth.sum() + picture.sum() + 1))


def _bright(pair: _Pair) -> Mask:
    """Which values of the truth are bright."""
    return np.asarray(pair.shares[0] * 255 >= BRIGHT)


def _bright_mse(pair: _Pair) -> float:
    return _mean(pair.errors[_bright(pair)] ** 2)


def _wrapped(pair: _Pair) -> float:
    """Share of the values within bright regions, their neighbours bright as well, that are dark."""
    bright = _bright(pair)
    square = np.ones((3, 3) + (1,) * (bright.ndim - 2), bool)
    within = ndimage.binary_erosion(bright, square, border_value=1)
    return _mean(pair.shares[1][within] * 255 <= DARK)


def _centre(picture: Array) -> float:
    return float(picture[picture.shape[0] // 2, picture.shape[1] // 2])


SCORES: dict[str, Callable[[_Pair], float]] = {
    "mse": lambda pair: pair.mse,
    "mae": lambda pair: _mean(np.abs(pair.errors[pair.case.mask])),
    "psnr": _psnr,
    "ssim": _ssim,
    "edge_mse": _edge_mse,
    "rmse": lambda pair: float(np.sqrt(pair.mse)),
    "picture_mae": lambda pair: _mean(np.abs(pair.errors)) / pair.levels,
    "picture_dice": lambda pair: soft_dice(*pair.shares),
    "perfect_dice": lambda pair: soft_dice(pair.shares[0], pair.shares[0]),
    "unit_mse": lambda pair: pair.mse / pair.levels**2,
    "bright_mse": _bright_mse,
    "wrapped": _wrapped,
    "actual": lambda pair: _centre(pair.case.truth),
    "predicted": lambda pair: _centre(pair.picture),
}


def constant_mse(case: Case, levels: int = 255) -> float:
    """MSE of filling each channel's hole with the mean of what it hides: the constant oracle.

    No method can know that mean: it is a ceiling for constant fills. NaN if nothing is hidden.
    """
    if not case.mask.any():
        return float("nan")
    hidden = case.truth[case.mask].astype(np.float64)
    errors = hidden - np.rint(hidden.mean(axis=0))  # in the dtype's own steps, as methods paint
    return float(((errors * (levels / np.iinfo(case.truth.dtype).max)) ** 2).mean())


def edge_of(mask: Mask) -> Mask:
    """Hidden pixels that touch a known one, by a side or a corner."""
    touched: Mask = ndimage.binary_dilation(~mask, np.ones((3, 3), bool))
    return mask & touched
