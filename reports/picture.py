"""A contact sheet of a run: a few cases, every method's restoration side by side."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from inpaintbench.datasets.files import written_whole
from inpaintbench.reports.tables import Run

ROWS = 6  # cases, each of another photograph
MARGIN = 12  # pixels shown around a hole


def chosen_cases(run: Run, count: int) -> list[str]:
    """Choose cases evenly from the easiest to the hardest, by the methods' median MSE."""
    order = run.mse.median(axis=1).sort_values().dropna().index.tolist()
    return [order[place] for place in _evenly(len(order), count)]


def one_case_a_photograph(run: Run, count: int) -> list[str]:
    """Choose the middling case of different photographs, evenly from easy to hard ones."""
    difficulty = run.mse.median(axis=1).dropna().sort_values()
    photographs = pd.Series(run.photographs, run.mse.index)[difficulty.index]
    middling = [p.index[len(p) // 2] for _, p in difficulty.groupby(photographs)]
    order = difficulty[difficulty.index.isin(middling)].index.tolist()
    return [order[place] for place in _evenly(len(order), count)]


def _evenly(length: int, count: int) -> NDArray[np.int64]:
    return np.linspace(0, length - 1, min(count, length)).round().astype(np.int64)


def read_picture(run: Run, what: str, case_id: str) -> NDArray[Any]:
    """Read what a run keeps of a case: "truth", "observed", "mask", or a method's label."""
    room = "pictures" if what in ("truth", "observed", "mask") else "restorations"
    path = run.path / room / what.replace("/", "_") / f"{case_id}.png"
    with Image.open(path) as picture:
        return np.asarray(picture)


def hole_window(run: Run, case_id: str) -> tuple[slice, slice]:
    """Find the part of a picture that shows its hidden pixels and `MARGIN` pixels around them."""
    mask = read_picture(run, "mask", case_id)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(rows[0] - MARGIN, 0), max(columns[0] - MARGIN, 0)
    return slice(top, rows[-1] + 1 + MARGIN), slice(left, columns[-1] + 1 + MARGIN)


def write_contact_sheet(run: Run, path: Path) -> None:
    """Write the contact sheet as a PNG picture, zoomed in on the holes."""
    from matplotlib.figure import Figure

    cases = one_case_a_photograph(run, ROWS)
    columns = ["observed", "truth", *run.leaderboard()["method"]]
    figure = Figure(figsize=(1.25 * len(columns), 1.42 * max(len(cases), 1)), layout="constrained")
    axes = figure.subplots(max(len(cases), 1), len(columns), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, column in zip(axes[0], columns, strict=True):
        ax.set_title(column.replace(":", "\n"), fontsize=8)
    for row, case_id in zip(axes, cases, strict=False):
        window = hole_window(run, case_id)
        truth = read_picture(run, "truth", case_id)[window]
        for ax, column in zip(row, columns, strict=True):
            mse = run.mse[column][case_id] if column in run.mse else None
            if mse is not None and np.isnan(mse):
                continue
            shown = read_picture(run, column, case_id)[window]
            ax.imshow(shown, cmap="gray", vmin=0, vmax=np.iinfo(truth.dtype).max)
            if mse is not None:
                ax.text(
                    0.5,
                    -0.02,
                    f"{mse:.0f}",
                    fontsize=7,
                    ha="center",
                    va="top",
                    transform=ax.transAxes,
                )
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=110)
