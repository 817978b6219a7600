"""The context encoder, trained against a discriminator."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import LOSS_UNIT, he_normal, known_mean
from inpaintbench.methods.networks.window_network import CONTRAST, WindowNetwork, blanked

WIDTHS = (32, 64, 128, 256)
MIDDLE = 32  # pixels of a window: all of any challenge hole that is not near a border
RECONSTRUCTION = 0.999  # the published weights of the two losses
ADVERSARIAL = 0.001
PUBLISHED_UNIT = 127.5**2  # of their squared error, in grey levels: they had pictures in -1..1


class Reversal(torch.autograd.Function):
    """The identity, whose gradient is turned round (Ganin and Lempitsky 2015).

    What comes before it learns the opposite of what comes after, in one pass.
    """

    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        """Give the input."""
        return x.view_as(x)

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        """Give the opposite of the gradient."""
        return -gradients[0]


def reverse_gradient(x: Tensor) -> Tensor:
    """Give a tensor as it is, with its gradient turned round."""
    reversed_: Tensor = Reversal.apply(x)  # type: ignore[no-untyped-call]
    return reversed_


class ChannelWise(nn.Module):
    """A fully connected layer for each channel by itself, on a given number of pixels."""

    def __init__(self, channels: int, pixels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, pixels, pixels) / math.sqrt(pixels))
        self.bias = nn.Parameter(torch.zeros(channels, pixels))

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, channels, H, W)` to the same shape."""
        mixed = torch.einsum("ncp,cpq->ncq", x.flatten(2), self.weight) + self.bias
        return mixed.reshape(x.shape)


class ContextEncoderNet(WindowNetwork):
    """Encoder, channel-wise fully connected layer and decoder (Pathak et al. 2016).

    Trained as published for squared error (0.999) and against a discriminator (0.001): a loss that
    asks for what looks real, at the cost of squared error.

    Departures: narrower, and for windows of 64x64 in place of 128x128; it restores the window, not
    its middle alone; no batch normalisation; the picture is the difference from the mean of the
    known pixels, and the mask is not given, as theirs was not. The discriminator learns in the
    same pass by a gradient reversal layer (Ganin and Lempitsky 2015) and sees the middle of each
    window, restored or real; its weights (0.2 MB) are kept with the others, though only training
    needs them.

    Parameters
    ----------
    channels : of the picture: 1 for grey, 3 for colour
    side : pixels a side of the windows
    """

    def __init__(self, channels: int = 1, side: int = 64) -> None:
        super().__init__()
        down: list[nn.Module] = []
        for before, width in zip((channels, *WIDTHS), WIDTHS, strict=False):
            down += [nn.Conv2d(before, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        smallest = side >> len(WIDTHS)
        middle = [
            ChannelWise(WIDTHS[-1], smallest**2),
            nn.Conv2d(WIDTHS[-1], WIDTHS[-1], 1),
            nn.ReLU(),
        ]
        up: list[nn.Module] = []
        for before, width in zip(WIDTHS[::-1], (*WIDTHS[-2::-1], 32), strict=True):
            up += [nn.ConvTranspose2d(before, width, 4, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*down, *middle, *up, nn.Conv2d(32, channels, 3, padding=1))
        self.discriminator = nn.Sequential(
            nn.Conv2d(channels, 32, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 64, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 1, 4),
        )
        he_normal(self)

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows; the fill is not used."""
        x, mean = blanked(filled, mask)
        output: Tensor = self.layers(x).float()
        return output / CONTRAST + mean

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the squared error and the adversarial loss, weighed as published.

        The discriminator minimises the latter, and by the reversal the rest maximises it. Its
        weight does not slow the discriminator down: AdamW's steps do not depend on scale.
        """
        mean = known_mean(truth, mask)
        restored = reverse_gradient(torch.where(mask > 0, output, truth))
        start = (truth.shape[2] - MIDDLE) // 2
        middle = slice(start, start + MIDDLE)
        both = torch.cat([truth, restored])[:, :, middle, middle]
        says = self.discriminator((both - torch.cat([mean, mean])) * CONTRAST).float().flatten()
        real = (torch.arange(len(says), device=says.device) < len(truth)).float()
        adversarial = 2 * F.binary_cross_entropy_with_logits(says, real)
        weight = ADVERSARIAL * PUBLISHED_UNIT / LOSS_UNIT
        return RECONSTRUCTION * super().loss(output, truth, mask) + weight * adversarial
