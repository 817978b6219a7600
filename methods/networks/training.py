"""Training of the networks: minimise their task's MSE on cases from photographs, with lightning.

Read `train` first. AdamW (Loshchilov and Hutter 2019) or another optimiser, a warm-up and a cosine
to 0 over the time or the cases given (called crops here, whatever the task), gradient clipping, an
exponential average of the weights (which is what is validated and kept), bfloat16 where the device
is fast at it. The loss of an example is its mean squared error over hidden pixels, unless a network
has a loss of its own: the task's MSE itself where an example is a case. (The crop challenge's have
more holes to train on than to be scored on, and these count by their pixels; so there the training
error and the validation score beside it are of other holes.) A network may learn from another one,
too: see `Settings.teacher`.
"""

import logging
import math
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader

from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import folder_for_one, make_folder
from inpaintbench.methods import parse_method
from inpaintbench.methods.networks.calibration import calibrate, forget_highest
from inpaintbench.methods.networks.checkpoints import (
    KEPT,
    BestCheckpoint,
    WholeCheckpoints,
    check_checkpoint,
)
from inpaintbench.methods.networks.crops import EpochSampler
from inpaintbench.methods.networks.examples import Example
from inpaintbench.methods.networks.network_method import (
    NetworkMethod,
    choose_device,
    fast_bfloat16,
    gpu_count,
)
from inpaintbench.methods.networks.records import Records, is_first_process
from inpaintbench.methods.networks.residual_unet import ResidualUNet
from inpaintbench.methods.networks.restorer import LOSS_UNIT, hidden_mse
from inpaintbench.methods.networks.weights import channels_last, load_weights, save_weights
from inpaintbench.methods.photographs import HELD_OUT_SEED, announced_split
from inpaintbench.methods.training_pictures import write_training_pictures
from inpaintbench.methods.weights import read_card

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": partial(torch.optim.AdamW, betas=(0.9, 0.99)),  # with weight decay, others without
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
}
MAY_CHANGE = ("minutes", "crops", "learning_rate", "workers", "devices")  # when it is resumed


