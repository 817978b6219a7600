"""A block of cases in a worker: drawn, restored in isolation, and scored; only rows come back.

The truth is drawn here, from photograph and seed, and never leaves this process but for the score:
methods run in another one.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from inpaintbench.benchmarks.answers import Lending, picture_of
from inpaintbench.benchmarks.content import content_of
from inpaintbench.benchmarks.isolation import Limits
from inpaintbench.benchmarks.restoring import Outcome, lend, restore_block
from inpaintbench.benchmarks.scoring import USUAL, constant_mse, score_picture
from inpaintbench.benchmarks.suite import Suite
from inpaintbench.datasets.cases import Case, Share
from inpaintbench.datasets.files import encoded_picture
from inpaintbench.datasets.images import Photograph
from inpaintbench.methods.method import Method

LEAST_CASES, MOST_CASES = 8, 1024  # in a block
BLOCKS = 10  # into which a small suite is cut
MOST_OTHERS = 1000  # pictures that a method which looks around is shown
REMEMBERED = 2**26  # bytes of observations that a worker keeps for the methods to come

Photographs = Mapping[str, Photograph] | None  # by image id; None: each worker reads them itself


@dataclass(frozen=True)
class Block:
    """Some cases of a suite, one after the other in its order.

    Attributes
    ----------
    first : number of its first case in the suite
    parts : image id, index of the first case and of the one past the last
    """

    first: int
    parts: tuple[tuple[str, int, int], ...]

    def __len__(self) -> int:
        return sum(stop - start for _, start, stop in self.parts)

    @property
    def image_ids(self) -> list[str]:
        """The photographs that its cases come from."""
        return [image_id for image_id, _, _ in self.parts]


def cut_blocks(shares: Iterable[Share], size: int, apart: bool = False) -> list[Block]:
    """Cut a suite's cases into blocks of a size; `apart`: each of one photograph."""
    blocks: list[Block] = []
    parts: list[tuple[str, int, int]] = []
    first = held = 0
    for image_id, count, _ in shares:
        index = 0
        while index < count:
            taken = min(size - held, count - index)
            parts.append((image_id, index, index + taken))
            held, index = held + taken, index + taken
            if held == size or (apart and index == count):
                blocks.append(Block(first, tuple(parts)))
                first, held, parts = first + held, 0, []
    if parts:
        blocks.append(Block(first, tuple(parts)))
    return blocks


