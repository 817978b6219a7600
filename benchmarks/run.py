"""Carrying out a suite: every method on the same observations, scored, and written as a run.

The parent process draws the cases and keeps the truth; workers get observations only. Cases go out
in blocks of a fixed size, whatever the number of workers, so that this number changes no score. A
block that fails is repeated case by case: only the guilty case is lost.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from inpaintbench.benchmarks.cards import describe_methods
from inpaintbench.benchmarks.content import content_of
from inpaintbench.benchmarks.environment import describe_environment
from inpaintbench.benchmarks.scoring import InvalidRestoration, constant_mse, finish, score_picture
from inpaintbench.benchmarks.suite import Suite
from inpaintbench.benchmarks.workers import restore_block, time_method, worker_pool
from inpaintbench.datasets.cases import Case, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import make_folder, write_json, write_parquet, write_picture
from inpaintbench.datasets.images import Skipped
from inpaintbench.methods.method import Method
from inpaintbench.reports.picture import picture_path

BLOCK = 25  # cases that a worker gets at a time
TIMED_CASES = 10  # of the timing pass, evenly over the suite
TIMING_REPEATS = 3
TIMING_SECONDS = 10.0  # after which a slow method is not repeated

# Sides of picture and hole whose cost is timed: growing holes, then growing pictures.
GROWTH = ((80, 5), (80, 9), (80, 15), (80, 21), (40, 9), (160, 9), (320, 9))

Progress = Callable[[str, int], None]  # method label, cases finished


@dataclass
class Outcome:
    """What became of one method on one case."""

    status: str
    message: str = ""
    restored: Any = None
    seconds: float = float("nan")
    expected_mse: float = float("nan")  # what the method itself expects


def run_suite(
    suite: Suite,
    methods: Sequence[Method],
    folder: Path,
    jobs: int,
    timeout: float,
    progress: Progress,
    warn: Callable[[str], None],
) -> None:
    """Run methods on a suite's cases and write the run's files into `folder`.

    Parameters
    ----------
    suite : what to draw the cases from
    methods : made methods, with different labels
    folder : the run; must not hold anything yet
    jobs : worker processes
    timeout : seconds that a method may take for a case, on average over a block of 25; a block
        that takes longer is repeated case by case
    progress, warn : receive what the user should see

    Raises
    ------
    InputError
        If weights are at fault, no case can be drawn, or the folder cannot be written.
    """
    started = datetime.now(UTC)
    weights = {m.label: sha256 for m in methods if (sha256 := m.weights_sha256())}
    skipped = Skipped()
    cases = suite.draw(skipped)
    strange = changed_cases(suite, cases)
    for notice in _notices(skipped, strange):
        warn(notice)
    _claim(folder)
    scores = _score_all(suite.task, methods, cases, folder, jobs, timeout, progress)
    _keep_cases(cases, folder)  # only now: no method can find the truth on disk
    write_parquet(scores, folder / "scores.parquet")
    failed = set(scores.loc[scores["status"] != "ok", "label"])
    whole = [method for method in methods if method.label not in failed]
    write_parquet(time_all(whole, cases, timeout), folder / "timings.parquet")
    write_json(describe_methods(methods), folder / "methods.json")
    environment = describe_environment(suite, cases) | {
        "weights_sha256": weights,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "jobs": jobs,
        "timeout_seconds": timeout,
        "skipped_files": dict(skipped.files),
        "cases_unlike_manifest": strange,
    }
    write_json(environment, folder / "environment.json")  # last: it marks the run as finished


def _notices(skipped: Skipped, strange: Sequence[str]) -> Iterator[str]:
    for name, reason in skipped.files:
        yield f"skipped {name}: {reason}"
    if skipped.files:
        yield f"skipped {len(skipped)} files in all"
    if strange:
        yield f"{len(strange)} cases differ from the suite's manifest, first: {strange[0]}"


def _claim(folder: Path) -> None:
    """Make the run's folder, or say why that cannot be."""
    make_folder(folder)
    if any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; choose another --out, or remove it")


def _keep_cases(cases: Sequence[Case], folder: Path) -> None:
    """Write the table of cases, and what each looks like."""
    write_parquet(case_table(cases), folder / "cases.parquet")
    for case in cases:
        mask = case.mask.astype(np.uint8) * 255
        pictures = {"truth": case.truth, "observed": case.observation.image, "mask": mask}
        for what, pixels in pictures.items():
            write_picture(pixels, picture_path(folder, "pictures", what, case.case_id))


