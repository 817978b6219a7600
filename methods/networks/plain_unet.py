"""The U-Net of a published report on inpainting."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import he_normal
from inpaintbench.methods.networks.window_network import CONTRAST, WindowNetwork, blanked

# Channels at each level by encoder depth, the bottleneck's last. The report doubles them down to
# 512; at depth 5 that would be 31 million parameters, so there they stop at 128.
WIDTHS = {2: (32, 64, 128), 3: (32, 64, 128, 256), 5: (32, 64, 128, 128, 128, 128)}


class PlainUNet(WindowNetwork):
    """U-Net (Ronneberger, Fischer, Brox 2015) as a report on scratched pictures had it.

    As published: two 3x3 convolutions with ReLU a level, max pooling, transposed convolutions, and
    skips that are concatenated. Departures: the published network was blind, this one is given
    the mask as a channel; its output is linear, the difference from the mean of the known pixels,
    where the report had a sigmoid; the squared error of hidden pixels for the absolute one of all;
    and for windows one channel for three, and a narrower depth 5 (see `WIDTHS`).

    Parameters
    ----------
    widths : channels at each level, the bottleneck's last
    channels : of the picture: 1 for grey, 3 for colour
    sees_mask : whether the mask is a further channel of what goes in
    """

    def __init__(self, widths: Sequence[int], channels: int = 1, sees_mask: bool = True) -> None:
        super().__init__()
        inputs = channels + sees_mask
        self.encoder = nn.ModuleList(
            _two_convolutions(before, width)
            for before, width in zip((inputs, *widths), widths, strict=False)
        )
        pairs = list(zip(widths[1:], widths[:-1], strict=True))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairs)
        self.decoder = nn.ModuleList(_two_convolutions(2 * b, b) for _, b in pairs)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(widths[0], channels, 1)
        he_normal(self)
        nn.init.zeros_(self.head.weight)  # starts as the mean

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows; the fill is not used."""
        x, mean = blanked(filled, mask)
        return self.layers(torch.cat([x, mask], 1)) / CONTRAST + mean

    def layers(self, x: Tensor) -> Tensor:
        """Apply all layers to `(N, inputs, H, W)`."""
        x = x.contiguous(memory_format=torch.channels_last)
        skips: list[Tensor] = []
        for encode in self.encoder:
            x = encode(self.pool(x) if skips else x)
            skips.append(x)
        skips.pop()
        for up, decode in zip(self.up, self.decoder, strict=True):
            x = decode(torch.cat([up(x), skips.pop()], 1))
        output: Tensor = self.head(x).float()
        return output


class BlindUNet(PlainUNet):
    """The same as published: in colour, blind, a sigmoid behind it, the mean absolute error of all.

    It is not told which pixels are hidden, and so has to restore, or keep, all of a picture.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(widths, 3, sees_mask=False)

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore pictures, whose hidden pixels are as they are shown; the mask is not used."""
        return torch.sigmoid(self.layers(filled))

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the mean absolute error over the whole picture, in 0..1 as published."""
        return F.l1_loss(output, truth)


def _two_convolutions(before: int, width: int) -> nn.Sequential:
    first, second = nn.Conv2d(before, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())
