"""What runs inside a method's process: the method, on observations. The truth never comes here."""

import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from inpaintbench.benchmarks.answers import (
    Answers,
    InvalidRestoration,
    Packed,
    finish_prediction,
    finish_predictions,
    hidden_of,
    modified,
    taken,
    unpack,
)
from inpaintbench.benchmarks.isolation import MethodFailed
from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.methods.method import CLOSE, Method

BATCH = 256  # cases that a method is shown at once
LONGEST_TRACEBACK = 20_000  # characters
NOTHING: Array = np.empty(0)


@contextmanager
def _announced(label: str) -> Iterator[None]:
    """Say so if a method is compiled; without numba there is nothing to compile."""
    if "numba" not in sys.modules:
        yield
        return
    from numba.core.event import install_listener

    from inpaintbench.benchmarks.compilation import Announcement

    with install_listener("numba:compile", Announcement(label)):
        yield


@contextmanager
def guarded(label: str) -> Iterator[None]:
    """Turn whatever a method raises, `sys.exit()` too, into a `MethodFailed`."""
    try:
        with _announced(label):
            yield
    except MethodFailed:
        raise
    except BaseException as error:
        # torch has a memory error of its own
        memory = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
        lines = str(error).strip().splitlines() or [""]
        message = f"{type(error).__name__}: {lines[0][:500]}".removesuffix(": ")
        where = traceback.format_exc()[-LONGEST_TRACEBACK:]
        raise MethodFailed("oom" if memory else "error", message, where) from None


def answer(method: Method, packed: Packed, others: Packed, ask_again: bool = True) -> Answers:
    """Restore a block of cases in batches.

    A method that looks around gets the others first; any other method gets none.

    Parameters
    ----------
    ask_again : whether to restore the first case twice: the answers must agree

    Raises
    ------
    MethodFailed
        If the method raises, or returns too few or too many answers.
    """
    memory = taken(packed)
    observations = unpack(packed, memory)
    with guarded(method.label):
        hidden: list[Array] = []
        problems: dict[int, str] = {}
        altered: list[float] = []
        expected: list[float] = []
        seconds, start = 0.0, time.perf_counter()
        if method.looks_around:
            method.look_around(unpack(others, taken(others)))
        for first in range(0, len(packed), BATCH):
            part = slice(first, first + BATCH)
            answers, wrong, changes = _restored(method, observations[part], packed.only(part))
            seconds += time.perf_counter() - start
            hidden += answers
            problems |= {first + number: reason for number, reason in wrong.items()}
            altered += changes
            expected += expected_mse(method, observations[part])
            start = time.perf_counter()
        touched = modified(packed, memory)
        once_more = float("inf")
        if ask_again and 0 not in problems and 0 not in touched:
            start = time.perf_counter()
            again, _, _ = _restored(method, observations[:1], packed.only(slice(1)))
            once_more = time.perf_counter() - start
            if not same(again[0], hidden[0]):
                problems[0] = "gave another answer when asked again: seed its random numbers"
    problems |= dict.fromkeys(touched, "modified the observation, which it only may read")
    parts = b"".join(part.data for number, part in enumerate(hidden) if number not in problems)
    return Answers(parts, problems, altered, expected, seconds, once_more)


def _restored(
    method: Method, observations: Sequence[Observation], packed: Packed
) -> tuple[list[Array], dict[int, str], list[float]]:
    """Restore by one call: hidden pixels, what is wrong by number, and how known pixels changed.

    The hidden pixels of each case are flat.
    """
    predicts = type(method).predict_batch is not Method.predict_batch
    answers: Iterable[Any]
    if predicts or type(method).restore_batch is not Method.restore_batch:
        answers = list((method.predict_batch if predicts else method.restore_batch)(observations))
        if len(answers) != len(observations):
            raise MethodFailed("error", f"returned {len(answers)} of {len(observations)} pictures")
    else:  # each is checked while it is still in the processor's cache
        answers = map(method.restore, observations)
    problems: dict[int, str] = {}
    altered = [0.0] * len(packed)
    if predicts:
        parts = list(answers)
    else:
        checked = [_hidden(*pair) for pair in zip(answers, observations, strict=True)]
        parts = [part for part, _, _ in checked]
        altered = [change for _, change, _ in checked]
        problems = {number: reason for number, (_, _, reason) in enumerate(checked) if reason}
    if not problems and (flat := finish_predictions(parts, packed)) is not None:
        ends = accumulate((part.size for part in parts), initial=0)
        return [flat[a:b] for a, b in pairwise(ends)], {}, altered
    hidden = [NOTHING] * len(packed)
    for number, (part, observation) in enumerate(zip(parts, observations, strict=True)):
        if number not in problems:
            try:
                hidden[number] = finish_prediction(part, observation).ravel()
            except InvalidRestoration as error:
                problems[number] = str(error)
    return hidden, problems, altered


def _hidden(picture: object, observation: Observation) -> tuple[Array, float, str]:
    """Take a picture's hidden pixels: with how much its known ones changed, and what is wrong."""
    try:
        return *hidden_of(picture, observation), ""
    except InvalidRestoration as error:
        return NOTHING, 0.0, str(error)


def same(one: Array, other: Array) -> bool:
    """Whether two answers to one case agree, but for the rounding that a batch may change."""
    if one.shape != other.shape:
        return False
    difference = np.abs(one.astype(np.int64) - other.astype(np.int64))
    return bool(difference.max(initial=0) <= 1 + CLOSE * np.iinfo(one.dtype).max)


def expected_mse(method: Method, observations: Sequence[Observation]) -> list[float]:
    """Average the squared errors that a method expects over each case's hidden pixels.

    NaN where it cannot tell, if only of one of them. A method that never can is not asked: the
    others may need a second pass for it.
    """
    unknown = [float("nan")] * len(observations)
    if type(method).expected_errors is Method.expected_errors:
        return unknown
    errors = method.expected_errors(observations)
    if errors is None:
        return unknown
    if len(errors) != len(observations):
        raise ValueError(f"expected_errors returned {len(errors)} of {len(observations)}")
    return [float(np.mean(error)) if error.size else float("nan") for error in errors]
