"""Matrices over whole batches against the same matrices applied plainly, one hole at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaintbench.datasets.cases import Observation
from inpaintbench.methods.rectangles import fill_rectangles

MARGIN = 2


def matrix(height, width):
    frame = (height + 2 * MARGIN) * (width + 2 * MARGIN) - height * width
    return np.random.default_rng(height * 100 + width).normal(size=(height * width, frame))


def plain(image, mask, clip):
    """What one plane's hole should be, from the definition; None without a rectangle inside."""
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return None
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    far = min(top, left, mask.shape[0] - bottom, mask.shape[1] - right) >= MARGIN
    if not (far and mask[top:bottom, left:right].all()):
        return None
    around = (slice(top - MARGIN, bottom + MARGIN), slice(left - MARGIN, right + MARGIN))
    hole = matrix(bottom - top, right - left) @ image[around][~mask[around]].astype(float)
    return np.clip(hole, image[~mask].min(), image[~mask].max()) if clip else hole


@st.composite
def observations(draw):
    height, width = draw(st.integers(3, 16)), draw(st.integers(3, 16))
    shape = (height, width, 3) if draw(st.booleans()) else (height, width)
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    image = rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    mask = np.zeros((height, width), bool)
    for _ in range(draw(st.integers(0, 2))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        mask[top : draw(st.integers(top, height)), left : draw(st.integers(left, width))] = True
    image[mask] = 0
    return Observation(image, mask)


@given(st.lists(observations(), max_size=8), st.booleans())
def test_a_batch_is_the_definition_applied_to_each_channel_of_each_picture(batch, clip):
    marked = fill_rectangles(
        batch, MARGIN, matrix, lambda image, _: np.full(image.shape, 7.0), clip
    )
    for observation, restored in zip(batch, marked, strict=True):
        image, mask = observation.image, observation.mask
        channels = [image] if image.ndim == 2 else list(np.moveaxis(image, -1, 0))
        answers = [restored] if image.ndim == 2 else list(np.moveaxis(restored, -1, 0))
        for channel, answer in zip(channels, answers, strict=True):
            expected = plain(channel, mask, clip)
            if expected is not None:
                np.testing.assert_allclose(answer[mask], expected, rtol=1e-5, atol=0.02)
                assert np.array_equal(answer[~mask], channel[~mask])
            elif mask.any() and not mask.all():
                assert (answer == 7.0).all()


def test_the_caller_may_change_what_it_gets():
    image = np.full((12, 12), 9, np.uint8)
    mask = np.zeros((12, 12), bool)
    mask[4:7, 4:7] = True
    first, second = fill_rectangles(
        [Observation(image, mask)] * 2,
        1,
        lambda h, w: np.zeros((h * w, 2 * (h + w) + 4)),
        pytest.fail,
    )
    first[:] = -1
    assert second[0, 0] == 9
    assert image[0, 0] == 9
