"""The hole from the principal components that explain what is around it best."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.fitted import FittedMethod
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import PredictingMethod
from inpaintbench.methods.photographs import draw_windows
from inpaintbench.methods.rectangles import folded, is_rectangle, predict_rectangles
from inpaintbench.methods.weights import WeightsFile, loaded_arrays

Floats = NDArray[np.float64]

MARGIN = 4  # known pixels on every side that are read
LARGEST = 21  # pixels of a hole's side, as in the challenge
SIDE = LARGEST + 2 * MARGIN  # pixels of the windows
WINDOWS = 60_000  # drawn to fit on
COMPONENTS = 400


class Pca(PredictingMethod, FittedMethod):
    """Principal components of windows, fitted to the known pixels by ridge least squares.

    Windows of photographs without their mean, turned in all 8 ways, have their 400 principal
    components computed; a hole lies in the middle of a window, whose components are found by least
    squares over the known pixels, each with the ridge that its variance asks for (T. Hastie et al.,
    "Imputing missing data for gene expression arrays", 1999; M. Tipping and C. Bishop,
    "Probabilistic principal component analysis", Journal of the Royal Statistical Society B 61,
    1999). The window's mean is found along with them. That is linear, so one matrix per shape of
    hole; what is hidden keeps its harmonic fill where it is no single rectangle, over 21 pixels a
    side or nearer than 4 to the border. Answers are limited to the range of the known pixels.
    """

    name = "pca"
    tasks = ("crop", "center-pixel")
    limits = "its windows hold one compact hole"
    promises = ("shift", "contrast", "flip", "transpose")
    fits = ("components", "variances", "noise")

    def predict_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore the hidden pixels of several pictures, by one product per shape of hole."""
        self.fitted()  # a fault of the file is told before anything is restored
        operator = partial(_rectangle_operator, self.weights_file)
        return predict_rectangles(
            observations, MARGIN, operator, harmonic_fill, clip=True, largest=LARGEST
        )

    def caveat(self, mask: Mask) -> str:
        """Say whether there is no matrix for what is hidden."""
        if is_rectangle(mask, MARGIN, LARGEST):
            return ""
        return f"not one rectangle of up to {LARGEST} pixels a side: kept its harmonic fill"

    @staticmethod
    def fit(pictures: Sequence[Array], seed: int) -> dict[str, NDArray[Any]]:
        """Find the components of windows, their variances and the mean of the rest's."""
        covariance = np.zeros((SIDE * SIDE, SIDE * SIDE))
        for block in draw_windows(pictures, WINDOWS, SIDE, seed):
            flat = block.reshape(len(block), -1)
            flat = flat - flat.mean(axis=1, keepdims=True)
            covariance += flat.T @ flat
        planes = covariance.reshape(SIDE, SIDE, SIDE, SIDE) / WINDOWS
        planes = (planes + planes[::-1, :, ::-1]) / 2
        planes = (planes + planes[:, ::-1, :, ::-1]) / 2
        planes = (planes + planes.transpose(1, 0, 3, 2)) / 2
        variances, vectors = linalg.eigh(planes.reshape(covariance.shape))
        return {
            "components": vectors[:, : -COMPONENTS - 1 : -1].T.astype(np.float16),
            "variances": variances[: -COMPONENTS - 1 : -1].astype(np.float32),
            "noise": variances[1:-COMPONENTS].mean(keepdims=True).astype(np.float32),
        }


@lru_cache(maxsize=128)
def _rectangle_operator(file: WeightsFile, height: int, width: int) -> Floats:
    """Matrix from the frame around a rectangle to its pixels."""
    fitted = loaded_arrays(file, Pca.fits)
    hidden = np.pad(np.ones((height, width), bool), MARGIN)
    top, left = ((SIDE - length) // 2 for length in hidden.shape)
    maps = fitted["components"].reshape(-1, SIDE, SIDE)
    maps = maps[:, top : top + hidden.shape[0], left : left + hidden.shape[1]]
    seen, unseen = (np.column_stack([maps[:, m].T, np.ones(m.sum())]) for m in (~hidden, hidden))
    ridge = np.append(fitted["noise"] / fitted["variances"], 0.0)  # none on the mean
    normal = seen.T @ seen + np.diag(ridge)
    return folded(unseen @ linalg.solve(normal, seen.T, assume_a="pos"), height, width, MARGIN)
