"""The tasks that hide pixels by a mask: their rules, by brute force, and their scores."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from PIL import Image
from skimage import data
from test_run import carried_out, small

from inpaintbench.benchmarks.scoring import score_picture, soft_dice
from inpaintbench.benchmarks.suite import TASKS, Suite, read_suite
from inpaintbench.datasets import Case, InputError, Photograph
from inpaintbench.datasets.cases import HIDING, LOW_LIGHT, UPSCALE
from inpaintbench.datasets.images import Skipped
from inpaintbench.datasets.tasks import border, center_pixel, grid, scratches
from inpaintbench.datasets.tasks.drawing import draw_case, draw_cases
from inpaintbench.methods import method_classes, parse_method
from inpaintbench.reports import load_run
from inpaintbench.reports.page import write_report

SEEDS = st.integers(0, 2**32)


def drawn(task, pixels, seed):
    return task.draw(pixels, np.random.default_rng(seed))


@given(SEEDS)
def test_a_border_is_one_that_the_challenge_allows(seed):
    picture, mask = drawn(border, data.camera(), seed)
    assert picture.shape == mask.shape == (90, 90)
    assert picture.dtype == np.uint8
    rows, columns = np.flatnonzero(~mask.all(axis=1)), np.flatnonzero(~mask.all(axis=0))
    assert not mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].any()  # one rectangle
    for inside in (rows, columns):
        assert inside[0] >= 5
        assert inside[-1] <= 84
        assert len(inside) >= 75


def test_every_pair_of_borders_is_equally_likely():
    rng = np.random.default_rng(0)
    pairs = [border.draw_borders(90, rng) for _ in range(6300)]
    allowed = {(a, b) for a in range(90) for b in range(90) if min(a, b) >= 5 and a + b <= 15}
    counts = pd.Series(pairs).value_counts()
    assert set(counts.index) == allowed
    assert len(allowed) == 21
    assert counts.min() > 215  # 300 expected; 5 standard deviations are 85


@given(SEEDS)
def test_a_grid_has_an_offset_and_a_spacing_on_each_axis(seed):
    picture, mask = drawn(grid, data.astronaut(), seed)
    assert picture.shape == (100, 100, 3)
    rows, columns = np.flatnonzero(~mask.all(axis=1)), np.flatnonzero(~mask.all(axis=0))
    for places in (rows, columns):
        assert 0 <= places[0] <= 8
        assert len(set(np.diff(places))) == 1
        assert 2 <= places[1] - places[0] <= 6
        assert places[-1] + (places[1] - places[0]) >= 100  # it goes on to the end
    assert (~mask).sum() == len(rows) * len(columns)


def test_grey_photographs_get_three_equal_channels():
    for task in (grid, scratches):
        picture, _ = drawn(task, data.camera(), 0)
        assert picture.shape[2] == 3
        assert (picture == picture[..., :1]).all()


@given(SEEDS)
def test_scratches_hide_little_and_never_the_first_row_or_column_alone(seed):
    picture, mask = drawn(scratches, data.astronaut(), seed)
    assert picture.shape == (32, 32, 3)
    assert mask.shape == (32, 32)
    assert 1 <= mask.sum() < 32 * 32
    assert not mask[0, 0]  # ends are 1 or more, and a thick line reaches 0 by its side at most


def test_a_picture_of_cifars_size_is_taken_as_it_is():
    own = data.astronaut()[100:132, 200:232]
    assert np.array_equal(drawn(scratches, own, 3)[0], own)


@pytest.mark.parametrize("name", ["border", "grid", "scratches", "low-light"])
def test_a_picture_of_the_cases_size_has_many_cases_where_what_is_hidden_is_drawn(tmp_path, name):
    task = TASKS[name]
    height, width = task.SIDES
    pixels = data.astronaut()[:height, 200 : 200 + width]
    Image.fromarray(pixels).save(tmp_path / "only.png")
    cases = draw_cases(task, str(tmp_path), 6, 0, Skipped())
    assert len({case.sha256 for case in cases}) == 6
    for case in cases:
        assert np.array_equal(case.truth, pixels if task.COLOUR else cases[0].truth)


def test_a_window_in_counts_is_taken_as_it_is_and_its_centre_hidden():
    own = np.random.default_rng(0).integers(487, 2737, (31, 31)).astype(np.uint16)
    window, mask = drawn(center_pixel, own, 5)
    assert np.array_equal(window, own)
    assert np.argwhere(mask).tolist() == [[15, 15]]


def test_a_window_of_a_larger_picture_in_counts_keeps_its_values():
    own = np.arange(70 * 90, dtype=np.uint16).reshape(70, 90)
    window, _ = drawn(center_pixel, own, 5)
    top, left = divmod(int(window[0, 0]), 90)
    assert np.array_equal(window, own[top : top + 31, left : left + 31])


def test_a_photograph_becomes_a_map_of_the_published_counts():
    black_and_white = np.zeros((500, 500), np.uint8)
    black_and_white[:, 250:] = 255
    seen = [drawn(center_pixel, black_and_white, seed)[0] for seed in range(50)]
    assert {window.dtype for window in seen} == {np.dtype(np.uint16)}
    assert min(window.min() for window in seen) == 487
    assert max(window.max() for window in seen) == 2736
    levels = np.unique([drawn(center_pixel, data.camera(), seed)[0] for seed in range(50)])
    assert len(levels) > 1000  # more than 256: no 8-bit picture stretched


def test_a_window_of_8_bits_is_refused_for_counts():
    with pytest.raises(ValueError, match="must be in 16-bit counts"):
        drawn(center_pixel, data.camera()[:31, :31], 0)


@pytest.mark.parametrize("name", [*HIDING, *UPSCALE, *LOW_LIGHT])
def test_a_photograph_that_is_too_small_is_skipped_with_the_reason(tmp_path, name):
    Image.fromarray(data.camera()[:30, :200]).save(tmp_path / "small.png")
    Image.fromarray(data.astronaut()).save(tmp_path / "good.png")
    suite = Suite(name="s", task=name, images=str(tmp_path), cases=3, seed=1, methods=["mean"])
    skipped = Skipped()
    cases = suite.draw(skipped)
    assert {case.image_id for case in cases} == {"good.png"}
    assert [file for file, _ in skipped.files] == ["small.png"]
    (tmp_path / "good.png").unlink()
    with pytest.raises(InputError, match="no usable photographs"):
        suite.draw(Skipped())


@pytest.mark.parametrize("name", [*HIDING, *UPSCALE, *LOW_LIGHT])
def test_committed_cases_are_those_that_are_drawn(name):
    suite = read_suite(name)
    few = suite.model_copy(update={"cases": 20}).draw(Skipped())
    manifest = suite.manifest()
    assert len(manifest) == suite.cases
    assert all(manifest[case.case_id] == case.sha256 for case in few)


def test_every_method_of_a_suite_can_do_its_task():
    for name in TASKS:
        for label in read_suite(name).methods:
            assert name in parse_method(label).tasks, (name, label)


def test_a_method_that_leaves_tasks_out_says_why():
    for method in method_classes().values():
        if method.__module__.startswith("inpaintbench.") and method.tasks != HIDING:
            assert method.limits, method.name


def test_an_unfinished_run_is_reported_by_its_own_measures(tmp_path):
    suite = small(4, task="center-pixel")
    carried_out(tmp_path / "run", [parse_method("mean")], suite=suite)
    whole = load_run(tmp_path / "run")
    (tmp_path / "run" / "environment.json").unlink()
    half = load_run(tmp_path / "run", unfinished=True)
    assert (half.metric, half.unit, half.levels) == (whole.metric, whole.unit, 65535)
    pd.testing.assert_frame_equal(half.task_scores(), whole.task_scores())
    write_report(half)


@pytest.mark.parametrize("name", ["border", "grid", "scratches", "center-pixel"])
def test_a_run_has_the_scores_of_its_task_and_the_usual_ones(tmp_path, name):
    suite = small(8, task=name)
    methods = [parse_method(label) for label in ("mean", "telea", "cnn:size=small:symmetries=no")]
    scores, _ = carried_out(tmp_path / "run", methods, 1, suite)
    fixed = {"mse", "mae", "psnr", "ssim", "edge_mse", "altered_known"}
    columns = {metric.column for metric in TASKS[name].METRICS}
    assert fixed | columns <= set(scores)
    done = scores[scores["status"] == "ok"]
    assert set(done["method"]) >= {"mean", "telea"}
    assert done[sorted(columns)].notna().all().all()
    if name not in methods[2].tasks:
        skipped = scores[scores["method"] == "cnn"]
        assert (skipped["status"] == "skipped").all()
        assert skipped["message"].str.contains("it was trained on").all()


def test_a_run_tells_its_tasks_own_scores(tmp_path):
    methods = [parse_method(label) for label in ("mean", "biharmonic")]
    carried_out(tmp_path / "run", methods, 1, small(20, task="center-pixel"))
    run = load_run(tmp_path / "run")
    assert run.metric == "MSE"
    assert run.verdict().startswith("biharmonic wins with an MSE of ")
    table = run.task_scores().set_index("method")
    for label, part in run.scores.groupby("label"):
        a, p = part["actual"].to_numpy(), part["predicted"].to_numpy()
        r2 = 1 - np.sum((a - p) ** 2) / np.sum((a - a.mean()) ** 2)
        assert table.loc[label, "r2"] == pytest.approx(r2)
        assert table.loc[label, "mae"] == pytest.approx(np.abs(a - p).mean())
    carried_out(tmp_path / "crop", methods[:1], 1, small(2))
    assert load_run(tmp_path / "crop").metric == "challenge MSE"
    assert load_run(tmp_path / "crop").task_scores().empty


def test_counts_are_scored_in_counts():
    pixels = np.random.default_rng(0).integers(487, 2737, (31, 31)).astype(np.uint16)
    case = draw_case(center_pixel, Photograph("a", "b", pixels), 0, 0)
    picture = pixels.copy()
    picture[15, 15] += 12
    columns = [metric.column for metric in center_pixel.METRICS]
    scores = score_picture(picture, case, columns, center_pixel.LEVELS)
    assert scores["mse"] == pytest.approx(144)
    assert scores["mae"] == pytest.approx(12)
    assert scores["psnr"] == pytest.approx(10 * np.log10(65535**2 / 144))
    assert scores["predicted"] - scores["actual"] == 12
    assert scores["actual"] == pixels[15, 15]


def test_whole_picture_scores_are_as_the_report_has_them():
    rng = np.random.default_rng(0)
    truth, picture = rng.integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    mask = np.ones((32, 32), bool)
    case = Case("c", "scratches", "i", "s", 0, truth, mask)
    columns = ("picture_mae", "picture_dice", "perfect_dice")
    scores = score_picture(picture, case, columns)
    t, p = truth / 255, picture / 255
    assert scores["picture_mae"] == pytest.approx(np.mean(np.abs(t - p)))
    dice = (2 * np.sum(t * p) + 1) / (np.sum(t) + np.sum(p) + 1)
    assert scores["picture_dice"] == pytest.approx(dice) == pytest.approx(soft_dice(t, p))
    assert scores["perfect_dice"] == pytest.approx((2 * (t**2).sum() + 1) / (2 * t.sum() + 1))
    assert scores["perfect_dice"] < 0.8


def test_rmse_is_the_root_of_each_cases_mse():
    truth = np.zeros((4, 4, 3), np.uint8)
    mask = np.eye(4, dtype=bool)
    picture = truth.copy()
    picture[mask] = [3, 0, 4]
    scores = score_picture(picture, Case("c", "grid", "i", "s", 0, truth, mask), ("mse", "rmse"))
    assert scores["rmse"] == pytest.approx(np.sqrt(25 / 3))
