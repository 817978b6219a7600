"""Restoring a block of cases in isolation, so that only a guilty case is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inpaintbench.benchmarks.answers import hidden_parts, pack
from inpaintbench.benchmarks.check import CLOSE
from inpaintbench.benchmarks.isolation import Isolation, Limits, MethodFailed, isolated
from inpaintbench.benchmarks.workers import restore_block
from inpaintbench.datasets.cases import Observation
from inpaintbench.methods.method import Method

HOPELESS = 3  # cases in a row that took too long, after which the rest of a block is not tried


@dataclass
class Outcome:
    """What became of one method on one case.

    Attributes
    ----------
    status : "ok", or what went wrong: "error", "timeout", "crash", "oom", "invalid", "skipped"
    message, traceback : of what went wrong
    hidden : the restored hidden pixels as `image[mask]`, or None
    altered_known : by how much a known pixel was changed at the most, in grey levels of 0..255
    seconds : for this case, on average over its block
    expected_mse : what the method itself expects; NaN if it cannot tell
    """

    status: str
    message: str = ""
    traceback: str = ""
    hidden: Any = None
    altered_known: float = float("nan")
    seconds: float = float("nan")
    expected_mse: float = float("nan")


def restore_cases(
    method: Method,
    observations: Sequence[Observation],
    others: Sequence[Observation],
    limits: Limits,
    libraries: Sequence[str] = (),
) -> list[Outcome]:
    """Restore a block of cases by a method in a process of its own.

    The first case is restored alone and then once more with all: a hanging method is found after
    one case, and one that answers otherwise when asked again is found at all. Where anything goes
    wrong, every case is restored alone, twice.

    Parameters
    ----------
    others : what a method may see that looks around
    libraries : see `Isolation`
    """
    process = isolated(method.label, limits.gibibytes, libraries)
    first = attempt(process, method, observations[:1], others, limits)
    if first[0].status == "ok":
        whole = attempt(process, method, observations, others, limits)
        if all(outcome.status == "ok" for outcome in whole) and _same(first[0], whole[0]):
            return whole
    outcomes: list[Outcome] = []
    for observation in observations:
        if [outcome.status for outcome in outcomes[-HOPELESS:]] == ["timeout"] * HOPELESS:
            outcomes.append(Outcome("timeout", f"not tried: {HOPELESS} before took too long"))
        else:
            outcomes.append(_restore_one(process, method, observation, others, limits))
    return outcomes


def _restore_one(
    process: Isolation,
    method: Method,
    observation: Observation,
    others: Sequence[Observation],
    limits: Limits,
) -> Outcome:
    """Restore a case twice: the second answer, unless it is another one."""
    (before,) = attempt(process, method, [observation], others, limits)
    if before.status != "ok":
        return before
    (after,) = attempt(process, method, [observation], others, limits)
    if after.status == "ok" and not _same(before, after):
        return Outcome("invalid", "gave another answer when asked again: seed its random numbers")
    return after


def _same(one: Outcome, other: Outcome) -> bool:
    """Whether two answers to one case agree, but for the rounding that a batch may change."""
    difference = np.abs(one.hidden.astype(np.int64) - other.hidden.astype(np.int64))
    return bool(difference.max(initial=0) <= 1 + CLOSE * np.iinfo(one.hidden.dtype).max)


def attempt(
    process: Isolation,
    method: Method,
    observations: Sequence[Observation],
    others: Sequence[Observation],
    limits: Limits,
) -> list[Outcome]:
    """Restore cases by one call in a process; a failure is the same outcome for each of them."""
    count = len(observations)
    arguments = (method, pack(observations), pack(others))
    try:
        answers = process.call(restore_block, *arguments, seconds=limits.seconds * count)
    except MethodFailed as error:
        return [Outcome(error.status, error.message, error.traceback)] * count
    outcomes = []
    for number, (hidden, problem) in enumerate(hidden_parts(answers, observations)):
        if hidden is None:
            outcomes.append(Outcome("invalid", problem))
        else:
            known = (answers.altered[number], answers.seconds / count, answers.expected[number])
            outcomes.append(Outcome("ok", "", "", hidden, *known))
    return outcomes
