"""Our own network for pictures of which a grid is known."""

from typing import TYPE_CHECKING, ClassVar

from inpaintbench.datasets.tasks import grid
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.networks.picture_method import PictureMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.picture_unet import PictureUNet


class GridCnn(PictureMethod):
    """A residual U-Net that corrects a smooth fill between the known pixels of a grid.

    See `inpaintbench.methods.networks.picture_unet` for the architecture and its sources, and the
    model card beside the weights for what it was trained on.
    """

    name = "grid-cnn"
    task: ClassVar[Task] = grid
    tasks = ("grid",)
    limits = "it was trained on grids of known pixels"
    corner = 48

    def build(self) -> "PictureUNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.picture_unet import PictureUNet

        return PictureUNet(3, (48, 96, 128), (3, 2, 2))
