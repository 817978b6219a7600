"""Carrying out a suite: every method on the same observations, scored, and written as a run.

Cases go out to workers in blocks of a fixed size, whatever the number of workers, so that this
number changes no score (see `blocks.py`). A block's rows are written as it ends; a run that was
stopped goes on with the blocks that are missing, and takes over those that still hold (see
`reuse.py`). So memory does not grow with the number of cases.
"""

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inpaintbench.benchmarks.blocks import (
    MOST_OTHERS,
    Block,
    Finished,
    block_size,
    cut_blocks,
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
from inpaintbench.benchmarks.parts import part_key, part_path, read_column, read_part, write_part
from inpaintbench.benchmarks.reuse import (
    Key,
    key_digest,
    libraries_of,
    method_key,
    modules_of,
    task_key,
    why_redone,
)
from inpaintbench.benchmarks.suite import Suite
from inpaintbench.benchmarks.timing import time_methods, timed_places
from inpaintbench.datasets.cases import Share
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import (
    make_folder,
    safe_name,
    write_bytes,
    write_json,
    write_parquet,
    write_picture,
    write_text,
)
from inpaintbench.datasets.images import Skipped
from inpaintbench.methods.method import Method
from inpaintbench.reports.picture import picture_path

KEPT = 500  # cases of which pictures and restorations are kept, evenly over the suite

# Heavy libraries that methods share: imported once in each worker, and forked from there.
SHARED_LIBRARIES = ("cv2", "numba", "numpy", "scipy.ndimage", "scipy.sparse", "torch")

Progress = Callable[[str, int], None]  # method label, cases finished
Warn = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """A suite cut into blocks, and where its run is written.

    Attributes
    ----------
    suite, methods, folder : as `run_suite` takes them
    shares : how many cases come from which photograph, in the suite's order
    """

    suite: Suite
    methods: Sequence[Method]
    folder: Path
    shares: Sequence[Share]

    @cached_property
    def blocks(self) -> list[Block]:
        """The suite's cases in blocks."""
        return cut_blocks(self.shares, block_size(self.suite.cases))

    @cached_property
    def blocks_apart(self) -> list[Block]:
        """The same, each of one photograph: for methods that look around."""
        return cut_blocks(self.shares, block_size(self.suite.cases), apart=True)

    def blocks_of(self, method: Method) -> list[Block]:
        """The blocks that a method gets."""
        apart = method.looks_around and self.suite.task in method.tasks
        return self.blocks_apart if apart else self.blocks

    @property
    def cases_folder(self) -> Path:
        """The table of cases."""
        return self.folder / "cases.parquet"

    def scores_folder(self, method: Method) -> Path:
        """The part of the table of scores that holds a method's."""
        name = method.label.replace("=", "~")  # readers of parquet would see a column in "a=b"
        return self.folder / "scores.parquet" / safe_name(name)

    def key_file(self, method: Method) -> Path:
        """Where stands what a method's scores depend on."""
        return self.folder / "keys" / f"{safe_name(method.label)}.json"

    @property
    def kept_every(self) -> int:
        """Of every how many cases one is kept as pictures."""
        return math.ceil(self.suite.cases / KEPT)

    def kept(self) -> Block:
        """The cases that are kept as pictures."""
        return self.numbered(range(0, self.suite.cases, self.kept_every))

    def numbered(self, numbers: Iterable[int]) -> Block:
        """Make a block of the cases with these numbers in the suite, in ascending order."""
        parts = []
        waiting = iter(numbers)
        number = next(waiting, None)
        first = 0
        for image_id, count in self.shares:
            while number is not None and number < first + count:
                parts.append((image_id, number - first, number - first + 1))
                number = next(waiting, None)
            first += count
        return Block(0, tuple(parts))

    def case_hashes(self, block: Block) -> str:
        """Make one hash of the hashes of a block's cases, which must be drawn by now."""
        size = block_size(self.suite.cases)
        hashes: list[str] = []
        start = block.first // size * size
        while start + len(hashes) < block.first + len(block):
            hashes += read_part(self.cases_folder, start + len(hashes))["sha256"].tolist()
        own = hashes[block.first - start :][: len(block)]
        return hashlib.sha256("".join(own).encode()).hexdigest()


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
) -> None:
    """Run methods on a suite's cases and write the run's files into `folder`.

    Where `folder` holds the same run already, finished or not, what still holds is taken over.

    Parameters
    ----------
    suite : what to draw the cases from
    methods : made methods, with different labels
    folder : the run
    jobs : worker processes
    timeout : seconds that a method may take for a case, on average over a block; a block that takes
        longer is repeated case by case
    progress, warn : receive what the user should see
    gibibytes : of memory that a method's process may take
    cluster : see `open_workers`

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
    for notice in (*_skipped_notices(skipped), *leak_notices(leaks, unknown)):
        warn(notice)
    limits = Limits(timeout, gibibytes)
    with _claimed(plan):
        with open_workers(jobs, cluster) as workers:
            photographs = _Photographs(suite, workers)
            _draw_all(plan, workers, photographs, warn)
            strange = changed_cases(suite, _id_and_hash(plan))
            if strange:
                warn(f"{len(strange)} cases differ from the manifest, first: {strange[0]}")
            spent = _score_all(plan, keys, limits, workers, photographs, progress, warn)
        _keep_cases(plan)  # only now: no method can find the truth on disk
        _time(plan, timeout)
        write_json(describe_methods(methods), folder / "methods.json")
        environment = describe_environment(suite, _cases_sha256(plan)) | {
            "weights_sha256": {m.label: sha256 for m in methods if (sha256 := m.weights_sha256())},
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "jobs": jobs,
            "cluster": cluster,
            "timeout_seconds": timeout,
            "memory_gibibytes": gibibytes,
            "worker_seconds": spent,
            "pictures_kept": len(plan.kept()),
            "skipped_files": dict(skipped.files),
            "cases_unlike_manifest": strange,
            "leaks": [asdict(leak) for leak in leaks],
            "training_unknown": unknown,
        }
        write_json(environment, folder / "environment.json")  # last: it marks the run as finished


def _skipped_notices(skipped: Skipped) -> Iterator[str]:
    for name, reason in skipped.files:
        yield f"skipped {name}: {reason}"
    if skipped.files:
        yield f"skipped {len(skipped)} files in all"


@contextmanager
def _claimed(plan: Plan) -> Iterator[None]:
    """Take the run's folder for this process alone, or say why that cannot be."""
    from filelock import FileLock, Timeout

    folder = plan.folder
    make_folder(folder)
    _check_folder(plan)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"another run is writing to {folder}; choose another --out") from None
    try:
        _tidy(folder)
        about = {"suite": plan.suite.model_dump(), "version": version("inpaintbench")}
        write_json(about | {"methods": [m.label for m in plan.methods]}, folder / "run.json")
        yield
    finally:
        lock.release()
        (folder / ".lock").unlink(missing_ok=True)


