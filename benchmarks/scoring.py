"""Scoring one restoration of one case; the only place where truth and restoration meet."""

import numpy as np
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Case, Mask

ROUNDING = 1 / 12  # variance of rounding to integers: the least MSE that PSNR is computed from
SSIM_SIDE = 7  # pixels, scikit-image's default window


def score_picture(picture: Array, case: Case) -> dict[str, float]:
    """Score a finished picture over the case's hidden pixels, in float64.

    Returns
    -------
    dict
        `mse`, `mae` in grey levels of 0..255 (squared), also for 16 bits, so that a mean over
        both means something; `psnr` in dB; `ssim`, the structural similarity
        (Wang et al. 2004) averaged over hidden pixels; `edge_mse`, the MSE over those hidden pixels
        that touch a known one. Each is NaN where it is not defined.
    """
    from skimage.metrics import structural_similarity

    nothing = dict.fromkeys(("mse", "mae", "psnr", "ssim", "edge_mse"), float("nan"))
    if not case.mask.any():
        return nothing
    highest = np.iinfo(case.truth.dtype).max
    difference = (picture.astype(np.float64) - case.truth.astype(np.float64)) * (255 / highest)
    squared = difference**2
    mse = squared[case.mask].mean()
    edge = squared[edge_of(case.mask)]
    ssim = float("nan")
    if min(case.mask.shape) >= SSIM_SIDE:
        axis = 2 if picture.ndim == 3 else None
        # Only what lies around the hole plays a part.
        near = tuple(
            slice(max(side.start - SSIM_SIDE, 0), side.stop + SSIM_SIDE)
            for side in case.observation.hidden_box
        )
        similarity = structural_similarity(
            picture[near],
            case.truth[near],
            win_size=SSIM_SIDE,
            data_range=highest,
            channel_axis=axis,
            full=True,
        )[1]
        ssim = float(similarity[case.mask[near]].mean())
    return {
        "mse": float(mse),
        "mae": float(np.abs(difference)[case.mask].mean()),
        "psnr": float(10 * np.log10(255**2 / max(mse, ROUNDING))),
        "ssim": ssim,
        "edge_mse": float(edge.mean()) if edge.size else float("nan"),
    }


def constant_mse(case: Case) -> float:
    """MSE of filling each channel's hole with the mean of what it hides: the constant oracle.

    No method can know that mean: it is a ceiling for constant fills. NaN if nothing is hidden.
    """
    if not case.mask.any():
        return float("nan")
    hidden = case.truth[case.mask].astype(np.float64) * (255 / np.iinfo(case.truth.dtype).max)
    return float(((hidden - np.rint(hidden.mean(axis=0))) ** 2).mean())


def edge_of(mask: Mask) -> Mask:
    """Hidden pixels that touch a known one, by a side or a corner."""
    touched: Mask = ndimage.binary_dilation(~mask, np.ones((3, 3), bool))
    return mask & touched
