"""PixelNet's published training, and what its split by patch hides.

    python -m inpaintbench.benchmarks.pixelnet_recipe --images FOLDER --windows 10000 --epochs 100

Published: windows of 31x31 pixels, of each every patch at stride 1, updates of 64 patches, Adam at
1e-3 all the time, the squared error of scaled counts, 5 % dropout, no other regularisation, 100
epochs; a part of the patches held out to test on. But such a patch's neighbours, which show its
centre, are trained on. So the same network is tested on a tenth of the training windows' patches,
as published, and on as many of windows of photographs that it never saw. Methods that are not
trained here say how hard either test is, the weights that are shipped how near they come.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import torch
import typer
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import stats
from torch import nn

from inpaintbench.benchmarks import app
from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.datasets.files import written_whole
from inpaintbench.datasets.tasks import center_pixel
from inpaintbench.methods import Method, parse_method
from inpaintbench.methods.networks.examples import Example, centre_hidden
from inpaintbench.methods.networks.restorer import Restorer
from inpaintbench.methods.networks.training import OPTIMIZERS
from inpaintbench.methods.networks.weights import loaded
from inpaintbench.methods.photographs import announced_split, draw_observations
from inpaintbench.methods.pixelnet import Pixelnet
from inpaintbench.reports.texts import markdown_table

BATCH = 64  # patches an update
AT_ONCE = 4096  # patches restored together
HELD_OUT = 10  # one patch in so many
METHODS = "ring-mean,ring-median,bicubic,least-squares,pixelnet"

Patches = NDArray[np.uint16]
Counts = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Recipe:
    """How networks are trained."""

    epochs: int = 100
    optimizer: str = "adam"
    learning_rate: float = 1e-3  # all the time
    seed: int = 0


def draw_windows(photographs: Sequence[Array], count: int, seed: int) -> Patches:
    """Draw 31x31 windows, as many from each photograph: `(count, 31, 31)`."""
    pictures = [photographs[number % len(photographs)] for number in range(count)]
    return np.stack(draw_observations(pictures, seed, center_pixel)[1])


def slide(windows: Patches, side: int) -> Patches:
    """Cut every patch at stride 1, one window's after the other's: `(n, side, side)`."""
    return sliding_window_view(windows, (side, side), axis=(1, 2)).reshape(-1, side, side)


def train(network: Restorer, patches: Patches, chosen: Numbers, recipe: Recipe) -> None:
    """Train on the chosen ones of the patches."""
    optimizer = OPTIMIZERS[recipe.optimizer](network.parameters(), lr=recipe.learning_rate)
    rng = np.random.default_rng(recipe.seed)
    network.train()
    for epoch in range(recipe.epochs):
        order, losses = rng.permutation(chosen), []
        for first in range(0, len(order), BATCH):
            shown, truth, mask = _example(patches[order[first : first + BATCH]])
            loss = network.loss(network(shown, mask), truth, mask)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.detach())
        print(f"epoch {epoch + 1}: loss {torch.stack(losses).mean():.4g}", flush=True)


def _example(patches: Patches) -> Example:
    """Hide the centres: what networks are given, `(n, 1, side, side)` each."""
    shares = patches[:, None].astype(np.float32) / center_pixel.LEVELS
    return centre_hidden(torch.from_numpy(shares))


def by_network(network: nn.Module, patches: Patches) -> Counts:
    """Restore the centres of patches by a network: `(n,)`."""
    network.eval()
    restored = []
    with torch.inference_mode():
        for first in range(0, len(patches), AT_ONCE):
            shown, _, mask = _example(patches[first : first + AT_ONCE])
            restored.append(network(shown, mask).flatten().numpy())
    return np.concatenate(restored).astype(np.float64) * center_pixel.LEVELS


def by_method(method: Method, patches: Patches) -> Counts:
    """Restore the centres of patches by any method as it is: `(n,)`."""
    side = patches.shape[1]
    mask = np.zeros((side, side), bool)
    mask[side // 2, side // 2] = True
    shown = np.where(mask, 0, patches)
    restored = method.predict_batch([Observation(patch, mask) for patch in shown])
    return np.concatenate(restored).astype(np.float64)


def scores(restored: Counts, actual: Counts, windows: Numbers) -> dict[str, float]:
    """Score centres in counts.

    `se` is the standard error of `mse` over windows, whose patches are not independent. R2 has the
    mean of the actual values in its denominator; as published it was that of the predictions.
    """
    squared = (restored - actual) ** 2
    return {
        "mse": float(squared.mean()),
        "se": float(stats.sem(pd.Series(squared).groupby(windows).mean())),
        "mae": float(np.abs(restored - actual).mean()),
        "r2": float(1 - squared.sum() / ((actual - actual.mean()) ** 2).sum()),
    }


def compare(
    label: str, windows: Patches, others: Patches, recipe: Recipe
) -> list[dict[str, object]]:
    """Score a method on both held-out sets, a network after its training: a row each.

    Where weights of that network are shipped, these have rows as well.

    Parameters
    ----------
    windows : to train on, and to hold patches out of
    others : as many of other photographs
    """
    method = parse_method(label)
    side = method.patch if isinstance(method, Pixelnet) else Pixelnet.patch
    patches = slide(windows, side)
    shuffled = np.random.default_rng(recipe.seed).permutation(len(patches))
    held_out, chosen = np.split(shuffled, [len(patches) // HELD_OUT])
    restorers: dict[str, Callable[[Patches], Counts]] = {}
    if isinstance(method, Pixelnet):
        torch.manual_seed(recipe.seed)
        network = method.build()
        train(network, patches, chosen, recipe)
        restorers[label] = partial(by_network, network)
        if method.shipped_path.exists():
            restorers[f"{label} as shipped"] = partial(by_network, loaded(method, "cpu"))
    else:
        restorers[label] = partial(by_method, method)
    owners = held_out // (len(patches) // len(windows))
    rows: list[dict[str, object]] = []
    for split, source in (("patch", patches), ("image", slide(others, side))):
        shown = source[held_out]
        actual = shown[:, side // 2, side // 2].astype(np.float64)
        for name, restore in restorers.items():
            row = scores(restore(shown), actual, owners)
            rows.append({"method": name, "split by": split, "patches": len(shown), **row})
    return rows


def main(
    images: Annotated[list[str], typer.Option(help="Folder, zip or skimage; may be repeated.")],
    methods: Annotated[str, typer.Option(help="Those of pixelnet are trained.")] = METHODS,
    windows: Annotated[int, typer.Option(min=2, help="To train on.")] = 10_000,
    epochs: Annotated[int, typer.Option(min=1, help="Over all their patches.")] = 100,
    optimizer: Annotated[Literal["adam", "sgd", "adagrad"], typer.Option()] = "adam",
    learning_rate: Annotated[float, typer.Option(min=1e-7)] = 1e-3,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[Path, typer.Option(help="The table, as CSV.")] = Path("pixelnet-recipe.csv"),
) -> None:
    """Train PixelNet by the published recipe, and score it split by patch and by image."""
    photographs, held_out = announced_split(images, "train on", center_pixel)
    drawn = draw_windows(photographs, windows, seed)
    others = draw_windows(held_out, windows, seed)
    recipe = Recipe(epochs, optimizer, learning_rate, seed)
    rows = [row for label in methods.split(",") for row in compare(label, drawn, others, recipe)]
    table = pd.DataFrame(rows)
    with written_whole(out) as temporary:
        table.to_csv(temporary, index=False)
    print(markdown_table(table.map(lambda v: f"{v:.5g}" if isinstance(v, float) else v)))


if __name__ == "__main__":
    app.main(partial(typer.run, main))
