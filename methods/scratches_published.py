"""The networks of the U-Net report on scratched pictures, and of its survey."""

from typing import TYPE_CHECKING, ClassVar

from inpaintbench.datasets.tasks import scratches
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.method import check_choice
from inpaintbench.methods.networks.picture_method import PictureMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.scratches_nets import Padded

KINDS = (
    *("unet-2", "unet-3", "unet-5", "blind-unet-2", "blind-unet-3", "blind-unet-5"),
    *("conv-autoencoder", "denoising-autoencoder", "partial-conv", "gated-conv", "context-encoder"),
)


class ScratchesPublished(PictureMethod):
    """The networks that a report on scratched pictures trained or surveyed, in colour.

    `blind-unet-D` is the report's own at encoder depth D, `unet-D` the same with the mask as a
    channel, trained for hidden pixels alone as the others are. Depth is read as the number of
    levels, the bottleneck included, since only so depth 5 has the published widths.

    The report trained by Adam, 32 pictures an update, for 20 epochs of CIFAR-10; here AdamW with a
    cosine and averaged weights, for as long as the model card says. See the modules of
    `inpaintbench.methods.networks` for each network's source and further departures.

    Parameters
    ----------
    kind : str
        "unet-2", "unet-3", "unet-5", "blind-unet-2", "blind-unet-3", "blind-unet-5",
        "conv-autoencoder", "denoising-autoencoder", "partial-conv", "gated-conv" or
        "context-encoder".
    """

    name = "scratches-published"
    task: ClassVar[Task] = scratches
    tasks = ("scratches",)
    limits = "it was trained on thin lines across 32x32 pixels in colour"
    symmetries: bool = False  # the published networks used none
    kind: str = "unet-3"

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)

    @property
    def weights_name(self) -> str:
        """What its weights file is called, such as `scratches-unet-3`."""
        return f"scratches-{self.kind}"

    def build(self) -> "Padded":
        """Make the untrained network."""
        from inpaintbench.methods.networks.scratches_nets import Padded

        return Padded(self.kind)
