"""Tables and the page, against scores whose answer is known."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from conftest import part_of

from inpaintbench.datasets import InputError
from inpaintbench.reports import Run, load_run
from inpaintbench.reports.comparison import compare
from inpaintbench.reports.intervals import score_intervals
from inpaintbench.reports.page import write_report
from inpaintbench.reports.tables import HOLE_AREAS, last_run, share_text
from inpaintbench.reports.texts import expectations, markdown_table


def made_up(scores, photographs, path=None, timed=True):
    """Make a run from a dict of MSE lists."""
    count = len(photographs)
    cases = pd.DataFrame(
        {
            "case_id": [f"c{k}" for k in range(count)],
            "image_id": photographs,
            "source": "x",
            "hidden_height": [5, 21] * (count // 2) + [9] * (count % 2),
            "hidden_width": [5, 21] * (count // 2) + [9] * (count % 2),
            "sha256": [f"{k}" for k in range(count)],
            "content": ["smooth", "edge"] * (count // 2) + ["corner"] * (count % 2),
            "constant_mse": np.arange(count, dtype=float),
        }
    )
    rows = pd.DataFrame(
        {
            "label": label,
            "family": "test",
            "case_id": f"c{k}",
            "status": "error" if np.isnan(mse) else "ok",
            "message": "why" if np.isnan(mse) else "",
            "mse": mse,
            "psnr": 10.0,
            "altered_known": 3.0 if label == "painter" else 0.1,
        }
        for label, values in scores.items()
        for k, mse in enumerate(values)
    )
    timings = pd.DataFrame(
        {"label": list(scores) if timed else [], "kind": "single", "seconds": 0.002}
    )
    return Run(path, cases, rows, timings, {})


NAN = float("nan")


def test_the_leaderboard_is_what_the_scores_say():
    run = made_up({"b": [4, 6, 8, 2], "a": [1, 3, 9, 7], "c": [4, 1, 9, 8]}, list("ppqq"))
    board = run.leaderboard().set_index("method")
    assert board.index.tolist() == ["a", "b", "c"]
    assert board["rank"].tolist() == [1, 2, 3]
    assert board["mse"].tolist() == [5, 5, 5.5]
    assert board["median"].tolist() == [5, 5, 6]
    assert board["won"].tolist() == [0.25, 0.5, 0.25]
    assert board["ms"].tolist() == pytest.approx([2, 2, 2])
    assert board["coverage"].tolist() == [1, 1, 1]


def test_ceilings_are_the_best_of_all_and_the_true_mean():
    run = made_up({"b": [4, 6, 8, 2], "a": [1, NAN, 9, 7]}, list("ppqq"))
    ceilings = run.ceilings().set_index("ceiling")
    assert ceilings["mse"].to_dict() == {"oracle": 17 / 4, "constant-oracle": 6 / 4}
    assert "oracle" not in set(run.leaderboard()["method"])


def test_scores_are_split_by_what_the_holes_hide():
    table = made_up({"b": [4, 6, 8, 2], "a": [1, 3, 9, 7]}, list("ppqq")).by_content()
    assert table.loc["a"].to_dict() == {"edge": 5, "smooth": 5}
    assert table.loc["b"].to_dict() == {"edge": 4, "smooth": 6}


def test_ties_share_a_win():
    board = made_up({"a": [1, 1], "b": [1, 2]}, list("pq")).leaderboard().set_index("method")
    assert board["won"].to_dict() == {"a": 0.75, "b": 0.25}


def test_an_incomplete_method_is_never_ranked_before_a_complete_one():
    run = made_up({"good": [5, 5, 5], "lucky": [1, NAN, 1]}, list("pqr"))
    board = run.leaderboard()
    assert board["method"].tolist() == ["good", "lucky"]
    assert board["coverage"].tolist() == [1, pytest.approx(2 / 3)]
    assert run.failures().to_dict("records") == [
        {"method": "lucky", "status": "error", "message": "why", "cases": 1}
    ]


def test_a_run_without_a_single_score_says_so():
    run = made_up({"a": [NAN, NAN], "b": [NAN, NAN]}, list("pq"), timed=False)
    assert run.verdict() == "No method restored a single case."
    assert run.leaderboard()["coverage"].tolist() == [0, 0]


def test_the_runner_up_is_a_method_that_restored_every_case():
    run = made_up({"good": [5, 6, 5], "next": [9, 9, 8], "lucky": [1, NAN, 1]}, list("pqr"))
    assert "The runner-up next is 3.3 higher" in run.verdict()
    alone = made_up({"good": [5, 6, 5], "lucky": [1, NAN, 1], "bad": [NAN] * 3}, list("pqr"))
    assert "runner-up" not in alone.verdict()
    assert "nan" not in alone.verdict()


def test_one_photograph_gives_no_interval():
    run = made_up({"a": [1, 2], "b": [5, 6]}, ["p", "p"])
    assert run.leaderboard()[["low", "high"]].isna().all().all()
    assert "one photograph alone cannot say" in run.verdict()


def test_differences_are_paired():
    rng = np.random.default_rng(0)
    hard = rng.gamma(1, 1000, 60)  # cases differ far more than the methods do
    photographs = np.repeat(np.arange(20), 3).astype(str)
    near = hard + rng.normal(0, 5, 60)
    near += hard.mean() - near.mean() + 0.01
    run = made_up({"best": hard, "worse": hard + rng.normal(10, 5, 60), "near": near}, photographs)
    table = run.differences().set_index("method")
    assert table.loc["worse", "difference"] == pytest.approx(10, abs=2)
    assert table.loc["worse", "distinguishable"]
    assert not table.loc["near", "distinguishable"]
    assert "near" in run.verdict()
    assert "cannot be told apart" in run.verdict()


def test_the_verdict_does_not_contradict_the_groups():
    """One photograph of a large difference widens the mean's interval, not the ranks'."""
    rng = np.random.default_rng(0)
    hard = rng.uniform(100, 1000, 20)
    worse = hard + rng.uniform(5, 20, 20)
    worse[0] += 2000
    run = made_up({"best": hard, "worse": worse}, list("abcdefghijklmnopqrst"))
    assert run.leaderboard()["group"].tolist() == ["a", "b"]
    assert not run.differences().set_index("method").loc["worse", "distinguishable"]
    assert "photograph by photograph they differ" in run.verdict()


def test_methods_that_paint_over_known_pixels_are_named():
    run = made_up({"painter": [1, 2], "good": [1, 2]}, list("pq"))
    assert run.altered_known().to_dict() == {"painter": 3.0}


def test_mse_by_hole_size_splits_by_area():
    run = made_up({"a": [1, 10, 3, 30]}, list("ppqq"))
    assert run.by_hole_size().loc["a"].to_dict() == {"25-81": 2, "290-441": 20}


def test_every_area_stands_in_the_column_that_names_it():
    sides = [(4, 6), (5, 5), (9, 9), (2, 41), (13, 13), (10, 17), (17, 17), (10, 29), (21, 21)]
    sides.append((13, 34))
    run = made_up({"a": [float(h * w) for h, w in sides]}, list("pqrstuvwxy"))
    run.cases["hidden_height"], run.cases["hidden_width"] = zip(*sides, strict=True)
    table = run.by_hole_size().loc["a"]
    assert list(table.index) == list(HOLE_AREAS)
    expected = {"under 25": 24, "over 441": 442}
    for heading in list(HOLE_AREAS)[1:-1]:
        low, high = map(int, heading.split("-"))
        expected[heading] = (low + high) / 2  # one case of either area
    assert table.to_dict() == expected


def test_calibration_compares_what_was_expected_with_what_was_made():
    """Ten groups of two or three, written out by hand for one method; another cannot tell."""
    rng = np.random.default_rng(0)
    count = 23
    expected, mse = rng.gamma(2, 100, count), rng.gamma(2, 100, count)
    expected[4], mse[7] = NAN, NAN  # left out
    run = made_up({"knows": mse, "guesses": mse}, [f"p{k}" for k in range(count)])
    knows = run.scores["label"] == "knows"
    run.scores.loc[knows, "expected_mse"] = expected
    table = run.calibration()
    assert set(table["method"]) == {"knows"}
    order = sorted(set(range(count)) - {4, 7}, key=lambda k: expected[k])
    groups = [order[:3], *(order[3 + 2 * k : 5 + 2 * k] for k in range(9))]
    assert table["cases"].tolist() == [3] + [2] * 9
    for (_, row), group in zip(table.iterrows(), groups, strict=True):
        assert row["expected"] == pytest.approx(np.mean(expected[group]))
        assert row["mse"] == pytest.approx(np.mean(mse[group]))
        assert row["low"] <= row["mse"] <= row["high"]
    (text,) = expectations(table)
    means = np.mean(expected[order]), np.mean(mse[order])
    assert text == "knows expected an MSE of {:.1f} and had {:.1f}".format(*means)


def several(each):
    """A run of so many cases of 6 photographs, which differ far more than the cases of one do."""
    rng = np.random.default_rng(0)
    hard = np.repeat(rng.gamma(1, 200, 6), each) + rng.gamma(2, 20, 6 * each)
    factors = {"a": 1.0, "b": 1.2, "c": 1.1}
    mse = {name: hard * rng.normal(factor, 0.1, len(hard)) for name, factor in factors.items()}
    mse["c"][5] = NAN
    run = made_up(mse, np.repeat(list("pqrstu"), each).tolist())
    run.scores["expected_mse"] = rng.gamma(2, 100, len(run.scores))
    return run


TABLES = (
    "leaderboard differences ranks win_matrix needed by_hole_size by_content ceilings calibration"
)


def test_no_number_depends_on_the_order_of_rows():
    """Scores are joined to their cases, and these to their photographs, by names alone."""
    run = several(4)
    order = np.random.default_rng(1).permutation(24)
    cases = run.cases.iloc[order].reset_index(drop=True)
    scores = run.scores.sample(frac=1, random_state=2).reset_index(drop=True)
    mixed = Run(None, cases, scores, run.timings, {})
    assert mixed.mse.index.tolist() == cases["case_id"].tolist()
    for table in TABLES.split():
        pd.testing.assert_frame_equal(getattr(mixed, table)(), getattr(run, table)())


def test_intervals_of_a_calibration_resample_photographs_too():
    run = several(20)
    table = run.calibration()
    places = dict(zip(run.cases["case_id"], run.photographs, strict=True))
    for label, groups in table.groupby("method"):
        known = run.scores[run.scores["label"] == label].dropna(subset=["mse"])
        known = known.sort_values("expected_mse")
        ends = groups["cases"].cumsum()
        assert ends.iloc[-1] == len(known)
        for end, (_, row) in zip(ends, groups.iterrows(), strict=True):
            part = known.iloc[end - row["cases"] : end]
            clusters = part["case_id"].map(places).to_numpy()
            assert len(set(clusters)) < len(clusters)
            low, high = score_intervals(part[["mse"]].to_numpy(), clusters)
            assert (row["low"], row["high"]) == pytest.approx((low[0], high[0]))


def test_a_run_of_methods_that_cannot_tell_has_no_calibration(finished, page):
    assert made_up({"a": [1, 2]}, list("pq")).calibration().empty  # of an earlier version
    assert load_run(finished).calibration().empty
    assert "how far off" not in page.read_text()


def test_the_page_shows_whether_a_method_knows_how_far_off_it_is(whole_run, tmp_path):
    run = load_run(part_of(whole_run, ("hopeful", "mean"), tmp_path / "run"))
    mse = run.mse["hopeful"].mean()
    text = write_report(run).read_text()
    Page(text)
    assert "how far off" in text
    assert f"hopeful expected an MSE of 100.0 and had {mse:.1f}." in text
    stored = pd.read_csv(tmp_path / "run" / "report" / "calibration.csv")
    pd.testing.assert_frame_equal(stored, run.calibration(), check_dtype=False)


def test_compare_finds_what_got_worse_and_what_failed():
    photographs, rng = list("abcdefghij"), np.random.default_rng(0)
    base = rng.gamma(2, 100, 10)
    failing = np.where(np.arange(10) == 3, NAN, base)
    old = made_up({"same": base, "worse": base, "better": base, "fails": base}, photographs)
    noise = rng.normal(0, 1, 10)
    new = made_up(
        {"same": base + noise - noise.mean(), "worse": base + 5 + noise, "better": base - 5,
         "fails": failing},
        photographs,
    )  # fmt: skip
    verdicts = compare(old, new).set_index("method")["verdict"].to_dict()
    assert verdicts == {"same": "same", "worse": "worse", "better": "better", "fails": "worse"}


def test_compare_names_a_method_that_is_gone():
    old, new = made_up({"a": [1, 2], "b": [1, 2]}, list("pq")), made_up({"a": [1, 2]}, list("pq"))
    assert compare(old, new)["verdict"].tolist() == ["same", "missing"]


def test_compare_uses_identical_cases_alone():
    old, new = (made_up({"a": [1, 2, 3]}, list("pqr")) for _ in "12")
    new.cases.loc[0, "sha256"] = "changed"
    assert compare(old, new)["cases"].tolist() == [2]
    new.cases["sha256"] = "changed"
    with pytest.raises(InputError, match="no identical case"):
        compare(old, new)


@pytest.fixture(scope="module")
def finished(whole_run, tmp_path_factory):
    labels = ("mean", "telea", "telea:radius=9.0")
    return part_of(whole_run, labels, tmp_path_factory.mktemp("runs") / "first")


@pytest.fixture(scope="module")
def page(finished):
    return write_report(load_run(finished))


class Page(HTMLParser):
    """Collects what a page asks for, and checks that its elements are closed."""

    VOID = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self, text):
        super().__init__()
        self.addresses, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.addresses += [attributes[a] for a in ("src", "href") if a in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_no_network_and_shows_every_method(finished, page):
    text = page.read_text()
    parsed = Page(text)
    assert page == finished / "report" / "index.html"
    beside = {"leaderboard.csv", "leaderboard.md", "restorations.png", "families.png"}
    beside |= {f"{name}.csv" for name in ("differences", "needed", "ranks", "win-matrix")}
    beside |= {f"methods/{name}.html" for name in ("mean", "telea", "telea:radius=9.0")}
    assert all(a.startswith(("data:", "#")) or a in beside for a in parsed.addresses)
    assert all((page.parent / name).exists() for name in beside)
    for word in ("telea:radius=9.0", "mean", "Content-Security-Policy", "sha", "challenge MSE"):
        assert word in text
    assert page.stat().st_size < 15_000_000


def test_the_page_says_what_the_harness_itself_took(finished, tmp_path):
    run = dataclasses.replace(load_run(finished), path=tmp_path)
    run.environment["worker_seconds"] = {"drawing": 1, "method": 7, "sending": 1.5, "scoring": 0.5}
    text = write_report(run).read_text()
    assert "70% were the methods&#39; own; drawing cases took 10%, scoring 5%" in text
    assert "sending and checking 15%" in text
    run.environment["worker_seconds"] = {}
    assert "the methods&#39; own" not in write_report(run).read_text()


def test_the_files_beside_the_page_hold_the_leaderboard(finished, page):
    run = load_run(finished)
    stored = pd.read_csv(page.with_name("leaderboard.csv"))
    pd.testing.assert_frame_equal(stored, run.leaderboard(), check_dtype=False)
    told = page.with_name("leaderboard.md").read_text()
    assert run.verdict() in told
    rows = re.findall(r"^\| \d+ \| (\S+) \|", told, re.MULTILINE)
    assert rows == run.leaderboard()["method"].tolist()


def test_text_from_outside_cannot_become_markup(finished, tmp_path):
    run = dataclasses.replace(load_run(finished), path=tmp_path)
    run.scores.loc[0, ["status", "message", "mse"]] = ["error", "<script>alert(1)</script>", NAN]
    page = write_report(run).read_text()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert markdown_table(pd.DataFrame({"a": ["x|y"]})).endswith("| x\\|y |")


def test_a_report_is_rebuilt_from_the_files_alone(finished, page, tmp_path):
    elsewhere = shutil.copytree(finished, tmp_path / "elsewhere" / finished.name)
    shutil.rmtree(elsewhere / "report")
    program = (
        "import sys\n"
        "from inpaintbench.reports import load_run\n"
        "from inpaintbench.reports.page import write_report\n"
        "write_report(load_run(sys.argv[1]))\n"
        "ours = {name for name in sys.modules if name.startswith('inpaintbench.')}\n"
        "assert not [m for m in ours if '.methods' in m or '.benchmarks' in m], ours\n"
    )
    subprocess.run([sys.executable, "-c", program, elsewhere], check=True, cwd=tmp_path)
    moved = (elsewhere / "report" / "index.html").read_text()
    assert page.read_text() == moved.replace(str(elsewhere), str(finished))


def test_the_last_run_is_the_one_finished_last(tmp_path):
    days = {"a": ("crop", 2), "b": ("crop", 3), "c": ("crop", 1), "d": ("border", 4)}
    contents = {
        name: json.dumps({"finished": f"2026-01-0{day}", "suite": {"task": task}})
        for name, (task, day) in days.items()
    }
    contents |= {"cut": contents["b"][:20], "empty": "{}", "list": "[]", "text": '{"suite": "x"}'}
    for name, content in contents.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "environment.json").write_text(content)
    (tmp_path / "unfinished").mkdir()
    assert last_run(tmp_path, "crop").name == "b"
    assert last_run(tmp_path, "border").name == "d"
    assert last_run(tmp_path, "grid") is None
    assert last_run(tmp_path / "a", "crop") is None


def test_a_share_that_is_not_all_does_not_look_like_all():
    shares = {
        1: "100%",
        249 / 250: "99.6%",
        0.99999: "99.999%",
        1 / 250: "0.4%",
        0: "0%",
        0.5: "50%",
    }
    assert {share: share_text(share) for share in shares} == shares


def test_what_is_no_run_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no finished run"):
        load_run(tmp_path)
    (tmp_path / "environment.json").write_text("{}")
    with pytest.raises(InputError, match="no finished run"):
        load_run(tmp_path)
