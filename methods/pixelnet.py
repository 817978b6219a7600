"""PixelNet, a published network for the centre pixel."""

from typing import TYPE_CHECKING

import numpy as np

from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.tasks.center_pixel import COUNTS
from inpaintbench.methods.networks.patch_method import PatchMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.restorer import Restorer

PATCHES = (5, 7, 9, 11)
KINDS = ("cnn", "fc", "classes")


class Pixelnet(PatchMethod):
    """The networks of PixelNet: convolutional and fully connected regression, classification.

    See `inpaintbench.methods.networks.pixelnet_net` for the layers. Departures in training: windows
    drawn anew from photographs stand for the sliding patches of a few thousand, AdamW for Adam.
    Intensities outside of the published range, such as those of 8 bits, are stretched to it by
    their smallest and largest known value. Weights of patch=7 and kind=cnn are shipped; others are
    made by `inpaintbench train pixelnet:patch=...:kind=...`.

    Parameters
    ----------
    patch : int
        Side of the patch: 5, 7, 9 or 11 pixels.
    kind : str
        "cnn" and "fc" (fully connected) regress the centre, "classes" has a class for every count.
    """

    name = "pixelnet"
    symmetries: bool = False  # the published network used none
    patch: int = 7
    kind: str = "cnn"

    def __post_init__(self) -> None:
        if self.patch not in PATCHES:
            raise InputError(f"pixelnet has no patch {self.patch}; there are {PATCHES}")
        if self.kind not in KINDS:
            raise InputError(f"pixelnet has no kind {self.kind!r}; there are {', '.join(KINDS)}")

    @property
    def weights_name(self) -> str:
        """What its weights file is called, such as `pixelnet-cnn-7`."""
        return f"pixelnet-{self.kind}-{self.patch}"

    @property
    def side(self) -> int:
        """Pixels a side of the patch that the network sees."""
        return self.patch

    def build(self) -> "Restorer":
        """Make the untrained network."""
        from inpaintbench.methods.networks.pixelnet_net import PixelNetClasses, PixelNetNet

        if self.kind == "classes":
            return PixelNetClasses(self.patch)
        return PixelNetNet(self.patch, self.kind)

    def stretch(self, known: Array) -> tuple[float, float]:
        """Keep counts of the published range as they are; stretch others to it."""
        low, high = float(known.min()), float(known.max())
        if known.dtype == np.uint16 and COUNTS[0] <= low and high <= COUNTS[1]:
            return super().stretch(known)
        span = max(high - low, 1.0) * np.iinfo(np.uint16).max / (COUNTS[1] - COUNTS[0])
        return low - COUNTS[0] / np.iinfo(np.uint16).max * span, span
