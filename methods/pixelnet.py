"""PixelNet, a published network for the centre pixel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.tasks.center_pixel import COUNTS
from inpaintbench.methods.method import check_choice
from inpaintbench.methods.networks.patch_method import PatchMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.examples import TaskCases
    from inpaintbench.methods.networks.restorer import Restorer

# What there is of each parameter.
CHOICES: dict[str, tuple[int | str, ...]] = {
    "patch": (5, 7, 9, 11),
    "kind": ("cnn", "fc", "classes"),
    "loss": ("mse", "msle", "mae"),
    "answer": ("expected", "argmax"),
}


class Pixelnet(PatchMethod):
    """The networks of PixelNet: convolutional and fully connected regression, classification.

    See `inpaintbench.methods.networks.pixelnet_net` for the layers. Departures in training: a few
    patches each of ever new windows stand for all patches of 10,000, and AdamW for Adam unless
    `--optimizer` says so; `inpaintbench.benchmarks.pixelnet_recipe` has no departures.
    Intensities outside of the published range, such as those of 8 bits, are stretched to it by
    their smallest and largest known value. Weights of patch=7 and kind=cnn are shipped; others are
    made by `inpaintbench train pixelnet:patch=...:kind=...:loss=...`.

    Parameters
    ----------
    patch : int
        Side of the patch: 5, 7, 9 or 11 pixels.
    kind : str
        "cnn" and "fc" (fully connected) regress the centre, "classes" has a class for every count.
    loss : str
        What a regression minimises: "mse", "msle" or "mae", of scaled counts.
    answer : str
        What the classes answer with: the "expected" value, or that of the likeliest, "argmax".
    """

    name = "pixelnet"
    symmetries: bool = False  # the published network used none
    patch: int = 7
    kind: str = "cnn"
    loss: str = "mse"
    answer: str = "expected"

    def __post_init__(self) -> None:
        for field, known in CHOICES.items():
            check_choice(field, getattr(self, field), known)
        other = "loss" if self.kind == "classes" else "answer"
        if getattr(self, other) != CHOICES[other][0]:
            raise ValueError(f"there is no {other} to choose with kind={self.kind}")

    @property
    def weights_name(self) -> str:
        """What its weights file is called, such as `pixelnet-cnn-7`, or `pixelnet-cnn-7-mae`."""
        loss = "" if self.loss == "mse" else f"-{self.loss}"
        return f"pixelnet-{self.kind}-{self.patch}{loss}"

    @property
    def side(self) -> int:
        """Pixels a side of the patch that the network sees."""
        return self.patch

    def build(self) -> "Restorer":
        """Make the untrained network."""
        from inpaintbench.methods.networks.pixelnet_net import PixelNetClasses, PixelNetNet

        if self.kind == "classes":
            return PixelNetClasses(self.patch, self.answer)
        return PixelNetNet(self.patch, self.kind, self.loss)

    def examples(self, pictures: Sequence[Array], seed: int, one_each: bool) -> "TaskCases":
        """Slide patches over windows to train on; validation is the windows' centres."""
        from inpaintbench.methods.networks.examples import SlidingPatches

        if one_each:
            return super().examples(pictures, seed, one_each)
        return SlidingPatches(self.task, pictures, seed, self.patch)

    def stretch(self, known: Array) -> tuple[float, float]:
        """Keep counts of the published range as they are; stretch others to it."""
        low, high = float(known.min()), float(known.max())
        if known.dtype == np.uint16 and COUNTS[0] <= low and high <= COUNTS[1]:
            return super().stretch(known)
        span = max(high - low, 1.0) * np.iinfo(np.uint16).max / (COUNTS[1] - COUNTS[0])
        return low - COUNTS[0] / np.iinfo(np.uint16).max * span, span
