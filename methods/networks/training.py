"""Training of the networks: minimise the challenge MSE on crops of photographs, with lightning.

Read `train` first. AdamW (Loshchilov and Hutter 2019), a warm-up and a cosine to 0 over the time
or the crops given, gradient clipping, an exponential average of the weights (which is what is
validated and kept), bfloat16 where the device is fast at it. The loss of a crop is its mean squared
error over hidden pixels, so the mean loss is the challenge MSE itself, unless a network has a loss
of its own.
"""

import io
import logging
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor
from torch.utils.data import DataLoader

from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import make_folder, written_whole
from inpaintbench.methods.networks.crops import Crops, EpochSampler
from inpaintbench.methods.networks.network_method import (
    NetworkMethod,
    choose_device,
    fast_bfloat16,
)
from inpaintbench.methods.networks.records import Records
from inpaintbench.methods.networks.weights import channels_last, load_weights, save_weights
from inpaintbench.methods.networks.window_network import challenge_loss
from inpaintbench.methods.photographs import announced_split
from inpaintbench.methods.weights import read_card

Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Settings:
    """What decides a training, besides the network and the photographs."""

    minutes: float = 60.0  # of training in all, over every resumption
    crops: int = 0  # instead of the minutes: the same curve on every machine, and after every kill
    batch: int = 64  # crops an update, on each device
    epoch_crops: int = 12_800  # crops between validations
    learning_rate: float = 1e-3  # the highest
    warm_up: float = 0.02  # share of the training
    weight_decay: float = 0.01
    gradient_norm: float = 1.0  # gradients are clipped to it
    average_decay: float = 0.999  # of the weights' exponential average, per update
    patience: int = 0  # validations without a better score before it stops early; 0: never
    seed: int = 0
    workers: int = 1  # processes that draw crops, for each device
    devices: int = 1  # how many; lightning's DistributedDataParallel strategy joins several


