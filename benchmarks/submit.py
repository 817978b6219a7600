"""Choosing a method, restoring a challenge test set, and writing the submission."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from inpaintbench.benchmarks.answers import picture_of
from inpaintbench.benchmarks.blocks import MOST_OTHERS
from inpaintbench.benchmarks.cluster import Task, as_finished, open_workers
from inpaintbench.benchmarks.isolation import Limits
from inpaintbench.benchmarks.restoring import Outcome, restore_cases
from inpaintbench.datasets import sister_challenges
from inpaintbench.datasets.cases import Observation
from inpaintbench.datasets.challenge import (
    predictions_from,
    read_predictions,
    read_testset,
    score,
    write_predictions,
)
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import check_writable
from inpaintbench.methods import Method
from inpaintbench.reports import Run
from inpaintbench.reports.tables import share_text

BLOCK = 25  # pictures that a worker gets at a time


class Submission(NamedTuple):
    """What was written: how many predictions, and the challenge MSE that the method expects.

    The latter is NaN if the method cannot tell.
    """

    predictions: int
    expected_mse: float


def expectation(run: Run, label: str) -> str:
    """Say what the run lets one expect of a method on photographs like the run's own."""
    board = run.leaderboard().set_index("method")
    if label not in board.index:
        return f"{run.path} did not run {label}: it says nothing of what to expect"
    row = board.loc[label]
    if row["coverage"] < 1:
        share = share_text(board["coverage"][label])
        return f"{label} restored only {share} of {run.path}'s cases: expect failures"
    interval = f" (95 % interval {row['low']:.1f} to {row['high']:.1f})"
    return (
        f"expected {run.metric} {row['mse']:.1f}{'' if np.isnan(row['low']) else interval}, "
        f"as far as the test set is like the photographs of {run.path} "
        f"({run.environment['suite']['images']})"
    )


def write_submission(
    testset: Path,
    task: str,
    output: Path,
    method: Method,
    jobs: int,
    timeout: float,
    progress: Callable[[int], None],
) -> Submission:
    """Restore a test set and write the predictions; nothing is written unless all succeed.

    `task` is what `task_of` finds.

    Returns
    -------
    Submission
        After reading the file back and scoring it against itself.

    Raises
    ------
    InputError
        If the test set is at fault, the method fails on a picture, or the file cannot be written.
    """
    if not method.fills_holes():
        raise InputError(f"{method.label} fills no holes: {method.limits}")
    flat = task != "crop"
    observations = sister_challenges.read_testset(testset) if flat else read_testset(testset)
    check_writable(output, testset)
    method.weights_sha256()  # wrong weights are found before, not after, the work
    outcomes: dict[int, Outcome] = {}
    with open_workers(jobs) as workers:
        for first, block in as_finished(workers, _tasks(method, observations, Limits(timeout))):
            for index, outcome in enumerate(block, first):
                if not outcome.is_ok:
                    what = f"{outcome.status}: {outcome.message}"
                    raise InputError(f"{method.label} failed on {testset}, index {index}: {what}")
                outcomes[index] = outcome
            progress(len(block))
    restored = [picture_of(outcomes[k].hidden, o) for k, o in enumerate(observations)]
    chosen = sister_challenges.predictions_from if flat else predictions_from
    predictions = chosen(restored, observations)
    write_predictions(output, predictions)
    if score(read_predictions(output), predictions) != 0:
        raise RuntimeError(f"{output} does not hold what was written to it")
    expected = [outcome.expected_mse for outcome in outcomes.values()]
    return Submission(len(predictions), float(np.mean(expected)))


def _tasks(
    method: Method, observations: Sequence[Observation], limits: Limits
) -> Iterator[tuple[int, Task]]:
    """Cut a test set, whose pictures are a photograph each, into blocks."""
    for first in range(0, len(observations), BLOCK):
        block = observations[first : first + BLOCK]
        others: list[Observation] = []
        if method.looks_around:
            others = [*observations[first + BLOCK :], *observations[:first]][:MOST_OTHERS]
        arguments = (method, block, others, limits)
        yield first, (restore_cases, partial(tuple, arguments))
