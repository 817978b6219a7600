"""Contact sheets of a run: a few cases, several methods' restorations side by side."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from inpaintbench.datasets.cases import bounding_box
from inpaintbench.datasets.files import safe_name, written_whole
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


def picture_path(run: Path, room: str, what: str, case_id: str) -> Path:
    """Where a run keeps a picture of a case; a label that is no file name gets one.

    Parameters
    ----------
    run : the run's folder
    room : "pictures" for the case's own "truth", "observed" and "mask"; "restorations" for what a
        method painted, by its label
    """
    return run / room / safe_name(what) / f"{case_id}.png"


def read_picture(run: Run, room: str, what: str, case_id: str) -> NDArray[Any]:
    """Read a picture that a run keeps of a case, see `picture_path`."""
    with Image.open(picture_path(run.files, room, what, case_id)) as picture:
        return np.asarray(picture)


def hole_window(run: Run, case_id: str) -> tuple[slice, slice]:
    """Find the part of a picture that shows its hidden pixels and `MARGIN` pixels around them."""
    box = bounding_box(read_picture(run, "pictures", "mask", case_id) > 0)
    rows, columns = (slice(max(s.start - MARGIN, 0), s.stop + MARGIN) for s in box)
    return rows, columns


def write_contact_sheet(run: Run, path: Path) -> None:
    """Write a PNG picture of cases from easy to hard, with every method's restoration."""
    cases = one_case_a_photograph(run, ROWS)
    _write_sheet(run, path, cases, list(run.leaderboard()["method"]))


def write_family_sheet(run: Run, path: Path) -> None:
    """Write a PNG picture of what the best method of each family makes of each content."""
    best = run.leaderboard().drop_duplicates("family")["method"].tolist()
    cases = {
        f"{content} {number}": case_id
        for content, found in telling_cases(run, best).items()
        for number, case_id in enumerate(found, 1)
    }
    _write_sheet(run, path, list(cases.values()), best, list(cases))


def telling_cases(run: Run, methods: list[str], count: int = 2) -> dict[str, list[str]]:
    """Choose for each content the cases, of different photographs, where methods differ most."""
    constant = run.scores.loc[run.scores["family"] == "constant", "label"].unique()
    compared = [label for label in methods if label not in constant] or methods
    spread = np.sqrt(run.mse[compared]).std(axis=1, ddof=0)
    area = (run.cases["hidden_height"] * run.cases["hidden_width"]).to_numpy()
    table = pd.DataFrame(
        {
            "content": run.cases["content"].to_numpy(),
            "photograph": run.photographs,
            "spread": spread,
        }
    )[(area >= 81) & spread.notna().to_numpy()]
    table = table.sort_values("spread", ascending=False).drop_duplicates("photograph")
    return {str(content): part.index[:count].tolist() for content, part in table.groupby("content")}


def _write_sheet(
    run: Run, path: Path, cases: list[str], methods: list[str], titles: list[str] | None = None
) -> None:
    """Draw a row for each case, zoomed in on its hole: observed, truth, the methods."""
    from matplotlib.figure import Figure

    columns = [("pictures", "observed"), ("pictures", "truth")]
    columns += [("restorations", label) for label in methods]
    figure = Figure(figsize=(1.25 * len(columns), 1.42 * max(len(cases), 1)), layout="constrained")
    axes = figure.subplots(max(len(cases), 1), len(columns), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (_, name) in zip(axes[0], columns, strict=True):
        ax.set_title(name[:60].replace(":", "\n"), fontsize=8, parse_math=False)
    for ax, title in zip(axes[:, 0], titles or [], strict=False):
        ax.text(-0.16, 0.5, title, fontsize=8, rotation=90, va="center", transform=ax.transAxes)
    below = {"x": 0.5, "y": -0.02, "fontsize": 7, "ha": "center", "va": "top"}
    for row, case_id in zip(axes, cases, strict=False):
        window = hole_window(run, case_id)
        for ax, (room, name) in zip(row, columns, strict=True):
            mse = run.mse[name][case_id] if room == "restorations" else None
            if mse is not None and np.isnan(mse):
                continue
            shown = read_picture(run, room, name, case_id)[window]
            ax.imshow(shown, cmap="gray", vmin=0, vmax=np.iinfo(shown.dtype).max)
            if mse is not None:
                ax.text(s=f"{mse:.0f}", transform=ax.transAxes, **below)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=110)
