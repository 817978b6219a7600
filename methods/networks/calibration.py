"""Make what a network expects of its own errors agree with what they are."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch.utils.data import DataLoader

from inpaintbench.methods.networks.examples import Example
from inpaintbench.methods.networks.residual_unet import LARGEST_ERROR, ResidualUNet
from inpaintbench.methods.networks.restorer import hidden_mse

START = (-4.0, 1.7, 7.5)  # of the search: shift, stretch, highest
# A handful of held-out pictures can be explained ever better by ever larger numbers.
BOUNDS = ((-20.0, 20.0), (0.25, 4.0), (0.0, 12.0))


@dataclass
class Errors:
    """What a network expected of held-out pictures, and what came.

    Attributes
    ----------
    doubts : (pixels,) array
        The logarithm of each hidden pixel's expected squared error, picture after picture.
    counts : (pictures,) array of int
        Hidden pixels of each.
    squared : (pictures,) array
        The mean squared error of each.
    """

    doubts: NDArray[np.float64]
    counts: NDArray[np.int64]
    squared: NDArray[np.float64]

    def expected(self, shift: float, stretch: float, highest: float) -> NDArray[np.float64]:
        """Mean squared error that each picture is expected to have, with the doubts corrected."""
        each = np.exp(np.minimum(shift + stretch * self.doubts, highest))
        starts = np.cumsum(self.counts) - self.counts
        return np.asarray(np.add.reduceat(each, starts) / self.counts)


def calibrate(network: ResidualUNet, held_out: DataLoader[Example]) -> None:
    """Correct what a network expects of its own errors by held-out pictures, once it is trained.

    Training for the likelihood of single pixels leaves the range of a picture's expected errors
    too narrow. Here the logarithms are shifted, stretched and cut off at a highest value, the three
    numbers that make the pictures' mean squared errors most likely if each is exponentially
    distributed around what is expected of it, within `BOUNDS`. They become part of the weights.
    """
    forget_highest(network)
    shift, stretch, highest = best_correction(_errors(network, held_out))
    with torch.no_grad():
        network.doubt.weight *= stretch
        network.doubt.bias.mul_(stretch).add_(shift)  # type: ignore[union-attr]
        network.highest_doubt.fill_(highest)


def forget_highest(network: ResidualUNet) -> None:
    """Leave the highest value of an earlier calibration out, which would hide what was learned."""
    with torch.no_grad():
        network.highest_doubt.fill_(LARGEST_ERROR)


def best_correction(errors: Errors) -> tuple[float, float, float]:
    """Find the shift, the stretch and the highest value that fit the errors best."""

    def misfit(numbers: NDArray[np.float64]) -> float:
        expected = errors.expected(*numbers)
        return float(np.mean(np.log(expected) + errors.squared / expected))

    shift, stretch, highest = minimize(misfit, START, method="Nelder-Mead", bounds=BOUNDS).x
    return float(shift), float(stretch), float(highest)


def _errors(network: ResidualUNet, held_out: DataLoader[Example]) -> Errors:
    doubts, counts, squared = [], [], []
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        for shown, truth, mask in held_out:
            output = network(shown.to(device), mask.to(device)).cpu()
            hidden = mask > 0
            doubts.append(output[:, 1:][hidden].double().numpy())
            counts.append(hidden.sum((1, 2, 3)).numpy())
            squared.append(hidden_mse(output, truth, mask).double().numpy())
    return Errors(*map(np.concatenate, (doubts, counts, squared)))
