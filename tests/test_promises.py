"""Symmetries that methods promise, on pictures and masks of any shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from inpaintbench.benchmarks.check import symmetry_error
from inpaintbench.datasets import Observation
from inpaintbench.methods import method_classes
from inpaintbench.methods.method import CLOSE

FILLING = [name for name, method in method_classes().items() if method.fills_holes()]


@st.composite
def observations(draw):
    """A photograph's part of any size, in values that leave room, with one to three holes."""
    height, width = draw(st.integers(30, 48)), draw(st.integers(30, 48))
    top, left = draw(st.integers(0, 400)), draw(st.integers(0, 400))
    image = data.camera()[top : top + height, left : left + width] // 3 + 20
    mask = np.zeros(image.shape, bool)
    for _ in range(draw(st.integers(1, 3))):
        y, x = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        mask[y : y + draw(st.integers(1, 11)), x : x + draw(st.integers(1, 11))] = True
    return Observation(np.where(mask, 0, image).astype(np.uint8), mask)


@pytest.mark.parametrize("name", [n for n in FILLING if method_classes()[n].promises])
@settings(max_examples=6)
@given(observation=observations())
def test_what_is_promised_holds(name, observation):
    method = method_classes()[name]()
    restored = method.restore(observation)
    for promise in method.promises:
        broken = symmetry_error(method, observation, restored, promise)
        assert broken <= CLOSE * 255, promise


@pytest.mark.parametrize("name", FILLING)
@settings(max_examples=3)
@given(observation=observations())
def test_the_known_pixels_stay(name, observation):
    known = ~observation.mask
    restored = method_classes()[name]().restore(observation)
    assert np.abs(restored[known] - observation.image[known].astype(float)).max() < 0.01
