"""What runs inside worker processes: methods on observations. The truth never comes here."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

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


def restore_block(method: Method, observations: Sequence[Observation]) -> tuple[list[Any], float]:
    """Restore a block of cases: what the method returned for each, and the seconds it took."""
    start = time.perf_counter()
    restored = method.restore_batch(observations)
    seconds = time.perf_counter() - start
    if len(restored) != len(observations):
        raise ValueError(f"restore_batch returned {len(restored)} of {len(observations)} pictures")
    return list(restored), seconds


def time_method(
    method: Method, observations: Sequence[Observation], repeats: int
) -> tuple[float, list[list[float]], list[float]]:
    """Time a method in this process.

    Returns
    -------
    first : seconds of the first call, with everything that is loaded or compiled on demand
    single : for each observation, seconds of each repeated `restore`
    batch : seconds per observation of each repeated `restore_batch`
    """
    start = time.perf_counter()
    method.restore(observations[0])
    first = time.perf_counter() - start
    single = [[_seconds(method, [o]) for _ in range(repeats)] for o in observations]
    method.restore_batch(observations)
    count = len(observations)
    batch = [_seconds(method, observations) / count for _ in range(repeats)]
    return first, single, batch


def _seconds(method: Method, observations: Sequence[Observation]) -> float:
    start = time.perf_counter()
    if len(observations) == 1:
        method.restore(observations[0])
    else:
        method.restore_batch(observations)
    return time.perf_counter() - start
