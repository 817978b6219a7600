"""Enlarging by the weights that err least on photographs, the same at every pixel."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import linalg, ndimage

from inpaintbench.datasets.cases import UPSCALE, Array, Observation
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.fitted import FittedMethod
from inpaintbench.methods.method import check_choice, each_channel, highest_value, joined
from inpaintbench.methods.photographs import shares
from inpaintbench.methods.weights import WeightsFile, loaded_arrays

Floats = NDArray[np.float64]

SIDES = (3, 5, 7, 9)  # pixels of a patch
CASES = 4000  # fitted on
NUGGET = 1e-6  # of the mean squared difference to the centre: keeps the systems well-posed


class LeastSquaresUpscaler(FittedMethod):
    """The linear map from a patch to the 2x2 pixels of its centre that errs least on photographs.

    The published network for this task has 85 million parameters and no nonlinearity, so that it
    is an affine map from all 64x64 pixels to all 128x128. This is its honest equal: an affine map
    too, the same at every pixel, since photographs look alike everywhere, that is solved for and
    not descended to. Of the four pixels one is fitted, the first; the others are its mirror images,
    as the cases are taken in all 8 flips and turns. The weights add up to 1, so that brightness
    does not matter: with d the differences of the patch to its centre c, and y the pixel, the
    weights of d minimise the mean of (y - c - w'd)^2, and c gets the rest. The mean of the four is
    then c to within what rounding left. Beyond the border a picture is mirrored.

    Parameters
    ----------
    patch : int
        Side of the patch: 3, 5, 7 or 9 pixels of the given picture.
    """

    name = "least-squares-upscaler"
    tasks = UPSCALE
    limits = "it only enlarges pictures, to twice their size"
    promises = ("shift", "contrast", "flip", "transpose")
    fits = ("products", "targets")
    patch: int = 7

    def __post_init__(self) -> None:
        check_choice("patch", self.patch, SIDES)

    def restore(self, observation: Observation) -> Array:
        """Enlarge one picture."""
        image = observation.image.astype(np.float64)
        weights = patch_weights(self.weights_file, self.patch)
        channels = [_enlarged(channel, weights) for channel in each_channel(image)]
        return joined(channels, observation.answer_shape).clip(0, highest_value(observation))

    @staticmethod
    def fit_task() -> Task:
        """The task of enlarging."""
        from inpaintbench.datasets.tasks import upscale

        return upscale

    @staticmethod
    def fit(pictures: Sequence[Array], seed: int) -> dict[str, NDArray[Any]]:
        """Average d d' and d (y - c) over the largest patches of cases, in 0..1."""
        side = SIDES[-1]
        reach = side // 2
        products, targets, count = np.zeros((side**2, side**2)), np.zeros(side**2), 0
        chances, task = shares(pictures), LeastSquaresUpscaler.fit_task()
        for number in range(CASES):
            rng = np.random.default_rng((seed, number))
            drawn: Sequence[Array] = task.draw(
                pictures[int(np.searchsorted(chances, rng.random()))], rng
            )
            truth, _, given = (a / np.iinfo(drawn[0].dtype).max for a in drawn)
            for turn in range(4):  # so that each of the four pixels comes first
                small, large = np.rot90(given, turn), np.rot90(truth, turn)
                patches = sliding_window_view(small, (side, side)).reshape(-1, side**2)
                centres = small[reach:-reach, reach:-reach].ravel()
                first = large[::2, ::2][reach:-reach, reach:-reach].ravel()
                differences = patches - centres[:, None]
                products += differences.T @ differences
                targets += differences.T @ (first - centres)
                count += len(centres)
        swapped = np.arange(side**2).reshape(side, side).T.ravel()  # the first pixel stays first
        products += products[np.ix_(swapped, swapped)]
        targets += targets[swapped]
        return {"products": products / (2 * count), "targets": targets / (2 * count)}


@lru_cache(maxsize=8)
def patch_weights(file: WeightsFile, side: int) -> Floats:
    """Weights of a patch `(side, side)` for the first of its centre's 2x2 pixels; they sum to 1.

    Raises
    ------
    InputError
        If the weights file cannot be used.
    """
    arrays = loaded_arrays(file, LeastSquaresUpscaler.fits)
    edge = (SIDES[-1] - side) // 2
    inner = slice(edge, SIDES[-1] - edge)
    number = np.arange(SIDES[-1] ** 2).reshape(SIDES[-1], -1)[inner, inner].ravel()
    centre = side**2 // 2
    number = np.delete(number, centre)
    system = arrays["products"][np.ix_(number, number)]
    system += NUGGET * np.trace(system) / len(number) * np.eye(len(number))
    solved = linalg.solve(system, arrays["targets"][number], assume_a="pos")
    return np.insert(solved, centre, 1 - solved.sum()).reshape(side, side)


def _enlarged(plane: Floats, weights: Floats) -> Floats:
    """Enlarge an `(H, W)` array to `(2H, 2W)`."""
    enlarged = np.empty((2 * plane.shape[0], 2 * plane.shape[1]))
    for row, upright in enumerate((weights, weights[::-1])):
        for column, own in enumerate((upright, upright[:, ::-1])):
            enlarged[row::2, column::2] = ndimage.correlate(plane, own, mode="reflect")
    return enlarged
