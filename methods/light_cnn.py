"""The published network for low light."""

from typing import TYPE_CHECKING, ClassVar

from inpaintbench.datasets.cases import LOW_LIGHT
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.datasets.tasks.low_light import MIXED
from inpaintbench.methods.networks.picture_method import PictureMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.light_net import PublishedLightNet


class LightCnn(PictureMethod):
    """The 16-layer network of a published project on pictures in low light.

    See `inpaintbench.methods.networks.light_net` for its layers and departures. It is trained on
    all kinds of noise, each as likely, for squared error in 0..255 as published.
    """

    name = "light-cnn"
    task: ClassVar[Task] = MIXED
    tasks = LOW_LIGHT
    limits = "it brightens dark pictures, and fills no holes"
    corner = 32
    symmetries: bool = False  # the published network used none

    def build(self) -> "PublishedLightNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.light_net import PublishedLightNet

        return PublishedLightNet()
