"""Comparing runs, keeping a history of them, and runs that were moved, zipped, or made later."""

import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from conftest import inpaintbench_here, part_of, replace_table
from test_reports import NAN, made_up, several

from inpaintbench.datasets import InputError
from inpaintbench.reports import load_run
from inpaintbench.reports.comparison import compare, environment_changes
from inpaintbench.reports.history import append_history, comparable, read_history
from inpaintbench.reports.intervals import estimate
from inpaintbench.reports.page import write_report
from inpaintbench.reports.tables import FORMAT, Run


@pytest.fixture(scope="module")
def made(whole_run, tmp_path_factory):
    return part_of(whole_run, ("mean", "telea"), tmp_path_factory.mktemp("runs") / "first")


@pytest.fixture
def finished(made, tmp_path):
    return shutil.copytree(made, tmp_path / "first")


def changed(folder, target, environment=(), worse=0.0):
    """Copy a run with another environment, and with telea's scores raised."""
    shutil.copytree(folder, target)
    known = json.loads((target / "environment.json").read_text())
    (target / "environment.json").write_text(json.dumps(known | dict(environment)))
    scores = pd.read_parquet(target / "scores.parquet")
    scores.loc[scores["label"] == "telea", "mse"] += worse
    replace_table(target / "scores.parquet", scores)
    return target


def zipped(folder, target, prefix=""):
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return target


def test_cases_are_paired_by_their_hash_whatever_they_are_called():
    old = made_up({"a": [1, 2, 3, 9]}, list("pqrs"))
    new = made_up({"a": [9, 3, 2, 1]}, list("srqp"))
    new.cases["sha256"] = ["3", "2", "1", "other"]
    row = compare(old, new).iloc[0]
    assert (row["cases"], row["old"], row["new"]) == (3, 14 / 3, 14 / 3)
    assert row["verdict"] == "same"


def test_a_case_that_a_suite_holds_twice_is_paired_twice():
    old, new = (made_up({"a": [1, 2, 3]}, list("ppq")) for _ in "12")
    for run in (old, new):
        run.cases["sha256"] = ["0", "0", "2"]
    assert compare(old, new)["cases"].tolist() == [3]


def test_runs_are_compared_photograph_by_photograph_though_one_has_other_cases_as_well():
    old = several(4)
    kept = old.cases["case_id"].isin([f"c{k}" for k in range(24) if k % 5])
    cases = old.cases[kept].iloc[::-1].reset_index(drop=True)
    scores = old.scores[old.scores["case_id"].isin(cases["case_id"])].copy()
    scores["mse"] += np.random.default_rng(3).normal(2, 3, len(scores))
    places = dict(zip(old.cases["case_id"], old.photographs, strict=True))
    table = compare(old, Run(None, cases, scores, old.timings, {})).set_index("method")
    for label in "ab":
        after = scores[scores["label"] == label].set_index("case_id")["mse"]
        before = old.mse[label]
        paired = (after - before).dropna()
        photographs = [places[case_id] for case_id in paired.index]
        expected = estimate(paired.to_numpy()[:, None], np.array(photographs))
        row = table.loc[label]
        assert row["cases"] == len(paired) == kept.sum()
        assert row["difference"] == pytest.approx(expected.mean[0])
        assert row["low"] == pytest.approx(expected.low[0])
        assert row["high"] == pytest.approx(expected.high[0])


def test_unchanged_methods_give_no_false_alarm_and_many_changed_ones_rarely():
    """Forty methods that changed by chance alone: without correction most gates would close."""
    rng = np.random.default_rng(0)
    photographs = np.repeat(np.arange(15), 2).astype(str)
    alarms = 0
    for _ in range(40):
        base = rng.gamma(2, 100, 30)
        old = {f"m{k}": base for k in range(40)}
        new = {label: values + rng.normal(0, 1, 30) for label, values in old.items()}
        table = compare(made_up(old, photographs), made_up(new, photographs))
        alarms += (table["verdict"] == "worse").any()
    assert alarms <= 4
    assert set(compare(made_up(old, photographs), made_up(old, photographs))["verdict"]) == {"same"}


def test_one_changed_method_is_found_among_many_unchanged_ones():
    rng = np.random.default_rng(1)
    photographs = np.arange(12).astype(str)
    old = {f"m{k}": rng.gamma(2, 100, 12) for k in range(40)}
    new = old | {"m7": old["m7"] + 3 + rng.normal(0, 2, 12)}
    table = compare(made_up(old, photographs), made_up(new, photographs)).set_index("method")
    assert table.index[table["verdict"] == "worse"].tolist() == ["m7"]


def test_a_change_on_one_photograph_alone_is_unknown_and_a_failure_is_worse():
    old = made_up({"a": [1, 2], "b": [1, 2]}, ["p", "p"])
    new = made_up({"a": [2, 3], "b": [1, NAN]}, ["p", "p"])
    assert compare(old, new)["verdict"].tolist() == ["unknown", "worse"]


