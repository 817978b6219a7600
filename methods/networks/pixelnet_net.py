"""PixelNet's networks for the centre of a patch, as published."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.datasets.tasks.center_pixel import COUNTS
from inpaintbench.methods.networks.centre_net import centre, square_but_centre
from inpaintbench.methods.networks.restorer import Restorer, glorot_uniform

LEVELS = 65535  # the counts that 1 stands for in a picture of 16 bits
CLASSES = 3000  # one for each count from 0 on
DROPPED = 0.05  # share of the first layer's outputs in training


class Same(nn.Conv2d):
    """A convolution whose output has ceil(side / stride) pixels, padded as TensorFlow pads."""

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, channels, side, side)`."""
        kernel, stride, side = self.kernel_size[0], self.stride[0], x.shape[-1]
        missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        before, after = missing // 2, missing - missing // 2
        return super().forward(F.pad(x, (before, after, before, after)))


def regression_cnn(side: int) -> nn.Sequential:
    """Make the final one: 420,577 parameters on a patch of 7x7.

    The published networks on 5x5 and 11x11 had other layers; here all sides have these.
    """
    rest = -(-side // 4)  # pixels a side after two strides of 2
    return nn.Sequential(
        Same(1, 16, 5, stride=2),
        nn.ReLU(),
        Same(16, 32, 5),
        nn.ReLU(),
        Same(32, 64, 3, stride=2),
        nn.ReLU(),
        Same(64, 128, 3),
        nn.ReLU(),
        nn.Flatten(),
        *_hidden(128 * rest**2, 512, DROPPED),
        *_hidden(512, 100),
        *_hidden(100, 10),
        nn.Linear(10, 1),
    )


def fully_connected(side: int, hidden: int, outputs: int) -> nn.Sequential:
    """Make layers of 512 kernels with ReLU, and a linear one."""
    sizes = [side**2, *[512] * hidden]
    pairs = pairwise(sizes)
    layers = [
        layer
        for number, (before, after) in enumerate(pairs)
        for layer in _hidden(before, after, 0.0 if number else DROPPED)
    ]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(512, outputs))


def _hidden(before: int, after: int, dropped: float = 0.0) -> list[nn.Module]:
    layers = [nn.Linear(before, after), nn.ReLU()]
    return [*layers, nn.Dropout(dropped)] if dropped else layers


class PixelNetNet(Restorer):
    """Regression of the centre: "cnn" as published last, or "fc", three layers of 512 kernels.

    Counts are scaled so that the smallest and the largest of the published data become 0 and 1, as
    its min-max scaling does, and the loss is the error of that: "mse", "msle" or "mae". The hidden
    centre is 0, which is a legal value, but always at the same place.
    """

    def __init__(self, side: int, kind: str, loss: str = "mse") -> None:
        super().__init__()
        self.side = side
        self.layers = regression_cnn(side) if kind == "cnn" else fully_connected(side, 3, 1)
        self.minimised = loss
        glorot_uniform(self)

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Restore the centre of each picture: `(N, 1, 1, 1)`."""
        value: Tensor = self.layers(_seen(shown, self.side)).float()
        return (value * (COUNTS[1] - COUNTS[0]) + COUNTS[0])[..., None, None] / LEVELS

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the error of the scaled centres."""
        return LOSSES[self.minimised](_scaled(output), _scaled(centre(truth, 1)))


def squared_logarithmic_error(restored: Tensor, true: Tensor) -> Tensor:
    """Mean squared difference of the logarithms of 1 + the values, as Keras has it.

    But for values below 0, where Keras's has no slope, so that a network that starts there would
    never learn: the logarithm goes on to -0.9.
    """
    return F.mse_loss(restored.clamp_min(-0.9).log1p(), true.log1p())


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "msle": squared_logarithmic_error,
    "mae": F.l1_loss,
}


class PixelNetClasses(Restorer):
    """Classification of the centre: a class for every count.

    The answer is the "expected" value of them, or the likeliest, "argmax". The publication gives no
    layers for it: here they are two of 512 kernels.
    """

    def __init__(self, side: int, answer: str = "expected") -> None:
        super().__init__()
        self.side = side
        self.likeliest = answer == "argmax"
        self.layers = fully_connected(side, 2, CLASSES)
        glorot_uniform(self)

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Restore the centres: `(N, 1, 1, 1)`; in training the classes' logits are behind them."""
        logits = self.layers(_seen(shown, self.side)).float()
        counts = torch.arange(CLASSES, device=logits.device, dtype=torch.float32)
        # No matrix product, which autocast would round to 8 bits.
        value = logits.argmax(1).float() if self.likeliest else (logits.softmax(1) * counts).sum(1)
        value = value[:, None] / LEVELS
        output = torch.cat([value, logits], 1) if self.training else value
        return output[..., None, None]

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute the cross-entropy of the true classes."""
        counts = (centre(truth, 1).flatten() * LEVELS).round().long()
        return F.cross_entropy(output[:, 1:, 0, 0], counts.clamp(0, CLASSES - 1))


def _seen(shown: Tensor, side: int) -> Tensor:
    """Cut the patch around the centre, scaled, with 0 at the centre."""
    patch = _scaled(centre(shown, side))
    return patch * square_but_centre(side, patch)


def _scaled(x: Tensor) -> Tensor:
    """Scale 0..1 so that the smallest and the largest published count become 0 and 1."""
    return (x * LEVELS - COUNTS[0]) / (COUNTS[1] - COUNTS[0])
