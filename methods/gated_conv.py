"""Gated convolutions."""

from typing import TYPE_CHECKING

from inpaintbench.methods.networks.window_method import WindowMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.gated_conv_net import GatedConvNet


class GatedConv(WindowMethod):
    """An encoder-decoder whose convolutions learn what to let through (Yu et al. 2019).

    See `inpaintbench.methods.networks.gated_conv_net` for its source and departures.
    """

    name = "gated-conv"
    symmetries: bool = False  # the published network used none

    def build(self) -> "GatedConvNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.gated_conv_net import GatedConvNet

        return GatedConvNet()
