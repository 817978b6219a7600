"""Partial convolutions, which count known pixels alone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import he_normal
from inpaintbench.methods.networks.window_network import CONTRAST, WindowNetwork, blanked

WIDTHS = (32, 64, 128, 128)
KERNELS = (7, 5, 3, 3)


class PartialConvolution(nn.Module):
    """Convolution of known values, divided by the share of them that is known (Liu et al. 2018).

    Where nothing under the kernel is known the result is 0 and unknown; elsewhere it is known. What
    lies outside of the picture counts as unknown.
    """

    def __init__(self, before: int, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.convolution = nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=False)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve.

        Parameters
        ----------
        x : (N, before, H, W) tensor
            Values, 0 where unknown.
        share : (N, 1, H, W) float tensor in 0..1
            Share of the channels that are known at each pixel.

        Returns
        -------
        (N, width, H / stride, W / stride) and (N, 1, H / stride, W / stride) tensors
            Values, 0 where unknown; and 1 where known, 0 elsewhere.
        """
        under = F.avg_pool2d(share.float(), self.kernel, self.stride, self.kernel // 2)
        known = (under > 0).float()
        scale = known / under.clamp_min(1e-6)
        bias = self.bias[:, None, None]
        return self.convolution(x) * scale.to(x.dtype) + (bias * known).to(x.dtype), known


class PartialConvNet(WindowNetwork):
    """U-Net of partial convolutions, after Liu, Reda, Shih, Wang, Tao and Catanzaro 2018.

    As published: partial convolutions with their mask update and large kernels first, upsampling by
    the nearest neighbour, skips of features and masks, ReLU in the encoder and leaky ReLU (0.2) in
    the decoder, the picture itself skipped to the last layer, which is linear. Departures: 4 levels
    for 8, and narrower; no batch normalisation; the squared error of hidden pixels, where they
    also weighed known ones, perceptual and style losses and total variation.
    """

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        before = (channels, *WIDTHS[:-1])
        self.encoder = nn.ModuleList(
            PartialConvolution(b, w, k, stride=2)
            for b, w, k in zip(before, WIDTHS, KERNELS, strict=True)
        )
        decoder = [
            PartialConvolution(w + b, b, 3) for b, w in zip(before[::-1], WIDTHS[::-1], strict=True)
        ]
        self.decoder = nn.ModuleList(decoder)
        he_normal(self)
        nn.init.zeros_(decoder[-1].convolution.weight)  # starts as the mean

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows; the fill is not used."""
        x, mean = blanked(filled, mask)
        known = 1 - mask
        skips: list[tuple[Tensor, Tensor]] = []
        for encode in self.encoder:
            skips.append((x, known))
            x, known = encode(x, known)
            x = F.relu(x)
        for decode in self.decoder:
            x = F.leaky_relu(x, 0.2) if len(skips) < len(self.encoder) else x
            x, known = decode(*_joined(x, known, *skips.pop()))
        return x.float() / CONTRAST + mean


def _joined(x: Tensor, known: Tensor, skip: Tensor, skip_known: Tensor) -> tuple[Tensor, Tensor]:
    """Double the size of features, and concatenate a skip: features, and the share known."""
    x, known = (F.interpolate(t, scale_factor=2.0, mode="nearest") for t in (x, known))
    wide, narrow = x.shape[1], skip.shape[1]
    share = (wide * known + narrow * skip_known) / (wide + narrow)
    return torch.cat([x, skip], 1), share
