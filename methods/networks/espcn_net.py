"""A network that enlarges a picture twofold: convolutions on few pixels, shuffled into many."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.residual_unet import ResidualBlock
from inpaintbench.methods.networks.restorer import LOSS_UNIT, Restorer, hidden_mse

CONTRAST = 8.0  # what differs from its surroundings, times this, is about what layers start for
AROUND = 15  # pixels a side of the surroundings
WIDTH, BLOCKS = 64, 5
SMOOTH = 1.0  # squared grey levels: an error of 0 has no root that training could follow


class EspcnNet(Restorer):
    """Computes at low resolution, and shuffles channels into pixels at the end (Shi et al. 2016).

    W. Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", CVPR 2016. Departures: residual blocks instead of three layers
    (as B. Lim et al., "Enhanced deep residual networks for single image super-resolution", CVPR
    workshops 2017); the given picture is folded 2x2 itself before the first layer (as K. Zhang, W.
    Zuo, L. Zhang, "FFDNet", IEEE Transactions on Image Processing 27, 2018), since wide
    convolutions on few pixels are what CPUs are fast at; it predicts what bicubic interpolation
    lacks, and what it says is moved so that the mean of every 2x2 pixels is the given pixel, which
    can only bring it closer to the truth.
    """

    def __init__(self, width: int = WIDTH, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.head = nn.Conv2d(width, 16, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Enlarge pictures `(N, 1, h, w)` in 0..1 to `(N, 1, 2h, 2w)`; the mask is all 1."""
        height, width = shown.shape[2:]
        given = F.pad(shown, (0, width % 2, 0, height % 2), mode="replicate")
        around = F.avg_pool2d(given, AROUND, 1, AROUND // 2, count_include_pad=False)
        x = (given - around) * CONTRAST  # brightness does not matter, wherever a picture is cut
        x = self.stem(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))
        lacking: Tensor = F.pixel_shuffle(self.head(self.body(x)), 4).float() / CONTRAST
        picture: Tensor = F.interpolate(given, scale_factor=2, mode="bicubic") + lacking
        wrong = given - F.avg_pool2d(picture, 2)
        picture = picture + F.interpolate(wrong, scale_factor=2, mode="nearest")
        return picture[:, :, : 2 * height, : 2 * width]

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the mean root of the pictures' squared errors.

        A middle way between their mean, which a few pictures of fine texture would rule, and the
        mean of their logarithms, which PSNR is.
        """
        errors = hidden_mse(output, truth, mask)
        return (errors + SMOOTH).sqrt().mean().div(LOSS_UNIT**0.5)