def _check_folder(plan: Plan) -> None:
    """Raise an `InputError` where the folder holds anything but this run, or a part of it."""
    folder, there = plan.folder, read_start(plan.folder)
    if there is None:
        if any(path.name != ".lock" for path in folder.iterdir()):
            raise InputError(f"{folder} is not empty and no run; choose another --out")
        return
    if _drawn_from(there["suite"]) != _drawn_from(plan.suite.model_dump()):
        raise InputError(f"{folder} holds a run of other cases; choose another --out")
    others = sorted(set(there["methods"]) - {method.label for method in plan.methods})
    if others:
        raise InputError(
            f"{folder} also holds {', '.join(others)}, which this command does not run; "
            "name them too, or choose another --out"
        )


def _drawn_from(suite: dict[str, Any]) -> dict[str, Any]:
    return {key: suite.get(key) for key in ("task", "images", "cases", "seed")}


def read_start(folder: Path) -> dict[str, Any] | None:
    """Read what a run was begun with; None where none was."""
    try:
        start: dict[str, Any] = json.loads((folder / "run.json").read_text())
        return start if {"suite", "methods"} <= set(start) else None
    except (OSError, ValueError, TypeError):
        return None


def unfinished_run(folder: Path, suite: Suite, labels: Sequence[str]) -> Path | None:
    """Find the last run in a folder of runs that was begun with the same words, and not ended."""
    wanted = {"suite": suite.model_dump(), "methods": list(labels)}
    for path in sorted(folder.glob("*/run.json"), reverse=True):
        start = read_start(path.parent)
        if start and {key: start[key] for key in wanted} == wanted:
            ended = (path.parent / "environment.json").exists()
            return None if ended else path.parent
    return None


