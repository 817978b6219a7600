"""What a training leaves to be read and looked at while it runs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from inpaintbench.datasets.files import write_text, written_whole

if TYPE_CHECKING:
    from inpaintbench.methods.networks.training import Trainee

SAMPLES = 8  # held-out cases in the sample picture
ENLARGED = 2  # times


def is_first_process() -> bool:
    """Whether this is the process of the first device, which alone prints and writes."""
    return os.environ.get("LOCAL_RANK", "0") == "0"  # lightning sets it for the others


class Records(Callback):
    """Writes settings, history, loss curve and sample restorations into a training's folder.

    The same numbers and the samples go to TensorBoard's log by way of lightning.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples: NDArray[np.uint8]

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Write what decides the training as `settings.toml`."""
        import tomli_w

        if not is_first_process():
            return
        write_text(tomli_w.dumps(settings), self.folder / "settings.toml")

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: "Trainee") -> None:  # type: ignore[override]
        """Restore the samples, while the averaged weights are in place."""
        if trainer.is_global_zero:
            self.samples = restored_samples(pl_module)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: "Trainee") -> None:  # type: ignore[override]
        """Renew all files, and print a line."""
        if not trainer.is_global_zero:
            return
        table = pd.DataFrame(pl_module.history)
        with written_whole(self.folder / "history.csv") as temporary:
            table.to_csv(temporary, index=False)
        plot_history(table, self.folder / "loss.png")
        with written_whole(self.folder / "samples.png") as temporary:
            Image.fromarray(self.samples).save(temporary)
        assert trainer.logger is not None
        log = trainer.logger.experiment  # type: ignore[attr-defined]
        log.add_image(
            "samples", self.samples, trainer.global_step, dataformats="HWC"[: self.samples.ndim]
        )
        entry, settings = pl_module.history[-1], pl_module.settings
        aim = f"{settings.crops:,} crops" if settings.crops else f"{settings.minutes:g} min"
        print(
            f"{entry['minutes']:6.1f} min {entry['crops']:11,.0f} crops, of {aim}",
            f"train {entry['train_mse']:7.1f}",
            f"validation {entry['validation_mse']:7.1f}",
            f"best {table['validation_mse'].min():7.1f}",
            sep="   ",
            flush=True,
        )


def restored_samples(trainee: "Trainee") -> NDArray[np.uint8]:
    """Draw the same held-out cases every time, one a column: shown, restored, true.

    `(H, W)`, or `(H, W, 3)` if they are in colour; counts are stretched to the truth's range.
    """
    count = min(SAMPLES, len(trainee.held_out))
    cases = [trainee.held_out[number] for number in range(count)]
    shown, truth, mask = (torch.stack(part).to(trainee.device) for part in zip(*cases, strict=True))
    with torch.inference_mode():
        restored = trainee.network(shown, mask)[:, : truth.shape[1]]
    if mask.all():  # nothing of the truth is known; what is given may be smaller
        top = torch.nn.functional.interpolate(shown, mask.shape[2:])
    else:
        top = torch.where(mask > 0, truth.max(), truth)
    rows = [top, torch.where(mask > 0, restored, truth), truth]
    if trainee.unit != 1:
        rows = [(row - truth.min()) / (truth.max() - truth.min()) for row in rows]
    grid = torch.cat([torch.cat(list(row), 2) for row in rows], 1).clamp(0, 1).permute(1, 2, 0)
    pixels = np.rint(grid.float().cpu().numpy() * 255).astype(np.uint8)
    large = pixels.repeat(ENLARGED, 0).repeat(ENLARGED, 1)
    return np.asarray(large[..., 0] if large.shape[2] == 1 else large)


def plot_history(table: pd.DataFrame, path: Path) -> None:
    """Save the loss curve as a PNG picture."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    # Else it is imported by the first picture, in mid-training: a Ctrl-C there is an ImportError.
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(
        xlabel="minutes of training", ylabel="MSE", yscale="log", title="Loss"
    )
    for column, label in (
        ("train_mse", "training cases"),
        ("validation_mse", "held-out photographs"),
    ):
        axes.plot(table["minutes"], table[column], label=label)
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=120)
