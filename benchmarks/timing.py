"""What methods cost: a pass apart from quality, serial, each method in a fresh process.

A process has one thread. It loads the method, restores once to warm up, then repeats single crops
and batches; a GPU is waited for before every look at the clock. What it is measured on is in
`environment.json`. Processes are not pinned to a core. On two busy cores that made times several
times longer where somebody else wanted the core too, and the spread smaller for one method of four
(harmonic, gaussian, fsr and course-cnn in five processes each, with os.sched_setaffinity and
without, 2026-11-21).
"""

import os
import pickle
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pebble import ProcessPool

from inpaintbench.benchmarks.isolation import ONE_THREAD, end_pool, undisturbed
from inpaintbench.benchmarks.workers import guarded
from inpaintbench.datasets.cases import Array, Observation, evenly, hide
from inpaintbench.methods.method import Method
from inpaintbench.methods.weights import fit_seconds

if TYPE_CHECKING:
    import pandas as pd

TIMED_CASES = 10  # evenly over the suite
BATCH = 64  # crops of a batch
REPEATS = 3  # after the round that warms up
SECONDS = 6.0  # after which a slow method is not repeated
GROWTH_SECONDS = 10.0  # that a method may take for a growing picture, repeats included
BATCH_SECONDS = 2.0  # a slow method's batch is smaller, so that it takes about as long

# Sides of picture and hole whose cost is timed: growing holes, then growing pictures.
GROWTH = ((80, 5), (80, 9), (80, 15), (80, 21), (40, 9), (160, 9), (320, 9))

COLUMNS = (
    "method",
    "label",
    "kind",
    "seconds",
    "hidden_pixels",
    "picture_pixels",
    "crops",
    "bytes",
)

Row = dict[str, Any]


