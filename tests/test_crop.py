"""The task's rules, against the course's text and a brute-force reading of it."""

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from skimage import data

from inpaintbench.datasets import Photograph, ex4, make_crop
from inpaintbench.datasets.images import Skipped
from inpaintbench.datasets.tasks import crop
from inpaintbench.datasets.tasks.crop import draw_hole, draw_picture
from inpaintbench.datasets.tasks.drawing import case_seed, draw_case, draw_cases

ANY_DTYPE = st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.float64, np.bool_])
LENGTH = st.integers(41, 70)


@given(st.data(), ANY_DTYPE, LENGTH, LENGTH)
def test_the_crop_is_what_the_definition_says(data, dtype, height, width):
    size = [2 * data.draw(st.integers(0, (n - 41) // 2)) + 1 for n in (height, width)]
    center = [
        data.draw(st.integers(20 + s // 2, n - 21 - s // 2))
        for n, s in zip((height, width), size, strict=True)
    ]
    image = data.draw(arrays.arrays(dtype, (height, width)))
    before = image.copy()
    hidden, crop, target = make_crop(image, size, center)
    assert hidden.dtype == crop.dtype == target.dtype == image.dtype
    assert target.shape == tuple(size)
    for x in range(height):
        for y in range(width):
            inside = abs(x - center[0]) <= size[0] // 2 and abs(y - center[1]) <= size[1] // 2
            assert crop[x, y] == inside
            if inside:
                assert hidden[x, y] == 0
                row, column = x - center[0] + size[0] // 2, y - center[1] + size[1] // 2
                np.testing.assert_equal(target[row, column], before[x, y])
            else:
                np.testing.assert_equal(hidden[x, y], before[x, y])
    np.testing.assert_equal(image, before)


@pytest.mark.parametrize(
    ("image", "size", "center", "words"),
    [
        ([[1, 2], [3, 4]], (5, 5), (30, 30), "2-D numpy array"),
        (np.zeros((60, 60, 3)), (5, 5), (30, 30), "2-D numpy array"),
        (np.zeros(60), (5, 5), (30, 30), "2-D numpy array"),
        (np.zeros((60, 60)), (5,), (30, 30), "crop_size must hold exactly 2"),
        (np.zeros((60, 60)), (5, 5, 5), (30, 30), "crop_size must hold exactly 2"),
        (np.zeros((60, 60)), (5, 5), (30, 30, 30), "crop_center must hold exactly 2"),
        (np.zeros((60, 60)), (5, 5), (), "crop_center must hold exactly 2"),
        (np.zeros((60, 60)), (4, 5), (30, 30), "odd"),
        (np.zeros((60, 60)), (5, 6), (30, 30), "odd"),
        (np.zeros((60, 60)), (-5, 5), (30, 30), "odd and positive"),
        (np.zeros((60, 60)), (5.5, 5), (30, 30), "whole numbers"),
        (np.zeros((60, 60)), (5, np.inf), (30, 30), "whole numbers"),
        (np.zeros((60, 60)), 5, (30, 30), "crop_size must hold exactly 2"),
        (np.zeros((60, 60)), (5, 5), None, "crop_center must hold exactly 2"),
        (np.zeros((60, 60)), np.array(5), (30, 30), "crop_size must hold exactly 2"),
        (np.zeros((60, 60)), (5, 5), (21, 30), "20 pixels or more"),
        (np.zeros((60, 60)), (5, 5), (30, 38), "20 pixels or more"),
        (np.zeros((60, 60)), (21, 5), (30, 30), "20 pixels or more"),
    ],
)
def test_broken_rules_are_refused(image, size, center, words):
    with pytest.raises(ValueError, match=words):
        make_crop(image, size, center)


def test_exactly_20_pixels_to_the_border_are_allowed():
    _, crop, _ = make_crop(np.zeros((45, 47)), (5, 7), (22, 23))
    assert np.flatnonzero(crop.any(1)).tolist() == list(range(20, 25))
    assert np.flatnonzero(crop.any(0)).tolist() == list(range(20, 27))


def test_the_course_calls_it_ex4():
    assert ex4 is make_crop


@given(st.integers(45, 120), st.integers(45, 120), st.integers(0, 2**32))
def test_every_drawn_hole_is_one_that_make_crop_allows(height, width, seed):
    size, center = draw_hole((height, width), np.random.default_rng(seed))
    assert set(size) <= {5, 7, 9, 11, 13, 15, 17, 19, 21}
    make_crop(np.zeros((height, width)), size, center)


def test_all_hole_sizes_are_equally_likely():
    rng = np.random.default_rng(0)
    sizes = np.array([draw_hole((90, 90), rng)[0] for _ in range(9000)])
    for axis in (0, 1):
        _, counts = np.unique(sizes[:, axis], return_counts=True)
        assert len(counts) == 9
        assert counts.min() > 850  # 1000 expected; 5 standard deviations are 149


@given(st.integers(70, 700), st.integers(70, 700), st.integers(0, 2**32))
def test_drawn_pictures_have_70_to_100_pixels_a_side(height, width, seed):
    picture = draw_picture(np.zeros((height, width), np.uint8), np.random.default_rng(seed))
    assert all(70 <= n <= 100 for n in picture.shape)


def test_a_case_depends_on_suite_seed_image_id_and_index_alone():
    photograph = Photograph("a/b.jpg", "x", data.camera())
    again = draw_case(crop, Photograph("a/b.jpg", "elsewhere", data.camera()), 5, 3)
    assert draw_case(crop, photograph, 5, 3).sha256 == again.sha256
    others = [
        draw_case(crop, photograph, 6, 3),
        draw_case(crop, photograph, 5, 4),
        draw_case(crop, Photograph("a/c.jpg", "x", data.camera()), 5, 3),
    ]
    assert len({again.sha256, *(case.sha256 for case in others)}) == 4
    assert case_seed(5, "a/b.jpg", 3) == 392353042468672362  # must never change


def test_cases_of_a_collection_are_even_distinct_and_independent_of_their_number():
    cases = draw_cases(crop, "skimage", 40, 1, Skipped())
    assert (
        len(cases) == len({case.sha256 for case in cases}) == len({c.case_id for c in cases}) == 40
    )
    per_photograph = [[c.image_id for c in cases].count(i) for i in {c.image_id for c in cases}]
    assert len(per_photograph) == 17
    assert set(per_photograph) == {2, 3}
    fewer = {case.case_id: case.sha256 for case in draw_cases(crop, "skimage", 20, 1, Skipped())}
    assert fewer.items() <= {case.case_id: case.sha256 for case in cases}.items()


def test_the_observation_hides_the_truth():
    case = draw_cases(crop, "skimage", 1, 0, Skipped())[0]
    assert not case.observation.image[case.mask].any()
    assert np.array_equal(case.observation.image[~case.mask], case.truth[~case.mask])
    assert case.truth[case.mask].any()