def _score_all(
    task: str,
    methods: Sequence[Method],
    cases: Sequence[Case],
    folder: Path,
    jobs: int,
    timeout: float,
    progress: Progress,
) -> pd.DataFrame:
    """Restore every case by every method: one row each, whatever happened."""
    rows = []
    skipped = Outcome("skipped", f"cannot do the task {task}")
    for method in methods:
        if task not in method.tasks:
            rows += [_row(method, case, skipped, folder) for case in cases]
            progress(method.label, len(cases))
    able = [method for method in methods if task in method.tasks]
    observations = [case.observation for case in cases]
    photographs = [case.image_id for case in cases]
    with worker_pool(jobs) as pool:
        for method, first, outcomes in restore_all(pool, able, observations, photographs, timeout):
            block = cases[first : first + len(outcomes)]
            rows += [_row(method, c, o, folder) for c, o in zip(block, outcomes, strict=True)]
            progress(method.label, len(block))
    return pd.DataFrame(rows).sort_values(["method", "params", "case_id"], ignore_index=True)


def changed_cases(suite: Suite, cases: Sequence[Case]) -> list[str]:
    """Ids of the cases whose pixels are not those of the suite's manifest."""
    manifest = suite.manifest()
    return [c.case_id for c in cases if manifest.get(c.case_id, c.sha256) != c.sha256]


def case_table(cases: Sequence[Case]) -> pd.DataFrame:
    """One row per case: where it came from, its sizes, what the hole hides, its hash."""
    rows = []
    for case in cases:
        box = case.observation.hidden_box
        rows.append(
            {
                "case_id": case.case_id,
                "task": case.task,
                "image_id": case.image_id,
                "source": case.source,
                "height": case.truth.shape[0],
                "width": case.truth.shape[1],
                "hidden_height": box[0].stop - box[0].start,
                "hidden_width": box[1].stop - box[1].start,
                "hidden_fraction": float(case.mask.mean()),
                "seed": case.seed,
                "sha256": case.sha256,
                "content": content_of(case),
                "constant_mse": constant_mse(case),
            }
        )
    return pd.DataFrame(rows)


def restore_all(
    pool: ProcessPool,
    methods: Sequence[Method],
    observations: Sequence[Observation],
    photographs: Sequence[str],
    timeout: float,
) -> Iterator[tuple[Method, int, list[Outcome]]]:
    """Restore observations in blocks, in worker processes.

    `photographs` says for each observation what it was cut from: a method that looks around sees,
    for every block, only what was cut from others.

    Yields
    ------
    method, first, outcomes
        For every block of every method: the outcomes of observation number `first` and on.
    """

    def send(method: Method, block: slice) -> "ProcessFuture[Any]":
        others: list[Observation] = []
        if method.looks_around:
            own = set(photographs[block])
            others = [o for o, p in zip(observations, photographs, strict=True) if p not in own]
        arguments = [method, observations[block], others]
        seconds = timeout * (block.stop - block.start)
        return pool.schedule(restore_block, args=arguments, timeout=seconds)

    blocks = {m: _blocks(photographs, m.looks_around) for m in methods}
    waiting = deque((m, b, send(m, b)) for m in methods for b in blocks[m])
    while waiting:
        method, block, future = waiting.popleft()  # so that its pictures can be forgotten
        count = block.stop - block.start
        outcomes = _receive(future, count)
        if count > 1 and outcomes[0].status != "ok":
            places = [slice(k, k + 1) for k in range(block.start, block.stop)]
            single = [send(method, place) for place in places]
            outcomes = [_receive(one, 1)[0] for one in single]
            for k, place in enumerate(places):
                if (
                    outcomes[k].status == "crash"
                ):  # a process that dies may take another's case along
                    outcomes[k] = _receive(send(method, place), 1)[0]
        yield method, block.start, outcomes


def _blocks(photographs: Sequence[str], apart: bool) -> list[slice]:
    """Cut the observations into blocks; `apart`: of one photograph each."""
    blocks = []
    start = 0
    for stop in range(1, len(photographs) + 1):
        full = stop - start == BLOCK or stop == len(photographs)
        if full or (apart and photographs[stop] != photographs[start]):
            blocks.append(slice(start, stop))
            start = stop
    return blocks


