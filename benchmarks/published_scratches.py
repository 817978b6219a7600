"""The U-Net report's own scores of scratched pictures, and what their whole-picture average hides.

`python -m inpaintbench.benchmarks.published_scratches PHOTOGRAPHS METHOD...` prints a table for the
held-out pictures, one case of each. Networks that are not told what is hidden are scored as the
report did, on all that they give, and again with the known pixels pasted back, as `inpaintbench
run` scores every method. The report's numbers are those of 50 pictures of its own.
"""

from functools import partial
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from inpaintbench.benchmarks import app
from inpaintbench.benchmarks.scoring import soft_dice
from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.datasets.images import Skipped
from inpaintbench.datasets.tasks import scratches
from inpaintbench.methods import parse_method
from inpaintbench.methods.networks.examples import TaskCases, planes
from inpaintbench.methods.networks.weights import loaded
from inpaintbench.methods.photographs import read_split
from inpaintbench.methods.scratches_published import ScratchesPublished
from inpaintbench.reports.texts import markdown_table

PICTURES = 250  # of the held-out ones, at the most
SEED = 2026
PUBLISHED = {2: (0.02766, 0.5348), 3: (0.02026, 0.5547), 5: (0.01439, 0.6045)}  # MAE, Dice by depth
HEADER = ("", "picture MAE", "known MAE", "hidden MAE", "picture Dice", "hidden MSE")


def main(
    photographs: Annotated[str, typer.Argument(help="Folder, zip, skimage or cifar10-train.")],
    methods: Annotated[list[str], typer.Argument(help="Names.")],
) -> None:
    """Print the U-Net report's scores of methods on the held-out ones of some photographs."""
    pictures = read_split([photographs], Skipped(), scratches)[1][:PICTURES]
    cases = TaskCases(scratches, pictures, SEED, one_each=True)
    drawn = [cases.case(number) for number in range(len(cases))]
    shown, truth, mask = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
    rows: list[tuple[str, ...]] = [
        (f"published, depth {depth}", f"{mae:.4f}", "", "", f"{dice:.3f}", "")
        for depth, (mae, dice) in PUBLISHED.items()
    ]
    rows.append(scores("the true picture", truth, truth, mask))
    rows.append(scores("the scratched picture", shown, truth, mask))
    for name in methods:
        method = parse_method(name)
        if isinstance(method, ScratchesPublished) and method.kind.startswith("blind"):
            rows.append(scores(f"{name}, as it is", whole_output(method, shown, mask), truth, mask))
        seen = [Observation(*case) for case in zip(shown, mask, strict=True)]
        rows.append(scores(name, np.stack(method.restore_batch(seen)), truth, mask))
    print(f"{len(drawn)} pictures, of which {mask.mean():.1%} are hidden\n")
    print(markdown_table(pd.DataFrame(rows, columns=HEADER)))


def whole_output(method: ScratchesPublished, shown: Array, mask: Mask) -> Array:
    """What a network gives for whole pictures `(N, H, W, 3)`, known pixels included."""
    pictures = torch.stack([planes(picture) for picture in shown])
    masks = torch.from_numpy(mask.astype(np.float32))[:, None]
    with torch.inference_mode():
        output = loaded(method, "cpu")(pictures, masks)
    return np.asarray(output.permute(0, 2, 3, 1).numpy() * 255)


def scores(label: str, pictures: Array, truth: Array, mask: Mask) -> tuple[str, ...]:
    """Make a row of the table: means over pictures `(N, H, W, 3)`, in 0..1 but for the MSE."""
    errors = pictures.astype(np.float64) - truth
    absolute, squared = np.abs(errors).mean(3) / 255, np.square(errors).mean(3)
    mse = np.average(squared, (1, 2), weights=mask)
    dice = [soft_dice(t / 255, p / 255) for t, p in zip(truth, pictures, strict=True)]
    return (
        label,
        *(
            f"{np.average(absolute, (1, 2), weights=which).mean():.4f}"
            for which in (np.ones_like(mask), ~mask, mask)
        ),
        f"{np.mean(dice):.3f}",
        f"{mse.mean():.0f} +- {mse.std() / np.sqrt(len(mse)):.0f}",
    )


if __name__ == "__main__":
    app.main(partial(typer.run, main))
