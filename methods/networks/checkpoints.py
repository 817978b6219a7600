"""Checkpoints of a training: written whole, and checked before one is gone on from."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import nn

from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import written_whole

KEPT = "a checkpoint before it is kept: go on from it with --resume"


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints beside and renames them, so that a kill in mid-write leaves the last."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint.

        Raises
        ------
        InputError
            If it cannot be written, as on a full disk; the one before is kept.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            with written_whole(path) as temporary:
                temporary.write_bytes(content.getbuffer())
        except InputError as error:
            raise InputError(f"{error}; {KEPT}") from error


class BestCheckpoint(ModelCheckpoint):
    """Keeps `best.ckpt`, and knows the best score when the folder was moved."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "best", monitor="validation_mse", enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a checkpoint's state over, as if it had been made in this folder."""
        best = str(Path(self.dirpath or "") / "best.ckpt")
        here = {
            "dirpath": self.dirpath,
            "best_model_path": best,
            "kth_best_model_path": best,
            "best_k_models": {best: state_dict["best_model_score"]},
        }
        super().load_state_dict(state_dict | here)


def check_checkpoint(path: Path, origin: dict[str, Any], network: nn.Module) -> None:
    """Check that a checkpoint can be gone on from.

    Parameters
    ----------
    path : its file
    origin : what the training that goes on was given, and must have been given before
    network : the one that is trained

    Raises
    ------
    InputError
        If the checkpoint is missing or damaged, was made with anything else, or is of a network of
        other layers.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        made = checkpoint["origin"]
        found = {name: value.shape for name, value in checkpoint["state_dict"].items()}
    except Exception as error:  # a damaged file may fail in any way whatever
        message = f"{path} is damaged or missing: {error}; train anew in another --out"
        raise InputError(message) from error
    for key, now in origin.items():
        if made.get(key) != now:
            raise InputError(
                f"{path} was made with {key} = {made.get(key)!r}, not {now!r}; give the same again "
                "(settings.toml beside it has all), or choose another --out"
            )
    expected = {f"network.{name}": value.shape for name, value in network.state_dict().items()}
    if found != expected:
        strange = min(dict(found.items() ^ expected.items()))
        raise InputError(
            f"{path} is of a network with other layers, such as {strange}; choose another --out"
        )
