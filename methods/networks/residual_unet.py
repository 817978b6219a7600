"""A residual U-Net that corrects a harmonic fill."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import known_mean
from inpaintbench.methods.networks.window_network import CONTRAST, WindowNetwork, doubt_loss

TYPICAL_ERROR = 6.0  # logarithm of about 400, where learning the expected squared error starts
LARGEST_ERROR = 2 * math.log(255)  # that there can be; finite, since weights are averaged


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


class SelfAttention(nn.Module):
    """Every place takes from all that are like it, wherever they are, added to what it has.

    Multi-head self-attention (Vaswani et al. 2017) on the places of a picture, as in non-local
    networks (Wang et al. 2018). What it adds starts at 0. The normalisation is over the channels of
    one place, so that it ties nothing to the rest of a batch. Written out, because
    `torch.nn.MultiheadAttention` does so in bfloat16 (a picture alone came out otherwise than among
    others), and what it uses without autocast cannot be exported to ONNX.
    """

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.ask = nn.Linear(width, 3 * width)  # queries, keys and values
        self.add = nn.Linear(width, width)
        nn.init.zeros_(self.add.weight)
        nn.init.zeros_(self.add.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, width, H, W)` to the same shape."""
        places = self.norm(x.flatten(2).transpose(1, 2))
        parts = self.ask(places).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        taken = F.scaled_dot_product_attention(*parts.unbind(0))
        change: Tensor = self.add(taken.transpose(1, 2).flatten(2))
        return x + change.transpose(1, 2).view_as(x)


class ResidualUNet(WindowNetwork):
    """U-Net (Ronneberger, Fischer, Brox 2015) of residual blocks, on a picture folded 2x2.

    Departs from the original in that skips are added, not concatenated; that it works at half
    resolution, each pixel of which holds 2x2 pixels of the picture (Shi et al. 2016), since wide
    convolutions on few pixels are what both CPUs and GPUs are fast at; that its decoder may attend
    to the whole picture; and that it predicts the difference from the harmonic fill that it is
    given.

    Parameters
    ----------
    widths : channels at each level, each level half the size of the one before
    depths : residual blocks at each level, in the encoder and again in the decoder
    channels : of the picture: 1 for grey, 3 for colour
    doubts : whether it says how far off each pixel is to be expected
    attends : level at which the decoder attends to the whole picture; None: nowhere
    """

    def __init__(
        self,
        widths: Sequence[int],
        depths: Sequence[int],
        channels: int = 1,
        doubts: bool = True,
        attends: int | None = None,
    ) -> None:
        super().__init__()
        self.doubts = doubts
        self.stem = nn.Conv2d(4 * (channels + 1), widths[0], 3, padding=1)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for width, wider, depth in zip(widths[:-1], widths[1:], depths[:-1], strict=True):
            self.encoder.append(nn.Sequential(*(ResidualBlock(width) for _ in range(depth))))
            self.decoder.append(nn.Sequential(*(ResidualBlock(width) for _ in range(depth))))
            self.down.append(nn.Conv2d(width, wider, 2, stride=2))
            self.up.append(nn.ConvTranspose2d(wider, width, 2, stride=2))
        self.attends = attends
        if attends is not None:
            self.attention = SelfAttention(widths[attends])
        self.middle = nn.Sequential(*(ResidualBlock(widths[-1]) for _ in range(depths[-1])))
        self.head = nn.Conv2d(widths[0], 4 * channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]
        if doubts:
            self.doubt = nn.Conv2d(widths[0], 4 * channels, 3, padding=1)
            nn.init.zeros_(self.doubt.weight)
            nn.init.constant_(self.doubt.bias, TYPICAL_ERROR)  # type: ignore[arg-type]
            self.highest_doubt = nn.Buffer(torch.tensor(LARGEST_ERROR))  # see `calibration.py`

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows, and say how far off each pixel is to be expected.

        What it says is learned from features that it does not shape, so it costs the
        picture nothing.
        """
        mean = known_mean(filled, mask)
        x = torch.cat([(filled - mean) * CONTRAST, mask], 1)
        x = self.stem(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))
        skips = []
        for encode, down in zip(self.encoder, self.down, strict=True):
            x = encode(x)
            skips.append(x)
            x = down(x)
        x = self.middle(x)
        for level in reversed(range(len(skips))):
            x = self.up[level](x) + skips[level]
            if level == self.attends:
                x = self.attention(x)
            x = self.decoder[level](x)
        restored = filled + F.pixel_shuffle(self.head(x), 2).float() / CONTRAST
        if not self.doubts:
            return restored
        doubt = F.pixel_shuffle(self.doubt(x.detach()), 2).float()
        return torch.cat([restored, doubt.minimum(self.highest_doubt)], 1)

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the challenge MSE, and a small share for the expected error.

        Small, so that it takes no part in clipping gradients; AdamW's steps do not depend on scale.
        """
        squared = super().loss(output, truth, mask)
        if not self.doubts:
            return squared
        return squared + 0.01 * doubt_loss(output, truth, mask).mean()


def large() -> ResidualUNet:
    """Make the network of `cnn`: 9.6 million parameters."""
    return ResidualUNet((64, 128, 192, 224), (1, 2, 3, 4), attends=1)


def small() -> ResidualUNet:
    """Make the network of `cnn:size=small`: just under a million parameters."""
    return ResidualUNet((32, 64, 96, 128), (1, 1, 1, 1))
