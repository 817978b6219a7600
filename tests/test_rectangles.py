"""Matrices over whole batches against the same matrices applied plainly, one hole at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaintbench.datasets.cases import Observation
from inpaintbench.methods import parse_method
from inpaintbench.methods.rectangles import CHUNK, folded, predict_rectangles

MARGIN = 2
LARGEST = 9


def matrix(height, width):
    """Numbers at random, but the same for a hole and its frame mirrored, or transposed."""
    if height > width:
        planes = planes_of(width, height).transpose(1, 0, 3, 2)
    else:
        planes = planes_of(height, width)
    frame = np.pad(np.zeros((height, width), bool), MARGIN, constant_values=True)
    return planes[..., frame].reshape(height * width, -1)


def planes_of(height, width):
    """For every pixel of a hole, what it takes from every pixel of the hole with its frame."""
    shape = (height, width, height + 2 * MARGIN, width + 2 * MARGIN)
    planes = np.random.default_rng(height * 100 + width).normal(size=shape)
    planes = planes + planes[::-1, :, ::-1]
    return planes + planes[:, ::-1, :, ::-1]


def operator(height, width):
    assert height <= width
    return folded(matrix(height, width), height, width, MARGIN)


def plain(image, mask, clip):
    """What one plane's hole should be, from the definition; None without a rectangle inside."""
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return None
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    far = min(top, left, mask.shape[0] - bottom, mask.shape[1] - right) >= MARGIN
    small = max(bottom - top, right - left) <= LARGEST
    if not (far and small and mask[top:bottom, left:right].all()):
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
    if draw(st.booleans()):  # in another order in memory
        image, mask = np.asfortranarray(image), np.asfortranarray(mask)
    if draw(st.booleans()):
        image.flags.writeable = mask.flags.writeable = False
    return Observation(image, mask)  # what stands in the hidden pixels is any value


@given(st.lists(observations(), max_size=8), st.booleans())
def test_a_batch_is_the_definition_applied_to_each_channel_of_each_picture(batch, clip):
    predictions = predict_rectangles(
        batch,
        MARGIN,
        operator,
        lambda image, _: np.full(image.shape, 7.0),
        clip,
        LARGEST,
    )
    for observation, prediction in zip(batch, predictions, strict=True):
        image, mask = observation.image, observation.mask
        assert prediction.shape == image[mask].shape
        channels = [image] if image.ndim == 2 else list(np.moveaxis(image, -1, 0))
        answers = [prediction] if image.ndim == 2 else list(prediction.T)
        for channel, answer in zip(channels, answers, strict=True):
            expected = plain(channel, mask, clip)
            if expected is not None:
                np.testing.assert_allclose(answer, expected, rtol=1e-9, atol=1e-6)
            elif not mask.all():
                assert (answer == 7.0).all()


def test_more_holes_of_one_shape_than_are_restored_at_once():
    rng, batch = np.random.default_rng(0), []
    for number in range(2 * CHUNK + 3):
        mask = np.zeros((15 + number % 5, 16 + number % 3), bool)
        high, wide = (4, 7) if number % 2 else (7, 4)
        mask[3 : 3 + high, 4 : 4 + wide] = True
        batch.append(Observation(rng.integers(0, 256, mask.shape).astype(np.uint8), mask))
    predictions = predict_rectangles(batch, MARGIN, operator, pytest.fail)
    for o, prediction in zip(batch, predictions, strict=True):
        np.testing.assert_allclose(prediction, plain(o.image, o.mask, False), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("hole", [(0, 0), (5, 90), (50, 3)])
def test_masks_longer_than_a_block_are_searched_to_their_ends(hole):
    """Also one pixel far from the rectangle makes it another mask."""
    mask = np.zeros((61, 101), bool)
    mask[20:27, 30:39] = True
    rectangle = Observation(np.arange(mask.size).reshape(mask.shape).astype(np.uint16), mask)
    other = rectangle.mask.copy()
    other[hole] = True
    predictions = predict_rectangles(
        [rectangle, Observation(rectangle.image, other)],
        MARGIN,
        operator,
        lambda image, _: np.full(image.shape, 7.0),
    )
    np.testing.assert_allclose(predictions[0], plain(rectangle.image, mask, False), rtol=1e-9)
    assert (predictions[1] == 7.0).all()


@pytest.mark.parametrize("name", ["harmonic", "biharmonic", "gaussian", "thin-plate", "pca"])
def test_a_picture_is_the_prediction_pasted_in(name, observation):
    method = parse_method(name)
    batch = [observation, Observation(np.dstack([observation.image] * 3), observation.mask)]
    pictures, predictions = method.restore_batch(batch), method.predict_batch(batch)
    for o, picture, prediction in zip(batch, pictures, predictions, strict=True):
        assert np.array_equal(picture[o.mask], prediction)
        assert np.array_equal(picture[~o.mask], o.image[~o.mask])


def test_the_caller_may_change_what_it_gets():
    mask = np.zeros((12, 12), bool)
    mask[4:7, 4:7] = True
    image = np.full((12, 12), 9, np.uint8)
    first, second = predict_rectangles(
        [Observation(image, mask)] * 2,
        1,
        lambda h, w: folded(np.ones((h * w, 2 * (h + w) + 4)), h, w, 1),
        pytest.fail,
    )
    first[:] = -1
    assert (second == 9 * 16).all()
    assert (image == 9).all()
