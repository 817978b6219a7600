"""Our own network for the centre pixel."""

from typing import TYPE_CHECKING

from inpaintbench.methods.networks.patch_method import PatchMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.centre_net import CentreNet


class CenterPixelCnn(PatchMethod):
    """A small network on 31x31 pixels, which follows brightness and contrast.

    See `inpaintbench.methods.networks.centre_net` for the architecture, and the model card beside
    the weights for what it was trained on.
    """

    name = "center-pixel-cnn"
    promises = ("shift", "contrast")

    @property
    def side(self) -> int:
        """Pixels a side of the patch that the network sees."""
        from inpaintbench.methods.networks.centre_net import SIDE

        return SIDE

    def build(self) -> "CentreNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.centre_net import CentreNet

        return CentreNet()
