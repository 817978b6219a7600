"""Brighten, then average the places that look alike."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inpaintbench.datasets.cases import LOW_LIGHT, Array, Observation
from inpaintbench.methods.gain import brightened
from inpaintbench.methods.method import Method, highest_value


class GainNonLocalMeans(Method):
    """Five times the picture, then non-local means, as scikit-image implements it.

    A. Buades, B. Coll and J.-M. Morel, "A non-local algorithm for image denoising", CVPR 2005, in
    the fast version (J. Darbon et al. 2008), on all channels together. How strong the noise is, it
    estimates from the picture itself.

    Parameters
    ----------
    strength : float
        How unlike averaged patches may be, in standard deviations of the noise.
    patch, distance : int
        Side of a patch, and how far from a pixel others are looked for, in pixels.
    """

    name = "gain-non-local-means"
    family = "filter"
    tasks = LOW_LIGHT
    limits = "it brightens dark pictures, and fills no holes"
    strength: float = 0.8
    patch: int = 5
    distance: int = 9

    def __post_init__(self) -> None:
        if not self.strength > 0 or self.patch < 1 or self.distance < 1:
            raise ValueError("strength must be over 0, patch and distance 1 or more")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        from skimage.restoration import denoise_nl_means

        highest = highest_value(observation)
        bright = brightened(observation) / highest
        noise = noise_deviation(bright)
        if noise == 0:
            return bright * highest
        restored = denoise_nl_means(
            bright,
            patch_size=self.patch,
            patch_distance=self.distance,
            h=self.strength * noise,
            sigma=noise,
            channel_axis=2 if bright.ndim == 3 else None,
        )
        return np.asarray(restored, np.float64).clip(0, 1) * highest


def noise_deviation(image: NDArray[np.float64]) -> float:
    """Estimate the standard deviation of a picture's noise, on average over channels.

    J. Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64(2),
    1996: the mean absolute answer to the difference of two Laplacians, which leaves edges out. 0
    for a picture under 3 pixels a side.
    """
    if min(image.shape[:2]) < 3:
        return 0.0
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64)
    planes = image[..., None] if image.ndim == 2 else image
    answer = ndimage.convolve(planes, kernel[..., None])[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(answer).mean())
