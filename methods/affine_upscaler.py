"""The published network for enlarging pictures, to be trained by whoever wants to see it."""

from typing import TYPE_CHECKING, ClassVar

from inpaintbench.datasets.cases import UPSCALE
from inpaintbench.datasets.tasks import upscale
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.networks.picture_method import PictureMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.affine_net import AffineNet


class AffineUpscaler(PictureMethod):
    """The published 85-million-parameter network without a nonlinearity, for squares of 64x64.

    Its weights have 170 MB and are not shipped: `inpaintbench train affine-upscaler` makes them,
    and `weights` names them. `least-squares-upscaler` is its honest equal. See
    `inpaintbench.methods.networks.affine_net` for its source and departures.
    """

    name = "affine-upscaler"
    task: ClassVar[Task] = upscale
    tasks = UPSCALE
    limits = "it only enlarges pictures, to twice their size"
    needs_file = True
    symmetries: bool = False

    def build(self) -> "AffineNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks.affine_net import AffineNet

        return AffineNet()
