"""A run's plan: its blocks, where each is written, and what an earlier run left of them."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from inpaintbench.benchmarks.blocks import Block, block_size, cut_blocks
from inpaintbench.benchmarks.parts import has_key, part_key, part_path, read_part
from inpaintbench.benchmarks.reuse import Key, key_digest, method_key, task_key, why_redone
from inpaintbench.benchmarks.suite import Suite
from inpaintbench.datasets.cases import Share
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import (
    HALF_WRITTEN,
    folder_for_one,
    make_folder,
    safe_name,
    write_json,
)
from inpaintbench.datasets.images import Skipped
from inpaintbench.methods.method import Method

KEPT = 500  # cases of which pictures and restorations are kept, evenly over the suite

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
    def cases(self) -> int:
        """How many cases there are: fewer than the suite asks for, where others would repeat."""
        return sum(share.cases for share in self.shares)

    @cached_property
    def blocks(self) -> list[Block]:
        """The suite's cases in blocks."""
        return cut_blocks(self.shares, block_size(self.cases))

    @cached_property
    def blocks_apart(self) -> list[Block]:
        """The same, each of one photograph: for methods that look around."""
        return cut_blocks(self.shares, block_size(self.cases), apart=True)

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
        return math.ceil(self.cases / KEPT)

    def kept(self) -> Block:
        """The cases that are kept as pictures."""
        return self.numbered(range(0, self.cases, self.kept_every))

    def numbered(self, numbers: Iterable[int]) -> Block:
        """Make a block of the cases with these numbers in the suite, in ascending order."""
        parts = []
        waiting = iter(numbers)
        number = next(waiting, None)
        first = 0
        for image_id, count, _ in self.shares:
            while number is not None and number < first + count:
                parts.append((image_id, number - first, number - first + 1))
                number = next(waiting, None)
            first += count
        return Block(0, tuple(parts))

    def cases_digest(self, block: Block) -> str:
        """Hash what a block of `blocks` is drawn from."""
        pixels = [self._photograph_hashes[image_id] for image_id in block.image_ids]
        return key_digest(self._task_key, self._words, str(block.parts), *pixels)

    @cached_property
    def _task_key(self) -> Key:
        return task_key(self.suite.task_module().draw.__module__)

    @cached_property
    def _words(self) -> str:
        return str(drawn_from(self.suite.model_dump()))

    @cached_property
    def _photograph_hashes(self) -> dict[str, str]:
        return {share.image_id: share.sha256 for share in self.shares}

    def scores_digest(self, method: Method, key: Key, block: Block) -> str:
        """Hash what a method's scores of a block depend on: its key, and what it is shown.

        Raises
        ------
        LookupError
            If the cases are not there as they would be drawn now.
        """
        others = [self.all_case_hashes] if method.looks_around else []
        return key_digest(key, self.case_hashes(block), *others)

    @cached_property
    def _case_hashes(self) -> dict[Block, str]:
        return {}

    def case_hashes(self, block: Block) -> str:
        """Make one hash of the hashes of a block's cases, which must be drawn by now.

        It is remembered: every method asks for the same blocks.
        """
        if block not in self._case_hashes:
            self._case_hashes[block] = self._hashed(block.first, block.first + len(block))
        return self._case_hashes[block]

    @cached_property
    def all_case_hashes(self) -> str:
        """The same of all cases."""
        return self._hashed(0, self.cases)

    def _hashed(self, first: int, stop: int) -> str:
        digest, size = hashlib.sha256(), block_size(self.cases)
        for block in self.blocks[first // size : -(-stop // size)]:
            if not has_key(self.cases_folder, block.first, self.cases_digest(block)):
                raise LookupError(f"{self.cases_folder} does not hold the cases of {block}")
            hashes = read_part(self.cases_folder, block.first)["sha256"].tolist()
            own = hashes[max(first - block.first, 0) : stop - block.first]
            digest.update("".join(own).encode())
        return digest.hexdigest()


@contextmanager
def claimed(plan: Plan) -> Iterator[None]:
    """Take the run's folder for this process alone, or say why that cannot be."""
    make_folder(plan.folder)
    _check_folder(plan)
    with folder_for_one(plan.folder, "run"):
        yield


def begin(plan: Plan) -> None:
    """Write down what the run is, and remove what must not be there while methods run.

    That is what a killed run left half-written, and what says that the run is finished.
    """
    folder = plan.folder
    (folder / "environment.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "pictures", ignore_errors=True)
    for path in folder.rglob(f"{HALF_WRITTEN}*"):
        if path.relative_to(folder).parts[0] != "report":  # which may be written just now
            path.unlink()
    about = {
        "suite": plan.suite.model_dump(),
        "metrics": plan.suite.metrics,
        "version": version("inpaintbench"),
        "methods": [method.label for method in plan.methods],
    }
    write_json(about, folder / "run.json")


def _check_folder(plan: Plan) -> None:
    """Raise an `InputError` where the folder holds anything but this run, or a part of it."""
    folder, there = plan.folder, read_start(plan.folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; choose another --out")
    if there is None:
        # A run that was killed before all others left these.
        if {*folder.iterdir()} - {folder / ".lock", *folder.glob(f"{HALF_WRITTEN}*")}:
            raise InputError(f"{folder} is not empty and no run; choose another --out")
        return
    if drawn_from(there["suite"]) != drawn_from(plan.suite.model_dump()):
        raise InputError(f"{folder} holds a run of other cases; choose another --out")
    others = sorted(set(there["methods"]) - {method.label for method in plan.methods})
    if others:
        raise InputError(
            f"{folder} also holds {', '.join(others)}, which this command does not run; "
            "name them too, or choose another --out"
        )


def drawn_from(suite: dict[str, Any]) -> dict[str, Any]:
    """Take out of a suite's settings what decides its cases."""
    return {key: suite.get(key) for key in ("task", "images", "cases", "seed")}


def read_start(folder: Path) -> dict[str, Any] | None:
    """Read what a run was begun with; None where none was."""
    try:
        start: dict[str, Any] = json.loads((folder / "run.json").read_text())
    except (OSError, ValueError):
        return None
    match start:
        case {"suite": dict(), "methods": list(labels)} if all(isinstance(n, str) for n in labels):
            return start
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


def holds(folder: Path, block: Block, digest: str, warn: Warn) -> bool:
    """Whether a block's rows are there, whole, and made with the same key."""
    found = part_key(folder, block.first)
    if found == "":
        warn(f"{part_path(folder, block.first)} is damaged: these cases are done again")
    return found == digest


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
    """Whether a block would be taken over; not where its cases are to be drawn, perhaps others."""
    try:
        digest = plan.scores_digest(method, key, block)
    except Exception:  # no rows of these cases, or old or damaged ones
        return False
    return holds(plan.scores_folder(method), block, digest, lambda _: None)


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
    undone = "not done yet, or its cases are to be drawn anew"
    return f"the rest is {undone}" if any(held) else undone
