"""The U-Net of a report on scratched pictures, as published."""

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaintbench.methods.networks.plain_unet import PlainUNet
from inpaintbench.methods.networks.restorer import Restorer

LOSS_UNIT = 0.1  # of the mean absolute error, about where training starts


class ScratchesUNet(Restorer):
    """The U-Net in colour, with the published sigmoid and mean absolute error.

    That error is over the whole picture, known pixels as well, which a blind network has to find
    out to be known. Depth 5 is narrower than published: see `PlainUNet`.

    Parameters
    ----------
    depth : int
        How many times the encoder halves the picture: 2, 3 or 5.
    blind : bool
        Whether it is given the picture alone, with black scratches, as published; otherwise the
        mask is a fourth channel.
    """

    def __init__(self, depth: int, blind: bool) -> None:
        super().__init__()
        self.blind = blind
        self.unet = PlainUNet(depth, inputs=3 if blind else 4, outputs=3)
        self.multiple = 2**depth

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Restore pictures of any size."""
        height, width = mask.shape[2:]
        beyond = (0, -width % self.multiple, 0, -height % self.multiple)
        x = shown if self.blind else torch.cat([shown, mask], 1)
        output = torch.sigmoid(self.unet.layers(F.pad(x, beyond, mode="replicate")))
        return output[:, :, :height, :width]

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the mean absolute error over the whole picture."""
        return (output - truth).abs().mean() / LOSS_UNIT
