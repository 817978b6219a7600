"""A small network for the centre of a patch, whatever its brightness and contrast."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import Restorer, he_normal

SIDE = 13  # pixels of the patch
FAINTEST = 1e-5  # of the value range: below this standard deviation a patch is flat
TYPICAL = 100 / 65535  # standard deviation of a patch of intensities, for a loss of about 1


class CentreNet(Restorer):
    """Convolutions without padding from a patch of 13x13 pixels to its centre.

    The patch is normalised by the mean and standard deviation of its known pixels, and the answer
    taken back, so brighter or more contrasted patches have accordingly changed answers. What is
    learned is the difference from the mean of the four neighbours. In training, a squared error
    counts in proportion to 1 / the patch's standard deviation: between the task's own squared
    error, which a few patches of strong contrast rule, and one in which all count alike.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 32, 5),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.Conv2d(64, 96, 3),
            nn.ReLU(),
            nn.Conv2d(96, 128, 3),
            nn.ReLU(),
        )
        self.layers = nn.Sequential(nn.Linear(128 * 9, 256), nn.ReLU(), nn.Linear(256, 1))
        he_normal(self)
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]  # starts as the neighbours

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Restore the centre of each picture: `(N, 1, 1, 1)`."""
        patch = centre(shown, SIDE)
        mean, deviation = _mean_and_deviation(patch)
        x = (patch - mean) / deviation * _around(patch)
        middle = SIDE // 2
        cross = x[..., middle - 1 : middle + 2, middle - 1 : middle + 2]
        neighbours = (cross[..., 0, 1] + cross[..., 2, 1] + cross[..., 1, 0] + cross[..., 1, 2]) / 4
        change: Tensor = self.layers(self.convolutions(x).flatten(1)).float()
        value: Tensor = (neighbours + change)[..., None, None] * deviation + mean
        return value

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the squared error of the centres, over the patches' standard deviations."""
        _, deviation = _mean_and_deviation(centre(truth, SIDE))
        error = output - centre(truth, 1)
        return (error.square() / (deviation * TYPICAL)).mean()


def centre(pictures: Tensor, side: int) -> Tensor:
    """Cut the middle out of pictures with an odd number of pixels a side: `(N, C, side, side)`."""
    margins = [(length - side) // 2 for length in pictures.shape[2:]]
    (top, left) = margins
    return pictures[..., top : top + side, left : left + side]


def _around(patch: Tensor) -> Tensor:
    """Make a picture of ones with 0 at the centre."""
    middle = patch.shape[-1] // 2
    return F.pad(patch.new_zeros(1, 1, 1, 1), (middle,) * 4, value=1.0)


def _mean_and_deviation(patch: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of all pixels but the centre: `(N, C, 1, 1)` each."""
    around = _around(patch)
    count = around.sum()
    mean = (patch * around).sum((2, 3), keepdim=True) / count
    variance = ((patch - mean).square() * around).sum((2, 3), keepdim=True) / count
    return mean, torch.sqrt(variance).clamp_min(FAINTEST)
