"""A picture that VGG19 sees as it sees the brightened one, but smooth."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inpaintbench.datasets.cases import LOW_LIGHT, Array, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.methods.gain import brightened
from inpaintbench.methods.method import Method, highest_value
from inpaintbench.methods.networks.network_method import choose_device
from inpaintbench.methods.weights import WeightsFile

if TYPE_CHECKING:
    from inpaintbench.methods.networks.vgg import Vgg19

HOW = (
    "vgg-inversion needs VGG19's weights, which cannot be bundled: with torchvision, "
    "safetensors.torch.save_file(torchvision.models.vgg19(weights='IMAGENET1K_V1').state_dict(), "
    "'vgg19.safetensors'), and then --methods vgg-inversion:weights=vgg19.safetensors"
)


class VggInversion(Method):
    """Inversion of VGG19's features: Adam changes pixels, and conv4_2 stays what it is.

    As published: features of conv4_2, frozen ImageNet weights, Adam on the pixels, 9000 steps. The
    published one started from the clean picture, so it never restored anything. This one starts
    from the degraded picture, brightened, whose features are also the goal, since nothing else is
    known. What restores is then the total variation that is kept low besides: pixels become smooth
    where the features do not mind. A. Mahendran and A. Vedaldi, "Understanding deep image
    representations by inverting them", CVPR 2015, for both terms, of which the first is relative to
    the goal's size as theirs.

    The strength of the smoothing has not been tuned on VGG19's own weights, which were not at hand.

    Parameters
    ----------
    weights : str
        Path of a safetensors file of torchvision's `vgg19` weights. Without one it says how to
        make it.
    steps : int
        Of Adam.
    rate : float
        Its learning rate, in shares of the value range.
    smoothness : float
        Weight of the total variation: mean squared differences of neighbours in 0..1.
    device : str
        "auto" takes a GPU if there is one; or "cpu", "cuda", "cuda:1".
    """

    name = "vgg-inversion"
    family = "network"
    tasks = LOW_LIGHT
    limits = "it brightens dark pictures, and fills no holes"
    needs_file = True
    weights: str = ""
    steps: int = 9000
    rate: float = 0.01
    smoothness: float = 10.0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.steps < 0 or not self.rate > 0 or not self.smoothness >= 0:
            raise ValueError("steps and smoothness must be 0 or more, rate over 0")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture; a grey one is shown to the network as three equal channels.

        Raises
        ------
        InputError
            If `weights` names no file, or one without VGG19's weights.
        """
        import torch

        from inpaintbench.methods.networks.vgg import total_variation

        network, highest = self._network(), highest_value(observation)
        bright = np.atleast_3d(brightened(observation) / highest).astype(np.float32)
        start = torch.from_numpy(bright).movedim(-1, 0)[None].to(choose_device(self.device))
        goal = network(start.expand(-1, 3, -1, -1))
        size = goal.square().mean().clamp_min(1e-12)
        pixels = start.clone().requires_grad_()
        adam = torch.optim.Adam([pixels], self.rate)
        for _ in range(self.steps):
            adam.zero_grad()
            unlike = (network(pixels.expand(-1, 3, -1, -1)) - goal).square().mean() / size
            (unlike + self.smoothness * total_variation(pixels)).backward()
            adam.step()
            with torch.no_grad():
                pixels.clamp_(0, 1)
        picture = pixels.detach()[0].movedim(0, -1).cpu().double().numpy() * highest
        return picture.reshape(observation.image.shape)

    def load(self) -> None:
        """Load torch and the network."""
        self._network()

    def _network(self) -> "Vgg19":
        from inpaintbench.methods.networks.vgg import load_vgg

        return load_vgg(WeightsFile.now(self._path()), choose_device(self.device))

    def _path(self) -> Path:
        """Where its weights are; an `InputError` if nowhere."""
        if not self.weights:
            raise InputError(HOW)
        path = Path(self.weights)
        if not path.is_file():
            raise InputError(f"there is no file {path}: {HOW}")
        return path

    def weights_sha256(self) -> str:
        """Hash of the weights' file.

        Raises
        ------
        InputError
            If `weights` names no file.
        """
        return hashlib.sha256(self._path().read_bytes()).hexdigest()
