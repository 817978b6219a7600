"""What every network here is: it restores what is hidden, and knows what it is trained for."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

LOSS_UNIT = 1000.0  # grey levels squared; about the challenge MSE that training starts from


class Restorer(nn.Module):
    """Restores batches of pictures, or of parts of pictures.

    A subclass needs `forward`; one that is trained for more than the squared error also has a
    `loss` of its own.
    """

    @abstractmethod
    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Restore pictures.

        Parameters
        ----------
        shown : (N, C, h, w) float tensor in 0..1
            What is given of the picture.
        mask : (N, 1, H, W) float tensor
            1 where a pixel is asked for, 0 where it is known.

        Returns
        -------
        (N, C, H, W) float tensor
            The restored picture; further channels behind these are what else the network says.
        """

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute what training minimises, about 1 at first, from the output and the truth."""
        return hidden_mse(output, truth, mask).mean() / LOSS_UNIT


def hidden_mse(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over each picture's hidden pixels and channels: `(N,)`.

    In squared grey levels: 255 stand for the whole range of values.
    """
    restored = output[:, : truth.shape[1]]
    return hidden_mean(((restored - truth) * 255).square(), mask)


def hidden_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over each picture's hidden pixels and all channels of values: `(N,)`."""
    return (values * mask).sum((1, 2, 3)) / (mask.sum((1, 2, 3)) * values.shape[1])


def he_normal(network: nn.Module) -> None:
    """Start layers at the scale that ReLU keeps (He et al. 2015), biases at 0.

    PyTorch's own start shrinks a signal with every layer; without normalisation layers a deep
    network then has nothing to learn from for thousands of updates.
    """
    _start(network, partial(nn.init.kaiming_normal_, nonlinearity="relu"))


def glorot_uniform(network: nn.Module) -> None:
    """Start layers as Keras does (Glorot and Bengio 2010), biases at 0."""
    _start(network, nn.init.xavier_uniform_)


def _start(network: nn.Module, draw: Callable[[Tensor], Tensor]) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            draw(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def known_mean(shown: Tensor, mask: Tensor) -> Tensor:
    """Mean of each channel's known pixels, `(N, C, 1, 1)`: what networks subtract and add again.

    0.5 where none is known.
    """
    known = 1 - mask
    count = known.sum((2, 3), keepdim=True)
    total = (shown * known).sum((2, 3), keepdim=True)
    return torch.where(count > 0, total / count.clamp_min(1), 0.5)