def test_what_changed_between_environments_is_told():
    old = {"python": "3.11", "packages": {"numpy": "2.0", "torch": "2.6"}, "finished": "yesterday",
           "worker_seconds": {"drawing": 0.3}, "commit": "a" * 40,
           "suite": {"seed": 1, "methods": ["mean", "telea"]}}  # fmt: skip
    new = {"format": 2, "python": "3.11", "packages": {"numpy": "2.1", "torch": "2.6"},
           "finished": "today", "worker_seconds": {"drawing": 0.4}, "commit": "b" * 40,
           "suite": {"seed": 2, "methods": ["telea", "cnn"]}}  # fmt: skip
    assert environment_changes(old, new).to_numpy().tolist() == [
        ["packages.numpy", "2.0", "2.1"],
        ["commit", "a" * 12, "b" * 12],
        ["suite.seed", "1", "2"],
        ["suite.methods", "mean", "cnn"],
        ["format", "-", "2"],
    ]
    assert environment_changes(old, old).empty


def test_compare_is_a_gate_that_says_what_changed(finished, tmp_path):
    changed(finished, tmp_path / "worse", {"python": "3.99"}, worse=1)
    gate = inpaintbench_here("compare", "first", "worse", cwd=tmp_path)
    assert gate.returncode == 1
    assert "3.99" in gate.stdout
    same = inpaintbench_here("compare", "first", "first", cwd=tmp_path)
    assert same.returncode == 0
    assert "Nothing recorded of their environments differs" in same.stdout


def test_a_history_grows_run_by_run_and_the_report_draws_it(finished, tmp_path):
    for room in ("pictures", "restorations"):  # none are needed here
        shutil.rmtree(finished / room)
    later = {"finished": "2999-01-02T00:00:00+00:00"}
    changed(finished, tmp_path / "worse", later, worse=1)
    for _ in range(2):  # the second time adds nothing
        gate = inpaintbench_here("compare", "first", "worse", "--append", "h.parquet", cwd=tmp_path)
        assert gate.returncode == 1
        assert "h.parquet: 2 runs" in gate.stdout
    history = read_history(tmp_path / "h.parquet")
    telea = history[history["method"] == "telea"]
    assert np.diff(telea["mse"]) == pytest.approx(1)
    assert history["finished"].is_monotonic_increasing
    page = write_report(load_run(tmp_path / "worse")).read_text()  # its folder keeps a copy
    assert "in 2 runs on these very cases" in page
    assert "<h2>History" not in write_report(load_run(finished)).read_text()
    assert "in 2 runs" in write_report(load_run(finished), tmp_path / "h.parquet").read_text()


def test_only_runs_of_the_same_cases_are_drawn_together(finished, tmp_path):
    other = changed(finished, tmp_path / "other", {"cases_sha256": "x", "finished": "2000"})
    run = load_run(finished)
    history = append_history(tmp_path / "h.parquet", run, load_run(other))
    assert len(history) == 4
    assert set(comparable(history, run)["finished"]) == {run.environment["finished"]}


def test_runs_added_at_the_same_time_are_all_kept(finished, tmp_path):
    runs = [
        changed(finished, tmp_path / str(n), {"finished": f"2026-01-0{n}T00:00:00+00:00"})
        for n in range(1, 5)
    ]
    program = (
        "import sys\n"
        "from inpaintbench.reports import load_run\n"
        "from inpaintbench.reports.history import append_history\n"
        "from pathlib import Path\n"
        "from threading import Thread\n"
        "runs = [load_run(path) for path in sys.argv[1:]]\n"
        "adding = [Thread(target=append_history, args=(Path('h.parquet'), run)) for run in runs]\n"
        "for run in runs:\n"
        "    run.leaderboard()\n"
        "print(flush=True)\n"
        "sys.stdin.readline()\n"  # until all are ready
        "for thread in adding:\n"
        "    thread.start()\n"
        "for thread in adding:\n"
        "    thread.join()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": tmp_path}
    pairs = (runs[:2], runs[2:])  # in two threads of two processes
    adding = [subprocess.Popen([sys.executable, "-c", program, *pair], **pipes) for pair in pairs]
    for process in adding:
        process.stdout.readline()
    for process in adding:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.wait() for process in adding] == [0, 0]
    assert read_history(tmp_path / "h.parquet")["finished"].nunique() == len(runs)


def test_what_is_no_history_is_refused_and_kept(finished, tmp_path):
    run = load_run(finished)
    (tmp_path / "text.parquet").write_text("x")
    with pytest.raises(InputError, match="cannot read the history"):
        append_history(tmp_path / "text.parquet", run)
    assert (tmp_path / "text.parquet").read_text() == "x"
    with pytest.raises(InputError, match="is no history: it has no column finished"):
        append_history(finished / "timings.parquet", run)
    with pytest.raises(InputError, match="is a folder"):
        append_history(tmp_path, run)


