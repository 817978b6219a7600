"""The first ten convolutions of VGG19, from a file of torchvision's weights."""

from functools import lru_cache

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from inpaintbench.datasets.errors import InputError
from inpaintbench.methods.weights import WeightsFile

# Channels of each convolution up to conv4_2; "M" is max pooling.
LAYERS = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in 0..1


class Vgg19(nn.Module):
    """VGG19 up to conv4_2, before its ReLU (K. Simonyan and A. Zisserman 2015).

    Names and shapes are those of torchvision's `vgg19().features`, so that its weights fit.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in LAYERS:
            if isinstance(width, str):
                layers.append(nn.MaxPool2d(2, ceil_mode=True))  # also of a single pixel
            else:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
                before = width
        self.features = nn.Sequential(*layers[:-1])

    def forward(self, pictures: Tensor) -> Tensor:
        """Map `(N, 3, H, W)` in 0..1 to conv4_2: `(N, 512, H / 8, W / 8)`, rounded up."""
        mean, deviation = (
            pictures.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION)
        )
        features: Tensor = self.features((pictures - mean) / deviation)
        return features


@lru_cache(maxsize=1)
def load_vgg(file: WeightsFile, device: str) -> Vgg19:
    """Load the weights from a safetensors file with torchvision's names; others are left out.

    Raises
    ------
    InputError
        If the file cannot be read, or does not hold them.
    """
    network = Vgg19()
    try:
        held = safetensors.torch.load_file(file.path)
        wanted = {name: held[name].float() for name in network.state_dict()}
        network.load_state_dict(wanted)
    except OSError as error:
        raise InputError(f"cannot read the weights {file.path}: {error}") from error
    except KeyError as error:
        raise InputError(
            f"{file.path} does not hold VGG19's weights: {error} is missing"
        ) from error
    except (SafetensorError, RuntimeError) as error:
        message = " ".join(str(error).splitlines()[:2])
        raise InputError(f"{file.path} does not hold VGG19's weights: {message}") from error
    return network.requires_grad_(False).eval().to(device)


def total_variation(pictures: Tensor) -> Tensor:
    """Mean squared difference of neighbours, in either direction, of pictures `(N, C, H, W)`."""
    total = pictures.new_zeros(())
    for axis in (2, 3):
        if pictures.shape[axis] > 1:
            total = total + torch.diff(pictures, dim=axis).square().mean()
    return total
