"""The source document's network for the crop challenge, with its traps mended."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import known_mean
from inpaintbench.methods.networks.window_network import WindowNetwork


class CourseNet(WindowNetwork):
    """Two hidden 7x7 convolutions of 32 kernels with ReLU, and a linear 7x7 convolution.

    As published: image and mask as channels, standardised by mean and standard deviation (here of
    the 64x64 window, where the original took the whole picture). Mended: these are taken over the
    known pixels alone, where the original counted the zeros of the hole in, and the hole is then
    set to that mean. Each output pixel sees 19x19 input pixels, so the middle of a hole over 17
    pixels wide is out of reach of everything known: that is the published design's own limit, and
    is kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(
            [nn.Conv2d(2, 32, 7, padding=3), nn.Conv2d(32, 32, 7, padding=3)]
        )
        self.head = nn.Conv2d(32, 1, 7, padding=3)

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows; the fill is not used."""
        mean = known_mean(filled, mask)
        variance = known_mean((filled - mean).square(), mask)
        deviation = variance.sqrt().clamp_min(1 / 255)  # a flat picture has none
        x = torch.cat([(filled - mean) / deviation * (1 - mask), mask], 1)
        for layer in self.hidden:
            x = F.relu(layer(x))
        output: Tensor = self.head(x).float()
        return output * deviation + mean
