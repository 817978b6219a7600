"""Networks for low light: the published one, and a residual U-Net behind a noise detector."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.datasets.tasks.low_light import GAIN, PUBLISHED
from inpaintbench.methods.detect_and_inpaint import FAR, MOSTLY, PASSES, THRESHOLD
from inpaintbench.methods.networks.picture_unet import smooth_fill
from inpaintbench.methods.networks.residual_unet import ResidualUNet
from inpaintbench.methods.networks.restorer import Restorer, he_normal, hidden_mse

MID_GREY = 128.0
EQUAL = 1e-3  # grey levels: by how much float32 may miss a whole number
WHITE = 255 - EQUAL
SALT = 0.01  # share of white values from which a picture has salt: nothing else makes any
ROOT_UNIT = 10.0  # grey levels; about the root mean square error that training starts from


class PublishedLightNet(Restorer):
    """The published network: 16 convolutions, 134,067 parameters, on values of 0..255.

    Kernels of 3x3 and 2x2 pixels, the latter padded on the right and below as TensorFlow does, each
    followed by ReLU, also the last. Three times, branches of different depth are summed: three of
    3, 2 and 3 layers that begin at the picture (the third goes on from the second's first two),
    three of 3, 2 and 1 layers that begin at that sum, and three of 1, 1 and 0 layers.

    The layers' order is not published in words that leave no choice; this one has the published
    numbers of layers, sums, channels and parameters. Departures: layers start as He et al. (2015)
    have it, and the last bias at mid-grey, since a channel that starts below 0 everywhere would
    never learn.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(_layer(3, 16, 3), _layer(16, 32, 3), _layer(32, 64, 2))
        self.second = nn.Sequential(_layer(3, 32, 3), _layer(32, 64, 2))
        self.third = _layer(64, 64, 2)
        self.fourth = nn.Sequential(_layer(64, 64, 3), _layer(64, 32, 3), _layer(32, 16, 2))
        self.fifth = nn.Sequential(_layer(64, 32, 3), _layer(32, 16, 2))
        self.sixth = _layer(64, 16, 2)
        self.seventh = _layer(16, 16, 3)
        self.eighth = _layer(64, 16, 3)
        self.ninth = _layer(16, 16, 2)
        self.last = nn.Conv2d(16, 3, 3, padding=1)
        he_normal(self)
        nn.init.constant_(self.last.bias, MID_GREY)  # type: ignore[arg-type]

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Restore pictures of any size."""
        x = shown * 255
        second = self.second(x)
        x = self.first(x) + second + self.third(second)
        y = self.fourth(x) + self.fifth(x) + self.sixth(x)
        z = self.seventh(y) + self.eighth(x) + y
        return F.relu(self.last(self.ninth(z))).float() / 255


def _layer(before: int, after: int, side: int) -> nn.Sequential:
    around = nn.ZeroPad2d((1, 1, 1, 1) if side == 3 else (0, 1, 0, 1))
    return nn.Sequential(around, nn.Conv2d(before, after, side), nn.ReLU())


class LightUNet(Restorer):
    """The residual U-Net of `cnn`, in colour, behind the detector of `detect-and-inpaint`.

    It starts from the brightened picture, with a smooth fill where the detector finds noise, and is
    told where that is, channel by channel. What it is given is not clipped to white: noise that
    goes beyond on one side alone would make bright regions darker on average. In a picture with
    impulses, all other values stay what they are.

    Parameters
    ----------
    widths, depths : of `ResidualUNet`
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.unet = ResidualUNet(widths, depths, channels=3, doubts=False)
        self.unet.stem = nn.Conv2d(4 * 6, widths[0], 3, padding=1)  # for a mask of each channel
        self.multiple = 2 ** len(widths)  # of pixels a side that folding and halving need

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Restore pictures of any size."""
        height, width = shown.shape[2:]
        beyond = (0, -width % self.multiple, 0, -height % self.multiple)
        noisy = find_impulses(shown)
        filled = smooth_fill(shown * GAIN, noisy)
        output: Tensor = self.unet(
            F.pad(filled, beyond, mode="replicate"), F.pad(noisy, beyond, value=1.0)
        )
        restored = output[:, :, :height, :width]
        return torch.where((noisy == 0) & only_impulses(shown), filled, restored)

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the mean over pictures of the root mean square error.

        The root, since the squared error of the published noise is ten times that of salt and
        pepper, and would have it all.
        """
        return (hidden_mse(output, truth, mask) + 1).sqrt().mean() / ROOT_UNIT


def only_impulses(shown: Tensor) -> Tensor:
    """Whether dimmed pictures have salt or the published noise, which spare the other values.

    Parameters
    ----------
    shown : (N, C, H, W) float tensor in 0..1

    Returns
    -------
    (N, 1, 1, 1) bool tensor
    """
    values = shown.float() * 255
    white = (values > WHITE).float().mean((1, 2, 3), keepdim=True) > SALT
    return white | _has_published(values)


def _has_published(values: Tensor) -> Tensor:
    mostly = _published(values).float().mean((1, 2, 3), keepdim=True) > MOSTLY
    return mostly & (values.amax((1, 2, 3), keepdim=True) <= WHITE)  # it makes nothing white


def _published(values: Tensor) -> Tensor:
    return (values - PUBLISHED).abs() < EQUAL


def find_impulses(shown: Tensor) -> Tensor:
    """Find the noisy values of dimmed pictures, as `detect_and_inpaint.find_impulses` does.

    Parameters
    ----------
    shown : (N, C, H, W) float tensor in 0..1

    Returns
    -------
    (N, C, H, W) float tensor
        1 where a value is noise, else 0.
    """
    values = shown.float() * 255
    noisy = values > WHITE
    for _ in range(PASSES):
        noisy = noisy | ((values < EQUAL) & (_road(values.masked_fill(noisy, FAR)) > THRESHOLD))
    return torch.where(_has_published(values), _published(values), noisy).float()


def _road(values: Tensor) -> Tensor:
    """The four smallest differences from the eight neighbours, added; of the same shape."""
    height, width = values.shape[2:]
    around = F.pad(values, (1, 1, 1, 1), mode="replicate")
    places = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    neighbours = [around[:, :, y : y + height, x : x + width] for y, x in places]
    differences = (torch.stack(neighbours) - values).abs()
    return differences.topk(4, dim=0, largest=False).values.sum(0)
