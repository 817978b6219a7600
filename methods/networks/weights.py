"""Weights as safetensors files, each with a model card beside it that holds its hash."""

import hashlib
import tomllib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors.torch
import tomli_w
import torch
from safetensors import SafetensorError
from torch import nn

from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import written_whole

SHIPPED = Path(__file__).parent / "trained"


def save_weights(network: nn.Module, path: Path, card: dict[str, Any]) -> None:
    """Write weights as float16 to `path`, and the card with their SHA-256 beside it as TOML."""
    state = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    data = safetensors.torch.save(state)
    card = card | {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    for target, content in (
        (path, data),
        (path.with_suffix(".toml"), tomli_w.dumps(card).encode()),
    ):
        with written_whole(target) as temporary:
            temporary.write_bytes(content)


def read_card(path: Path) -> dict[str, Any]:
    """Read the model card of a weights file.

    Raises
    ------
    InputError
        If there is none, or it is no TOML with a `sha256`.
    """
    card = path.with_suffix(".toml")
    try:
        content = tomllib.loads(card.read_text())
        str(content["sha256"])
    except OSError as error:
        raise InputError(f"cannot read the model card {card}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise InputError(f"{card} is no model card with a sha256: {error}") from error
    return content


def read_weights(path: Path) -> bytes:
    """Read a weights file whose hash is the one on its card.

    Raises
    ------
    InputError
        If the file or its card cannot be read, or the hashes differ.
    """
    expected = str(read_card(path)["sha256"])
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the weights {path}: {error.strerror}") from error
    actual = hashlib.sha256(data).hexdigest()
    if actual != expected:
        raise InputError(
            f"{path} has the wrong hash: its card says {expected[:12]}, the file is {actual[:12]}; "
            f"restore the file, or train it again"
        )
    return data


def load_weights(network: nn.Module, path: Path) -> None:
    """Load weights that were saved by `save_weights`, as float32.

    Raises
    ------
    InputError
        If the file cannot be read, its hash is not the card's, or it belongs to another network.
    """
    data = read_weights(path)
    try:
        state = {name: value.float() for name, value in safetensors.torch.load(data).items()}
        network.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        message = str(error).splitlines()[0]
        raise InputError(f"{path} does not hold the weights of this network: {message}") from error


@lru_cache(maxsize=8)
def loaded(build: Callable[[], nn.Module], path: Path, device: str) -> nn.Module:
    """Build a network with its weights, ready to restore; kept for the next call."""
    network = build()
    load_weights(network, path)
    network.requires_grad_(False)
    return channels_last(network.eval().to(device))


def channels_last(network: nn.Module) -> nn.Module:
    """Lay the weights out as convolutions are fastest with, on CPUs and GPUs alike."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
