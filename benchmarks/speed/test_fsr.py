"""`fsr` against OpenCV contrib's frequency-selective reconstruction, on the same crops.

OpenCV contrib takes the place of opencv-python, so it has an environment of its own:
`tox -e speed-contrib`. Both sides state their error.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from test_pairs import mse, timed  # type: ignore[import-not-found]  # the file beside this one

from inpaintbench.benchmarks.suite import read_suite
from inpaintbench.datasets.cases import Array, Case, Observation
from inpaintbench.datasets.images import Skipped
from inpaintbench.methods import parse_method

xphoto: Any = getattr(cv2, "xphoto", None)
pytestmark = pytest.mark.skipif(
    xphoto is None,
    reason="this OpenCV has no xphoto: opencv-contrib-python has, see tox -e speed-contrib",
)

PAIRS = [("fsr", "FAST"), ("fsr:quality=true", "FAST"), ("fsr:quality=true", "BEST")]
CROPS = {"FAST": 100, "BEST": 10}  # that are timed, since one of BEST takes half a second


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read_suite("crop").model_copy(update={"cases": max(CROPS.values())}).draw(Skipped())


def opencv(profile: str) -> Callable[[Observation], Array]:
    flag = getattr(xphoto, f"INPAINT_FSR_{profile}")

    def restore(observation: Observation) -> Array:
        restored = np.zeros_like(observation.image)
        known = np.where(observation.mask, 0, 255).astype(np.uint8)  # the reverse of cv2.inpaint's
        xphoto.inpaint(observation.image, known, restored, flag)
        return restored

    return restore


@pytest.mark.parametrize(("method", "profile"), PAIRS)
@pytest.mark.parametrize("side", ["ours", "rival"])
def test_fsr_against_opencv_contrib(
    benchmark: BenchmarkFixture, cases: list[Case], method: str, profile: str, side: str
) -> None:
    restore = parse_method(method).restore if side == "ours" else opencv(profile)
    some = cases[:: len(cases) // CROPS[profile]]
    errors = [mse(restore(case.observation), case) for case in cases]
    timed(
        benchmark,
        f"{method} against FSR_{profile}, one at a time",
        "ours" if side == "ours" else f"cv2.xphoto FSR_{profile}",
        len(some),
        lambda: [restore(case.observation) for case in some],
        mse=float(np.mean(errors)),
    )