@dataclass(frozen=True)
class Settings:
    """What decides a training, besides the network and the photographs."""

    minutes: float = 60.0  # of training in all, over every resumption
    crops: int = 0  # instead of the minutes: the same curve on every machine, and after every kill
    batch: int = 64  # crops an update, on each device
    epoch_crops: int = 12_800  # crops between validations
    optimizer: str = "adamw"  # a key of `OPTIMIZERS`
    learning_rate: float = 1e-3  # the highest
    warm_up: float = 0.02  # share of the training
    weight_decay: float = 0.01
    gradient_norm: float = 1.0  # gradients are clipped to it
    average_decay: float = 0.999  # of the weights' exponential average, per update
    patience: int = 0  # validations without a better score before it stops early; 0: never
    teacher: str = ""  # a network method whose restorations are learned from, too
    teacher_share: float = 0.8  # of the loss: far less noise than the truth, a little bias
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
        self.origin: dict[str, Any] = {}  # what a training that resumes this one must share
        self.teacher = _teacher(method, settings)
        self.network = channels_last(method.build())
        self.settings = settings
        self.unit = (method.task.LEVELS / 255) ** 2  # of the task's scores, in grey levels squared
        self.shown = method.examples(training, settings.seed, one_each=False)
        self.held_out = method.examples(validation, HELD_OUT_SEED, one_each=True)
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0  # of training so far, over every resumption
        self.crops_seen = 0  # by all devices, over every resumption
        self.losses: list[Tensor] = []
        self.validation: list[Tensor] = []
        self.interrupts: list[int] = []  # Ctrl-C, as often as it was pressed

    def train_dataloader(self) -> DataLoader[Example]:
        """Draw examples, on every device others."""
        workers: dict[str, Any] = {"num_workers": self.settings.workers}
        if self.settings.workers:
            workers |= {"persistent_workers": True, "prefetch_factor": 8}
        sampler = EpochSampler(
            self.settings.epoch_crops, self.trainer.global_rank, self.trainer.world_size
        )
        batch = self.settings.batch
        return DataLoader(self.shown, batch, sampler=sampler, drop_last=True, **workers)

    def val_dataloader(self) -> DataLoader[Example]:
        """Draw the held-out examples, the same every time and on every device."""
        return DataLoader(self.held_out, self.settings.batch)

    def on_train_start(self) -> None:
        """Start the clock, and place the teacher; do nothing where all was over before a kill."""
        self.clock = time.monotonic()
        stopping = self.trainer.early_stopping_callback
        early = isinstance(stopping, EarlyStopping) and stopping.wait_count >= stopping.patience
        self.trainer.should_stop = early or self.progress() >= 1
        if self.teacher:
            self.teacher.device = str(self.device)  # of several GPUs, this process's own

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Make the optimiser; its learning rate is set before every update."""
        s = self.settings
        decay = {"weight_decay": s.weight_decay} if s.optimizer == "adamw" else {}
        return OPTIMIZERS[s.optimizer](self.network.parameters(), lr=s.learning_rate, **decay)

    def progress(self) -> float:
        """Share of the training that is over."""
        if self.settings.crops:
            return min(1.0, self.crops_seen / self.settings.crops)
        return min(1.0, self.seconds / (60 * self.settings.minutes))

    def on_train_batch_start(self, _batch: Example, index: int) -> None:
        """Set the learning rate for what is over.

        An epoch's random numbers are its own, so that a resumed one has them again. They start
        here, since lightning draws some before the first epoch of a process alone.

        Raises
        ------
        KeyboardInterrupt
            If Ctrl-C was pressed, and what it raised was lost.
        """
        if self.interrupts:
            raise KeyboardInterrupt
        if index == 0:
            torch.manual_seed((self.settings.seed << 32) + self.current_epoch)
        now = time.monotonic()
        seconds, self.clock = self.seconds + now - self.clock, now
        self.seconds = self.trainer.strategy.broadcast(seconds)  # one clock for all devices
        progress = self.progress()
        warm = min(1.0, (progress + 1e-3) / self.settings.warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.settings.learning_rate * warm * cosine

    def on_train_batch_end(self, _outputs: Any, _batch: Example, _index: int) -> None:
        """Count, and stop when all is over; lightning then validates once more."""
        self.crops_seen += self.settings.batch * self.trainer.world_size
        if self.progress() >= 1:
            self.trainer.should_stop = True

    def training_step(self, batch: Example, _index: int) -> Tensor:
        """Compute the loss of a batch, which is about 1.

        Raises
        ------
        InputError
            If it is not finite.
        """
        shown, truth, mask = batch
        output = self.network(shown, mask)
        loss: Tensor = self.network.loss(output, truth, mask)
        if self.teacher:
            taught = self.teacher.output(shown, mask).to(truth.device, copy=True)
            apart = hidden_mse(output, taught[:, : truth.shape[1]], mask).mean() / LOSS_UNIT
            loss = torch.lerp(loss, apart, self.settings.teacher_share)
        self._check_finite(loss)
        self.losses.append(self.unit * hidden_mse(output.detach(), truth, mask).mean())
        return loss

    def validation_step(self, batch: Example, _index: int) -> None:
        """Compute the task's MSE of each example of a batch."""
        shown, truth, mask = batch
        losses = self.unit * hidden_mse(self.network(shown, mask), truth, mask)
        self._check_finite(losses.mean())  # before a checkpoint is made
        self.validation.append(losses)

    def _check_finite(self, loss: Tensor) -> None:
        """Raise an `InputError` on all devices where the loss of one is not finite."""
        finite = bool(torch.isfinite(loss))
        if self.trainer.strategy.reduce_boolean_decision(finite, all=True):
            return
        advice = "start again with a lower --learning-rate"
        if self.history:
            advice = "the last good checkpoint is kept: add --resume and a lower --learning-rate"
        raise InputError(f"the loss became {loss.item()} after {self.crops_seen} crops; {advice}")

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
        checkpoint["origin"] = self.origin
        checkpoint["photographs"] = self._photographs()
        checkpoint["history"] = self.history
        checkpoint["seconds"] = self.seconds
        checkpoint["crops_seen"] = self.crops_seen

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on where the checkpoint was made.

        Raises
        ------
        InputError
            If it was made with other photographs.
        """
        if checkpoint["photographs"] != self._photographs():
            trained_on, held_out = checkpoint["photographs"]
            raise InputError(
                f"the checkpoint was made with {trained_on} photographs to train on and {held_out} "
                "held out, not these; give the same, or choose another --out"
            )
        self.history = checkpoint["history"]
        self.seconds = checkpoint["seconds"]
        self.crops_seen = checkpoint["crops_seen"]

    def _photographs(self) -> list[int]:
        return [len(self.shown.pictures), len(self.held_out.pictures)]


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
    folder : receives `NAME.safetensors`, its card `NAME.toml` and the photographs' fingerprints
        `NAME-pictures.safetensors`; `settings.toml`; after every epoch `history.csv`, `loss.png`,
        `samples.png`, a log for TensorBoard, and the checkpoints `last.ckpt` and `best.ckpt`
    settings : see `Settings`
    resume : go on from `last.ckpt`, which must have been made with the same photographs, start and
        settings, but for the `MAY_CHANGE`
    start : weights to start from; the network may have grown since

    Returns
    -------
    dict
        The model card.

    Raises
    ------
    InputError
        If no photographs can be used, the device is not there, `resume` or `start` does not fit,
        or another training writes to the folder; nothing is written then. If the loss is not
        finite any more, or a file cannot be written; the best weights so far are written then.
    """
    device = choose_device(method.device)
    _quieten()
    _check_settings(settings, device)
    last = folder / "last.ckpt"
    if last.exists() != resume:
        if resume:
            raise InputError(f"there is no {last} to resume from: leave --resume out")
        raise InputError(f"{last} exists; add --resume, or another --out")
    origin = _origin(method, images, settings, start)
    if resume:
        network = method.build()
        for checkpoint in (last, folder / "best.ckpt"):
            check_checkpoint(checkpoint, origin, network)
    lightning.seed_everything(settings.seed, verbose=False)
    trainee = Trainee(method, settings, *announced_split(images, "train on", method.task))
    trainee.origin = origin
    if start:
        load_weights(trainee.network, start, grown=True)
        if isinstance(trainee.network, ResidualUNet) and trainee.network.doubts:
            forget_highest(trainee.network)
    make_folder(folder)
    records = Records(folder)
    given = {"method": method.label, "images": [*images], "start": str(start or "")}
    trainer = _trainer(settings, folder, device, records)

    before = [start] if start else []
    if trainee.teacher:
        before.append(trainee.teacher.weights_file.path)

    def write_best() -> dict[str, Any]:
        best = torch.load(folder / "best.ckpt", map_location="cpu", weights_only=True)
        trainee.load_state_dict(best["state_dict"])
        card = _card(method, images, trainee, start, device)
        if trainer.is_global_zero:
            trainee.network.to(device)  # from which lightning has taken it
            if isinstance(trainee.network, ResidualUNet) and trainee.network.doubts:
                calibrate(trainee.network, trainee.val_dataloader())
            path = folder / f"{method.weights_name}.safetensors"
            card |= write_training_pictures(trainee.shown.pictures, path, *before)
            save_weights(trainee.network, path, card)
        return card

    # Processes that draw crops live on for five seconds after a kill.
    alone = folder_for_one(folder, "training", 10) if is_first_process() else nullcontext()
    with alone, _noting_interrupts(trainee.interrupts):
        records.write_settings(given | asdict(settings))
        try:
            _fit(trainer, trainee, last if resume else None)
        except (InputError, KeyboardInterrupt):
            if trainee.history:
                # The disk or the GPU may be full; what went wrong first is told.
                with suppress(InputError, OSError, torch.OutOfMemoryError):
                    write_best()
            if not is_first_process():
                sys.exit(2)  # the first says why
            raise
        return write_best()


