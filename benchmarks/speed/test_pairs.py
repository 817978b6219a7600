"""Each method against what a user would call instead, on the same crops, in the same process.

Every pair also checks that both sides give the same answer, or states both their errors, since a
faster wrong answer is worth nothing. `tox -e speed` prints the pairs as one table.
"""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import ndimage, sparse
from scipy.interpolate import RBFInterpolator
from scipy.sparse.linalg import spsolve
from skimage.restoration import inpaint_biharmonic

from inpaintbench.benchmarks.suite import read_suite
from inpaintbench.datasets.cases import Array, Case, Observation
from inpaintbench.datasets.images import Skipped
from inpaintbench.methods import parse_method
from inpaintbench.methods.gaussian import kind_of, variogram_of

BATCH = 1000
Rival = Callable[[Observation], Array]


def telea(observation: Observation) -> Array:
    mask = observation.mask.astype(np.uint8)
    return np.asarray(cv2.inpaint(observation.image, mask, 3, cv2.INPAINT_TELEA))


def navier_stokes(observation: Observation) -> Array:
    mask = observation.mask.astype(np.uint8)
    return np.asarray(cv2.inpaint(observation.image, mask, 1, cv2.INPAINT_NS))


def biharmonic(observation: Observation) -> Array:
    return np.asarray(inpaint_biharmonic(observation.image / 255, observation.mask) * 255)


def harmonic(observation: Observation) -> Array:
    """Solve Laplace's equation in the hole with scipy, for a hole away from the border."""
    image, mask = observation.image.astype(np.float64), observation.mask
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(mask.sum())
    y, x = np.nonzero(mask)
    right = np.zeros(y.size)
    rows, columns = [np.arange(y.size)], [np.arange(y.size)]
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        there = number[y + dy, x + dx]
        right += image[y + dy, x + dx] * (there < 0)
        rows.append(np.flatnonzero(there >= 0))
        columns.append(there[there >= 0])
    values = np.concatenate([np.full(y.size, 4.0), *(np.full(c.size, -1.0) for c in columns[1:])])
    place = (np.concatenate(rows), np.concatenate(columns))
    image[mask] = spsolve(sparse.csr_array((values, place), shape=(y.size, y.size)), right)
    return image


