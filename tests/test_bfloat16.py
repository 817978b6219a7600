"""Networks restore in bfloat16 as well as in float32, and as the contract wants."""

import numpy as np
import pytest

from inpaintbench.datasets.images import Skipped
from inpaintbench.datasets.tasks import crop
from inpaintbench.datasets.tasks.drawing import draw_cases
from inpaintbench.methods import method_classes, parse_method
from inpaintbench.methods.networks import network_method
from inpaintbench.methods.networks.network_method import NetworkMethod

NETWORKS = [
    name
    for name, kind in method_classes().items()
    if issubclass(kind, NetworkMethod) and not kind.needs_file
]


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_scores_as_float32_does(name, monkeypatch):
    method = parse_method(f"{name}:symmetries=no")
    cases = draw_cases(method.task, "skimage", 17, 99, Skipped())
    scores = {}
    for quick in (True, False):
        monkeypatch.setattr(network_method, "fast_bfloat16", lambda device, quick=quick: quick)
        restored = method.restore_batch([case.observation for case in cases])
        scores[quick] = np.mean(
            [np.square(r - c.truth)[c.mask].mean() for r, c in zip(restored, cases, strict=True)]
        )
    assert scores[True] != scores[False]  # it was used
    assert scores[True] == pytest.approx(scores[False], rel=0.005)


def test_bfloat16_restores_a_batch_as_it_restores_one(monkeypatch):
    monkeypatch.setattr(network_method, "fast_bfloat16", lambda device: True)
    cases = draw_cases(crop, "skimage", 5, 3, Skipped())
    course = parse_method("course-cnn")
    together = course.restore_batch([case.observation for case in cases])
    for case, restored in zip(cases, together, strict=True):
        np.testing.assert_allclose(course.restore(case.observation), restored, atol=0.0255)
