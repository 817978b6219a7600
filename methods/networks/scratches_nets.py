"""The networks of the U-Net report and its survey, for scratched pictures of 32x32 in colour."""

from collections.abc import Callable, Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor

from inpaintbench.methods.networks.context_encoder_net import ContextEncoderNet
from inpaintbench.methods.networks.conv_autoencoder_net import ConvAutoencoderNet
from inpaintbench.methods.networks.denoising_autoencoder_net import DenoisingAutoencoderNet
from inpaintbench.methods.networks.gated_conv_net import GatedConvNet
from inpaintbench.methods.networks.partial_conv_net import PartialConvNet
from inpaintbench.methods.networks.plain_unet import BlindUNet, PlainUNet
from inpaintbench.methods.networks.restorer import Restorer

SIDE = 32  # pixels of the pictures that they are trained on
WIDTHS = (32, 64, 128, 256, 512)  # of the report's U-Net, the bottleneck's last at depth 5
NETWORKS: dict[str, Callable[[], Restorer]] = {
    "unet-2": partial(PlainUNet, WIDTHS[:2], 3),
    "unet-3": partial(PlainUNet, WIDTHS[:3], 3),
    "unet-5": partial(PlainUNet, WIDTHS, 3),
    "blind-unet-2": partial(BlindUNet, WIDTHS[:2]),
    "blind-unet-3": partial(BlindUNet, WIDTHS[:3]),
    "blind-unet-5": partial(BlindUNet, WIDTHS),
    "conv-autoencoder": partial(ConvAutoencoderNet, 3),
    "denoising-autoencoder": partial(DenoisingAutoencoderNet, 3, SIDE),
    "partial-conv": partial(PartialConvNet, 3),
    "gated-conv": partial(GatedConvNet, 3),
    "context-encoder": partial(ContextEncoderNet, 3, SIDE),
}
SQUARES = ("denoising-autoencoder", "context-encoder")  # fully connected, so of one size alone


class Padded(Restorer):
    """One of these networks on pictures of any size.

    They are padded to multiples of 32 pixels a side, what is beyond them counting as hidden, and go
    through as a whole, or are cut into squares of 32x32 where a network is for these alone.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.network = NETWORKS[kind]()
        self.in_squares = kind in SQUARES

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Restore pictures."""
        height, width = mask.shape[2:]
        beyond = (0, -width % SIDE, 0, -height % SIDE)
        shown, mask = F.pad(shown, beyond), F.pad(mask, beyond, value=1.0)
        if self.in_squares:
            output = _joined(self.network(_cut(shown), _cut(mask)), shown.shape)
        else:
            output = self.network(shown, mask)
        return output[:, :, :height, :width]

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the network's own loss, for pictures of 32x32."""
        return self.network.loss(output, truth, mask)


def _cut(x: Tensor) -> Tensor:
    """Cut `(N, C, H, W)` into squares, row by row: `(N * H / SIDE * W / SIDE, C, SIDE, SIDE)`."""
    pictures, channels, height, width = x.shape
    parts = x.reshape(pictures, channels, height // SIDE, SIDE, width // SIDE, SIDE)
    return parts.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def _joined(squares: Tensor, shape: Sequence[int]) -> Tensor:
    """Put squares together again, as `(N, C, H, W)`."""
    pictures, channels, height, width = shape
    parts = squares.reshape(pictures, height // SIDE, width // SIDE, channels, SIDE, SIDE)
    return parts.permute(0, 3, 1, 4, 2, 5).reshape(pictures, channels, height, width)
