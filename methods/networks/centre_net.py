"""A small network for the centre of a window, whatever its brightness and contrast."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import Restorer, he_normal

SIDE = 31  # pixels of the window that it sees
NEAR = 13  # pixels of the patch in its middle that the convolutions see
FAINTEST = 1e-5  # of the value range: below this standard deviation a patch is flat
TYPICAL = 100 / 65535  # standard deviation of a patch of intensities, for a loss of about 1
PATCHES = (3, 5, 7)  # pixels a side of what is compared with the rest of the window
SHARPNESS = (2.0, 8.0, 32.0)  # of weights by likeness, at the start


class CentreNet(Restorer):
    """Convolutions on the 13x13 pixels around the centre, and averages over like places.

    The latter are non-local means (A. Buades, B. Coll and J.-M. Morel, "A non-local algorithm for
    image denoising", CVPR 2005) of the window, for three sizes of patches and three sharpnesses,
    which are learned; so texture that repeats beyond the 13x13 pixels is not lost. The network
    weighs them and corrects them.

    All is normalised by the mean and standard deviation of the 13x13 pixels but the centre, and the
    answer taken back: brighter or more contrasted windows have accordingly changed answers. In
    training, a squared error counts in proportion to 1 / that standard deviation: between the
    task's own squared error, which a few windows of strong contrast rule, and one in which all
    count alike.
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
            nn.Flatten(),
        )
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS).log().repeat(len(PATCHES), 1))
        averages = self.sharpness.numel()
        self.hidden = nn.Linear(128 * 9 + averages, 256)
        self.last = nn.Linear(256 + averages, 1)
        he_normal(self)
        nn.init.zeros_(self.last.weight)  # starts as the mean of the four neighbours

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Restore the centre of each picture: `(N, 1, 1, 1)`."""
        mean, deviation = _mean_and_deviation(centre(shown, NEAR))
        around = square_but_centre(SIDE, shown)
        x = (centre(shown, SIDE) - mean) / deviation * around
        cross = centre(x, 3).flatten(1)
        neighbours = cross[:, 1::2].mean(1, keepdim=True)
        filled = x + (1 - around) * neighbours[..., None, None]
        averages = self._averages(filled) - neighbours
        features = F.relu(self.hidden(torch.cat([self.convolutions(centre(x, NEAR)), averages], 1)))
        change: Tensor = self.last(torch.cat([features, averages], 1)).float()
        value: Tensor = (neighbours + change)[..., None, None] * deviation + mean
        return value

    def _averages(self, filled: Tensor) -> Tensor:
        """Average what stands in the middle of patches like the central one: `(N, 9)`."""
        found = []
        for side, sharpness in zip(PATCHES, self.sharpness.exp(), strict=True):
            patches = F.unfold(filled, side)
            middle, itself = side**2 // 2, patches.shape[2] // 2
            unlikeness = (patches - patches[..., itself : itself + 1]).square().mean(1)
            elsewhere = torch.arange(patches.shape[2], device=filled.device) != itself
            logits = -sharpness[:, None] * unlikeness[:, None]
            weights = logits.masked_fill(~elsewhere, -torch.inf).softmax(2)
            found.append((weights * patches[:, middle, None]).sum(2))
        return torch.cat(found, 1)

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the squared error of the centres, over the patches' standard deviations."""
        _, deviation = _mean_and_deviation(centre(truth, NEAR))
        error = output - centre(truth, 1)
        return (error.square() / (deviation * TYPICAL)).mean()


def centre(pictures: Tensor, side: int) -> Tensor:
    """Cut the middle out of pictures with an odd number of pixels a side: `(N, C, side, side)`."""
    top, left = ((length - side) // 2 for length in pictures.shape[2:])
    return pictures[..., top : top + side, left : left + side]


def square_but_centre(side: int, like: Tensor) -> Tensor:
    """Make a square of ones with 0 at the centre: `(1, 1, side, side)`, of the type of `like`."""
    return F.pad(like.new_zeros(1, 1, 1, 1), (side // 2,) * 4, value=1.0)


def _mean_and_deviation(patch: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of all pixels but the centre: `(N, C, 1, 1)` each."""
    around = square_but_centre(patch.shape[-1], patch)
    count = around.sum()
    mean = (patch * around).sum((2, 3), keepdim=True) / count
    variance = ((patch - mean).square() * around).sum((2, 3), keepdim=True) / count
    return mean, torch.sqrt(variance).clamp_min(FAINTEST)
