"""Time all methods side by side on the same crop, and networks on batches.

`tox -e speed` prints each group as a table; the figure to quote is the ratio of two medians of one
group, since machines are shared and noisy. Races against other libraries: see `test_pairs.py`.
"""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from skimage import data

from inpaintbench.datasets.cases import Observation
from inpaintbench.methods import Method, method_classes


@pytest.fixture(scope="module")
def observation() -> Observation:
    image = data.camera()[100:170, 200:293].copy()
    mask = np.zeros(image.shape, bool)
    mask[30:43, 40:53] = True  # 13x13: the middle of the challenge's sizes
    image[mask] = 0
    return Observation(image, mask)


FILLING = {name: kind for name, kind in method_classes().items() if kind.fills_holes()}


@pytest.mark.parametrize("method", FILLING.values(), ids=FILLING)
@pytest.mark.benchmark(group="one 13x13 hole in 70x93 pixels")
def test_restore(
    benchmark: BenchmarkFixture, observation: Observation, method: type[Method]
) -> None:
    made = method()
    benchmark.pedantic(made.restore, (observation,), rounds=20, iterations=1, warmup_rounds=2)


@pytest.mark.parametrize("method", ["cnn", "course-cnn"])
@pytest.mark.parametrize("together", [1, 32], ids=["one by one", "as a batch"])
@pytest.mark.benchmark(group="32 crops")
def test_batches(
    benchmark: BenchmarkFixture, observation: Observation, method: str, together: int
) -> None:
    made = method_classes()[method]()
    batches = [[observation] * together] * (32 // together)
    benchmark.pedantic(lambda: [made.restore_batch(b) for b in batches], rounds=3, warmup_rounds=1)
