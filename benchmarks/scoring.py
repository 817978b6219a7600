"""Scoring one restoration of one case; the only place where truth and restoration meet."""

import numpy as np
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Case, Mask, Observation

ROUNDING = 1 / 12  # variance of rounding to integers: the least MSE that PSNR is computed from
SSIM_SIDE = 7  # pixels, scikit-image's default window


class InvalidRestoration(ValueError):
    """A method returned something that is no restoration; the message says what."""


def finish(restored: object, observation: Observation) -> tuple[Array, float]:
    """Check a method's answer, and turn it into the picture that is scored.

    Returns
    -------
    picture : array of the picture's shape and dtype
        Clipped to the dtype's range, rounded, with the known pixels pasted back.
    altered_known : float
        By how much the method changed a known pixel at the most, in grey levels of 0..255.

    Raises
    ------
    InvalidRestoration
        If it is no array of numbers of the picture's shape, or not finite.
    """
    image = observation.image
    if not isinstance(restored, np.ndarray):
        raise InvalidRestoration(f"returned {type(restored).__name__}, not an array")
    if restored.shape != image.shape:
        raise InvalidRestoration(f"returned shape {restored.shape}, not {image.shape}")
    if restored.dtype.kind not in "buif":
        raise InvalidRestoration(f"returned dtype {restored.dtype}, not real numbers")
    exact = restored.astype(np.float64)
    if not np.isfinite(exact).all():
        raise InvalidRestoration(f"returned {int((~np.isfinite(exact)).sum())} values not finite")
    known = ~observation.mask
    altered = np.abs(exact[known] - image[known]).max() if known.any() else 0.0
    limits = np.iinfo(image.dtype)
    altered *= 255 / limits.max
    picture = np.clip(np.rint(exact), limits.min, limits.max).astype(image.dtype)
    picture[known] = image[known]
    return picture, float(altered)


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
        similarity = structural_similarity(
            picture,
            case.truth,
            win_size=SSIM_SIDE,
            data_range=highest,
            channel_axis=axis,
            full=True,
        )[1]
        ssim = float(similarity[case.mask].mean())
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
    picture = case.truth.copy()
    if case.mask.any():
        mean = case.truth[case.mask].mean(axis=0, dtype=np.float64)
        picture[case.mask] = np.rint(mean).astype(picture.dtype)
    return score_picture(picture, case)["mse"]


def edge_of(mask: Mask) -> Mask:
    """Hidden pixels that touch a known one, by a side or a corner."""
    touched: Mask = ndimage.binary_dilation(~mask, np.ones((3, 3), bool))
    return mask & touched