def harmonic_whole(observation: Observation) -> Array:
    """Solve the same with the whole picture's Laplacian, as one would write it down."""
    image, hidden = observation.image.astype(np.float64), observation.mask.ravel()
    lines = [
        sparse.diags_array([1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(n, n)) for n in image.shape
    ]
    rows = sparse.kronsum(lines[1], lines[0], format="csr")[hidden]
    known = image.ravel()[~hidden]
    image[observation.mask] = spsolve(rows[:, hidden], -rows[:, ~hidden] @ known)
    return image


def gaussian(observation: Observation) -> Array:
    """Solve the kriging equations of one hole with numpy."""
    fitted = parse_method("gaussian").fitted()  # type: ignore[attr-defined]
    image, mask = observation.image.astype(np.float64), observation.mask
    rows, columns = observation.hidden_box
    area = np.s_[rows.start - 12 : rows.stop + 12, columns.start - 12 : columns.stop + 12]
    variogram = variogram_of(kind_of(image[area], mask[area], fitted["roughness"]), fitted)
    near = np.zeros_like(mask)
    near[area] = True
    at, to = np.argwhere(near & ~mask), np.argwhere(mask)

    def between(first: Array, second: Array) -> Array:
        lags = np.abs(first[:, None] - second[None])
        return np.asarray(variogram[lags[..., 0], lags[..., 1]])

    system = np.ones((len(at) + 1, len(at) + 1))
    system[:-1, :-1] = 0.004 * np.eye(len(at)) - between(at, at)
    system[-1, -1] = 0
    right = np.vstack([-between(at, to), np.ones(len(to))])
    weights = np.linalg.solve(system, right)[:-1]
    image[mask] = np.clip(weights.T @ image[near & ~mask], image[~mask].min(), image[~mask].max())
    return image


def thin_plate(observation: Observation) -> Array:
    image, mask = observation.image.astype(np.float64), observation.mask
    near = ndimage.binary_dilation(mask, np.ones((3, 3))) & ~mask
    spline = RBFInterpolator(np.argwhere(near), image[near], smoothing=3.0)
    image[mask] = spline(np.argwhere(mask)).clip(image[~mask].min(), image[~mask].max())
    return image


# Method, the rival's name, the rival on one observation, and how many crops the rival gets: its
# time a crop does not depend on their number.
# `harmonic` has two: the solve as most would write it, and one that takes care to look at the hole
# alone. 200 times the first is reached with room; of the second it is 80 or so, since looking at
# every pixel of every mask, and fetching pictures from memory, takes half of our time.
SAME_ANSWER = [
    ("telea", "cv2.inpaint", telea, BATCH),
    ("navier-stokes:radius=1", "cv2.inpaint", navier_stokes, BATCH),
    ("harmonic", "scipy spsolve each, over the whole picture", harmonic_whole, 100),
    ("harmonic", "scipy spsolve each, over the hole", harmonic, 100),
    ("biharmonic", "skimage inpaint_biharmonic", biharmonic, 100),
    ("thin-plate", "scipy RBFInterpolator each", thin_plate, 100),
    ("gaussian", "numpy solve each", gaussian, 5),
]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read_suite("crop").model_copy(update={"cases": BATCH}).draw(Skipped())


def timed(
    benchmark: BenchmarkFixture,
    pair: str,
    side: str,
    crops: int,
    function: Callable[[], object],
    **notes: float | str,
) -> None:
    """Time one side of a pair; `table.py` reads the notes."""
    benchmark.group = pair
    benchmark.extra_info.update({"side": side, "crops": crops, **notes})
    benchmark.pedantic(function, rounds=5, warmup_rounds=1)


@pytest.mark.parametrize(("method", "rival", "call", "count"), SAME_ANSWER)
class TestSameAnswer:
    def test_ours(
        self,
        benchmark: BenchmarkFixture,
        cases: list[Case],
        method: str,
        rival: str,
        call: Rival,
        count: int,
    ) -> None:
        made = parse_method(method)
        observations = [case.observation for case in cases]
        predictions = made.predict_batch(observations)
        for observation, prediction in zip(observations[:count], predictions, strict=False):
            np.testing.assert_allclose(
                prediction, call(observation)[observation.mask], rtol=0, atol=255e-6
            )
        pair = f"{method}, batch of {BATCH} / {rival}"
        timed(benchmark, pair, "ours", BATCH, lambda: made.predict_batch(observations))

    def test_rival(
        self,
        benchmark: BenchmarkFixture,
        cases: list[Case],
        method: str,
        rival: str,
        call: Rival,
        count: int,
    ) -> None:
        observations = [case.observation for case in cases[:count]]
        pair = f"{method}, batch of {BATCH} / {rival}"
        timed(benchmark, pair, rival, count, lambda: [call(o) for o in observations])


@pytest.mark.parametrize("side", ["patchmatch", "exact-nearest-patch"])
def test_approximate_against_exhaustive_search(
    benchmark: BenchmarkFixture, cases: list[Case], side: str
) -> None:
    made = parse_method(side)
    some = cases[:: BATCH // 20]
    errors = [mse(made.restore(case.observation), case) for case in cases[:: BATCH // 100]]
    timed(
        benchmark,
        "patchmatch, one at a time",
        "ours" if side == "patchmatch" else side,
        len(some),
        lambda: [made.restore(case.observation) for case in some],
        mse=float(np.mean(errors)),
    )


def mse(restored: Array, case: Case) -> float:
    """Challenge MSE of one case."""
    values = np.clip(np.rint(restored[case.mask]), 0, 255)
    return float(((values - case.truth[case.mask]) ** 2).mean())
