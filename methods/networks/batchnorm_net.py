"""The second entrant's network for the crop challenge, with its traps mended."""

from torch import Tensor, nn

from inpaintbench.methods.networks.window_network import CONTRAST, WindowNetwork, blanked


class BatchNormNet(WindowNetwork):
    """Five 5x5 convolutions of 32 kernels with batch normalisation and ReLU, and a linear one.

    As published: 104,481 parameters, and the picture alone as input, so that the network has to
    see for itself where the hole is. Each output pixel sees 25x25 input pixels. Mended: the
    original hid a rectangle of twice the size while training, and never switched to evaluation
    mode, so that a restoration depended on the pictures beside it. Its input is the difference from
    the mean of the known pixels, 0 in the hole.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (1, 32, 32, 32, 32):
            layers += [nn.Conv2d(channels, 32, 5, padding=2), nn.BatchNorm2d(32), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(32, 1, 5, padding=2))

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows; the fill is not used."""
        x, mean = blanked(filled, mask)
        output: Tensor = self.layers(x).float()
        return output / CONTRAST + mean
