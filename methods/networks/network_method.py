"""What all network methods have in common: windows in, restored holes out."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
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
    from inpaintbench.methods.networks.window_network import WindowNetwork

BATCH = 64  # windows, and pictures, at a time; bounds the memory, not the result
GPU_BATCHES = 16  # as many times more keep a GPU busy


class NetworkMethod(WeightedMethod):
    """A network that restores 64x64 windows around holes.

    Each connected hole gets a window of its own, and each colour channel is restored by itself. A
    hole too large for a window (over 48 pixels) keeps its harmonic fill. Computes in bfloat16 where
    the device is fast at it, else in float32: the challenge MSE is the same to within a few tenths
    of a percent.

    Parameters
    ----------
    symmetries : bool
        Average over the 8 flips and transposes of the window, at 8 times the cost.
    device : str
        "auto" takes a GPU if there is one; or "cpu", "cuda", "cuda:1".
    """

    family = "network"
    tasks = ("crop", "scratches")
    limits = "it was trained on small holes in pictures that use all of 0..255"
    symmetries: bool = True
    device: str = "auto"

    @abstractmethod
    def build(self) -> "WindowNetwork":
        """Make the untrained network."""

    def load(self) -> None:
        """Load torch and the network."""
        from inpaintbench.methods.networks.weights import loaded

        loaded(self, choose_device(self.device))

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return self.restore_batch([observation])[0]

    def restore_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore several pictures; their windows share batches."""
        return [picture for picture, _ in self._restored(observations)]

    def _restored(self, observations: Sequence[Observation]) -> Iterator[tuple[Array, Array]]:
        """Restore, few pictures at a time so that few windows are held: pictures and errors."""
        at_once = BATCH * (GPU_BATCHES if choose_device(self.device) != "cpu" else 1)
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

        from inpaintbench.methods.networks.weights import loaded

        device = choose_device(self.device)
        network = loaded(self, device)
        pixels = np.stack([window.pixels for window in cuts]).astype(np.float32)
        masks = np.stack([window.mask for window in cuts]).astype(np.float32)
        image, mask = (torch.from_numpy(a).unsqueeze(1).to(device) for a in (pixels, masks))
        ways = [(flip, swap) for flip in ((), (2,), (3,), (2, 3)) for swap in (False, True)]
        ways = ways if self.symmetries else ways[:1]
        total: torch.Tensor | float = 0.0
        kind = torch.device(device).type
        quick = torch.autocast(kind, torch.bfloat16, enabled=fast_bfloat16(device))
        with torch.inference_mode(), quick:
            for flip, swap in ways:
                turned = [
                    t.flip(flip).transpose(2, 3) if swap else t.flip(flip) for t in (image, mask)
                ]
                output = network(*turned).float()
                total = total + (output.transpose(2, 3) if swap else output).flip(flip)
        assert isinstance(total, torch.Tensor)
        return np.asarray((total / len(ways)).cpu().numpy(), np.float64)


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


def fast_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 faster than float32: tensor cores, AMX, AVX-512."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


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
