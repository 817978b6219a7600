"""Network methods that see windows: what stands around a hole goes in, the restored hole out."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.datasets.tasks import crop
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import highest_value
from inpaintbench.methods.networks import windows
from inpaintbench.methods.networks.network_method import NetworkMethod

if TYPE_CHECKING:
    from inpaintbench.methods.networks.crops import Crops


class WindowMethod(NetworkMethod):
    """A network that restores 64x64 windows around holes.

    Each connected hole gets a window of its own, and each colour channel is restored by itself. A
    hole too large for a window (over 48 pixels) keeps its harmonic fill. In bfloat16 the challenge
    MSE is the same to within a few tenths of a percent.

    Attributes
    ----------
    several : bool
        In training, whether a window has further holes beside the one in its middle: see `Crops`.
    """

    task: ClassVar[Task] = crop
    tasks = ("crop", "scratches")
    limits = "it was trained on small holes in pictures that use all of 0..255"
    several: ClassVar[bool] = True

    def examples(self, pictures: Sequence[Array], seed: int, one_each: bool) -> "Crops":
        """Draw windows around the challenge's crops."""
        from inpaintbench.methods.networks.crops import Crops

        return Crops(pictures, seed, one_each, self.several)

    def caveat(self, mask: Mask) -> str:
        """Say whether a hole is too large."""
        if all(windows.fits(hole) for hole in windows.holes(mask)):
            return ""
        side = windows.SIDE - 2 * windows.CONTEXT
        return f"a hole of over {side} pixels a side does not fit it: kept its harmonic fill"

    def restore_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore several pictures; their windows share batches."""
        return [picture for picture, _ in self._restored(observations)]

    def _restored(self, observations: Sequence[Observation]) -> Iterator[tuple[Array, Array]]:
        """Restore, few pictures at a time so that few windows are held: pictures and errors."""
        at_once = self._at_once()
        for first in range(0, len(observations), at_once):
            yield from self._restore(observations[first : first + at_once], at_once)

    def _restore(
        self, observations: Sequence[Observation], at_once: int
    ) -> Iterator[tuple[Array, Array]]:
        filled = [_filled_channels(observation) for observation in observations]
        errors = [np.full_like(planes, np.nan) for planes in filled]
        places, cuts = [], []
        for number, observation in enumerate(observations):
            for hole in windows.holes(observation.mask):
                if windows.fits(hole) and not observation.mask.all():
                    for channel in range(filled[number].shape[0]):
                        places.append((number, channel))
                        cuts.append(windows.cut(filled[number][channel], observation.mask, hole))
        for first in range(0, len(cuts), at_once):
            part = slice(first, first + at_once)
            for (number, channel), window, (pixels, *doubt) in zip(
                places[part], cuts[part], self._predict(cuts[part]), strict=True
            ):
                mask = observations[number].mask
                windows.paste(filled[number][channel], mask, window, pixels.clip(0, 1))
                if doubt:
                    windows.paste(errors[number][channel], mask, window, np.exp(doubt[0]))
        for observation, planes, doubts in zip(observations, filled, errors, strict=True):
            errors_of_it = np.moveaxis(doubts, 0, -1).reshape(observation.image.shape)
            yield _picture(planes, observation), errors_of_it[observation.mask]

    def _predict(self, cuts: Sequence[windows.Window]) -> NDArray[np.float64]:
        """Restore windows of 0..1: `(N, 1 or 2, SIDE, SIDE)`, as `WindowNetwork.forward` gives."""
        import torch

        pixels = np.stack([window.pixels for window in cuts]).astype(np.float32)
        masks = np.stack([window.mask for window in cuts]).astype(np.float32)
        image, mask = (torch.from_numpy(a).unsqueeze(1) for a in (pixels, masks))
        return np.asarray(self.output(image, mask).numpy(), np.float64)


def _filled_channels(observation: Observation) -> NDArray[np.float64]:
    """Harmonic fill of each channel: `(channels, H, W)` in 0..1; mid-grey if nothing is known."""
    image = observation.image if observation.image.ndim == 3 else observation.image[..., None]
    planes = np.moveaxis(image, -1, 0) / highest_value(observation)
    if observation.mask.all():
        return np.full_like(planes, 0.5)
    return np.stack([harmonic_fill(plane, observation.mask) for plane in planes])


def _picture(planes: NDArray[np.float64], observation: Observation) -> Array:
    picture = np.moveaxis(planes, 0, -1) * highest_value(observation)
    return picture.reshape(observation.image.shape)
