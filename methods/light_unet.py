"""Our own network for low light: a residual U-Net behind a detector of noise."""

from typing import TYPE_CHECKING, ClassVar

from inpaintbench.datasets.cases import LOW_LIGHT
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.datasets.tasks.low_light import MIXED
from inpaintbench.methods.networks.picture_method import PictureMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.light_net import LightUNet as Network


class LightUnet(PictureMethod):
    """A residual U-Net that corrects the brightened picture, with smooth fills for impulses.

    See `inpaintbench.methods.networks.light_net` for the network and the detector before it. One
    network serves all kinds of noise: it is trained on each as often.
    """

    name = "light-unet"
    task: ClassVar[Task] = MIXED
    tasks = LOW_LIGHT
    limits = "it brightens dark pictures, and fills no holes"
    corner = 48

    def build(self) -> "Network":
        """Make the untrained network: 0.8 million parameters."""
        from inpaintbench.methods.networks.light_net import LightUNet

        return LightUNet((48, 64, 96), (1, 2, 2))