def _origin(
    method: NetworkMethod, images: Sequence[str], settings: Settings, start: Path | None
) -> dict[str, Any]:
    """Say what a training must share with the one that it resumes."""
    given = {
        "method": method.weights_name,
        "images": [Path(name).name for name in images],
        "start": read_card(start)["sha256"] if start else "",
    }
    if settings.teacher:
        given["teacher_sha256"] = parse_method(settings.teacher).weights_sha256()
    return given | {k: v for k, v in asdict(settings).items() if k not in MAY_CHANGE}


def _quieten() -> None:
    """Keep lightning's advertisements back, and all that further devices' processes would say."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")  # about its own insides
    threading.excepthook = _thread_failed
    if not is_first_process():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # for as long as the process lives


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    """Say why a thread died, but for TensorBoard's on a full disk: its error comes to us too."""
    if not issubclass(failure.exc_type, OSError):
        threading.__excepthook__(failure)


def _check_settings(settings: Settings, device: str) -> None:
    """Raise an `InputError` for a number out of range, too few devices, or too few crops."""
    if not math.isfinite(settings.minutes):
        raise InputError(f"--minutes must be a number, not {settings.minutes}")
    if not 0 <= settings.seed < 2**32:
        raise InputError(f"--seed must be from 0 to {2**32 - 1}, not {settings.seed}")
    gpus = gpu_count()
    if device != "cpu" and settings.devices > gpus:
        raise InputError(f"there are {gpus} GPUs, not {settings.devices}; lower --devices")
    if ":" in device and settings.devices > 1:
        raise InputError(f"{device} is one device, not {settings.devices}; give --device cuda")
    together = settings.batch * settings.devices
    if settings.epoch_crops < together:
        raise InputError(
            f"an epoch of {settings.epoch_crops} crops is shorter than one update, which takes "
            f"{together} on {settings.devices} devices; raise --epoch"
        )


def _teacher(method: NetworkMethod, settings: Settings) -> NetworkMethod | None:
    """Make the teacher; an `InputError` where it is none for this method, or cannot be loaded."""
    if not settings.teacher:
        return None
    teacher = parse_method(settings.teacher)
    if not isinstance(teacher, NetworkMethod) or _shown(teacher) != _shown(method):
        raise InputError(
            f"{settings.teacher} cannot teach {method.label}: it must be a network that is shown "
            "the same"
        )
    teacher.device = "cpu"
    teacher.load()
    return teacher


