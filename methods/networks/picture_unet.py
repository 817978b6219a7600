"""A residual U-Net on a whole picture, grey or in colour, that corrects a cheap smooth fill."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaintbench.methods.networks.residual_unet import ResidualUNet
from inpaintbench.methods.networks.restorer import Restorer

RELAXATIONS = 8  # of a fill; more would change what the network corrects anyway


class PictureUNet(Restorer):
    """The residual U-Net of `cnn` for pictures of any size and any hidden pixels.

    See `inpaintbench.methods.networks.residual_unet` for the network and its sources. It starts
    from `smooth_fill`, which the network computes itself, for whole batches.

    Parameters
    ----------
    channels : 1 for grey, 3 for colour
    widths, depths : of `ResidualUNet`
    """

    def __init__(self, channels: int, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.unet = ResidualUNet(widths, depths, channels, doubts=False)
        self.multiple = 2 ** len(widths)  # of pixels a side that folding and halving need

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Restore pictures; what is beyond their right and lower border counts as hidden."""
        height, width = mask.shape[2:]
        beyond = (0, -width % self.multiple, 0, -height % self.multiple)
        filled = F.pad(smooth_fill(shown, mask), beyond, mode="replicate")
        output: Tensor = self.unet(filled, F.pad(mask, beyond, value=1.0))
        return output[:, :, :height, :width]


def smooth_fill(shown: Tensor, mask: Tensor) -> Tensor:
    """Fill the hidden pixels of pictures smoothly: `(N, C, H, W)`; 0.5 where nothing is known.

    Push and pull (S. J. Gortler et al., "The Lumigraph", 1996): means of known pixels over ever
    larger squares fill what smaller ones cannot, interpolated. A few steps of relaxation, each
    hidden pixel the mean of its neighbours, bring it closer to the harmonic fill.
    """
    known = 1 - mask
    x = _pushed_and_pulled(shown * known, known)
    for _ in range(RELAXATIONS):
        around = F.pad(x, (1, 1, 1, 1), mode="replicate")
        vertical = around[:, :, :-2, 1:-1] + around[:, :, 2:, 1:-1]
        horizontal = around[:, :, 1:-1, :-2] + around[:, :, 1:-1, 2:]
        x = torch.where(mask > 0, (vertical + horizontal) / 4, shown)
    return x


def _pushed_and_pulled(total: Tensor, weight: Tensor) -> Tensor:
    """Means of weighted pixels, given their weighted sum; where the weight is 0, of larger ones."""
    mean = total / weight.clamp_min(1e-6)
    if max(total.shape[2:]) == 1:
        return torch.where(weight > 0, mean, 0.5)
    coarse = [F.avg_pool2d(t, 2, ceil_mode=True, count_include_pad=False) for t in (total, weight)]
    below = _pushed_and_pulled(*coarse)
    smooth = F.interpolate(below, total.shape[2:], mode="bilinear", align_corners=False)
    return torch.where(weight > 0, mean, smooth)
