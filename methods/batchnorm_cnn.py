"""The network of the second entrant to the crop challenge."""

from typing import TYPE_CHECKING

from inpaintbench.methods.networks.window_method import WindowMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.batchnorm_net import BatchNormNet


class BatchnormCnn(WindowMethod):
    """Six 5x5 convolutions with batch normalisation, blind to the mask, of a second entrant.

    See `inpaintbench.methods.networks.batchnorm_net` for its source and departures.
    """

    name = "batchnorm-cnn"
    symmetries: bool = False  # the published network used none

    def build(self) -> "BatchNormNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.batchnorm_net import BatchNormNet

        return BatchNormNet()
