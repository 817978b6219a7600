"""What all network methods have in common: windows in, restored holes out."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import highest_value
from inpaintbench.methods.networks import windows
from inpaintbench.methods.weights import WeightedMethod

if TYPE_CHECKING:
    from torch import nn

BATCH = 64  # windows, and pictures, at a time; bounds the memory, not the result


class NetworkMethod(WeightedMethod):
    """A network that restores 64x64 windows around holes.

    Each connected hole gets a window of its own, and each colour channel is restored by itself. A
    hole too large for a window (over 48 pixels) keeps its harmonic fill. Runs in float32, so that
    a restoration does not depend on the machine's shortcuts.

    Parameters
    ----------
    symmetries : bool
        Average over the 8 flips and transposes of the window, at 8 times the cost.
    device : str
        "auto" takes a GPU if there is one; or "cpu", "cuda", "cuda:1".
    """

    family = "network"
    symmetries: bool = True
    device: str = "auto"

    @staticmethod
    @abstractmethod
    def build() -> "nn.Module":
        """Make the untrained network: `forward(filled, mask)` as `ResidualUNet` has it."""

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return self.restore_batch([observation])[0]

    def restore_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore several pictures; their windows share batches."""
        parts = range(0, len(observations), BATCH)  # so that few windows are held at a time
        return [p for first in parts for p in self._restore(observations[first : first + BATCH])]

    def _restore(self, observations: Sequence[Observation]) -> list[Array]:
        filled = [_filled_channels(observation) for observation in observations]
        places, cuts = [], []
        for number, observation in enumerate(observations):
            for hole in windows.holes(observation.mask):
                if windows.fits(hole) and not observation.mask.all():
                    for channel in range(filled[number].shape[0]):
                        places.append((number, channel))
                        cuts.append(windows.cut(filled[number][channel], observation.mask, hole))
        for first in range(0, len(cuts), BATCH):
            part = slice(first, first + BATCH)
            for (number, channel), window, restored in zip(
                places[part], cuts[part], self._predict(cuts[part]), strict=True
            ):
                windows.paste(filled[number][channel], observations[number].mask, window, restored)
        return [_picture(planes, o) for planes, o in zip(filled, observations, strict=True)]

    def _predict(self, cuts: Sequence[windows.Window]) -> NDArray[np.float64]:
        """Restore windows of 0..1: `(N, SIDE, SIDE)`, clipped to 0..1."""
        import torch

        from inpaintbench.methods.networks.weights import loaded

        device = choose_device(self.device)
        network = loaded(self.build, self.weights_file, device)
        pixels = np.stack([window.pixels for window in cuts]).astype(np.float32)
        masks = np.stack([window.mask for window in cuts]).astype(np.float32)
        image, mask = (torch.from_numpy(a).unsqueeze(1).to(device) for a in (pixels, masks))
        total = torch.zeros_like(image)
        ways = [(flip, swap) for flip in ((), (2,), (3,), (2, 3)) for swap in (False, True)]
        ways = ways if self.symmetries else ways[:1]
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            for flip, swap in ways:
                turned = [
                    t.flip(flip).transpose(2, 3) if swap else t.flip(flip) for t in (image, mask)
                ]
                output = network(*turned)
                total += (output.transpose(2, 3) if swap else output).flip(flip)
        restored = (total / len(ways)).clamp(0, 1).squeeze(1).cpu().numpy()
        return np.asarray(restored, np.float64)


def choose_device(name: str) -> str:
    """Turn "auto" into "cuda" where there is a GPU, else "cpu"; check other names.

    Raises
    ------
    InputError
        If there is no such device.
    """
    import torch

    gpus = torch.cuda.device_count()
    devices = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{number}" for number in range(gpus))]
    if name == "auto":
        return "cuda" if gpus else "cpu"
    if name not in devices:
        raise InputError(f"there is no device {name!r} here; there are {', '.join(devices)}")
    return name


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
