"""Carrying out a suite: every method on the same observations, scored, and written as a run.

Cases go out to workers in blocks of a fixed size, whatever the number of workers, so that this
number changes no score (see `blocks.py`). A block's rows are written as it ends; a run that was
stopped goes on with the blocks that are missing, and takes over those that still hold (see
`reuse.py`). So memory does not grow with the number of cases.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inpaintbench.benchmarks.blocks import (
    MOST_OTHERS,
    Block,
    Finished,
    describe_block,
    draw_block,
    others_of,
    score_block,
    skipped_rows,
)
from inpaintbench.benchmarks.cards import describe_methods
from inpaintbench.benchmarks.cluster import Task, Workers, as_finished, open_workers
from inpaintbench.benchmarks.environment import describe_environment
from inpaintbench.benchmarks.isolation import Limits
from inpaintbench.benchmarks.leakage import (
    drawn_photographs,
    find_leaks,
    leak_notices,
    unknown_training,
)
from inpaintbench.benchmarks.parts import part_path, read_column, read_part, write_part
from inpaintbench.benchmarks.plan import Plan, Warn, begin, claimed, holds
from inpaintbench.benchmarks.reuse import Key, libraries_of, method_key, modules_of
from inpaintbench.benchmarks.suite import Suite
from inpaintbench.benchmarks.timing import time_methods, timed_places
from inpaintbench.datasets.files import (
    write_bytes,
    write_json,
    write_parquet,
    write_picture,
    write_text,
)
from inpaintbench.datasets.images import Skipped
from inpaintbench.methods.method import Method, cannot_do
from inpaintbench.reports.picture import picture_path

# Heavy libraries that methods share: imported once in each worker, and forked from there.
SHARED_LIBRARIES = ("cv2", "numba", "numpy", "scipy.ndimage", "scipy.sparse", "torch")

Progress = Callable[[str, int, int], None]  # method label, cases finished just now, and of all


def run_suite(
    suite: Suite,
    methods: Sequence[Method],
    folder: Path,
    jobs: int,
    timeout: float,
    progress: Progress,
    warn: Warn,
    gibibytes: float = Limits.gibibytes,
    cluster: str = "",
    timed: bool = True,
) -> None:
    """Run methods on a suite's cases and write the run's files into `folder`.

    Where `folder` holds the same run already, finished or not, what still holds is taken over.

    Parameters
    ----------
    suite : what to draw the cases from
    methods : made methods, with different labels
    folder : the run
    jobs : worker processes
    timeout : seconds that a method may take for a case: see `Limits`
    progress, warn : receive what the user should see
    gibibytes : of memory that a method's process may take
    cluster : see `open_workers`
    timed : whether to time the methods, in a pass apart

    Raises
    ------
    InputError
        If weights are at fault, no case can be drawn, the folder cannot be written or holds
        something else, or a cluster does not answer.
    """
    started = datetime.now(UTC)
    keys = {m.label: method_key(m, suite) for m in methods}  # finds bad weights first
    skipped = Skipped()
    plan = Plan(suite, methods, folder, suite.plan(skipped))
    leaks = find_leaks(methods, drawn_photographs(suite.images, {s.image_id for s in plan.shares}))
    unknown = unknown_training(methods)
    notices = (*_skipped_notices(skipped), *_fewer_notices(plan), *leak_notices(leaks, unknown))
    for notice in notices:
        warn(notice)
    limits = Limits(timeout, gibibytes)
    with claimed(plan):
        with open_workers(jobs, cluster) as workers:
            begin(plan)  # only now: a cluster that is not there costs a finished run nothing
            photographs = _Photographs(suite, workers)
            _draw_all(plan, workers, photographs, warn)
            strange = changed_cases(suite, _id_and_hash(plan))
            if strange:
                warn(f"{len(strange)} cases differ from the manifest, first: {strange[0]}")
            spent = _score_all(plan, keys, limits, workers, photographs, progress, warn)
        _keep_cases(plan)  # only now: no method can find the truth on disk
        _time(plan, timeout, timed)
        write_json(describe_methods(methods), folder / "methods.json")
        environment = describe_environment(suite, _cases_sha256(plan)) | {
            "weights_sha256": {n: key["weights"] for n, key in keys.items() if key["weights"]},
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "jobs": jobs,
            "cluster": cluster,
            "timeout_seconds": timeout,
            "memory_gibibytes": gibibytes,
            "worker_seconds": spent,
            "pictures_kept": len(plan.kept()),
            "skipped_files": dict(skipped.files),
            "notes": skipped.notes,
            "cases_unlike_manifest": strange,
            "leaks": [asdict(leak) for leak in leaks],
            "training_unknown": unknown,
        }
        write_json(environment, folder / "environment.json")  # last: it marks the run as finished


def _skipped_notices(skipped: Skipped) -> Iterator[str]:
    for name, reason in skipped.files:
        yield f"skipped {name}: {reason}"
    if skipped.files:
        yield f"skipped {len(skipped)} file{'s' * (len(skipped) != 1)} in all"
    yield from skipped.notes


def _fewer_notices(plan: Plan) -> Iterator[str]:
    if plan.cases < plan.suite.cases:
        wanted, where = plan.suite.cases, plan.suite.images
        yield f"{where} gives {plan.cases} different cases, not {wanted}: others would repeat them"


class _Photographs:
    """Gives the workers of a cluster the photographs that a block needs, each sent once.

    Workers of this machine read them by themselves.
    """

    def __init__(self, suite: Suite, workers: Workers) -> None:
        self._suite, self._client = suite, workers.client
        self._sent: dict[str, Any] = {}

    def of(self, *blocks: Block) -> dict[str, Any] | None:
        """Photographs by image id, or what stands for them in the cluster."""
        if self._client is None:
            return None
        needed = {image_id for block in blocks for image_id in block.image_ids}
        lost = {i for i, sent in self._sent.items() if sent.status != "finished"}
        for image_id in sorted(needed - (set(self._sent) - lost)):
            photograph = self._suite.read_photograph(image_id)
            self._sent[image_id] = self._client.scatter(photograph, hash=False)
        return {image_id: self._sent[image_id] for image_id in needed}


def _draw_all(plan: Plan, workers: Workers, photographs: _Photographs, warn: Warn) -> None:
    """Write the table of cases, but for the blocks that are there already."""

    def arguments(block: Block) -> tuple[Any, ...]:
        return plan.suite, block, photographs.of(block)

    def tasks() -> Iterator[tuple[Any, Task]]:
        for block in plan.blocks:
            digest = plan.cases_digest(block)
            if not holds(plan.cases_folder, block, digest, warn):
                yield (block, digest), (describe_block, partial(arguments, block))

    _remove_others(plan.cases_folder, plan.blocks)
    for (block, digest), finished in as_finished(workers, tasks()):
        write_part(finished.table, plan.cases_folder, block.first, digest)


def _remove_others(folder: Path, blocks: Sequence[Block]) -> None:
    """Remove the rows of blocks that the suite is no longer cut into."""
    own = {part_path(folder, block.first) for block in blocks}
    for path in folder.glob("*.parquet"):
        if path not in own:
            path.unlink()


def _score_all(
    plan: Plan,
    keys: dict[str, Key],
    limits: Limits,
    workers: Workers,
    photographs: _Photographs,
    progress: Progress,
    warn: Warn,
) -> dict[str, float]:
    """Write the table of scores, but for the blocks that still hold; returns seconds spent."""
    shared = _shared_modules([m for m in plan.methods if plan.suite.task in m.tasks])

    def arguments(method: Method, block: Block, others: Block) -> tuple[Any, ...]:
        sent = photographs.of(block, others)
        cases = plan.case_hashes(block)
        return plan.suite, method, block, others, cases, plan.kept_every, limits, shared, sent

    def tasks() -> Iterator[tuple[Any, Task]]:
        for method in plan.methods:
            key, folder = keys[method.label], plan.scores_folder(method)
            blocks = plan.blocks_of(method)
            write_json(key, plan.key_file(method))
            _remove_others(folder, blocks)
            for place, block in enumerate(blocks):
                digest = plan.scores_digest(method, key, block)
                if holds(folder, block, digest, warn):
                    progress(method.label, len(block), plan.cases)
                    continue
                if plan.suite.task not in method.tasks:
                    _keep(plan, method, block, Finished(_skipped(plan, method, block)), digest)
                    progress(method.label, len(block), plan.cases)
                    continue
                others = others_of(place, blocks) if method.looks_around else Block(0, ())
                made = partial(arguments, method, block, others)
                yield (method, block, digest), (score_block, made)

    spent: Counter[str] = Counter()
    for (method, block, digest), finished in as_finished(workers, tasks()):
        _keep(plan, method, block, finished, digest)
        spent.update(finished.spent)
        progress(method.label, len(block), plan.cases)
    return dict(spent)


def _shared_modules(methods: Sequence[Method]) -> tuple[str, ...]:
    """Choose what is imported once in each worker, to be forked: no one else's code."""
    used = {name for method in methods for name in libraries_of(method)}
    libraries = [name for name in SHARED_LIBRARIES if name.split(".")[0] in used]
    own = {module for method in methods for module in modules_of(method)}
    return (*libraries, *sorted(name for name in own if name.startswith("inpaintbench.")))


