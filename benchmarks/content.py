"""What a hole hides: smooth shading, an edge, a corner or texture."""

import numpy as np
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Case

CONTENTS = ("smooth", "edge", "corner", "texture")

SMOOTH = 6.0  # grey levels a pixel: root mean square gradient below which nothing stands out
COHERENT = 0.6  # of gradients that point the same way (1) or every way (0)
GATHERED = 0.6  # share of the gradients' energy on a fifth of the pixels: lines, not texture


def content_of(case: Case) -> str:
    """Sort a case by what its hidden pixels show, from the structure tensor of the truth.

    W. Foerstner and E. Guelch, "A fast operator for detection and precise location of distinct
    points, corners and centres of circular features", 1987, for the idea: gradients of one
    direction are an edge, gradients of two directions a corner if they gather in few places, and
    texture if they are everywhere. The limits are our own.

    Returns
    -------
    str
        One of `CONTENTS`; "smooth" also where nothing is hidden.
    """
    if not case.mask.any():
        return "smooth"
    grey = case.truth.mean(axis=2) if case.truth.ndim == 3 else case.truth.astype(np.float64)
    grey = grey * (255 / np.iinfo(case.truth.dtype).max)
    across, along = (
        ndimage.gaussian_filter(grey, 1, order)[case.mask] for order in ((0, 1), (1, 0))
    )
    energy = across**2 + along**2
    if np.sqrt(energy.mean()) < SMOOTH:
        return "smooth"
    if _coherence(across, along) > COHERENT:
        return "edge"
    fifth = np.sort(energy)[-max(len(energy) // 5, 1) :].sum()
    return "corner" if fifth > GATHERED * energy.sum() else "texture"


def _coherence(across: Array, along: Array) -> float:
    """Difference of the structure tensor's eigenvalues over their sum: 0 to 1."""
    difference = (across**2).mean() - (along**2).mean()
    product = (across * along).mean()
    total = (across**2).mean() + (along**2).mean()
    return float(np.hypot(difference, 2 * product) / total)
