"""What runs inside worker processes: methods on observations. The truth never comes here."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import numpy as np
from pebble import ProcessPool

from inpaintbench.datasets.cases import Observation
from inpaintbench.methods.method import Method

# One thread a worker: so that workers do not fight for cores, and so that no score depends on how
# many threads shared a sum.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "OPENCV_FOR_THREADS_NUM",
    ),
    "1",
)


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


class MethodFailed(Exception):
    """A method raised something; the message says what."""


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
    """Turn whatever a method raises, `sys.exit()` too, into one exception that can be sent."""
    try:
        with _announced(label):
            yield
    except MemoryError:
        raise
    except BaseException as error:
        message = f"{type(error).__name__}: {error}".strip()
        if "OutOfMemory" in type(error).__name__:  # torch has its own
            raise MemoryError(message) from None
        raise MethodFailed(message) from None


def restore_block(
    method: Method, observations: Sequence[Observation], others: Sequence[Observation]
) -> tuple[list[Any], list[float], float]:
    """Restore a block of cases.

    A method that looks around gets the others first; any other method gets none.

    Returns
    -------
    restored : list
        What the method returned for each.
    expected : list of float
        The mean squared error that the method itself expects of each; NaN where it cannot tell.
    seconds : float
        What restoring took; saying what to expect is not counted.
    """
    with guarded(method.label):
        start = time.perf_counter()
        if method.looks_around:
            method.look_around(others)
        restored = list(method.restore_batch(observations))
        seconds = time.perf_counter() - start
        expected = expected_mse(method, observations)
    if len(restored) != len(observations):
        raise MethodFailed(f"restore_batch returned {len(restored)} of {len(observations)}")
    return restored, expected, seconds


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
