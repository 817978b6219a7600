"""What runs inside a method's process: the method, on observations. The truth never comes here."""

import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context

import numpy as np
from pebble import ProcessPool

from inpaintbench.benchmarks.answers import (
    Answers,
    InvalidRestoration,
    Packed,
    finish_picture,
    finish_prediction,
    modified,
    unpack,
)
from inpaintbench.benchmarks.isolation import ONE_THREAD, MethodFailed
from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.methods.method import Method

LONGEST_TRACEBACK = 20_000  # characters


@contextmanager
def worker_pool(jobs: int) -> Iterator[ProcessPool]:
    """Start a pool of fresh processes with one thread each, which can be killed one by one.

    Processes are spawned, not forked: a fork of a process with threads or a GPU may hang.
    """
    before = dict(os.environ)
    os.environ.update(ONE_THREAD)  # the libraries read it when a worker first imports them
    pool = ProcessPool(max_workers=jobs, context=get_context("spawn"))
    try:
        yield pool
        pool.close()
        pool.join()
    finally:
        pool.stop()
        pool.join()
        os.environ.clear()
        os.environ.update(before)


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


def restore_block(method: Method, packed: Packed, others: Packed) -> Answers:
    """Restore a block of cases.

    A method that looks around gets the others first; any other method gets none.

    Raises
    ------
    MethodFailed
        If the method raises, or returns too few or too many answers.
    """
    observations = unpack(packed)
    with guarded(method.label):
        start = time.perf_counter()
        if method.looks_around:
            method.look_around(unpack(others))
        predicts = type(method).predict_batch is not Method.predict_batch
        restored = list((method.predict_batch if predicts else method.restore_batch)(observations))
        seconds = time.perf_counter() - start
        if len(restored) != len(observations):
            raise MethodFailed("error", f"returned {len(restored)} of {len(observations)} pictures")
        touched = modified(packed, observations)
        observations = unpack(packed) if touched else observations
        expected = expected_mse(method, observations)
        hidden, problems, altered = _finished(restored, observations, predicts)
    problems |= dict.fromkeys(touched, "modified the observation, which it only may read")
    parts = [part.tobytes() for number, part in enumerate(hidden) if number not in problems]
    return Answers(b"".join(parts), problems, altered, expected, seconds)


def _finished(
    restored: Sequence[object], observations: Sequence[Observation], predicts: bool
) -> tuple[list[Array], dict[int, str], list[float]]:
    """Check every answer: hidden pixels, what is wrong by number, and how known pixels changed."""
    nothing = np.empty(0)
    hidden: list[Array] = []
    problems: dict[int, str] = {}
    altered = []
    for number, (answer, observation) in enumerate(zip(restored, observations, strict=True)):
        part, change = nothing, 0.0
        try:
            if predicts:
                part = finish_prediction(answer, observation)
            else:
                part, change = finish_picture(answer, observation)
        except InvalidRestoration as error:
            problems[number] = str(error)
        hidden.append(part)
        altered.append(change)
    return hidden, problems, altered


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