def _skipped(plan: Plan, method: Method, block: Block) -> pd.DataFrame:
    """Rows of a method that cannot do the task, for a block that is none of one photograph."""
    case_ids = read_part(plan.cases_folder, block.first)["case_id"]
    reason = cannot_do(method, f"the task {plan.suite.task}")
    return skipped_rows(plan.suite, method, case_ids, reason)


def _keep(plan: Plan, method: Method, block: Block, finished: Finished, digest: str) -> None:
    """Write what came back of a block; its rows last, since they say that the rest is there.

    An earlier version may have left restorations of cases at which this one fails.
    """
    kept = slice(-block.first % plan.kept_every, None, plan.kept_every)
    for case_id in finished.table["case_id"][kept]:
        path = picture_path(plan.folder, "restorations", method.label, case_id)
        if case_id in finished.pictures:
            write_bytes(finished.pictures[case_id], path)
        else:
            path.unlink(missing_ok=True)
    for name, text in finished.tracebacks.items():
        write_text(text, plan.folder / "failures" / name)
    write_part(finished.table, plan.scores_folder(method), block.first, digest)


def changed_cases(suite: Suite, drawn: Iterable[tuple[str, str]]) -> list[str]:
    """Ids of the cases, given as id and hash, that are not those of the suite's manifest."""
    manifest = suite.manifest()
    return [case_id for case_id, sha256 in drawn if manifest.get(case_id, sha256) != sha256]


