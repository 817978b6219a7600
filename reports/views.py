"""What the page's filters choose from: leaderboards of parts of the cases, computed beforehand."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaintbench.reports.tables import HOLE_AREAS, Run

MOST = 120  # leaderboards in a page; if there were more, only one filter at a time is computed
COLUMNS = ("rank", "mse", "low", "high", "group", "median", "psnr", "won", "coverage")

Choice = tuple[str, ...]


def filters(run: Run) -> dict[str, list[str]]:
    """What can be chosen, by `task`, `source` and `size` (of the hole, in pixels).

    Only what parts the cases at all: a run of one source has no such filter.
    """
    values = _values(run)
    found = {name: sorted(set(column) - {""}) for name, column in values.items()}
    found["size"] = [size for size in HOLE_AREAS if size in found["size"]]
    return {name: several for name, several in found.items() if len(several) > 1}


def _values(run: Run) -> dict[str, NDArray[np.str_]]:
    """For each filter the value of each case; "" where it has none."""
    cases = run.cases
    columns = {name: cases[name] for name in ("task", "source") if name in cases}
    values = {name: column.fillna("").to_numpy(str) for name, column in columns.items()}
    sizes = [size if isinstance(size, str) else "" for size in run.hole_areas]
    return values | {"size": np.array(sizes, str)}


def views(run: Run) -> dict[str, Any]:
    """Compute the leaderboard for every choice of filters that leaves a case.

    Returns
    -------
    dict
        `filters`, as the function of this name gives them; `columns`, the names of what stands in a
        row; and `boards`: by the chosen values joined with line feeds, "" for all, the number of
        `cases` and `photographs` and a row for each method in the order of the whole leaderboard.
    """
    offered, values = filters(run), _values(run)
    order = run.leaderboard()["method"].tolist()
    boards = {}
    for choice in _choices(offered):
        chosen = np.ones(len(run.cases), bool)
        for name, value in zip(offered, choice, strict=True):
            chosen &= (values[name] == value) if value else True
        if not chosen.any():
            continue
        board = run.leaderboard() if chosen.all() else run.leaderboard_of(chosen)
        board = board.set_index("method").loc[order, list(COLUMNS)]
        boards["\n".join(choice)] = {
            "cases": int(chosen.sum()),
            "photographs": len(set(run.photographs[chosen])),
            "rows": [[plain(value) for value in row] for row in board.to_numpy().tolist()],
        }
    return {"filters": offered, "columns": COLUMNS, "boards": boards}


def _choices(offered: dict[str, list[str]]) -> Iterator[Choice]:
    """All combinations of values, "" for any; only one value at a time if they were too many."""
    every = list(product(*(["", *values] for values in offered.values())))
    alone = len(every) > MOST
    return (choice for choice in every if not alone or len([c for c in choice if c]) < 2)


def plain(value: Any) -> Any:
    """Make a value fit for JSON: nine digits are kept, and what is not known is null."""
    if isinstance(value, float):
        return float(f"{value:.9g}") if np.isfinite(value) else None
    return value
