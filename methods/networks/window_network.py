"""What every network here is: a restorer of windows that knows what it is trained for."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

LOSS_UNIT = 1000.0  # grey levels squared; about the challenge MSE that training starts from
CONTRAST = 4.0  # a quarter of the value range is about one standard deviation of a photograph


class WindowNetwork(nn.Module):
    """Restores square windows of a greyscale picture.

    A subclass needs `forward`; one that is trained for more than the challenge MSE also has a
    `loss` of its own.
    """

    @abstractmethod
    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows.

        Parameters
        ----------
        filled : (N, 1, H, W) float tensor in 0..1
            The picture, hidden pixels filled harmonically; H and W multiples of 32.
        mask : (N, 1, H, W) float tensor
            1 where a pixel is hidden, 0 where it is known.

        Returns
        -------
        (N, 1, H, W) or (N, 2, H, W) float tensor
            The restored picture and, if the network knows how sure it is, the natural logarithm of
            the expected squared error in grey levels of 0..255. Only hidden pixels mean anything.
        """

    def loss(self, output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Compute what training minimises, from the output for windows and their truth."""
        return challenge_loss(output, truth, mask).mean() / LOSS_UNIT


def challenge_loss(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over each window's hidden pixels, in grey levels of 0..255: `(N,)`."""
    return _hidden_mean(((output[:, :1] - truth) * 255).square(), mask)


def doubt_loss(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Make the second channel the logarithm of the expected squared error of the first: `(N,)`.

    The negative log-likelihood of a Gaussian with that variance (Nix and Weigend 1994), which is
    least where the variance is what is to be expected; the restoration itself is not changed.
    """
    squared = ((output[:, :1].detach() - truth) * 255).square()
    doubt = output[:, 1:]
    return _hidden_mean(doubt + squared * torch.exp(-doubt), mask)


def known_mean(filled: Tensor, mask: Tensor) -> Tensor:
    """Mean of each window's known pixels, `(N, 1, 1, 1)`: what networks subtract and add again."""
    known = 1 - mask
    return (filled * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True)


def blanked(filled: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Take the fill out: what networks see that were published without one.

    Returns
    -------
    x : (N, 1, H, W) tensor
        The difference from the mean of the known pixels, in units of about one standard deviation
        of a photograph; 0 where hidden.
    mean : (N, 1, 1, 1) tensor
        That mean.
    """
    mean = known_mean(filled, mask)
    return (filled - mean) * CONTRAST * (1 - mask), mean


def he_normal(network: nn.Module) -> None:
    """Start layers at the scale that ReLU keeps (He et al. 2015), biases at 0.

    PyTorch's own start shrinks a signal with every layer; without normalisation layers a deep
    network then has nothing to learn from for thousands of updates.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _hidden_mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))
