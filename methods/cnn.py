"""Our own network: a residual U-Net on a window around the hole."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.methods.method import check_choice
from inpaintbench.methods.networks.window_method import WindowMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.residual_unet import ResidualUNet

SIZES = ("large", "small")


class Cnn(WindowMethod):
    """A residual U-Net that corrects the harmonic fill of a window, trained for squared error.

    See `inpaintbench.methods.networks.residual_unet` for the architecture and its sources, and the
    model card beside the weights for what it was trained on.

    Parameters
    ----------
    size : str
        "large" (weights of 20 MB at the most) or "small" (2 MB, for a CPU).
    """

    name = "cnn"
    size: str = "large"

    def __post_init__(self) -> None:
        check_choice("size", self.size, SIZES)
        self._last: tuple[list[Observation], list[Array]] = ([], [])

    @property
    def weights_name(self) -> str:
        """What its weights file is called: `cnn` or `cnn-small`."""
        return "cnn" if self.size == "large" else f"cnn-{self.size}"

    def restore_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore pictures, and remember what errors to expect: both come of one pass."""
        answers = list(self._restored(observations))
        self._last = list(observations), [error for _, error in answers]
        return [picture for picture, _ in answers]

    def expected_errors(self, observations: Sequence[Observation]) -> list[Array] | None:
        """Expect a squared error for every hidden pixel, as the network learned to."""
        if [id(o) for o in observations] != [id(o) for o in self._last[0]]:
            self.restore_batch(observations)
        errors = self._last[1]
        return None if all(np.isnan(error).all() for error in errors) else errors

    def build(self) -> "ResidualUNet":
        """Make the untrained network."""
        from inpaintbench.methods.networks import residual_unet

        return residual_unet.large() if self.size == "large" else residual_unet.small()
