"""A long history: one parquet file with a row per run and method, to which runs are added."""

from pathlib import Path

import pandas as pd

from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import make_folder, write_parquet
from inpaintbench.reports.archive import MARK
from inpaintbench.reports.tables import Run

COLUMNS = [
    "finished",
    "commit",
    "dirty",
    "version",
    "suite",
    "cases_sha256",
    "method",
    "mse",
    "low",
    "high",
    "ms",
    "coverage",
]
HISTORY = "history.parquet"  # the copy that a run keeps of what was scored on its cases
KEY = ["finished", "cases_sha256", "method"]  # a run is kept once, however often it is added


def history_rows(run: Run) -> pd.DataFrame:
    """What a history keeps of a run: the columns `COLUMNS`, a row per method.

    Raises
    ------
    InputError
        If the run's files do not say what is kept.
    """
    environment = run.environment
    try:
        about = {
            "finished": environment["finished"],
            "commit": environment["commit"],
            "dirty": environment["dirty"],
            "version": environment["packages"]["inpaintbench"],
            "suite": environment["suite"]["name"],
            "cases_sha256": environment["cases_sha256"],
        }
    except (KeyError, TypeError) as error:
        raise InputError(f"{run.path} fits no history: its {MARK} has no {error}") from error
    return run.leaderboard().assign(**about)[COLUMNS]


def read_history(path: Path) -> pd.DataFrame:
    """Read a history.

    Raises
    ------
    InputError
        If the file cannot be read, or is no history.
    """
    try:
        history = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the history {path}: {error}") from error
    missing = [column for column in COLUMNS if column not in history]
    if missing:
        raise InputError(f"{path} is no history: it has no column {missing[0]}")
    return history


def append_history(path: Path, *runs: Run) -> pd.DataFrame:
    """Add runs to a history, which is made if there is none; one that it has is not added again.

    The file is written beside and renamed: a reader meets the old one or the new one whole. Of
    several that add to it at the same time each waits for the one before.

    Returns
    -------
    DataFrame
        The history, in the order in which the runs were finished.

    Raises
    ------
    InputError
        If the file is no history, or cannot be written.
    """
    from filelock import FileLock

    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file")
    rows = [history_rows(run) for run in runs]
    make_folder(path.parent)
    try:
        with FileLock(path.with_name(f".{path.name}.lock")):
            known = [read_history(path)] if path.exists() else []
            history = _in_order(pd.concat([*known, *rows], ignore_index=True))
            write_parquet(history, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    return history


def _in_order(history: pd.DataFrame) -> pd.DataFrame:
    """Each row once, in the order in which the runs were finished."""
    once = history.drop_duplicates(KEY)
    return once.sort_values("finished", kind="stable", ignore_index=True)


def keep_history(history: pd.DataFrame, run: Run) -> None:
    """Keep what a history says of a run's cases in its folder, so that it can be moved along."""
    write_parquet(comparable(history, run), run.path / HISTORY)


def comparable(history: pd.DataFrame, run: Run) -> pd.DataFrame:
    """The part of a history that was scored on the very cases of a run, with the run itself."""
    history = pd.concat([history, history_rows(run)], ignore_index=True)
    return _in_order(history[history["cases_sha256"] == run.environment["cases_sha256"]])