@pytest.mark.parametrize("prefix", ["", "first/", "a/b/"])
def test_a_zipped_run_is_reported_beside_it_and_compared(prefix, finished, tmp_path):
    (tmp_path / "moved").mkdir()
    archive = zipped(finished, tmp_path / "moved" / "run.zip", prefix)
    run = load_run(archive)
    page = write_report(run)
    assert page == tmp_path / "moved" / "run-report" / "index.html"
    pd.testing.assert_frame_equal(run.leaderboard(), load_run(finished).leaderboard())
    assert set(compare(load_run(finished), run)["verdict"]) == {"same"}
    gate = inpaintbench_here("compare", finished, archive, "--append", "h.parquet", cwd=tmp_path)
    assert gate.returncode == 0, gate.stderr
    assert "--history h.parquet" in gate.stdout


def test_a_zipped_run_may_have_any_name(finished, tmp_path):
    archive = zipped(finished, tmp_path / "run.zip", "odd n\u00e4me: x/")
    assert len(load_run(archive).leaderboard()) == 2


def test_a_run_that_has_lost_scores_is_refused(finished):
    scores = pd.read_parquet(finished / "scores.parquet")
    start = (finished / "run.json").read_text()
    replace_table(finished / "scores.parquet", scores[scores["label"] == "telea"])
    (finished / "run.json").write_text(start)
    with pytest.raises(InputError, match="has lost scores: mean has 0 of "):
        load_run(finished)


def test_a_run_that_says_too_little_is_in_no_history(finished, tmp_path):
    (finished / "environment.json").write_text("{}")
    with pytest.raises(InputError, match="has no 'finished'"):
        append_history(tmp_path / "h.parquet", load_run(finished))
    assert not (tmp_path / "h.parquet").exists()


def test_an_unfinished_run_is_drawn_without_its_history(finished, tmp_path):
    append_history(tmp_path / "h.parquet", load_run(finished))
    (finished / "environment.json").unlink()
    run = load_run(finished, unfinished=True)
    assert "not finished" in write_report(run, tmp_path / "h.parquet").read_text()


@pytest.mark.parametrize(
    "name", [".", "../out.txt", "a/../../out.txt", "/tmp/out.txt", "C:/out.txt", "..\\out.txt"]
)
def test_an_archive_that_points_outside_is_refused(name, finished, tmp_path):
    archive = zipped(finished, tmp_path / "run.zip")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(name, "x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="names a file outside of itself"):
        load_run(archive)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_of_no_run_of_two_or_of_damage_is_refused(finished, tmp_path):
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as opened:
        opened.writestr("a.txt", "x")
    with pytest.raises(InputError, match="holds no finished runs"):
        load_run(tmp_path / "none.zip")
    archive = zipped(finished, tmp_path / "two.zip", "a/")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("b/environment.json", "{}")
    with pytest.raises(InputError, match="holds 2 finished runs"):
        load_run(archive)
    whole = zipped(finished, tmp_path / "damaged.zip").read_bytes()
    place = whole.index(b"PAR1") + 4
    (tmp_path / "damaged.zip").write_bytes(whole[:place] + b"????" + whole[place + 4 :])
    with pytest.raises(InputError, match="damaged"):
        load_run(tmp_path / "damaged.zip")


def test_a_run_of_a_later_format_is_refused_with_both_versions(finished, tmp_path):
    later = {"format": FORMAT + 1, "packages": {"inpaintbench": "9.8.7"}}
    changed(finished, tmp_path / "later", later)
    zipped(tmp_path / "later", tmp_path / "later.zip")
    for name in ("later", "later.zip"):
        answer = inpaintbench_here("report", name, cwd=tmp_path)
        assert answer.returncode == 2
        assert answer.stderr.startswith(f"inpaintbench: {name} was made by inpaintbench 9.8.7 with")
        assert f"format {FORMAT + 1}; this is inpaintbench " in answer.stderr
        assert f"reads up to format {FORMAT}" in answer.stderr
    changed(finished, tmp_path / "odd", {"format": "two"})
    with pytest.raises(InputError, match="its format is 'two'"):
        load_run(tmp_path / "odd")


def test_runs_say_their_format_and_those_of_before_are_read(finished, tmp_path):
    known = json.loads((finished / "environment.json").read_text())
    assert known.pop("format") == FORMAT
    (finished / "environment.json").write_text(json.dumps(known))
    assert len(load_run(finished).leaderboard()) == 2


def test_tables_in_parts_are_read_like_whole_ones(finished):
    expected = load_run(finished).leaderboard()
    for name in ("scores", "cases"):
        path = finished / f"{name}.parquet"
        table = pd.read_parquet(path)
        shutil.rmtree(path)
        path.mkdir()
        for number, start in enumerate(range(0, len(table), 10)):
            table[start : start + 10].to_parquet(path / f"{number:06d}.parquet")
    pd.testing.assert_frame_equal(load_run(finished).leaderboard(), expected)
    archive = zipped(finished, finished.with_name("parts.zip"))
    pd.testing.assert_frame_equal(load_run(archive).leaderboard(), expected)
