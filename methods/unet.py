"""The U-Net of a published report on inpainting."""

from typing import TYPE_CHECKING

from inpaintbench.methods.method import check_choice
from inpaintbench.methods.networks.window_method import WindowMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.plain_unet import PlainUNet

DEPTHS = (2, 3, 5)


class Unet(WindowMethod):
    """A plain U-Net at the three depths that a report on inpainting compares.

    See `inpaintbench.methods.networks.plain_unet` for its source and departures.

    Parameters
    ----------
    depth : int
        How many times the encoder halves the window: 2, 3 or 5.
    """

    name = "unet"
    symmetries: bool = False  # the published network used none
    depth: int = 3

    def __post_init__(self) -> None:
        check_choice("depth", self.depth, DEPTHS)

    @property
    def weights_name(self) -> str:
        """What its weights file is called: `unet-2`, `unet-3` or `unet-5`."""
        return f"unet-{self.depth}"

    def build(self) -> "PlainUNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.plain_unet import WIDTHS, PlainUNet

        return PlainUNet(WIDTHS[self.depth])
