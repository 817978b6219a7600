"""What the harness adds to a method: isolation, sending, checking, against the method alone.

A method that takes exactly as long as it says for a crop restores crops in batches of 256, alone in
this process and through the harness, which shows them to a process of their own, restores the first
twice, and checks every answer: in blocks of one batch, and of four as large suites have them. One
method gives hidden pixels alone, the other whole pictures, which are more to check and tell how
known pixels were altered. Drawing and packing, which are done once for all methods, and scoring,
which is the same for each, are timed apart.
"""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from inpaintbench.benchmarks.blocks import MOST_CASES, Block, draw_block
from inpaintbench.benchmarks.isolation import Limits, end_isolated
from inpaintbench.benchmarks.restoring import lend, restore_block
from inpaintbench.benchmarks.scoring import score_picture
from inpaintbench.benchmarks.suite import read_suite
from inpaintbench.benchmarks.workers import BATCH
from inpaintbench.datasets.cases import Array, Case, Observation
from inpaintbench.methods.method import Method


class Busy(Method):
    """Takes a given time for a crop, and fills with grey; gives whole pictures."""

    name = "busy"
    family = "test"
    milliseconds: float = 0.1

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        end = time.perf_counter() + self.milliseconds / 1000
        picture = observation.image.astype(np.float64)
        picture[observation.mask] = 128
        while time.perf_counter() < end:
            pass
        return picture


class BusyWithHoles(Busy):
    """The same, for a method that gives hidden pixels alone."""

    name = "busy-with-holes"

    def predict_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Give the hidden pixels of several pictures."""
        answers = []
        for observation in observations:
            end = time.perf_counter() + self.milliseconds / 1000
            answers.append(np.full(np.count_nonzero(observation.mask), 128.0))
            while time.perf_counter() < end:
                pass
        return answers


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Crops of 70x93 or so, as many as the largest block has."""
    suite = read_suite("crop")
    return draw_block(suite, Block(0, (("camera", 0, MOST_CASES),)))


@pytest.fixture
def process() -> Iterator[None]:
    """End the method's process when its benchmark is over."""
    yield
    end_isolated()


@pytest.mark.parametrize("crops", [BATCH, MOST_CASES])
@pytest.mark.parametrize("milliseconds", [0.1, 1.0])
@pytest.mark.parametrize("kind", [BusyWithHoles, Busy])
@pytest.mark.parametrize("way", ["alone", "harness"])
def test_overhead(
    benchmark: BenchmarkFixture,
    cases: list[Case],
    process: None,
    way: str,
    kind: type[Busy],
    milliseconds: float,
    crops: int,
) -> None:
    """Restore a block."""
    method = kind(milliseconds=milliseconds)
    observations = [case.observation for case in cases[:crops]]
    benchmark.group = f"{method.name}, {milliseconds} ms a crop, blocks of {crops}"
    if way == "alone":
        batches = [observations[first : first + BATCH] for first in range(0, crops, BATCH)]
        benchmark(lambda: [method.predict_batch(batch) for batch in batches])
        return
    packed = lend(observations)  # once for all methods
    outcomes = benchmark(restore_block, method, packed, lend([]), Limits())
    assert {outcome.status for outcome in outcomes} == {"ok"}


@pytest.mark.parametrize("part", ["drawing", "packing", "scoring"])
def test_the_rest(benchmark: BenchmarkFixture, cases: list[Case], part: str) -> None:
    """Draw, pack or score a batch; the first two are done once for all methods."""
    benchmark.group = f"the rest of the harness: {part}"
    if part == "drawing":
        benchmark(draw_block, read_suite("crop"), Block(0, (("camera", 0, BATCH),)))
    elif part == "packing":
        benchmark(lend, [case.observation for case in cases[:BATCH]])
    else:
        benchmark(lambda: [score_picture(case.truth, case) for case in cases[:BATCH]])
