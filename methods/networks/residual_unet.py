"""A residual U-Net that corrects a harmonic fill."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONTRAST = 4.0  # a quarter of the value range is about one standard deviation of a photograph


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions added to their input; the second starts at 0 (Zhang et al. 2019).

    Without normalisation layers: they would tie a restoration to the rest of its batch or window,
    and cost more time than they are worth at this depth.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, width, H, W)` to the same shape."""
        change: Tensor = self.second(F.relu(self.first(F.relu(x))))
        return x + change


class ResidualUNet(nn.Module):
    """U-Net (Ronneberger, Fischer, Brox 2015) of residual blocks, on a picture folded 2x2.

    Departs from the original in that skips are added, not concatenated; that it works at half
    resolution, each pixel of which holds 2x2 pixels of the picture (Shi et al. 2016), since wide
    convolutions on few pixels are what both CPUs and GPUs are fast at; and that it predicts the
    difference from the harmonic fill that it is given.

    Parameters
    ----------
    widths : channels at each level, each level half the size of the one before
    depths : residual blocks at each level, in the encoder and again in the decoder
    """

    def __init__(
        self, widths: Sequence[int] = (64, 128, 192, 224), depths: Sequence[int] = (1, 1, 2, 2)
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(8, widths[0], 3, padding=1)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for width, wider, depth in zip(widths[:-1], widths[1:], depths[:-1], strict=True):
            self.encoder.append(nn.Sequential(*(ResidualBlock(width) for _ in range(depth))))
            self.decoder.append(nn.Sequential(*(ResidualBlock(width) for _ in range(depth))))
            self.down.append(nn.Conv2d(width, wider, 2, stride=2))
            self.up.append(nn.ConvTranspose2d(wider, width, 2, stride=2))
        self.middle = nn.Sequential(*(ResidualBlock(widths[-1]) for _ in range(depths[-1])))
        self.head = nn.Conv2d(widths[0], 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows.

        Parameters
        ----------
        filled : (N, 1, H, W) float tensor in 0..1
            The picture, hidden pixels filled harmonically; H and W multiples of 16.
        mask : (N, 1, H, W) float tensor
            1 where a pixel is hidden, 0 where it is known.

        Returns
        -------
        (N, 1, H, W) float tensor
            The restored picture; only its hidden pixels mean anything.
        """
        known = 1 - mask
        mean = (filled * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True)
        x = torch.cat([(filled - mean) * CONTRAST, mask], 1)
        x = self.stem(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))
        skips = []
        for encode, down in zip(self.encoder, self.down, strict=True):
            x = encode(x)
            skips.append(x)
            x = down(x)
        x = self.middle(x)
        for level in reversed(range(len(skips))):
            x = self.decoder[level](self.up[level](x) + skips[level])
        return filled + F.pixel_shuffle(self.head(x), 2).float() / CONTRAST
