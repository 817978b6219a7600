"""Training of the networks: minimise the challenge MSE on crops of photographs, with lightning.

Read `train` first. AdamW (Loshchilov and Hutter 2019), a warm-up and a cosine to 0 over the time
given, gradient clipping, an exponential average of the weights (which is what is validated and
kept), bfloat16 where the device is fast at it. The loss of a crop is its mean squared error over
hidden pixels, so the mean loss is the challenge MSE itself.
"""

import logging
import math
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from torch import Tensor
from torch.utils.data import DataLoader

from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import make_folder, written_whole
from inpaintbench.methods.networks.crops import Crops, EpochSampler
from inpaintbench.methods.networks.network_method import NetworkMethod, choose_device
from inpaintbench.methods.networks.weights import channels_last, save_weights
from inpaintbench.methods.photographs import announced_split

Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Settings:
    """What decides a training, besides the network and the photographs."""

    minutes: float = 60.0  # of training in all, over every resumption
    batch: int = 64  # crops an update
    epoch_crops: int = 12_800  # crops between validations
    learning_rate: float = 1e-3  # the highest
    warm_up: float = 0.02  # share of the minutes
    weight_decay: float = 0.01
    gradient_norm: float = 1.0  # gradients are clipped to it
    average_decay: float = 0.999  # of the weights' exponential average, per update
    seed: int = 0
    workers: int = 1  # processes that draw crops