def time_methods(
    methods: Sequence[Method],
    observations: Sequence[Observation],
    others: Sequence[Observation],
    timeout: float,
) -> "pd.DataFrame":
    """Time methods that restored every case, one after the other, each in a process of its own.

    A method that fails after all is left out: only its cost is then unknown.

    Parameters
    ----------
    methods : made methods
    observations : those that are timed one at a time
    others : what a method that looks around gets to see, and what batches are made of; may be empty
    timeout : seconds that a method may take for an observation

    Returns
    -------
    DataFrame
        Columns `method`, `label`, `kind`, `seconds`, `hidden_pixels`, `picture_pixels`, `crops`
        and `bytes`, NaN where a kind has none. Kinds: "load" (the method's module, its libraries
        and weights), "first" (the first restoration, with whatever is compiled or made for it),
        "single" (a row for each observation and repeat), "batch" (seconds of each of `crops` in one
        call, a row for each repeat), "growth" (one of a picture and a hole of these sizes), "fit"
        (what the model card says); and with bytes "memory-before" (of the process before the
        method is loaded), "memory" (the most while it restores) and "gpu-memory" (the most that
        torch allocated, where it used a GPU).
    """
    import pandas as pd

    growing = growing_observations(observations[0])
    rows: list[Row] = []
    for method in methods:
        names = {"method": method.name, "label": method.label}
        rows += [
            names | row for row in _time_method(method, observations, others, growing, timeout)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def timed_places(count: int) -> list[int]:
    """Numbers of the cases that are timed, evenly over all."""
    places: list[int] = evenly(count, TIMED_CASES).tolist()
    return places


def growing_observations(observation: Observation) -> list[Observation]:
    """Repeat a picture in growing sizes around growing holes: what its cost depends on.

    The kind of pixel does not change, only their number: the picture is mirrored at its borders.
    Where all of a picture is asked for, only its size grows.
    """
    if observation.mask.all():
        times = observation.mask.shape[0] // observation.image.shape[0]
        return [
            Observation(_mirrored(observation.image, side // times), np.ones((side, side), bool))
            for side in sorted({side for side, _ in GROWTH})
        ]
    grown = []
    for side, hole in GROWTH:
        image = _mirrored(observation.image, side)
        mask = np.zeros(image.shape[:2], bool)
        middle = slice((side - hole) // 2, (side + hole) // 2)
        mask[middle, middle] = True
        grown.append(Observation(hide(image, mask), mask))
    return grown


def _mirrored(image: Array, side: int) -> Array:
    """Cut a picture to a side, or mirror it at its borders until it has that."""
    extra = [(0, max(side - n, 0)) for n in image.shape[:2]] + [(0, 0)] * (image.ndim - 2)
    return np.pad(image, extra, mode="symmetric")[:side, :side]


def _time_method(
    method: Method,
    observations: Sequence[Observation],
    others: Sequence[Observation],
    growing: Sequence[Observation],
    timeout: float,
) -> list[Row]:
    """Give all rows of a method; none if it fails."""
    # As bytes: else the new process would load the method before its clock runs.
    packed = pickle.dumps(method)
    batch = _batch(observations, others)
    seen = others if method.looks_around else []  # no restoration is kept: they give nothing away
    longest = timeout * (2 * len(observations) + 1) + SECONDS * 5
    with _fresh_process() as pool:
        arguments = [packed, method.label, observations, batch, seen]
        try:
            with undisturbed():
                future = pool.schedule(measure, args=arguments, timeout=longest)
            rows: list[Row] = future.result()
        except Exception:  # whatever it was: the scores are what counts, and stand
            return []
        return rows + _fit_row(method) + _time_growth(pool, packed, method.label, growing)


@contextmanager
def _fresh_process() -> Iterator[ProcessPool]:
    """Start a fresh process with one thread, as a pool of one, which can be killed.

    It is spawned, not forked: what a fork has loaded already would not be timed.
    """
    before = dict(os.environ)
    os.environ.update(ONE_THREAD)  # the libraries read it when a worker first imports them
    pool = ProcessPool(max_workers=1, context=get_context("spawn"))
    try:
        yield pool
        pool.close()
        pool.join()
    finally:
        end_pool(pool)
        os.environ.clear()
        os.environ.update(before)


def _batch(observations: Sequence[Observation], others: Sequence[Observation]) -> list[Observation]:
    """Choose a batch evenly from the others, or repeat what there is until it is full."""
    if len(others) < BATCH:
        return list(islice(cycle(others or observations), BATCH))
    return [others[place] for place in evenly(len(others), BATCH)]


def _fit_row(method: Method) -> list[Row]:
    seconds = fit_seconds(method)
    return [] if np.isnan(seconds) else [{"kind": "fit", "seconds": seconds}]


def _time_growth(
    pool: ProcessPool, packed: bytes, label: str, observations: Sequence[Observation]
) -> list[Row]:
    """Time a method on growing pictures; one that takes too long leaves a size out."""
    rows = []
    for observation in observations:
        try:
            arguments = [packed, label, observation]
            seconds = pool.schedule(measure_one, args=arguments, timeout=GROWTH_SECONDS).result()
        except Exception:  # too slow for this size, or not able to: its curve has a point less
            continue
        hidden, pixels = int(observation.mask.sum()), observation.mask.size
        row = {"kind": "growth", "hidden_pixels": hidden, "picture_pixels": pixels, "crops": 1}
        rows.append(row | {"seconds": seconds})
    return rows


def measure(
    packed: bytes,
    label: str,
    observations: Sequence[Observation],
    batch: Sequence[Observation],
    others: Sequence[Observation],
) -> list[Row]:
    """Measure a pickled method in this process, which must be a fresh one.

    Stops early, after the first round, once `SECONDS` are over.

    Returns
    -------
    list of dict
        Rows as `time_methods` gives them, without the method's names.
    """
    rows: list[Row] = [{"kind": "memory-before", "bytes": _memory("VmRSS")}]
    begin = now()
    with guarded(label):
        method: Method = pickle.loads(packed)  # imports its module; it was packed here
        method.load()
    rows.append({"kind": "load", "seconds": now() - begin})
    with guarded(label):
        begin = now()
        if method.looks_around:
            method.look_around(others)
        method.restore(observations[0])
        rows.append({"kind": "first", "seconds": now() - begin, "crops": 1})
        _forget_peaks()
        rows += _rounds(method, observations, batch)
    rows.append({"kind": "memory", "bytes": _memory("VmHWM")})
    return rows + _gpu_rows()


def _rounds(
    method: Method, observations: Sequence[Observation], batch: Sequence[Observation]
) -> list[Row]:
    """Time single crops and batches in turn, so that both see the same disturbances.

    The first round warms up, since a method may make something for every new shape of hole; it
    counts only where the time allows no other.
    """
    rounds: list[list[Row]] = []
    begin = now()
    while not rounds or (len(rounds) <= REPEATS and now() - begin < SECONDS):
        rows: list[Row] = []
        for observation in observations:
            start = now()
            method.restore(observation)
            rows.append({"kind": "single", "seconds": now() - start, "crops": 1})
        if not rounds:
            warm = max(min(row["seconds"] for row in rows), 1e-9)  # the first was restored before
            batch = batch[: max(len(observations), round(BATCH_SECONDS / warm))]
        start = now()
        method.predict_batch(batch)
        seconds = (now() - start) / len(batch)
        rows.append({"kind": "batch", "seconds": seconds, "crops": len(batch)})
        rounds.append(rows)
    return [row for rows in rounds[1:] or rounds for row in rows]


def measure_one(packed: bytes, label: str, observation: Observation) -> float:
    """Seconds that one restoration takes when the method is warm: the better of two."""
    with guarded(label):
        method: Method = pickle.loads(packed)
        method.restore(observation)
        times = []
        for _ in range(2):
            start = now()
            method.restore(observation)
            times.append(now() - start)
    return min(times)


def now() -> float:
    """Read the clock in seconds, when all that GPUs were given to do is done."""
    if (cuda := _cuda()) is not None:
        for number in range(cuda.device_count()):
            cuda.synchronize(number)
    return time.perf_counter()


def _cuda() -> Any:
    """Give `torch.cuda` if this process has used it, else None; nothing is imported for it."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _memory(field: str) -> float:
    """Bytes of this process: "VmRSS" resident now, "VmHWM" the most so far; NaN if unknown.

    Linux's own figure: `getrusage` would count what the parent held when it started this process.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    found = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return float(found[0]) * 1024 if found else float("nan")


def _forget_peaks() -> None:
    """Let the most memory so far be what is in use now: loading and compiling are not restoring."""
    with suppress(OSError):  # another system, or one that forbids it: then they count as well
        Path("/proc/self/clear_refs").write_text("5")  # see Linux's proc(5)
    if (cuda := _cuda()) is not None:
        for number in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(number)


def _gpu_rows() -> list[Row]:
    """Say how much memory torch allocated on all GPUs at the most, where it used one."""
    if (cuda := _cuda()) is None:
        return []
    most = sum(cuda.max_memory_allocated(number) for number in range(cuda.device_count()))
    return [{"kind": "gpu-memory", "bytes": float(most)}]