def _receive(future: "ProcessFuture[Any]", count: int) -> list[Outcome]:
    """Wait for a block; a failure is the same outcome for each of its cases."""
    try:
        restored, expected, seconds = future.result()
    except FutureTimeout:
        outcome = Outcome("timeout", "took longer than --timeout allows")
    except ProcessExpired as error:
        outcome = Outcome("crash", f"the process died with exit code {error.exitcode}")
    except MemoryError as error:
        outcome = Outcome("oom", str(error) or "MemoryError")
    except Exception as error:  # MethodFailed, or an answer that cannot be sent between processes
        message = str(error).strip().splitlines() or [type(error).__name__]
        outcome = Outcome("error", message[0])
    else:
        return [
            Outcome("ok", "", picture, seconds / count, mse)
            for picture, mse in zip(restored, expected, strict=True)
        ]
    return [outcome] * count


def _row(method: Method, case: Case, outcome: Outcome, folder: Path) -> dict[str, Any]:
    """Score an outcome, keep the restored picture, and make the row of `scores.parquet`."""
    status, message, scores = outcome.status, outcome.message, {}
    if status == "ok":
        try:
            picture, altered = finish(outcome.restored, case.observation)
        except InvalidRestoration as error:
            status, message = "invalid", str(error)
        else:
            scores = score_picture(picture, case) | {"altered_known": altered}
            write_picture(picture, picture_path(folder, "restorations", method.label, case.case_id))
    columns = ("mse", "mae", "psnr", "ssim", "edge_mse", "altered_known")
    return {
        "method": method.name,
        "label": method.label,
        "params": method.params_json,
        "family": method.family,
        "case_id": case.case_id,
        "status": status,
        "message": message,
        **{column: scores.get(column, float("nan")) for column in columns},
        "seconds": outcome.seconds,  # on average over its block
        "expected_mse": outcome.expected_mse,
    }


def time_all(methods: Sequence[Method], cases: Sequence[Case], timeout: float) -> pd.DataFrame:
    """Time methods that restored every case, one after the other in one worker with one thread.

    A method that fails after all is left out: only its time is then unknown.
    """
    places = np.linspace(0, len(cases) - 1, min(TIMED_CASES, len(cases))).round().astype(int)
    growing = growing_observations(cases[places[0]].observation)
    observations = [cases[place].observation for place in places]
    others = [case.observation for case in cases]  # no restoration is kept: they give nothing away
    rows: list[dict[str, Any]] = []
    longest = timeout * (2 * len(observations) + 1) + TIMING_SECONDS * 2
    with worker_pool(1) as pool:
        for method in methods:
            seen = others if method.looks_around else []
            arguments = [method, observations, seen, TIMING_REPEATS, TIMING_SECONDS]
            try:
                times = pool.schedule(time_method, args=arguments, timeout=longest).result()
            except Exception:  # whatever it was: the scores are what counts, and stand
                continue
            names = {"method": method.name, "label": method.label}
            rows += [
                names | {"kind": kind, "seconds": seconds}
                for kind, values in times.items()
                for seconds in values
            ]
            rows += [names | row for row in _time_growth(pool, method, growing)]
    columns = ["method", "label", "kind", "seconds", "hidden_pixels", "picture_pixels"]
    return pd.DataFrame(rows, columns=columns)


def growing_observations(observation: Observation) -> list[Observation]:
    """Repeat a picture in growing sizes around growing holes: what its cost depends on.

    The kind of pixel does not change, only their number: the picture is mirrored at its borders.
    """
    grown = []
    for side, hole in GROWTH:
        image = observation.image
        extra = [(0, max(side - n, 0)) for n in image.shape[:2]] + [(0, 0)] * (image.ndim - 2)
        image = np.pad(image, extra, mode="symmetric")[:side, :side]
        mask = np.zeros(image.shape[:2], bool)
        middle = slice((side - hole) // 2, (side + hole) // 2)
        mask[middle, middle] = True
        image[mask] = 0
        grown.append(Observation(image, mask))
    return grown


def _time_growth(
    pool: ProcessPool, method: Method, observations: Sequence[Observation]
) -> list[dict[str, Any]]:
    """Time a method on growing pictures, until one takes too long."""
    rows = []
    for observation in observations:
        try:
            arguments = [method, [observation], [], 2, TIMING_SECONDS]
            times = pool.schedule(time_method, args=arguments, timeout=TIMING_SECONDS).result()
        except Exception:  # too slow for this size, or not able to: its curve has a point less
            continue
        hidden, pixels = int(observation.mask.sum()), observation.mask.size
        row = {"kind": "growth", "hidden_pixels": hidden, "picture_pixels": pixels}
        rows.append(row | {"seconds": min(times["single"])})
    return rows
