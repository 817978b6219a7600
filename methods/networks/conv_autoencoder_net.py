"""A plain convolutional autoencoder."""

import torch
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import he_normal
from inpaintbench.methods.networks.window_network import CONTRAST, WindowNetwork, blanked

WIDTHS = (32, 64, 128, 256)


class ConvAutoencoderNet(WindowNetwork):
    """Convolutions of stride 2 down to 4x4 pixels of 256 channels, and transposed ones up again.

    The vanilla autoencoder that surveys of inpainting compare with, after Masci, Meier, Cireşan
    and Schmidhuber 2011; like theirs it has no skips, so that all it restores went through the
    bottleneck. Departures: strides for max pooling, ReLU for tanh, trained as a whole and not
    layer by layer, and the mask as a further channel.
    """

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, width in zip((channels + 1, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.ReLU()]
        for before, width in zip(WIDTHS[::-1], (*WIDTHS[-2::-1], 32), strict=True):
            layers += [nn.ConvTranspose2d(before, width, 4, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(32, channels, 3, padding=1))
        he_normal(self)

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows; the fill is not used."""
        x, mean = blanked(filled, mask)
        x = torch.cat([x, mask], 1).contiguous(memory_format=torch.channels_last)
        output: Tensor = self.layers(x).float()
        return output / CONTRAST + mean
