"""Gated convolutions, which learn what to let through."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import he_normal
from inpaintbench.methods.networks.window_network import CONTRAST, WindowNetwork, blanked


class GatedConvolution(nn.Module):
    """Convolution whose every value is multiplied by a gate of 0..1, itself a convolution.

    Of ELU and a sigmoid, as Yu et al. 2019 chose; both convolutions are computed as one.
    """

    def __init__(
        self, before: int, width: int, kernel: int = 3, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.both = nn.Conv2d(before, 2 * width, kernel, stride, padding, dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, before, H, W)` to `(N, width, H / stride, W / stride)`."""
        values, gates = self.both(x).chunk(2, 1)
        return F.elu(values) * torch.sigmoid(gates)


class GatedConvNet(WindowNetwork):
    """The coarse network of free-form inpainting, after Yu, Lin, Yang, Shen, Lu and Huang 2019.

    As published: gated convolutions with ELU, strides down to a quarter of the size, dilated
    convolutions there, upsampling by the nearest neighbour, no skips, picture and mask as
    channels. Departures: this one stage alone, without the second one, which refines it by
    contextual attention; no adversarial loss; the squared error of hidden pixels for the absolute
    one; half as wide, fewer layers, and dilations up to 8, since a quarter of a window is 16x16.
    """

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.down = nn.Sequential(
            GatedConvolution(channels + 1, 24, 5),
            GatedConvolution(24, 48, stride=2),
            GatedConvolution(48, 48),
            GatedConvolution(48, 96, stride=2),
            GatedConvolution(96, 96),
            GatedConvolution(96, 96, dilation=2),
            GatedConvolution(96, 96, dilation=4),
            GatedConvolution(96, 96, dilation=8),
            GatedConvolution(96, 96),
        )
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            GatedConvolution(96, 48),
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            GatedConvolution(48, 24),
        )
        self.head = nn.Conv2d(24, channels, 3, padding=1)
        he_normal(self)
        nn.init.zeros_(self.head.weight)  # starts as the mean

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows; the fill is not used."""
        x, mean = blanked(filled, mask)
        x = torch.cat([x, mask], 1).contiguous(memory_format=torch.channels_last)
        output: Tensor = self.head(self.up(self.down(x))).float()
        return output / CONTRAST + mean