def _id_and_hash(plan: Plan) -> Iterator[tuple[str, str]]:
    columns = (read_column(plan.cases_folder, column) for column in ("case_id", "sha256"))
    for ids, hashes in zip(*columns, strict=True):
        yield from zip(ids, hashes, strict=True)


def _cases_sha256(plan: Plan) -> str:
    digest = hashlib.sha256()
    for hashes in read_column(plan.cases_folder, "sha256"):
        digest.update("".join(hashes).encode())
    return digest.hexdigest()


def _keep_cases(plan: Plan) -> None:
    """Write what a sample of the cases looks like."""
    for case in draw_block(plan.suite, plan.kept()):
        mask = case.mask.astype(np.uint8) * 255
        pictures = {"truth": case.truth, "observed": case.observation.enlarged, "mask": mask}
        for what, pixels in pictures.items():
            write_picture(pixels, picture_path(plan.folder, "pictures", what, case.case_id))


def _time(plan: Plan, timeout: float, timed: bool) -> None:
    """Time the methods that restored every case, if at all, and write `timings.parquet`."""
    whole = [method for method in plan.methods if timed and _restored_all(plan, method)]
    observations, others = (
        [case.observation for case in draw_block(plan.suite, plan.numbered(numbers))]
        for numbers in (
            timed_places(plan.cases),
            range(min(plan.cases, MOST_OTHERS)),
        )
    )
    timings = time_methods(whole, observations, others, timeout)
    write_parquet(timings, plan.folder / "timings.parquet")


def _restored_all(plan: Plan, method: Method) -> bool:
    return all((part == "ok").all() for part in read_column(plan.scores_folder(method), "status"))