def challenge_loss(restored: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over each crop's hidden pixels, in grey levels of 0..255: `(N,)`."""
    squared = ((restored - truth) * 255).square() * mask
    return squared.sum((1, 2, 3)) / mask.sum((1, 2, 3))


class Trainee(lightning.LightningModule):
    """A network with its loss, schedule and history, as lightning trains it."""

    def __init__(self, method: type[NetworkMethod], settings: Settings, folder: Path) -> None:
        super().__init__()
        self.method = method.name
        self.network = channels_last(method.build())
        self.settings = settings
        self.folder = folder
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0  # of training so far, over every resumption
        self.losses: list[Tensor] = []
        self.validation: list[Tensor] = []

    def on_train_start(self) -> None:
        """Start the clock."""
        self.clock = time.monotonic()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Make the optimiser; its learning rate is set before every update."""
        s = self.settings
        return torch.optim.AdamW(
            self.network.parameters(), s.learning_rate, (0.9, 0.99), weight_decay=s.weight_decay
        )

    def on_train_batch_start(self, _batch: Batch, _index: int) -> None:
        """Set the learning rate for the time that is over."""
        now = time.monotonic()
        self.seconds, self.clock = self.seconds + now - self.clock, now
        progress = min(1.0, self.seconds / (60 * self.settings.minutes))
        warm = min(1.0, (progress + 1e-3) / self.settings.warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.settings.learning_rate * warm * cosine

    def on_train_batch_end(self, _outputs: Any, _batch: Batch, _index: int) -> None:
        """Stop when the time is over; lightning then validates once more."""
        if self.seconds >= 60 * self.settings.minutes:
            self.trainer.should_stop = True

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """Compute the loss of a batch, scaled so that it is about 1."""
        filled, truth, mask = batch
        loss = challenge_loss(self.network(filled, mask), truth, mask).mean()
        self.losses.append(loss.detach())
        return loss / 1000

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Compute the challenge MSE of each crop of a batch."""
        filled, truth, mask = batch
        self.validation.append(challenge_loss(self.network(filled, mask), truth, mask))

    def on_validation_epoch_end(self) -> None:
        """Log the validation score, and renew history and picture."""
        score = float(torch.cat(self.validation).mean())
        self.log("validation_mse", score)
        self.validation.clear()
        entry = {
            "minutes": self.seconds / 60,
            "crops": float(self.global_step * self.settings.batch),
            "train_mse": float(torch.stack(self.losses).mean()),
            "validation_mse": score,
        }
        self.losses.clear()
        self.history.append(entry)
        table = pd.DataFrame(self.history)
        with written_whole(self.folder / "history.csv") as temporary:
            table.to_csv(temporary, index=False)
        plot_history(table, self.folder / "loss.png")
        print(
            f"{entry['minutes']:6.1f} of {self.settings.minutes:g} min",
            f"{entry['crops']:11,.0f} crops",
            f"train {entry['train_mse']:7.1f}",
            f"validation {score:7.1f}",
            f"best {table['validation_mse'].min():7.1f}",
            sep="   ",
            flush=True,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save what lightning does not know of."""
        checkpoint["method"] = self.method
        checkpoint["history"] = self.history
        checkpoint["seconds"] = self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on where the checkpoint was made."""
        self.history = checkpoint["history"]
        self.seconds = checkpoint["seconds"]


def train(
    method: type[NetworkMethod],
    images: Sequence[str],
    folder: Path,
    settings: Settings,
    device: str = "auto",
    resume: bool = False,
) -> dict[str, Any]:
    """Train a method's network on photographs, and write its weights with a model card.

    Parameters
    ----------
    method : the network method to train
    images : folders or zip archives of photographs; a tenth of each is held out for validation
    folder : receives `NAME.safetensors`, its card `NAME.toml`, `loss.png`, `history.csv` and the
        checkpoints `last.ckpt` (after every epoch) and `best.ckpt`
    settings : see `Settings`
    device : "auto", "cpu" or "cuda"
    resume : go on from `last.ckpt`

    Returns
    -------
    dict
        The model card.

    Raises
    ------
    InputError
        If no photographs can be used, the device is not there, or `resume` does not fit the folder.
    """
    device = choose_device(device)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # it advertises
    warnings.filterwarnings("ignore", module="lightning")  # about its own insides
    last, best = folder / "last.ckpt", folder / "best.ckpt"
    if last.exists() != resume:
        hint = "there is none: leave --resume out" if resume else "add --resume, or another --out"
        raise InputError(f"{last} {'does not exist' if resume else 'exists'}; {hint}")
    make_folder(folder)
    if resume:
        _check_checkpoint(last, method.name)
    lightning.seed_everything(settings.seed, verbose=False)
    training, validation = announced_split(images, "train on")
    trainee = Trainee(method, settings, folder)
    checkpoints = ModelCheckpoint(
        folder, "best", monitor="validation_mse", save_last=True, enable_version_counter=False
    )
    trainer = lightning.Trainer(
        accelerator="gpu" if device.startswith("cuda") else "cpu",
        devices=[torch.device(device).index or 0] if device.startswith("cuda") else 1,
        precision="bf16-mixed" if _fast_bfloat16(device) else "32-true",
        max_epochs=-1,
        gradient_clip_val=settings.gradient_norm,
        callbacks=[WeightAveraging(avg_fn=averaging(settings.average_decay)), checkpoints],
        logger=False,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    workers: dict[str, Any] = {"batch_size": settings.batch, "num_workers": settings.workers}
    if settings.workers:
        workers |= {"persistent_workers": True, "prefetch_factor": 8}
    shown = Crops(training, settings.seed)
    held_out = Crops(validation, settings.seed, one_each=True)
    trainer.fit(
        trainee,
        DataLoader(shown, sampler=EpochSampler(settings.epoch_crops), drop_last=True, **workers),
        DataLoader(held_out, settings.batch),
        ckpt_path=last if resume else None,
        weights_only=True,  # nothing but tensors, numbers and containers
    )
    state = torch.load(best, map_location="cpu", weights_only=True)["state_dict"]
    trainee.load_state_dict(state)
    card = _card(method, images, trainee, len(training), len(held_out))
    save_weights(trainee.network, folder / f"{method.name}.safetensors", card)
    return card


def _check_checkpoint(path: Path, name: str) -> None:
    """Raise an `InputError` where a checkpoint is damaged or belongs to another network."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True).get("method")
    except Exception as error:  # a damaged file may fail in any way whatever
        raise InputError(f"{path} is damaged: {error}; train anew in another --out") from error
    if found != name:
        raise InputError(f"{path} is of the network {found}, not {name}; choose another --out")


def averaging(decay: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Make the exponential average's step, with a shorter memory at first (as in TensorFlow's EMA).

    A fixed decay of 0.999 would remember the random start for thousands of updates.
    """

    def step(average: Tensor, current: Tensor, count: Tensor) -> Tensor:
        return torch.lerp(current, average, min(decay, (1 + int(count)) / (10 + int(count))))

    return step


def _fast_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 faster than float32: tensor cores or AMX."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_amx_tile_supported())


def _card(
    method: type[NetworkMethod], images: Sequence[str], trainee: Trainee, shown: int, held_out: int
) -> dict[str, Any]:
    """Describe a training; `save_weights` adds the hash."""
    history = trainee.history
    return {
        "method": method.name,
        "made": datetime.now(UTC).date().isoformat(),
        "parameters": sum(p.numel() for p in trainee.network.parameters()),
        "photographs": [Path(name).name for name in images],
        "photographs_trained_on": shown,
        "photographs_held_out": held_out,
        "crops_seen": int(history[-1]["crops"]),
        "minutes": round(trainee.seconds / 60, 1),
        "device": str(trainee.device),
        "validation_mse": round(min(entry["validation_mse"] for entry in history), 1),
        "validation": "challenge MSE of one crop of each held-out photograph, without symmetries",
        "torch": torch.__version__,
        "settings": asdict(trainee.settings),
    }


def plot_history(table: pd.DataFrame, path: Path) -> None:
    """Save the loss curve as a PNG picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(
        xlabel="minutes of training", ylabel="challenge MSE", yscale="log", title="Loss"
    )
    for column, label in (
        ("train_mse", "training crops"),
        ("validation_mse", "held-out photographs"),
    ):
        axes.plot(table["minutes"], table[column], label=label)
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=120)