class Trainee(lightning.LightningModule):
    """A network with its photographs and schedule, as lightning trains it."""

    def __init__(
        self,
        method: NetworkMethod,
        settings: Settings,
        training: Sequence[Array],
        validation: Sequence[Array],
    ) -> None:
        super().__init__()
        self.method = method.weights_name
        self.network = channels_last(method.build())
        self.settings = settings
        self.shown = Crops(training, settings.seed)
        self.held_out = Crops(validation, settings.seed, one_each=True)
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0  # of training so far, over every resumption
        self.losses: list[Tensor] = []
        self.validation: list[Tensor] = []

    def train_dataloader(self) -> DataLoader[Batch]:
        """Draw crops, on every device others."""
        workers: dict[str, Any] = {"num_workers": self.settings.workers}
        if self.settings.workers:
            workers |= {"persistent_workers": True, "prefetch_factor": 8}
        sampler = EpochSampler(
            self.settings.epoch_crops, self.trainer.global_rank, self.trainer.world_size
        )
        batch = self.settings.batch
        return DataLoader(self.shown, batch, sampler=sampler, drop_last=True, **workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Draw the held-out crops, the same every time and on every device."""
        return DataLoader(self.held_out, self.settings.batch)

    def on_train_start(self) -> None:
        """Start the clock."""
        self.clock = time.monotonic()

    def on_train_epoch_start(self) -> None:
        """Make an epoch's random numbers its own, so that a resumed one has them again."""
        torch.manual_seed((self.settings.seed << 32) + self.current_epoch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Make the optimiser; its learning rate is set before every update."""
        s = self.settings
        return torch.optim.AdamW(
            self.network.parameters(), s.learning_rate, (0.9, 0.99), weight_decay=s.weight_decay
        )

    @property
    def crops_seen(self) -> int:
        """Crops seen so far, on all devices."""
        return int(self.global_step * self.settings.batch * self.trainer.world_size)

    def progress(self) -> float:
        """Share of the training that is over."""
        if self.settings.crops:
            return min(1.0, self.crops_seen / self.settings.crops)
        return min(1.0, self.seconds / (60 * self.settings.minutes))

    def on_train_batch_start(self, _batch: Batch, _index: int) -> None:
        """Set the learning rate for what is over."""
        now = time.monotonic()
        seconds, self.clock = self.seconds + now - self.clock, now
        self.seconds = self.trainer.strategy.broadcast(seconds)  # one clock for all devices
        progress = self.progress()
        warm = min(1.0, (progress + 1e-3) / self.settings.warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.settings.learning_rate * warm * cosine

    def on_train_batch_end(self, _outputs: Any, _batch: Batch, _index: int) -> None:
        """Stop when all is over; lightning then validates once more."""
        if self.progress() >= 1:
            self.trainer.should_stop = True

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """Compute the loss of a batch, which is about 1.

        Raises
        ------
        InputError
            If it is not finite.
        """
        filled, truth, mask = batch
        output = self.network(filled, mask)
        loss: Tensor = self.network.loss(output, truth, mask)
        if not torch.isfinite(loss):
            raise InputError(
                f"the loss became {loss.item()} after {self.crops_seen} crops; the last good "
                f"checkpoint is kept: go on from it with --resume and a lower --learning-rate"
            )
        self.losses.append(challenge_loss(output.detach(), truth, mask).mean())
        return loss

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Compute the challenge MSE of each crop of a batch."""
        filled, truth, mask = batch
        self.validation.append(challenge_loss(self.network(filled, mask), truth, mask))

    def on_validation_epoch_end(self) -> None:
        """Log the validation score, and renew the history."""
        score = float(torch.cat(self.validation).mean())
        self.validation.clear()
        entry = {
            "minutes": self.seconds / 60,
            "crops": float(self.crops_seen),
            "learning_rate": self.trainer.optimizers[0].param_groups[0]["lr"],
            "train_mse": float(torch.stack(self.losses).mean()),
            "validation_mse": score,
        }
        self.losses.clear()
        self.history.append(entry)
        self.log_dict(entry)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save what lightning does not know of."""
        checkpoint["method"] = self.method
        checkpoint["history"] = self.history
        checkpoint["seconds"] = self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on where the checkpoint was made."""
        self.history = checkpoint["history"]
        self.seconds = checkpoint["seconds"]


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
        except OSError as error:
            raise InputError(
                f"cannot write {path}: {error.strerror}; the checkpoint before it is kept: go on "
                f"from it with --resume"
            ) from error


def train(
    method: NetworkMethod,
    images: Sequence[str],
    folder: Path,
    settings: Settings,
    resume: bool = False,
    start: Path | None = None,
) -> dict[str, Any]:
    """Train a method's network on photographs, and write its weights with a model card.

    Parameters
    ----------
    method : the network method to train, on its own device
    images : folders or zip archives of photographs; a tenth of each is held out for validation
    folder : receives `NAME.safetensors` and its card `NAME.toml`; `settings.toml`; after every
        epoch `history.csv`, `loss.png`, `samples.png`, a log for TensorBoard, and the checkpoints
        `last.ckpt` and `best.ckpt`
    settings : see `Settings`
    resume : go on from `last.ckpt`
    start : weights to start from; the network may have grown since

    Returns
    -------
    dict
        The model card.

    Raises
    ------
    InputError
        If no photographs can be used, the device is not there, `resume` does not fit the folder,
        the loss is not finite any more, or a checkpoint cannot be written.
    """
    device = choose_device(method.device)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # it advertises
    warnings.filterwarnings("ignore", module="lightning")  # about its own insides
    last = folder / "last.ckpt"
    if last.exists() != resume:
        hint = "there is none: leave --resume out" if resume else "add --resume, or another --out"
        raise InputError(f"{last} {'does not exist' if resume else 'exists'}; {hint}")
    make_folder(folder)
    if resume:
        _check_checkpoint(last, method.weights_name)
    lightning.seed_everything(settings.seed, verbose=False)
    training, validation = announced_split(images, "train on")
    trainee = Trainee(method, settings, training, validation)
    if start:
        load_weights(trainee.network, start, grown=True)
    records = Records(folder)
    records.write_settings({"method": method.label, "images": [*images], **asdict(settings)})
    trainer = _trainer(settings, folder, device, records)
    trainer.fit(
        trainee,
        ckpt_path=last if resume else None,
        weights_only=True,  # nothing but tensors, numbers and containers
    )
    state = torch.load(folder / "best.ckpt", map_location="cpu", weights_only=True)["state_dict"]
    trainee.load_state_dict(state)
    card = _card(method, images, trainee, start)
    if trainer.is_global_zero:
        save_weights(trainee.network, folder / f"{method.weights_name}.safetensors", card)
    return card


def _trainer(settings: Settings, folder: Path, device: str, records: Callback) -> lightning.Trainer:
    """Set lightning up; the order of the callbacks is the order in which they act."""
    averages = WeightAveraging(avg_fn=averaging(settings.average_decay))
    callbacks: list[Callback] = [records, averages]  # records come while averages are in place
    if settings.patience:
        callbacks.append(EarlyStopping("validation_mse", patience=settings.patience))
    callbacks.append(
        ModelCheckpoint(
            folder, "best", monitor="validation_mse", save_last=True, enable_version_counter=False
        )
    )
    chosen = torch.device(device)
    devices: Any = settings.devices
    if chosen.type == "cuda" and settings.devices == 1:
        devices = [chosen.index or 0]
    if chosen.type == "cuda" and settings.devices > torch.cuda.device_count():
        raise InputError(f"there are {torch.cuda.device_count()} GPUs, not {settings.devices}")
    return lightning.Trainer(
        accelerator="gpu" if chosen.type == "cuda" else "cpu",
        devices=devices,
        strategy="ddp" if settings.devices > 1 else "auto",
        use_distributed_sampler=False,  # `EpochSampler` shares the crops out itself
        precision="bf16-mixed" if fast_bfloat16(device) else "32-true",
        max_epochs=-1,
        gradient_clip_val=settings.gradient_norm,
        callbacks=callbacks,
        plugins=[WholeCheckpoints()],
        logger=TensorBoardLogger(folder, name=None, version="tensorboard"),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


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

    A fixed decay of 0.999 would remember the random start for thousands of updates. Whole numbers,
    such as the updates that batch normalisation counts, have no average.
    """

    def step(average: Tensor, current: Tensor, count: Tensor) -> Tensor:
        if not average.is_floating_point():
            return current
        return torch.lerp(current, average, min(decay, (1 + int(count)) / (10 + int(count))))

    return step


def _card(
    method: NetworkMethod, images: Sequence[str], trainee: Trainee, start: Path | None
) -> dict[str, Any]:
    """Describe a training; `save_weights` adds the hash."""
    history = trainee.history
    card = {
        "method": method.weights_name,
        "made": datetime.now(UTC).date().isoformat(),
        "parameters": sum(p.numel() for p in trainee.network.parameters()),
        "photographs": [Path(name).name for name in images],
        "photographs_trained_on": len(trainee.shown.pictures),
        "photographs_held_out": len(trainee.held_out.pictures),
        "crops_seen": int(history[-1]["crops"]),
        "minutes": round(trainee.seconds / 60, 1),
        "device": str(trainee.device),
        "validation_mse": round(min(entry["validation_mse"] for entry in history), 1),
        "validation": "challenge MSE of one crop of each held-out photograph, without symmetries",
        "torch": torch.__version__,
        "settings": asdict(trainee.settings),
    }
    if start:
        before = read_card(start)
        card["started_from"] = f"{before['method']}, {before.get('crops_seen', 0)} crops"
        card["crops_seen"] += before.get("crops_seen", 0)
    return card