def _tidy(folder: Path) -> None:
    """Remove what a killed run left half-written, and what must not be there while methods run."""
    (folder / "environment.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "pictures", ignore_errors=True)
    for path in folder.rglob(".*-*"):
        if path.is_file():
            path.unlink()


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
    key = task_key(plan.suite.task_module().draw.__module__)

    def arguments(block: Block) -> tuple[Any, ...]:
        return plan.suite, block, photographs.of(block)

    def tasks() -> Iterator[tuple[Any, Task]]:
        for block in plan.blocks:
            digest = key_digest(key, str(_drawn_from(plan.suite.model_dump())), str(block.parts))
            if not _holds(plan.cases_folder, block, digest, warn):
                yield (block, digest), (describe_block, partial(arguments, block))

    _remove_others(plan.cases_folder, plan.blocks)
    for (block, digest), finished in as_finished(workers, tasks()):
        write_part(finished.table, plan.cases_folder, block.first, digest)


def _holds(folder: Path, block: Block, digest: str, warn: Warn) -> bool:
    """Whether a block's rows are there, whole, and made with the same key."""
    found = part_key(folder, block.first)
    if found == "":
        warn(f"{part_path(folder, block.first)} is damaged: these cases are done again")
    return found == digest


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
    shared = _shared_modules(plan.methods)

    def arguments(method: Method, block: Block, others: Block) -> tuple[Any, ...]:
        sent = photographs.of(block, others)
        return plan.suite, method, block, others, plan.kept_every, limits, shared, sent

    def tasks() -> Iterator[tuple[Any, Task]]:
        for method in plan.methods:
            key, folder, blocks = (
                keys[method.label],
                plan.scores_folder(method),
                plan.blocks_of(method),
            )
            write_json(key, plan.key_file(method))
            _remove_others(folder, blocks)
            for place, block in enumerate(blocks):
                digest = key_digest(key, plan.case_hashes(block))
                if _holds(folder, block, digest, warn):
                    progress(method.label, len(block))
                    continue
                if plan.suite.task not in method.tasks:
                    write_part(_skipped(plan, method, block), folder, block.first, digest)
                    progress(method.label, len(block))
                    continue
                others = others_of(place, blocks) if method.looks_around else Block(0, ())
                made = partial(arguments, method, block, others)
                yield (method, block, digest), (score_block, made)

    spent: Counter[str] = Counter()
    for (method, block, digest), finished in as_finished(workers, tasks()):
        _keep(plan, method, block, finished, digest)
        spent.update(finished.spent)
        progress(method.label, len(block))
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
    reason = f"cannot do the task {plan.suite.task}"
    if method.limits:
        reason += f": {method.limits}"
    return skipped_rows(plan.suite, method, case_ids, reason)


def _keep(plan: Plan, method: Method, block: Block, finished: Finished, digest: str) -> None:
    """Write what came back of a block; its rows last, since they say that the rest is there."""
    for case_id, picture in finished.pictures.items():
        write_bytes(picture, picture_path(plan.folder, "restorations", method.label, case_id))
    for name, text in finished.tracebacks.items():
        write_text(text, plan.folder / "failures" / name)
    write_part(finished.table, plan.scores_folder(method), block.first, digest)


def explain(suite: Suite, methods: Sequence[Method], folder: Path) -> pd.DataFrame:
    """Say for each method what a run in `folder` would take over and do again, and why.

    Columns: `method`, `reused` and `redone` (blocks), `why`.

    Raises
    ------
    InputError
        If the folder holds something else, or no case can be drawn.
    """
    plan = Plan(suite, methods, folder, suite.plan(Skipped()))
    if folder.exists():
        _check_folder(plan)
    rows = []
    for method in methods:
        key, blocks = method_key(method, suite), plan.blocks_of(method)
        held = [_held(plan, method, key, block) for block in blocks]
        rows.append((method.label, sum(held), len(held) - sum(held), _why(plan, method, key, held)))
    return pd.DataFrame(rows, columns=["method", "reused", "redone", "why"])


def _held(plan: Plan, method: Method, key: Key, block: Block) -> bool:
    """Whether a block would be taken over; it would not where its cases are not drawn yet."""
    try:
        digest = key_digest(key, plan.case_hashes(block))
    except Exception:  # no rows of these cases, or damaged ones
        return False
    return part_key(plan.scores_folder(method), block.first) == digest


def _why(plan: Plan, method: Method, key: Key, held: Sequence[bool]) -> str:
    if all(held):
        return "nothing it depends on changed"
    try:
        before: Key = json.loads(plan.key_file(method).read_text())
    except (OSError, ValueError):
        return "it was not run here yet"
    changed = why_redone(before, key)
    if changed:
        return changed
    return "the rest is not done yet" if any(held) else "not done yet, or its cases changed"


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
        pictures = {"truth": case.truth, "observed": case.observation.image, "mask": mask}
        for what, pixels in pictures.items():
            write_picture(pixels, picture_path(plan.folder, "pictures", what, case.case_id))


def _time(plan: Plan, timeout: float) -> None:
    """Time the methods that restored every case, and write `timings.parquet`."""
    whole = [method for method in plan.methods if _restored_all(plan, method)]
    timed, others = (
        [case.observation for case in draw_block(plan.suite, plan.numbered(numbers))]
        for numbers in (
            timed_places(plan.suite.cases),
            range(min(plan.suite.cases, MOST_OTHERS)),
        )
    )
    timings = time_methods(whole, timed, others, timeout)
    write_parquet(timings, plan.folder / "timings.parquet")


def _restored_all(plan: Plan, method: Method) -> bool:
    return all((part == "ok").all() for part in read_column(plan.scores_folder(method), "status"))
