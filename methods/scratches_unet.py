"""The U-Net of a report on scratched pictures."""

from typing import TYPE_CHECKING

from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.networks.picture_method import PictureMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.scratches_unet_net import ScratchesUNet

DEPTHS = (2, 3, 5)


class ScratchesUnet(PictureMethod):
    """The published U-Net for scratches, with the mask as a channel or blind as it was.

    See `inpaintbench.methods.networks.scratches_unet_net` for its source and departures.

    Parameters
    ----------
    depth : int
        How many times the encoder halves the picture: 2, 3 or 5.
    blind : bool
        Whether it is shown the picture alone, as published.
    """

    name = "scratches-unet"
    tasks = ("scratches",)
    limits = "it was trained on thin lines across 32x32 pixels in colour"
    symmetries: bool = False  # the published network used none
    depth: int = 3
    blind: bool = False

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            known = ", ".join(map(str, DEPTHS))
            raise InputError(f"scratches-unet has no depth {self.depth}; there are {known}")

    @property
    def task(self) -> Task:
        """The scratches task."""
        from inpaintbench.datasets.tasks import scratches

        return scratches

    @property
    def weights_name(self) -> str:
        """What its weights file is called: `scratches-unet-3`, or `scratches-unet-3-blind`."""
        return f"scratches-unet-{self.depth}{'-blind' if self.blind else ''}"

    def build(self) -> "ScratchesUNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.scratches_unet_net import ScratchesUNet

        return ScratchesUNet(self.depth, self.blind)
