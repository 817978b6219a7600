"""What the networks for windows are: restorers of square windows of a picture."""

from abc import abstractmethod

import torch
from torch import Tensor

from inpaintbench.methods.networks.restorer import Restorer, hidden_mean, known_mean

CONTRAST = 4.0  # a quarter of the value range is about one standard deviation of a photograph


class WindowNetwork(Restorer):
    """A `Restorer` of square windows, whose holes are filled already.

    Of one channel for `WindowMethod`; those that blank the fill out serve pictures in colour too.
    """

    @abstractmethod
    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows.

        Parameters
        ----------
        filled : (N, C, H, W) float tensor in 0..1
            The picture, hidden pixels filled harmonically; H and W multiples of 32.
        mask : (N, 1, H, W) float tensor
            1 where a pixel is hidden, 0 where it is known.

        Returns
        -------
        (N, C, H, W) or (N, 2, H, W) float tensor
            The restored picture and, if the network knows how sure it is, the natural logarithm of
            the expected squared error in grey levels of 0..255. Only hidden pixels mean anything.
        """


def doubt_loss(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Make the further channels the logarithm of the expected squared error of the first: `(N,)`.

    The negative log-likelihood of a Gaussian with that variance (Nix and Weigend 1994), which is
    least where the variance is what is to be expected; the restoration itself is not changed.
    """
    channels = truth.shape[1]
    squared = ((output[:, :channels].detach() - truth) * 255).square()
    doubt = output[:, channels:]
    return hidden_mean(doubt + squared * torch.exp(-doubt), mask)


def blanked(filled: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Take the fill out: what networks see that were published without one.

    Returns
    -------
    x : (N, C, H, W) tensor
        The difference from the mean of the known pixels, in units of about one standard deviation
        of a photograph; 0 where hidden.
    mean : (N, C, 1, 1) tensor
        That mean.
    """
    mean = known_mean(filled, mask)
    return (filled - mean) * CONTRAST * (1 - mask), mean
