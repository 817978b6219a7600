"""Restoring a block of cases in isolation, so that only a guilty case is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inpaintbench.benchmarks.answers import Lending, Packed, hidden_parts, pack
from inpaintbench.benchmarks.isolation import (
    Isolation,
    Limits,
    MethodFailed,
    isolated,
    memory_folder,
)
from inpaintbench.benchmarks.workers import answer
from inpaintbench.datasets.cases import Observation
from inpaintbench.methods.method import Method

PATIENCE = 4  # times as long as measured that a block may take, and a case's limit more
HOPELESS = 3  # cases in a row that took too long, after which the rest of a block is not tried


@dataclass(slots=True)
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

    @property
    def is_ok(self) -> bool:
        """Whether there is a restoration."""
        return self.status == "ok"


def lend(observations: Sequence[Observation]) -> Lending:
    """Pack observations for the processes of methods."""
    return Lending(pack(observations), memory_folder())


def restore_cases(
    method: Method,
    observations: Sequence[Observation],
    others: Sequence[Observation],
    limits: Limits,
) -> list[Outcome]:
    """Restore a block of cases as `restore_block` does."""
    return restore_block(method, lend(observations), lend(others), limits)


def restore_block(
    method: Method,
    observations: Lending,
    others: Lending,
    limits: Limits,
    libraries: Sequence[str] = (),
) -> list[Outcome]:
    """Restore a block of cases by a method in a process of its own.

    In a fresh process the first case is restored alone before the rest: so a hanging method is
    found after one case, and it is known how long a block should take. Where anything goes wrong,
    every case is restored alone. Each call restores its first case twice: a method that answers
    otherwise when asked again is invalid.

    Parameters
    ----------
    others : what a method may see that looks around
    libraries : see `Isolation`
    """
    process = isolated(method.label, limits.gibibytes, libraries)

    def restored(part: slice) -> list[Outcome]:
        return attempt(process, method, observations.packed.only(part), others.packed, limits)

    if process.answered or restored(slice(1))[0].is_ok:
        outcomes = restored(slice(None))
        if all(outcome.is_ok for outcome in outcomes):
            return outcomes
    outcomes = []
    for number in range(len(observations.packed)):
        if [outcome.status for outcome in outcomes[-HOPELESS:]] == ["timeout"] * HOPELESS:
            outcomes.append(Outcome("timeout", f"not tried: {HOPELESS} before took too long"))
        else:
            outcomes += restored(slice(number, number + 1))
    return outcomes


def attempt(
    process: Isolation,
    method: Method,
    packed: Packed,
    others: Packed,
    limits: Limits,
    ask_again: bool = True,
) -> list[Outcome]:
    """Restore cases by one call of `answer`; a failure is the same outcome for each of them."""
    count = len(packed)
    limit = _time_limit(limits.seconds, count, ask_again, process.pace)
    try:
        answers = process.call(answer, method, packed, others, ask_again, seconds=limit)
    except MethodFailed as error:
        return [Outcome(error.status, error.message, error.traceback)] * count
    seconds = answers.seconds / count
    cold = count == 1 and not method.looks_around  # it may have loaded or compiled something
    process.pace = answers.again if cold else max(answers.again, seconds)
    return [
        Outcome("invalid", answers.problems[number])
        if hidden is None
        else Outcome("ok", "", "", hidden, altered, seconds, expected)
        for number, (hidden, altered, expected) in enumerate(
            zip(hidden_parts(answers, packed), answers.altered, answers.expected, strict=True)
        )
    ]


def _time_limit(seconds: float, count: int, ask_again: bool, pace: float) -> float:
    """Give the seconds for cases restored together, of which the first may be restored twice.

    Several get no longer than they should need at this pace, so that a hang costs little: where
    that is too short after all, each gets its own time alone.
    """
    longest = seconds * (count + ask_again)
    return longest if count == 1 else min(longest, seconds + PATIENCE * count * pace)
