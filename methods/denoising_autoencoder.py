"""Stacked denoising autoencoders on patches."""

from typing import TYPE_CHECKING, ClassVar

from inpaintbench.methods.networks.window_method import WindowMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.denoising_autoencoder_net import DenoisingAutoencoderNet


class DenoisingAutoencoder(WindowMethod):
    """Restores the patch around a hole by fully connected layers (Xie, Xu, Chen 2012).

    See `inpaintbench.methods.networks.denoising_autoencoder_net` for its source and departures.
    """

    name = "denoising-autoencoder"
    several: ClassVar[bool] = False  # it sees but the patch around the middle of all that is hidden
    symmetries: bool = False  # the published network used none

    def build(self) -> "DenoisingAutoencoderNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.denoising_autoencoder_net import DenoisingAutoencoderNet

        return DenoisingAutoencoderNet()
