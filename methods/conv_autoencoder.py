"""A plain convolutional autoencoder."""

from typing import TYPE_CHECKING

from inpaintbench.methods.networks.window_method import WindowMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.conv_autoencoder_net import ConvAutoencoderNet


class ConvAutoencoder(WindowMethod):
    """Squeezes a window into few numbers by convolutions, and unfolds it again, without skips.

    See `inpaintbench.methods.networks.conv_autoencoder_net` for its source and departures.
    """

    name = "conv-autoencoder"
    symmetries: bool = False  # the published network used none

    def build(self) -> "ConvAutoencoderNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.conv_autoencoder_net import ConvAutoencoderNet

        return ConvAutoencoderNet()
