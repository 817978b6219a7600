"""Network methods that see the patch around a hidden pixel, and answer with that pixel."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.datasets.tasks import center_pixel
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import per_channel
from inpaintbench.methods.networks.network_method import NetworkMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.examples import TaskCases

PATCHES = 16  # times as many at once as of windows, since they are small


class PatchMethod(NetworkMethod):
    """A network that restores the centre of a patch.

    Each hidden pixel gets a patch of its own, with the picture's mirror image beyond its border.
    Other hidden pixels in it are filled harmonically first: the network was trained on single ones.
    Colour channels are restored by themselves.
    """

    task: ClassVar[Task] = center_pixel
    tasks = ("center-pixel",)
    limits = "it was trained on single hidden pixels"

    @property
    @abstractmethod
    def side(self) -> int:
        """Pixels a side of the patch that the network sees."""

    def examples(self, pictures: Sequence[Array], seed: int, one_each: bool) -> "TaskCases":
        """Draw windows as the task does; the network takes the patch from their middle."""
        from inpaintbench.methods.networks.examples import TaskCases

        return TaskCases(self.task, pictures, seed, one_each)

    def restore_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore several pictures."""
        return [per_channel(self._fill, observation) for observation in observations]

    def stretch(self, known: Array) -> tuple[float, float]:
        """Say which value of a picture is 0 to the network, and how far above it 1 is.

        Parameters
        ----------
        known : (n,) array of uint8 or uint16
            The known pixels.
        """
        return 0.0, float(np.iinfo(known.dtype).max)

    def _fill(self, image: Array, mask: Mask) -> NDArray[np.float64]:
        """Fill the hidden pixels of an `(H, W)` image, some of which must be known."""
        low, span = self.stretch(image[~mask])
        filled = harmonic_fill(image, mask)
        around = np.pad((filled - low) / span, self.side // 2, mode="symmetric")
        patches = sliding_window_view(around, (self.side, self.side))[mask].astype(np.float32)
        at_once = self._at_once() * PATCHES
        parts = [patches[first : first + at_once] for first in range(0, len(patches), at_once)]
        centres = np.concatenate([self._centres(part) for part in parts]) * span + low
        filled[mask] = centres.clip(0, np.iinfo(image.dtype).max)
        return filled

    def _centres(self, patches: NDArray[np.float32]) -> NDArray[np.float64]:
        """Restore the centres of patches `(n, side, side)`."""
        import torch

        from inpaintbench.methods.networks.examples import centre_hidden

        shown, _, mask = centre_hidden(torch.from_numpy(patches)[:, None])
        return np.asarray(self.output(shown, mask).flatten().numpy(), np.float64)