def _shown(method: NetworkMethod) -> tuple[Any, ...]:
    """Say what a network is shown in training."""
    return type(method).examples, method.task.NAME, getattr(method, "side", None)


def _fit(trainer: lightning.Trainer, trainee: Trainee, checkpoint: Path | None) -> None:
    """Train until it is over, with errors as the rest of the program raises them."""
    try:
        # A checkpoint is read with nothing but tensors, numbers and containers.
        trainer.fit(trainee, ckpt_path=checkpoint, weights_only=True)
        if trainee.interrupts:  # the last update was already made
            raise KeyboardInterrupt
    except OSError as error:
        raise InputError(f"cannot write the training's records: {error}; {KEPT}") from error
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        if not isinstance(error, torch.OutOfMemoryError) and "DataLoader worker" not in reason:
            raise
        raise InputError(f"{reason}; {KEPT}") from error
    except SystemExit as stop:
        raise KeyboardInterrupt from stop  # which lightning had turned into this


@contextmanager
def _noting_interrupts(interrupts: list[int]) -> Iterator[None]:
    """Note every Ctrl-C in a list, besides what it usually does.

    A library that only tries what an object can do takes any exception for a "no", also the
    `KeyboardInterrupt` that comes at that moment.
    """
    usual = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or usual is not signal.default_int_handler:
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _trainer(settings: Settings, folder: Path, device: str, records: Callback) -> lightning.Trainer:
    """Set lightning up; the order of the callbacks is the order in which they act."""
    averages = WeightAveraging(avg_fn=averaging(settings.average_decay))
    callbacks: list[Callback] = [records, averages]  # records come while averages are in place
    if settings.patience:
        callbacks.append(EarlyStopping("validation_mse", patience=settings.patience))
    # Not the one's `save_last`, which writes only when the score is better than ever.
    last = ModelCheckpoint(folder, "last", enable_version_counter=False)
    callbacks += [BestCheckpoint(folder), last]
    chosen = torch.device(device)
    devices: Any = settings.devices
    if chosen.type == "cuda" and settings.devices == 1:
        devices = [chosen.index or 0]
    return lightning.Trainer(
        accelerator="gpu" if chosen.type == "cuda" else "cpu",
        devices=devices,
        strategy="ddp" if settings.devices > 1 else "auto",
        use_distributed_sampler=False,  # `EpochSampler` shares the crops out itself
        precision="bf16-mixed" if fast_bfloat16(device) else "32-true",
        max_epochs=-1,
        gradient_clip_val=settings.gradient_norm,
        callbacks=callbacks,
        # Its own processes, also in a job of SLURM's, which lightning would take for the devices'.
        plugins=[WholeCheckpoints(), LightningEnvironment()],
        logger=TensorBoardLogger(folder, name=None, version="tensorboard"),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def averaging(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Make the exponential average's step, with a shorter memory at first (as in TensorFlow's EMA).

    A fixed decay of 0.999 would remember the random start for thousands of updates. Whole numbers,
    such as the updates that batch normalisation counts, have no average.
    """

    def step(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return current
        return torch.lerp(current, average, min(decay, (1 + int(count)) / (10 + int(count))))

    return step


def _card(
    method: NetworkMethod, images: Sequence[str], trainee: Trainee, start: Path | None, device: str
) -> dict[str, Any]:
    """Describe a training on a device; `save_weights` adds the hash."""
    history = trainee.history
    card = {
        "method": method.weights_name,
        "task": method.task.NAME,
        "made": datetime.now(UTC).date().isoformat(),
        "parameters": sum(p.numel() for p in trainee.network.parameters()),
        "photographs": [Path(name).name for name in images],
        "photographs_trained_on": len(trainee.shown.pictures),
        "photographs_held_out": len(trainee.held_out.pictures),
        "crops_seen": int(history[-1]["crops"]),
        "minutes": round(trainee.seconds / 60, 1),
        "device": device,
        "validation_mse": round(min(entry["validation_mse"] for entry in history), 1),
        "validation": f"{method.task.METRICS[0].title} of one case of each held-out photograph, "
        "without symmetries",
        "torch": torch.__version__,
        "settings": asdict(trainee.settings),
    }
    if trainee.teacher:
        card["teacher_sha256"] = trainee.origin["teacher_sha256"]
    if start:
        before = read_card(start)
        crops = before.get("crops_seen", 0)
        card["started_from"] = f"{before.get('method', start.stem)}, {crops} crops"
        card["crops_seen"] += crops
        card["minutes_before"] = before.get("minutes", 0) + before.get("minutes_before", 0)
    return card
