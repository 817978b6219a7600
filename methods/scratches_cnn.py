"""Our own network for scratched pictures."""

from typing import TYPE_CHECKING, ClassVar

from inpaintbench.datasets.tasks import scratches
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.networks.picture_method import PictureMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.picture_unet import PictureUNet


class ScratchesCnn(PictureMethod):
    """A residual U-Net that corrects a smooth fill of the pixels under scratches.

    See `inpaintbench.methods.networks.picture_unet` for the architecture and its sources, and the
    model card beside the weights for what it was trained on.
    """

    name = "scratches-cnn"
    task: ClassVar[Task] = scratches
    tasks = ("scratches",)
    limits = "it was trained on thin lines across 32x32 pixels in colour"

    def build(self) -> "PictureUNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.picture_unet import PictureUNet

        return PictureUNet(3, (64, 96, 128), (3, 4, 4))
