"""Our own network for pictures whose border is unknown."""

from typing import TYPE_CHECKING, ClassVar

from inpaintbench.datasets.tasks import border
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.networks.picture_method import PictureMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.picture_unet import PictureUNet


class BorderCnn(PictureMethod):
    """A residual U-Net that corrects a smooth fill of the pixels in the border.

    See `inpaintbench.methods.networks.picture_unet` for the architecture and its sources, and the
    model card beside the weights for what it was trained on.
    """

    name = "border-cnn"
    task: ClassVar[Task] = border
    tasks = ("border",)
    limits = "it was trained on unknown borders"
    corner = 48

    def build(self) -> "PictureUNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.picture_unet import PictureUNet

        return PictureUNet(1, (48, 96, 128), (2, 2, 3))
