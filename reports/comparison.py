"""Two runs side by side: what got better or worse on the same cases, and what else changed."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from inpaintbench.datasets.errors import InputError
from inpaintbench.reports.intervals import estimate
from inpaintbench.reports.statistics import LEVEL, holm
from inpaintbench.reports.tables import Run
from inpaintbench.reports.texts import flat

# What differs between any two runs, and means nothing.
EXPECTED = ("command", "started", "finished", "worker_seconds")


def compare(old: Run, new: Run) -> pd.DataFrame:
    """Compare the methods that two runs share, on the cases that both scored.

    Cases are the same where their hashes are, whatever they are called. A method got worse or
    better where its mean MSE changed beyond chance, by the bootstrap-t test over photographs with
    Holm's correction for all methods that changed at all; so that a run of many methods gives no
    false alarm more often than one in twenty.

    Columns: `method`, `cases` (compared), `old`, `new` (mean MSE), `difference` (new less old) with
    its 95 % interval `low`, `high`, `p_holm`, and `verdict`: "worse", "better" or "same"; a method
    that no longer restores a case is worse too, one that only `old` ran is "missing", and
    "unknown" is one that changed on one photograph alone, which says nothing of chance.

    Raises
    ------
    InputError
        If the runs share no method or no identical case.
    """
    names = _shared_cases(old, new)
    methods = [label for label in old.mse.columns if label in new.mse.columns]
    if names.empty or not methods:
        what = "identical case" if names.empty else "method"
        raise InputError(f"{old.path} and {new.path} share no {what}")
    before = old.mse.loc[names["old"], methods].to_numpy()
    after = new.mse.loc[names["new"], methods].to_numpy()
    photographs = pd.Series(old.photographs, old.cases["case_id"])[names["old"]].to_numpy()
    paired = after - before
    both = ~np.isnan(paired)
    made = estimate(paired, photographs)
    changed = (np.nan_to_num(paired) != 0).any(axis=0)
    p_holm = holm(np.where(changed, made.p, np.nan))
    counts = both.sum(axis=0)
    with np.errstate(invalid="ignore"):
        table = pd.DataFrame(
            {
                "method": methods,
                "cases": counts,
                "old": np.where(both, before, 0).sum(axis=0) / counts,
                "new": np.where(both, after, 0).sum(axis=0) / counts,
                "difference": made.mean,
                "low": made.low,
                "high": made.high,
                "p_holm": p_holm,
            }
        )
    lost = (~np.isnan(before) & np.isnan(after)).any(axis=0)
    beyond = p_holm < LEVEL
    cases = [
        lost | (beyond & (made.mean > 0)),
        beyond & (made.mean < 0),
        changed & np.isnan(p_holm),
    ]
    table["verdict"] = np.select(cases, ["worse", "better", "unknown"], "same")
    gone = [label for label in old.mse.columns if label not in new.mse.columns]
    missing = pd.DataFrame({"method": gone, "cases": 0, "verdict": "missing"})
    return pd.concat([table, missing], ignore_index=True)


def _shared_cases(old: Run, new: Run) -> pd.DataFrame:
    """Pair the cases of one hash: columns `old` and `new`, the case's id in either run."""
    sides = []
    for name, run in (("old", old), ("new", new)):
        side = run.cases[["sha256"]].assign(**{name: run.cases["case_id"]})
        side["copy"] = side.groupby("sha256").cumcount()  # a suite may hold a case twice
        sides.append(side)
    return sides[0].merge(sides[1], on=["sha256", "copy"])


def environment_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> pd.DataFrame:
    """Tell what changed between the environments of two runs.

    Columns: `what` ("packages.numpy"), `old`, `new`: texts, "-" for what one of them has not; of a
    list only the entries that the other lacks.
    """
    before, after = dict(flat(old)), dict(flat(new))
    rows = []
    for key in dict.fromkeys([*before, *after]):
        values = before.get(key), after.get(key)
        if values[0] != values[1] and key.split(".")[0] not in EXPECTED:
            rows.append((key, _text(*values), _text(*values[::-1])))
    return pd.DataFrame(rows, columns=["what", "old", "new"])


def _text(value: Any, other: Any) -> str:
    """Write a value for reading: hashes short, and of a list what the other has not."""
    if isinstance(value, list) and isinstance(other, list):
        value = ", ".join(str(entry) for entry in value if entry not in other)
    text = "-" if value in (None, "") else str(value)
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b", r"\1", text)
