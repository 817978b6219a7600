"""What all network methods have in common: a device, weights, symmetries, and their training."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.weights import WeightedMethod

if TYPE_CHECKING:
    from torch import Tensor

    from inpaintbench.methods.networks.examples import Examples
    from inpaintbench.methods.networks.restorer import Restorer

BATCH = 64  # windows, and pictures, at a time; bounds the memory, not the result
GPU_BATCHES = 16  # as many times more keep a GPU busy


class NetworkMethod(WeightedMethod):
    """A method that is a network, and can be trained by `inpaintbench train NAME`.

    A subclass says how a picture goes through the network, for which task that is trained and
    validated, and with what examples of it: `WindowMethod` shows it windows around holes,
    `PictureMethod` whole pictures, `PatchMethod` the patch around each hidden pixel. Computes in
    bfloat16 where the device is fast at it, else in float32.

    Parameters
    ----------
    symmetries : bool
        Average over the 8 flips and transposes of what the network sees, at 8 times the cost.
    device : str
        "auto" takes a GPU if there is one; or "cpu", "cuda", "cuda:1".

    Attributes
    ----------
    task : Task
        The one whose cases it is trained on and validated with, and whose colour it has.
    """

    family = "network"
    task: ClassVar[Task]
    symmetries: bool = True
    device: str = "auto"

    @abstractmethod
    def build(self) -> "Restorer":
        """Make the untrained network."""

    @abstractmethod
    def examples(self, pictures: Sequence[Array], seed: int, one_each: bool) -> "Examples":
        """Draw what the network is trained on, or validated with: see `Examples`."""

    def load(self) -> None:
        """Load torch and the network."""
        from inpaintbench.methods.networks.weights import loaded

        loaded(self, choose_device(self.device))

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return self.restore_batch([observation])[0]

    def _at_once(self) -> int:
        """How many windows or small pictures to restore at a time."""
        return BATCH * (GPU_BATCHES if choose_device(self.device) != "cpu" else 1)

    def output(self, shown: "Tensor", mask: "Tensor") -> "Tensor":
        """Give the network's output for a batch, on the CPU, averaged if `symmetries` says so."""
        import torch

        from inpaintbench.methods.networks.weights import loaded

        device = choose_device(self.device)
        network = loaded(self, device)
        shown, mask = shown.to(device), mask.to(device)
        ways = [(flip, swap) for flip in ((), (2,), (3,), (2, 3)) for swap in (False, True)]
        ways = ways if self.symmetries else ways[:1]
        total: torch.Tensor | float = 0.0
        kind = torch.device(device).type
        quick = torch.autocast(kind, torch.bfloat16, enabled=fast_bfloat16(device))
        with torch.inference_mode(), quick:
            for flip, swap in ways:
                turned = [
                    t.flip(flip).transpose(2, 3) if swap else t.flip(flip) for t in (shown, mask)
                ]
                output = network(*turned).float()
                total = total + (output.transpose(2, 3) if swap else output).flip(flip)
        assert isinstance(total, torch.Tensor)
        return (total / len(ways)).cpu()


def choose_device(name: str) -> str:
    """Turn "auto" into "cuda" where there is a GPU, else "cpu"; check other names.

    Raises
    ------
    InputError
        If there is no such device.
    """
    gpus = gpu_count()
    devices = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{number}" for number in range(gpus))]
    if name == "auto":
        return "cuda" if gpus else "cpu"
    if name not in devices:
        raise InputError(f"there is no device {name!r} here; there are {', '.join(devices)}")
    return name


def gpu_count() -> int:
    """Count the GPUs that can be used: a driver also counts those that it is too old for."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def fast_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 faster than float32: tensor cores, AMX, AVX-512."""
    import torch

    if device.startswith("cuda"):
        with torch.cuda.device(device):  # older GPUs only emulate it
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
