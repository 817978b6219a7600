"""Partial convolutions."""

from typing import TYPE_CHECKING

from inpaintbench.methods.networks.window_method import WindowMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.partial_conv_net import PartialConvNet


class PartialConv(WindowMethod):
    """A U-Net whose convolutions count known pixels alone (Liu et al. 2018).

    See `inpaintbench.methods.networks.partial_conv_net` for its source and departures.
    """

    name = "partial-conv"
    symmetries: bool = False  # the published network used none

    def build(self) -> "PartialConvNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.partial_conv_net import PartialConvNet

        return PartialConvNet()
