"""The files of the border and grid challenges, written as the course's own exercise does."""

import json
import pickle

import numpy as np
import pytest
from conftest import inpaintbench_here
from skimage import data

from inpaintbench.datasets import InputError
from inpaintbench.datasets import sister_challenges as sisters
from inpaintbench.datasets.challenge import read_predictions


def border_sample(picture, border_x, border_y):
    """Hide a border as the exercise of 2021 states it."""
    known = np.zeros_like(picture)
    for x in range(border_x[0], picture.shape[0] - border_x[1]):
        for y in range(border_y[0], picture.shape[1] - border_y[1]):
            known[x, y] = 1
    target = [picture[x, y] for x, y in np.ndindex(picture.shape) if not known[x, y]]
    return picture * known, known, np.array(target, np.uint8)


def grid_sample(picture, offset, spacing):
    """Hide all but a grid as the exercise of 2022 states it: channels first, offset[0] across."""
    planes = picture.transpose(2, 0, 1)
    known = np.zeros_like(planes)
    known[:, offset[1] :: spacing[1], offset[0] :: spacing[0]] = 1
    target = [planes[place] for place in np.ndindex(planes.shape) if not known[place]]
    return planes * known, known, np.array(target, np.uint8)


def border_set(kind=np.uint8):
    pictures = [data.camera()[k : k + 90, 200:290] for k in (0, 100, 200)]
    borders = [((5, 5), (5, 10)), ((7, 6), (9, 5)), ((5, 8), (10, 5))]
    samples = [border_sample(p, *b) for p, b in zip(pictures, borders, strict=True)]
    content = {
        "input_arrays": [s[0].astype(kind) for s in samples],
        "known_arrays": [s[1].astype(kind) for s in samples],
        "borders_x": [b[0] for b in borders],
        "borders_y": [b[1] for b in borders],
        "sample_ids": ["0", "1", "2"],
    }
    return content, [s[2] for s in samples], pictures


def grid_set(kind=np.uint8):
    pictures = [data.astronaut()[k : k + 100, 200:300] for k in (0, 100)]
    samples = [grid_sample(pictures[0], (0, 8), (2, 6)), grid_sample(pictures[1], (3, 1), (5, 4))]
    content = {
        "input_arrays": [s[0].astype(kind) for s in samples],
        "known_arrays": [s[1].astype(kind) for s in samples],
        "offsets": [(0, 8), (3, 1)],
        "spacings": [(2, 6), (5, 4)],
        "sample_ids": ["0", "1"],
    }
    return content, [s[2] for s in samples], pictures


SETS = {"border": border_set, "grid": grid_set}


def write(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("task", SETS)
def test_a_test_set_is_read_and_true_pictures_give_the_targets(tmp_path, task, kind):
    content, targets, pictures = SETS[task](kind)
    path = write(tmp_path / "t.pkl", content)
    assert sisters.task_of(path) == task
    observations = sisters.read_testset(path)
    for observation, picture in zip(observations, pictures, strict=True):
        assert observation.image.shape == picture.shape
        assert observation.image.dtype == np.uint8
        assert not observation.image[observation.mask].any()
        kept = ~observation.mask
        assert np.array_equal(observation.image[kept], picture[kept])
    for found, target in zip(
        sisters.predictions_from(pictures, observations), targets, strict=True
    ):
        assert np.array_equal(found, target)


def changed(key, index, array):
    content = border_set()[0]
    content[key][index] = array
    return content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"input_arrays": []}, "lists input_arrays and known_arrays"),
        ({"input_arrays": [], "known_arrays": []}, "0 input_arrays"),
        (border_set()[0] | {"known_arrays": [np.ones((90, 90))]}, "3 input_arrays for 1"),
        (changed("input_arrays", 1, "text"), "index 1: the input array is no array"),
        (changed("input_arrays", 1, np.zeros((2, 9, 9))), "index 1: .*not \\(h, w\\)"),
        (changed("known_arrays", 2, np.ones((9, 9))), "index 2: the known array has shape"),
        (changed("known_arrays", 1, np.ones((90, 90))), "index 1: the known array hides nothing"),
        (changed("input_arrays", 0, np.full((90, 90), 0.5)), "index 0: .*whole numbers"),
        (changed("input_arrays", 0, np.full((90, 90), np.nan)), "index 0: .*whole numbers"),
        (changed("input_arrays", 0, np.full((90, 90), 7)), "index 0: .*not 0 at every unknown"),
    ],
)
def test_a_bad_test_set_is_refused(tmp_path, content, words):
    with pytest.raises(InputError, match=words):
        sisters.read_testset(write(tmp_path / "t.pkl", content))


def test_channels_that_know_different_pixels_are_refused(tmp_path):
    content = grid_set()[0]
    content["known_arrays"][1][0, 50:] = 0
    with pytest.raises(InputError, match="index 1: the channels"):
        sisters.read_testset(write(tmp_path / "t.pkl", content))


def test_scores_are_the_challenges(tmp_path):
    targets = [np.array([10, 20], np.uint8), np.array([0, 0, 0, 250], np.uint8)]
    predictions = [np.array([10, 26], np.uint8), np.array([0, 0, 0, 255], np.uint8)]
    scores = sisters.flat_scores(predictions, targets)
    assert scores.mse == pytest.approx((18 + 6.25) / 2)
    assert scores.rmse == pytest.approx((18**0.5 + 2.5) / 2)


@pytest.mark.parametrize("task", SETS)
def test_submit_and_score_take_these_files(tmp_path, task):
    content, targets, _ = SETS[task]()
    write(tmp_path / "t.pkl", content)
    write(tmp_path / "targets.pkl", targets)

    def inpaintbench(*arguments):
        done = inpaintbench_here(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = inpaintbench("submit", "t.pkl", "-o", "p.pkl", "--jobs", "1")
    assert "which is recommended" in told
    predictions = read_predictions(tmp_path / "p.pkl")
    assert [p.shape for p in predictions] == [t.shape for t in targets]
    scored = json.loads(inpaintbench("score", "p.pkl", "targets.pkl", "--json"))
    mean = [np.full_like(t, 128) for t in targets]
    assert scored["challenge_mse"] < sisters.flat_scores(mean, targets).mse / 2
    assert scored["challenge_rmse"] ** 2 <= scored["challenge_mse"]
    assert "grid: RMSE" in inpaintbench("score", "p.pkl", "targets.pkl")
