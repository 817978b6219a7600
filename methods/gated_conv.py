"""Gated convolutions."""

from typing import TYPE_CHECKING

from inpaintbench.methods.networks.network_method import NetworkMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.gated_conv_net import GatedConvNet


class GatedConv(NetworkMethod):
    """An encoder-decoder whose convolutions learn what to let through (Yu et al. 2019).

    See `inpaintbench.methods.networks.gated_conv_net` for its source and departures.
    """

    name = "gated-conv"
    symmetries: bool = False  # the published network used none

    def build(self) -> "GatedConvNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.gated_conv_net import GatedConvNet

        return GatedConvNet()
