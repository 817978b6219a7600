"""What the harness adds to a method: isolation, sending, checking, against the method alone.

A method that takes exactly as long as it says for a crop restores 256 crops, alone in this process
and through the harness, which shows them to a process of their own, restores the first twice, and
checks every answer. One method gives hidden pixels alone, the other whole pictures, which are more
to check and tell how known pixels were altered. Drawing and packing, which are done once for all
methods, and scoring, which is the same for each, are timed apart.
"""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from inpaintbench.benchmarks.blocks import Block, draw_block
from inpaintbench.benchmarks.isolation import Limits, end_isolated
from inpaintbench.benchmarks.restoring import lend, restore_block
from inpaintbench.benchmarks.scoring import score_picture
from inpaintbench.benchmarks.suite import read_suite
from inpaintbench.datasets.cases import Array, Case, Observation
from inpaintbench.methods.method import Method

CROPS = 256


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
    """256 crops of 70x93 or so."""
    suite = read_suite("crop")
    return draw_block(suite, Block(0, (("camera", 0, CROPS),)))


@pytest.fixture
def process() -> Iterator[None]:
    """End the method's process when its benchmark is over."""
    yield
    end_isolated()


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
) -> None:
    """Restore 256 crops."""
    method = kind(milliseconds=milliseconds)
    observations = [case.observation for case in cases]
    benchmark.group = f"{method.name}, {milliseconds} ms a crop"
    if way == "alone":
        benchmark(method.predict_batch, observations)
        return
    packed = lend(observations)  # once for all methods
    outcomes = benchmark(restore_block, method, packed, lend([]), Limits())
    assert {outcome.status for outcome in outcomes} == {"ok"}


@pytest.mark.parametrize("part", ["drawing", "packing", "scoring"])
def test_the_rest(benchmark: BenchmarkFixture, cases: list[Case], part: str) -> None:
    """Draw, pack or score 256 crops; the first two are done once for all methods."""
    benchmark.group = f"the rest of the harness: {part}"
    if part == "drawing":
        benchmark(draw_block, read_suite("crop"), Block(0, (("camera", 0, CROPS),)))
    elif part == "packing":
        benchmark(lend, [case.observation for case in cases])
    else:
        benchmark(lambda: [score_picture(case.truth, case) for case in cases])
