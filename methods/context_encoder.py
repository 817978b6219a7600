"""The context encoder."""

from typing import TYPE_CHECKING

from inpaintbench.methods.networks.window_method import WindowMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.context_encoder_net import ContextEncoderNet


class ContextEncoder(WindowMethod):
    """An encoder-decoder trained against a discriminator (Pathak et al. 2016).

    See `inpaintbench.methods.networks.context_encoder_net` for its source and departures.
    """

    name = "context-encoder"
    symmetries: bool = False  # the published network used none

    def build(self) -> "ContextEncoderNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.context_encoder_net import ContextEncoderNet

        return ContextEncoderNet()
