"""The harness: the same scores whatever the number of workers, and failures as rows."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plugins
import pytest
from conftest import observe
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from inpaintbench.benchmarks import blocks
from inpaintbench.benchmarks.answers import (
    InvalidRestoration,
    finish_prediction,
    finish_predictions,
    hidden_of,
    pack,
    picture_of,
)
from inpaintbench.benchmarks.blocks import case_table
from inpaintbench.benchmarks.content import content_of
from inpaintbench.benchmarks.run import changed_cases, run_suite
from inpaintbench.benchmarks.scoring import constant_mse, edge_of, score_picture
from inpaintbench.benchmarks.suite import Suite, read_suite, suite_names
from inpaintbench.datasets import Case, InputError, Observation
from inpaintbench.datasets.cases import Share
from inpaintbench.datasets.images import Skipped
from inpaintbench.methods import parse_method
from inpaintbench.reports import load_run

COLUMNS = (
    "method params family case_id status message mse mae psnr ssim edge_mse altered_known seconds"
)
CASE_COLUMNS = (
    "case_id task image_id source height width hidden_height hidden_width hidden_fraction "
    "seed sha256"
)


def small(cases=20, **changes):
    settings = {"name": "small", "task": "crop", "cases": cases, "seed": 3, "methods": ["mean"]}
    return Suite(**settings | changes)


def carried_out(folder, methods, jobs=1, suite=None, timeout=60.0, **more):
    warnings = []
    words = (lambda *_: None, warnings.append)
    more = {"timed": False} | more
    run_suite(suite or small(), methods, folder, jobs, timeout, *words, **more)
    return pd.read_parquet(folder / "scores.parquet"), warnings


def ids_and_hashes(cases):
    return [(case.case_id, case.sha256) for case in cases]


def test_one_and_two_jobs_give_identical_cases_and_scores(tmp_path):
    names = ("telea", "harmonic", "course-cnn")
    suite, methods = small(30), [parse_method(name) for name in names]
    one, _ = carried_out(tmp_path / "1", methods, 1, suite)
    two, _ = carried_out(tmp_path / "2", methods, 2, suite)
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), two.drop(columns="seconds"))
    cases = [pd.read_parquet(tmp_path / n / "cases.parquet") for n in "12"]
    pd.testing.assert_frame_equal(*cases)
    assert (one["status"] == "ok").all()


@pytest.mark.parametrize(
    ("way", "status", "words"),
    [
        ("raise", "error", "RuntimeError: on purpose"),
        ("sys.exit", "error", "SystemExit: 0"),
        ("timeout error", "error", "TimeoutError: its own"),
        ("exit", "crash", "exit code 3"),
        ("hang", "timeout", "--timeout"),
        ("memory", "oom", "on purpose"),
        ("nan", "invalid", "not finite"),
        ("shape", "invalid", "shape (3, 3)"),
        ("text", "invalid", "returned str"),
    ],
)
def test_a_failure_costs_the_guilty_case_alone(tmp_path, way, status, words):
    methods = [plugins.Misbehaves(way=way), parse_method("mean")]
    scores, _ = carried_out(tmp_path / "run", methods, suite=small(8), timeout=0.7)
    cases = pd.read_parquet(tmp_path / "run" / "cases.parquet").set_index("case_id")
    odd = set(cases.index[cases["height"] % 2 == 1])
    assert 0 < len(odd) < len(cases)
    bad = scores[scores["method"] == "misbehaves"].set_index("case_id")
    assert set(bad.index[bad["status"] == status]) == odd
    assert set(bad.index[bad["status"] == "ok"]) == set(cases.index) - odd
    assert bad.loc[sorted(odd), "message"].str.contains(words, regex=False).all()
    assert bad.loc[sorted(odd), "mse"].isna().all()
    assert (scores[scores["method"] == "mean"]["status"] == "ok").all()


def test_a_method_of_another_task_is_skipped_and_says_so(tmp_path):
    scores, _ = carried_out(tmp_path / "run", [plugins.OtherTask(), parse_method("mean")])
    other = scores[scores["method"] == "other-task"]
    assert (other["status"] == "skipped").all()
    assert len(other) == 20


def test_methods_get_the_observation_and_nothing_else(tmp_path):
    scores, _ = carried_out(tmp_path / "run", [plugins.Spy(folder=str(tmp_path))])
    assert (scores["status"] == "ok").all(), scores["message"].unique()


def test_a_method_that_looks_around_sees_all_that_was_cut_from_other_photographs(tmp_path):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for level in (50, 100, 150):
        Image.fromarray(np.full((90, 120), level, np.uint8)).save(photographs / f"{level}.png")
    suite = small(10, images=str(photographs))
    methods = [plugins.LooksAround(), plugins.LooksAround(search="picture")]
    scores, _ = carried_out(tmp_path / "run", methods, 2, suite)
    assert (scores["status"] == "ok").all(), scores["message"].unique()
    cases = pd.read_parquet(tmp_path / "run" / "cases.parquet").set_index("case_id")
    own = cases.groupby("image_id")["sha256"].transform("size")
    level = cases["image_id"].str.extract(r"(\d+)\.png")[0].astype(int)
    for label, shown in (("looks-around", 10 - own), ("looks-around:search=picture", own * 0)):
        found = scores[scores["label"] == label].set_index("case_id")["mse"]
        pd.testing.assert_series_equal(
            found.sort_index(), ((level - shown) ** 2.0).sort_index(), check_names=False
        )


@pytest.mark.parametrize("most", [4, 11, 1000])
def test_others_are_the_next_cases_of_other_photographs(most, monkeypatch):
    """Of every block of every size, written out case by case."""
    monkeypatch.setattr(blocks, "MOST_OTHERS", most)
    shares = [Share("a", 5, ""), Share("b", 3, ""), Share("c", 9, ""), Share("d", 1, "")]

    def cases(*several):
        parts = (part for block in several for part in block.parts)
        return [(name, index) for name, *ends in parts for index in range(*ends)]

    every = [(share.image_id, index) for share in shares for index in range(share.cases)]
    for size in range(1, 20):
        for apart in (False, True):
            cut = blocks.cut_blocks(shares, size, apart)
            assert cases(*cut) == every
            assert max(map(len, cut)) <= size
            assert [block.first for block in cut] == [every.index(cases(b)[0]) for b in cut]
            for place, block in enumerate(cut):
                rest = cases(*cut[place + 1 :], *cut[:place])
                others = [case for case in rest if case[0] not in block.image_ids]
                chosen = blocks.others_of(place, cut)
                assert cases(chosen) == others[:most]
                assert all(start < stop for _, start, stop in chosen.parts)


def test_a_method_that_fails_only_when_timed_keeps_its_scores(tmp_path):
    suite = small(25)  # one block: nothing is restored one by one
    scores, _ = carried_out(tmp_path / "run", [plugins.OneByOneOnly()], suite=suite, timed=True)
    assert (scores["status"] == "ok").all()
    assert load_run(tmp_path / "run").leaderboard()["ms"].isna().all()


def test_what_a_method_expects_of_itself_is_stored(tmp_path):
    ways = ("good", "growing", "unknown", "none", "raise", "short")
    methods = [*(plugins.Hopeful(way=way) for way in ways), parse_method("mean")]
    scores, _ = carried_out(tmp_path / "run", methods, suite=small(8))
    cases = pd.read_parquet(tmp_path / "run" / "cases.parquet").set_index("case_id")
    hidden = cases["hidden_height"] * cases["hidden_width"]
    by_label = {label: part.set_index("case_id") for label, part in scores.groupby("label")}
    assert (by_label["hopeful"]["expected_mse"] == 100).all()
    growing = by_label["hopeful:way=growing"]["expected_mse"]
    assert (growing == (hidden - 1) / 2).all()  # the mean of 0, 1, ...
    for label in ("mean", "hopeful:way=unknown", "hopeful:way=none"):
        assert by_label[label]["expected_mse"].isna().all()
        assert (by_label[label]["status"] == "ok").all()
    for way, words in (("raise", "RuntimeError: on purpose"), ("short", "0 of 1")):
        failed = by_label[f"hopeful:way={way}"]
        assert (failed["status"] == "error").all()
        assert failed["message"].str.contains(words).all()


def test_networks_store_what_they_expect_if_they_learned_to(tmp_path):
    methods = [parse_method("cnn:symmetries=no"), parse_method("course-cnn:symmetries=no")]
    scores, _ = carried_out(tmp_path / "run", methods, suite=small(8))
    expected = scores.groupby("method")["expected_mse"]
    assert (expected.get_group("cnn") > 0).all()
    assert expected.get_group("course-cnn").isna().all()


def test_a_run_has_the_fixed_files_and_columns(tmp_path):
    folder = tmp_path / "run"
    scores, warnings = carried_out(folder, [parse_method("telea:radius=2")], timed=True)
    assert not warnings
    assert set(COLUMNS.split()) <= set(scores.columns)
    cases = pd.read_parquet(folder / "cases.parquet")
    assert list(cases.columns) == [*CASE_COLUMNS.split(), "content", "constant_mse"]
    timings = pd.read_parquet(folder / "timings.parquet")
    assert {"load", "first", "single", "batch", "growth", "memory"} <= set(timings["kind"])
    assert (timings["seconds"].dropna() > 0).all()
    for case_id in cases["case_id"]:
        truth, observed, mask, restored = (
            np.asarray(Image.open(folder / what / f"{case_id}.png"))
            for what in (
                "pictures/truth",
                "pictures/observed",
                "pictures/mask",
                "restorations/telea:radius=2.0",
            )
        )
        assert np.array_equal(restored[mask == 0], truth[mask == 0])
        assert not observed[mask == 255].any()
        row = scores.set_index("case_id").loc[case_id]
        squared = (restored.astype(float) - truth.astype(float)) ** 2
        assert row["mse"] == pytest.approx(squared[mask == 255].mean())


def test_a_used_folder_is_refused(tmp_path):
    (tmp_path / "something").write_text("precious")
    with pytest.raises(InputError, match="not empty"):
        carried_out(tmp_path, [parse_method("mean")])
    assert (tmp_path / "something").read_text() == "precious"


def test_the_default_suite_draws_what_its_manifest_says():
    suite = read_suite("crop")
    cases = suite.draw(Skipped())
    assert len(cases) == len(suite.manifest()) == 250
    assert {case.case_id for case in cases} == set(suite.manifest())
    assert changed_cases(suite, ids_and_hashes(cases)) == []
    table = case_table(cases)
    assert table["image_id"].nunique() >= 14
    assert table["hidden_height"].isin(range(5, 22, 2)).all()
    assert table["height"].between(70, 100).all()


def test_a_changed_case_is_noticed():
    suite = read_suite("crop")
    case = suite.draw(Skipped())[5]
    truth = case.truth.copy()
    truth[0, 0] ^= 1
    case = replace(case, truth=truth)
    assert changed_cases(suite, ids_and_hashes([case])) == [case.case_id]


def test_another_seed_draws_other_cases_which_the_manifest_says_nothing_of():
    suite = read_suite("crop").model_copy(update={"seed": 1, "cases": 17})
    cases = suite.draw(Skipped())
    assert not {case.sha256 for case in cases} & set(read_suite("crop").manifest().values())
    assert changed_cases(suite, ids_and_hashes(cases)) == []


@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_names_methods_that_exist(name):
    for method in read_suite(name).methods:
        parse_method(method)


GOOD = "name='a'\ntask='crop'\ncases=1\nseed=1\nmethods=['mean']\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 's.toml has no name: small letters, digits and hyphens, such as "mine"$'),
        ("name = 'a'", 's.toml has no task: the name of a task, such as "crop"$'),
        ("nonsense", "cannot read the suite"),
        (
            GOOD.replace("'a'", "'My suite'"),
            "s.toml, name: 'My suite' is not small letters, digits",
        ),
        (GOOD.replace("'crop'", "5"), "s.toml, task: 5 is not the name of a task"),
        (GOOD.replace("cases=1", "cases=0"), "s.toml, cases: 0 is not a whole number, 1 or more$"),
        (GOOD.replace("cases=1", "cases='1'"), "s.toml, cases: '1' is not a whole number"),
        (GOOD.replace("seed=1", "seed=0.5"), "s.toml, seed: 0.5 is not a whole number, 0 or more$"),
        (GOOD.replace("['mean']", "'mean'"), "s.toml, methods: 'mean' is not a list of methods"),
        (GOOD.replace("'mean'", "3"), r"s.toml, methods: \[3\] is not a list of methods"),
        (GOOD.replace("'mean'", ""), r"s.toml, methods: \[\] is not a list of methods"),
        (GOOD + "images=7", "s.toml, images: 7 is not what --images takes"),
        (GOOD + "x=1", "x: unknown key; there are name, task, images, cases, seed, methods$"),
        (GOOD.replace("cases", "case"), "did you mean cases"),
    ],
)
def test_a_bad_suite_file_is_an_input_error(tmp_path, text, words):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(InputError, match=words):
        read_suite(str(tmp_path / "s.toml"))


def test_a_suite_file_that_is_not_there_is_told():
    with pytest.raises(InputError, match=r"^there is no file mine\.toml$"):
        read_suite("mine.toml")


def test_what_a_suite_file_names_is_looked_for_beside_it_first(tmp_path, monkeypatch):
    for folder in ("own/photos", "own/skimage", "here/photos", "here/others"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    own = tmp_path / "own"
    for images, expected in {
        "photos": str(own / "photos"),
        "others": "others",
        "skimage": "skimage",  # stays a name
        "": "",
        str(tmp_path / "here"): str(tmp_path / "here"),
    }.items():
        (own / "s.toml").write_text(f"{GOOD}images='{images}'")
        assert read_suite(str(own / "s.toml")).images == expected
    monkeypatch.chdir(own)
    (own / "s.toml").write_text(f"{GOOD}images='photos'")
    assert read_suite("s.toml").images == "photos"


def test_the_readmes_suite_can_be_read(tmp_path):
    page = Path(__file__).parents[1] / "README.md"
    if not page.exists():
        pytest.skip("the documentation is not beside the tests")
    (text,) = re.findall(r"```toml\n(name = .*?)```", page.read_text(), re.DOTALL)
    (tmp_path / "mine.toml").write_text(text)
    suite = read_suite(str(tmp_path / "mine.toml"))
    assert suite.model_fields_set == set(Suite.model_fields)
    for method in suite.methods:
        assert suite.task in parse_method(method).tasks


def test_an_unknown_suite_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean crop"):
        read_suite("crops")


@pytest.fixture
def case():
    truth = data.camera()[100:170, 200:293]
    mask = observe(truth, (slice(30, 41), slice(40, 57))).mask
    return Case("c", "crop", "camera", "skimage", 0, truth, mask)


def test_scores_are_those_of_scikit_image(case):
    rng = np.random.default_rng(0)
    picture = np.where(case.mask, rng.integers(0, 256, case.mask.shape), case.truth).astype(
        np.uint8
    )
    scores = score_picture(picture, case)
    box = case.observation.hidden_box
    expected = peak_signal_noise_ratio(case.truth[box], picture[box])
    assert scores["psnr"] == pytest.approx(expected)
    _, similarity = structural_similarity(case.truth, picture, full=True)
    assert scores["ssim"] == pytest.approx(similarity[box].mean())
    difference = case.truth[box].astype(float) - picture[box]
    assert scores["mse"] == pytest.approx(np.mean(difference**2))
    assert scores["mae"] == pytest.approx(np.mean(abs(difference)))
    difference[1:-1, 1:-1] = np.nan
    assert scores["edge_mse"] == pytest.approx(np.nanmean(difference**2))


def test_16_bits_are_scored_in_the_units_of_8(case):
    picture = np.where(case.mask, 200, case.truth).astype(np.uint8)
    deep = replace(case, truth=case.truth.astype(np.uint16) * 257)
    scores = score_picture(picture.astype(np.uint16) * 257, deep)
    assert scores == pytest.approx(score_picture(picture, case), rel=1e-3)


def test_a_perfect_restoration_scores_perfectly(case):
    scores = score_picture(case.truth, case)
    assert scores["mse"] == scores["mae"] == scores["edge_mse"] == 0
    assert scores["ssim"] == pytest.approx(1)
    assert np.isfinite(scores["psnr"])


def test_predictions_are_clipped_then_rounded_and_known_pixels_pasted_back(case):
    answer = case.truth + np.where(case.mask, 0, 3.25)
    answer[30, 40:44] = [-50, 300, 99.4, 99.6]
    restored, altered = hidden_of(answer, case.observation)
    hidden = finish_prediction(restored, case.observation)
    assert hidden.dtype == np.uint8
    assert hidden[:4].tolist() == [0, 255, 99, 100]
    picture = picture_of(hidden, case.observation)
    assert np.array_equal(picture[~case.mask], case.truth[~case.mask])
    assert np.array_equal(picture[case.mask], hidden)
    assert altered == 3.25


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_prediction_is_rounded_to_the_nearest_step_and_halves_to_even_ones(dtype):
    mask = np.zeros((3, 4), bool)
    mask[1:, 1:] = True
    observation = Observation(np.zeros((3, 4), dtype), mask)
    highest = np.iinfo(dtype).max
    exact = np.array([0.5, 1.5, 2.5, 1.4999, -0.5, highest + 0.5])
    expected = [0, 2, 2, 1, 0, highest]
    assert finish_prediction(exact, observation).tolist() == expected
    together = finish_predictions([exact, exact], pack([observation] * 2))
    assert together.tolist() == 2 * expected


def test_what_was_changed_beside_the_hole_is_told_in_the_units_of_8_bits(case):
    deep = replace(case, truth=case.truth.astype(np.uint16) * 257)
    answer = deep.truth.astype(float)
    answer[case.mask] = -1e6  # hidden pixels may be anything
    answer[3, 4] -= 257 * 7
    _, altered = hidden_of(answer, deep.observation)
    assert altered == pytest.approx(7)


@pytest.mark.parametrize("answer", [None, [[1]], np.zeros((2, 2)), np.zeros((70, 93), complex)])
def test_what_is_no_restoration_is_invalid(case, answer):
    with pytest.raises(InvalidRestoration):
        hidden_of(answer, case.observation)


def test_the_constant_ceiling_is_the_variance_of_what_is_hidden(case):
    hidden = case.truth[case.mask].astype(float)
    assert constant_mse(case) == pytest.approx(hidden.var(), abs=0.26)  # the mean is rounded
    deep = np.full((9, 9), 128, np.uint16)  # half a grey level of 8 bits
    assert constant_mse(Case("deep", "crop", "", "", 0, deep, deep > 0)) == 0


@pytest.mark.parametrize("levels", [255, 65535])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_constant_ceiling_is_the_score_of_the_best_constant_picture(dtype, levels):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, np.iinfo(dtype).max, (9, 12, 3), dtype)
    truth[..., 1] //= 3  # every channel has a mean of its own
    mask = rng.random((9, 12)) < 0.3
    case = Case("c", "grid", "i", "s", 0, truth, mask)
    picture = truth.copy()
    picture[mask] = [round(float(truth[mask][:, channel].mean())) for channel in range(3)]
    expected = score_picture(picture, case, ("mse",), levels)["mse"]
    assert constant_mse(case, levels) == pytest.approx(expected)
    # written out
    errors = truth[mask].astype(float) - picture[mask]
    assert expected == pytest.approx(np.mean((errors * levels / np.iinfo(dtype).max) ** 2))


def drawn(paint):
    """Make a case of a picture painted by a function of y and x, both 0 to 40."""
    y, x = np.mgrid[:41, :41]
    truth = np.clip(np.rint(paint(y, x) * np.ones((41, 41))), 0, 255).astype(np.uint8)
    mask = np.zeros(truth.shape, bool)
    mask[13:28, 13:28] = True
    return Case("id", "crop", "image", "source", 0, truth, mask)


@pytest.mark.parametrize(
    ("content", "paint"),
    [
        ("smooth", lambda y, x: 100 + y + 2 * x),
        ("edge", lambda y, x: 200 * (y + 2 * x > 60)),
        ("corner", lambda y, x: 200 * ((y > 20) & (x > 20))),
        ("texture", lambda y, x: 100 + 80 * np.sin(y * 1.3) * np.sin(x * 1.3)),
    ],
)
def test_contents_are_told_apart(content, paint):
    assert content_of(drawn(paint)) == content
    turned = drawn(lambda y, x: paint(x, 40 - y))
    assert content_of(turned) == content
    deep = replace(turned, truth=turned.truth.astype(np.uint16) * 257)
    colour = replace(turned, truth=np.stack([turned.truth] * 3, axis=2))
    assert content_of(deep) == content_of(colour) == content


def test_the_edge_is_the_hidden_pixels_that_touch_known_ones():
    mask = np.zeros((9, 9), bool)
    mask[2:7, 2:7] = True
    edge = mask.copy()
    edge[3:6, 3:6] = False
    assert np.array_equal(edge_of(mask), edge)
