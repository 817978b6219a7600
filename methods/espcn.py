"""Our own network for enlarging pictures."""

from typing import TYPE_CHECKING, ClassVar

from inpaintbench.datasets.cases import UPSCALE
from inpaintbench.datasets.tasks import upscale
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.networks.picture_method import PictureMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.espcn_net import EspcnNet


class Espcn(PictureMethod):
    """A residual network at low resolution whose channels become pixels, for twice the size.

    See `inpaintbench.methods.networks.espcn_net` for the architecture and its sources, and the
    model card beside the weights for what it was trained on. The means of 2x2 pixels of its answer
    are the given picture, but for what leaves the range of its dtype.
    """

    name = "espcn"
    task: ClassVar[Task] = upscale
    tasks = UPSCALE
    limits = "it only enlarges pictures, to twice their size"
    corner = 64
    symmetries: bool = False

    def build(self) -> "EspcnNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.espcn_net import EspcnNet

        return EspcnNet()
