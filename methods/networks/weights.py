"""Networks' weights: float16 tensors in safetensors files, each with its model card."""

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from inpaintbench.datasets.errors import InputError
from inpaintbench.methods.weights import WeightsFile, read_weights, write_weights

if TYPE_CHECKING:
    from inpaintbench.methods.networks.network_method import NetworkMethod


Network = TypeVar("Network", bound=nn.Module)


def save_weights(network: nn.Module, path: Path, card: dict[str, Any]) -> None:
    """Write weights as float16 to `path`, and the card with their SHA-256 beside it as TOML.

    Whole numbers, such as the updates that batch normalisation counts, stay what they are.
    """
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in network.state_dict().items()
    }
    write_weights(safetensors.torch.save(state), path, card)


def load_weights(network: nn.Module, path: Path, grown: bool = False) -> None:
    """Load weights that were saved by `save_weights`, as float32.

    `grown` allows a network that has grown since: what the file does not hold keeps its start, but
    all that the file holds must be of the network.

    Raises
    ------
    InputError
        If the file cannot be read, its hash is not the card's, or it belongs to another network.
    """
    data = read_weights(path)
    try:
        state = {
            name: value.float() if value.is_floating_point() else value
            for name, value in safetensors.torch.load(data).items()
        }
        strange = sorted(set(state) - set(network.state_dict()))
        if strange or not state:
            what = f"it holds {strange[0]}" if strange else "it is empty"
            raise InputError(f"{path} does not hold the weights of this network: {what}")
        network.load_state_dict(state, strict=not grown)
    except (SafetensorError, RuntimeError) as error:
        message = " ".join(str(error).splitlines()[:2])
        raise InputError(f"{path} does not hold the weights of this network: {message}") from error


def loaded(method: "NetworkMethod", device: str) -> nn.Module:
    """Give a method's network with its weights, ready to restore; kept for the next call."""
    return _loaded(type(method), method.params_json, method.weights_file, device)


@lru_cache(maxsize=8)
def _loaded(kind: "type[NetworkMethod]", params: str, file: WeightsFile, device: str) -> nn.Module:
    network = kind(**json.loads(params)).build()
    load_weights(network, file.path)
    network.requires_grad_(False)
    return channels_last(network.eval().to(device))


def channels_last(network: Network) -> Network:
    """Lay the weights out as convolutions are fastest with, on CPUs and GPUs alike."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