def block_size(cases: int) -> int:
    """Choose how many cases a block has: by their number alone, so that workers change no score."""
    return min(max(cases // BLOCKS, LEAST_CASES), MOST_CASES)


def others_of(place: int, blocks: Sequence[Block]) -> Block:
    """Choose what a method that looks around may see: cases of other photographs, those next."""
    own = set(blocks[place].image_ids)
    parts: list[tuple[str, int, int]] = []
    left = MOST_OTHERS
    following = chain(blocks[place + 1 :], blocks[:place])
    for image_id, start, stop in chain.from_iterable(other.parts for other in following):
        if not left:
            break
        if image_id not in own:
            taken = min(stop - start, left)
            parts.append((image_id, start, start + taken))
            left -= taken
    return Block(0, tuple(parts))


def draw_block(suite: Suite, block: Block, photographs: Photographs = None) -> list[Case]:
    """Draw a block's cases.

    Raises
    ------
    InputError
        If a photograph is not there any more.
    """
    cases: list[Case] = []
    for image_id, start, stop in block.parts:
        if photographs is None:
            photograph = suite.read_photograph(image_id)
        else:
            photograph = photographs[image_id]
        cases += [suite.draw_case(photograph, index) for index in range(start, stop)]
    return cases


class Drawn(NamedTuple):
    """A block's cases, and their observations packed for methods to see."""

    cases: list[Case]
    lending: Lending


_drawn: dict[str, Drawn] = {}  # by the hash of a block's cases; the oldest first


def drawn_block(suite: Suite, block: Block, photographs: Photographs, sha256: str) -> Drawn:
    """Draw and pack a block, or take it as it was drawn for the method before.

    Raises
    ------
    InputError
        If a photograph is not there any more.
    """
    if sha256 not in _drawn:
        cases = draw_block(suite, block, photographs)
        _drawn[sha256] = Drawn(cases, lend([case.observation for case in cases]))
        while len(_drawn) > 1 and sum(d.lending.size for d in [*_drawn.values()]) > REMEMBERED:
            _drawn.pop(next(iter(_drawn)), None)
    return _drawn[sha256]


@dataclass
class Finished:
    """What comes back of a block.

    Attributes
    ----------
    table : rows of `cases.parquet` or `scores.parquet`
    pictures : restorations that are kept, as PNG files, by case id
    tracebacks : by the name under which the rows know them
    spent : seconds of `drawing`, of the `method` itself, of `sending` (with starting its process
        and checking its answers) and of `scoring`
    """

    table: pd.DataFrame
    pictures: dict[str, bytes] = field(default_factory=dict)
    tracebacks: dict[str, str] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)


def describe_block(suite: Suite, block: Block, photographs: Photographs = None) -> Finished:
    """Draw a block and describe its cases."""
    levels = suite.task_module().LEVELS
    return Finished(case_table(draw_block(suite, block, photographs), levels))


def score_block(
    suite: Suite,
    method: Method,
    block: Block,
    others: Block,
    sha256: str,
    kept_every: int,
    limits: Limits,
    libraries: Sequence[str] = (),
    photographs: Photographs = None,
) -> Finished:
    """Draw a block, restore it in isolation, and score it; restorations of some cases are kept.

    `sha256` is the hash of the block's cases, as `Plan.case_hashes` makes it.
    """
    begin = time.perf_counter()
    cases, observations = drawn_block(suite, block, photographs, sha256)
    seen = lend([case.observation for case in draw_block(suite, others, photographs)])
    drawn = time.perf_counter()
    outcomes = restore_block(method, observations, seen, limits, libraries)
    restored = time.perf_counter()
    finished = Finished(pd.DataFrame())
    rows = []
    for number, (case, outcome) in enumerate(zip(cases, outcomes, strict=True), block.first):
        row = _unscored_row(suite, method, case.case_id, outcome, finished.tracebacks)
        if outcome.is_ok:
            picture = picture_of(outcome.hidden, case.observation)
            row |= score_picture(picture, case, suite.columns, suite.task_module().LEVELS)
            if number % kept_every == 0:
                finished.pictures[case.case_id] = encoded_picture(picture)
        rows.append(row)
    finished.table = pd.DataFrame(rows)
    end = time.perf_counter()
    own = float(np.nansum([outcome.seconds for outcome in outcomes]))
    finished.spent = {
        "drawing": drawn - begin,
        "method": own,
        "sending": restored - drawn - own,
        "scoring": end - restored,
    }
    return finished


def _unscored_row(
    suite: Suite, method: Method, case_id: str, outcome: Outcome, tracebacks: dict[str, str]
) -> dict[str, Any]:
    """Make the row of `scores.parquet`, without the scores."""
    name = ""
    if outcome.traceback:
        name = hashlib.sha256(outcome.traceback.encode()).hexdigest()[:12] + ".txt"
        tracebacks[name] = outcome.traceback
    return {
        "method": method.name,
        "label": method.label,
        "params": method.params_json,
        "family": method.family,
        "case_id": case_id,
        "status": outcome.status,
        "message": outcome.message,
        **dict.fromkeys((*USUAL, *suite.columns), float("nan")),
        "altered_known": outcome.altered_known,
        "seconds": outcome.seconds,  # on average over its block
        "expected_mse": outcome.expected_mse,
        "traceback": name,
    }


def skipped_rows(
    suite: Suite, method: Method, case_ids: Iterable[str], reason: str
) -> pd.DataFrame:
    """Rows of `scores.parquet` for cases that a method does not try."""
    outcome = Outcome("skipped", reason)
    rows = [_unscored_row(suite, method, case_id, outcome, {}) for case_id in case_ids]
    return pd.DataFrame(rows)


def case_table(cases: Sequence[Case], levels: int = 255) -> pd.DataFrame:
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
                "constant_mse": constant_mse(case, levels),
            }
        )
    return pd.DataFrame(rows)
