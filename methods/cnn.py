"""Our own network: a residual U-Net on a window around the hole."""

from typing import TYPE_CHECKING

from inpaintbench.methods.networks.network_method import NetworkMethod

if TYPE_CHECKING:
    from torch import nn


class Cnn(NetworkMethod):
    """A residual U-Net that corrects the harmonic fill of a window, trained for squared error.

    See `inpaintbench.methods.networks.residual_unet` for the architecture and its sources, and the
    model card beside the weights for what it was trained on.
    """

    name = "cnn"

    @staticmethod
    def build() -> "nn.Module":
        """Make the untrained network."""
        from inpaintbench.methods.networks.residual_unet import ResidualUNet

        return ResidualUNet()
