"""A run may be stopped at any moment: it goes on, and comes to the same tables."""

import json
import os
import platform
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import plugins
import pytest
from PIL import Image
from skimage import data
from test_ensemble import made as ensemble_of
from test_run import carried_out, small

from inpaintbench.benchmarks import plan
from inpaintbench.benchmarks.parts import part_key
from inpaintbench.benchmarks.plan import explain, read_start, unfinished_run
from inpaintbench.benchmarks.reuse import method_key, task_key
from inpaintbench.benchmarks.suite import read_suite
from inpaintbench.datasets import InputError
from inpaintbench.methods import parse_method

KILLS = 50
LONGEST = 2.5  # seconds that a run is left alone, on however slow a machine


def methods_to_kill():
    return [plugins.Slow(seconds=0.005), parse_method("telea")]


def carry_out(folder, suite, jobs=1):
    """What the process that is killed runs; mostly with one worker: each start costs seconds."""
    carried_out(folder, methods_to_kill(), jobs, suite)


def finished_parts(folder):
    found = [*folder.glob("cases.parquet/*"), *folder.glob("scores.parquet/*/*")]
    return {path for path in found if not path.name.startswith(".")}  # those are being written


def check_what_is_there(folder):
    """Every file under its own name is whole, whatever moment the kill came at."""
    for path in finished_parts(folder):
        assert part_key(path.parent, int(path.stem)), path
    for path in folder.glob("keys/[!.]*.json"):
        json.loads(path.read_text())
    assert not (folder / "environment.json").exists() or (folder / "timings.parquet").exists()


def tables(folder):
    cases, scores = (pd.read_parquet(folder / f"{name}.parquet") for name in ("cases", "scores"))
    return cases, scores.drop(columns="seconds")


def kill_again_and_again(folder, photographs):
    """Carry a run out again and again, and kill it at random moments; what the test starts.

    By forks of this process, which has read and imported everything and has no threads yet. The
    first run says how long one takes.
    """
    rng = random.Random(5)
    folder, suite = Path(folder), small(48, images=photographs)
    explain(suite, methods_to_kill(), folder / "none")
    begin = time.monotonic()
    assert ends_within(forked(folder / "whole", suite), 300)
    longest = min(time.monotonic() - begin, LONGEST)
    kills = number = 0
    while kills < KILLS:
        before = finished_parts(folder / str(number))
        process = forked(folder / str(number), suite, jobs=2 if kills % 5 == 0 else 1)
        if ends_within(process, rng.uniform(0, longest)):
            number += 1
            continue
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        kills += 1
        check_what_is_there(folder / str(number))
        assert before <= finished_parts(folder / str(number))
    carry_out(folder / str(number), suite)


def forked(folder, *more, **options):
    process = os.fork()
    if not process:
        carry_out(folder, *more, **options)
        os._exit(0)
    return process


def ends_within(process, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            assert status == 0
            return True
        time.sleep(0.01)
    return False


def test_50_kills_at_random_moments_lose_nothing(tmp_path):
    photographs, killed = tmp_path / "photographs", tmp_path / "killed"
    photographs.mkdir()
    killed.mkdir()
    for name in ("camera", "moon"):  # small ones: little time goes into reading
        Image.fromarray(getattr(data, name)()[:200, :200]).save(photographs / f"{name}.png")
    carry_out(tmp_path / "undisturbed", small(48, images=str(photographs)), jobs=2)
    script = "import sys, test_resume; test_resume.kill_again_and_again(*sys.argv[1:])"
    command = [sys.executable, "-c", script, str(killed), str(photographs)]
    subprocess.run(command, cwd=Path(__file__).parent, check=True)
    for folder in killed.iterdir():
        for found, expected in zip(tables(folder), tables(tmp_path / "undisturbed"), strict=True):
            pd.testing.assert_frame_equal(found, expected)


@pytest.fixture
def method_of_ones_own(tmp_path, monkeypatch):
    """A method in a module that the test may change, with a helper in its own package."""
    package = tmp_path / "own_methods"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("LEVEL = 100.0\n")
    (package / "one.py").write_text(
        "import numpy as np\n"
        "from inpaintbench.methods import Method\n"
        "class One(Method):\n"
        "    name, family = 'one', 'test'\n"
        "    def restore(self, observation):\n"
        "        from .helper import LEVEL\n"
        "        return np.full(observation.image.shape, LEVEL)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    for name in [name for name in sys.modules if name.startswith(("own_methods", "beside"))]:
        del sys.modules[name]


def fresh_one():
    """Make the method from its source as it is now, as a new process would."""
    from inpaintbench.benchmarks import reuse

    for name in [name for name in sys.modules if name.startswith("own_methods")]:
        del sys.modules[name]
    for function in (reuse._source, reuse._imports, reuse._spec, reuse.imported_sources):
        function.cache_clear()
    from own_methods.one import One  # made by the fixture

    return One()


def redone(folder, methods, suite=None):
    table = explain(suite or small(16), methods, folder).set_index("method")
    return table["redone"].to_dict(), table["why"].to_dict()


def test_only_what_changed_is_done_again(tmp_path, method_of_ones_own):
    folder, mean = tmp_path / "run", parse_method("mean")
    _, why = redone(folder, [fresh_one(), mean])
    assert set(why.values()) == {"it was not run here yet"}
    scores, _ = carried_out(folder, [fresh_one(), mean], suite=small(16))
    count, why = redone(folder, [fresh_one(), mean])
    assert set(count.values()) == {0}
    written = {path: path.stat().st_mtime_ns for path in finished_parts(folder)}

    # Of another length: Python tells compiled files by the second and the length of their source.
    (method_of_ones_own / "helper.py").write_text("LEVEL = 90.0\n")
    count, why = redone(folder, [fresh_one(), mean])
    assert count == {"one": 2, "mean": 0}
    assert "module own_methods.helper changed" in why["one"]
    after, _ = carried_out(folder, [fresh_one(), mean], suite=small(16))
    again = {path for path in finished_parts(folder) if path.stat().st_mtime_ns != written[path]}
    assert again == {path for path in again if path.parent.name == "one"}
    assert len(again) == 2
    changed = scores.merge(after, on=["label", "case_id"])
    assert (changed["mse_x"] != changed["mse_y"])[changed["label"] == "one"].all()
    assert (changed["mse_x"] == changed["mse_y"])[changed["label"] == "mean"].all()


def test_new_weights_in_the_same_file_are_done_again(tmp_path):
    folder, members = tmp_path / "run", ("mean", "ring-mean")
    before, _ = carried_out(folder, [ensemble_of(tmp_path, [1, 0], members)], suite=small(8))
    assert redone(folder, [ensemble_of(tmp_path, [1, 0], members)], small(8))[0].popitem()[1] == 0
    replaced = ensemble_of(tmp_path, [0, 1], members)
    count, why = redone(folder, [replaced], small(8))
    assert count == {replaced.label: 1}
    assert why == {replaced.label: "weights changed"}
    after, _ = carried_out(folder, [replaced], suite=small(8))
    alone, _ = carried_out(tmp_path / "alone", [parse_method("ring-mean")], suite=small(8))
    assert after["mse"].tolist() == alone["mse"].tolist() != before["mse"].tolist()


def test_a_key_names_all_that_scores_depend_on(tmp_path):
    """Besides sources and weights, of which a run is asked elsewhere."""
    crop, counts = read_suite("crop"), small(task="center-pixel")
    key = method_key(parse_method("telea"), crop)
    assert key["python"] == platform.python_version()
    assert key["library numpy"] == np.__version__
    assert any(name.startswith("library opencv") for name in key)
    for module in ("benchmarks.scoring", "benchmarks.answers", "methods.telea", "methods.method"):
        assert f"module inpaintbench.{module}" in key
    assert key["parameters"] != method_key(parse_method("telea:radius=5"), crop)["parameters"]
    other = method_key(parse_method("telea"), counts)
    assert {name for name in key if key[name] != other[name]} == {"scores"}
    members = ("harmonic", "telea")
    of_both = method_key(ensemble_of(tmp_path, [1, 0], members), crop)
    assert {"module inpaintbench.methods.telea", "module inpaintbench.methods.harmonic"} <= set(
        of_both
    )


def test_a_method_can_be_added_and_other_parameters_are_another_method(tmp_path):
    folder = tmp_path / "run"
    carried_out(folder, [parse_method("telea")], suite=small(16))
    both = [parse_method("telea"), parse_method("telea:radius=5")]
    count, _ = redone(folder, both)
    assert count == {"telea": 0, "telea:radius=5.0": 2}
    scores, _ = carried_out(folder, both, suite=small(16))
    assert set(scores["label"]) == {"telea", "telea:radius=5.0"}
    with pytest.raises(InputError, match="also holds telea:radius=5"):
        carried_out(folder, [parse_method("telea")], suite=small(16))


@pytest.mark.parametrize("damage", ["cut", "hole", "empty"])
def test_a_damaged_block_is_named_and_done_again(tmp_path, damage):
    folder = tmp_path / "run"
    methods = [parse_method("mean")]
    whole, _ = carried_out(folder, methods, suite=small(16))
    path = sorted(folder.glob("scores.parquet/mean/*.parquet"))[1]
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    if damage == "hole":
        content[half // 2 : half] = bytes(half - half // 2)
    path.write_bytes({"cut": content[:half], "hole": content, "empty": b""}[damage])
    again, warnings = carried_out(folder, methods, suite=small(16))
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    pd.testing.assert_frame_equal(again.drop(columns="seconds"), whole.drop(columns="seconds"))


def test_a_kill_at_the_first_write_of_all_is_no_obstacle(tmp_path):
    (tmp_path / "run").mkdir()
    for name in (".lock", ".inpaintbench-run-a1b2.json"):
        (tmp_path / "run" / name).write_text("")
    carried_out(tmp_path / "run", [parse_method("mean")], suite=small(8))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("")
    with pytest.raises(InputError, match="is not empty and no run"):
        carried_out(tmp_path / "other", [parse_method("mean")], suite=small(8))


def test_files_of_others_are_left_alone(tmp_path):
    """The lock's file stays, too: another run may be waiting for this very file."""
    folder = tmp_path / "run"
    carried_out(folder, [parse_method("mean")], suite=small(8))
    half_written = folder / "keys" / ".inpaintbench-mean-a1b2.json"
    theirs = [folder / ".pre-commit-config.yaml", folder / "keys" / ".my-notes"]
    for path in (half_written, *theirs):
        path.write_text("")
    carried_out(folder, [parse_method("mean")], suite=small(8))
    assert all(path.exists() for path in (folder / ".lock", *theirs))
    assert not half_written.exists()


@pytest.mark.parametrize("module", ["content", "scoring"])
def test_cases_are_described_anew_where_that_changed(module):
    """Their content and the constant oracle's score stand with the cases."""
    key = task_key("inpaintbench.datasets.tasks.crop")
    assert f"module inpaintbench.benchmarks.{module}" in key


def test_what_changes_the_cases_is_refused(tmp_path):
    carried_out(tmp_path / "run", [parse_method("mean")], suite=small(8))
    with pytest.raises(InputError, match="other cases"):
        carried_out(tmp_path / "run", [parse_method("mean")], suite=small(9))


def test_a_photograph_that_was_replaced_is_drawn_anew(tmp_path, photographs):
    """And all is done again of a method that looks around: it was shown that photograph, too."""
    folder, suite = tmp_path / "run", small(16, images=str(photographs))
    methods = [parse_method("mean"), Surroundings()]
    before, _ = carried_out(folder, methods, suite=suite)
    assert redone(folder, methods, suite)[0] == {"mean": 0, "surroundings": 0}
    Image.fromarray(data.moon()).save(photographs / "grey.png")
    assert redone(folder, methods, suite)[0] == {"mean": 1, "surroundings": 4}
    after, _ = carried_out(folder, methods, suite=suite)
    fresh, _ = carried_out(tmp_path / "fresh", methods, suite=suite)
    pd.testing.assert_frame_equal(after.drop(columns="seconds"), fresh.drop(columns="seconds"))
    changed = (before["mse"] != after["mse"]).groupby(before["method"]).sum()
    assert changed.to_dict() == {"mean": 4, "surroundings": 16}


class Surroundings(plugins.LooksAround):
    """Fills with a grey that every pixel of what it is shown changes."""

    name = "surroundings"

    def look_around(self, others):
        self.level = sum(int(o.image.sum()) for o in others) % 256

    def restore(self, observation):
        return np.full(observation.image.shape, self.level)


def test_a_module_beside_ones_own_is_part_of_the_key(tmp_path, method_of_ones_own):
    folder = tmp_path / "run"
    (tmp_path / "beside.py").write_text("LEVEL = 100.0\n")
    one = method_of_ones_own / "one.py"
    one.write_text(one.read_text().replace(".helper", "beside"))
    carried_out(folder, [fresh_one()], suite=small(16))
    assert redone(folder, [fresh_one()])[0] == {"one": 0}
    (tmp_path / "beside.py").write_text("LEVEL = 90.0\n")
    count, why = redone(folder, [fresh_one()])
    assert count == {"one": 2}
    assert "module beside changed" in why["one"]


def test_no_restoration_stays_of_a_case_that_fails_now(tmp_path, method_of_ones_own):
    folder, helper = tmp_path / "run", method_of_ones_own / "helper.py"
    carried_out(folder, [fresh_one()], suite=small(16))
    assert len([*folder.glob("restorations/one/*")]) == 16
    helper.write_text("raise RuntimeError('no longer')\n")
    scores, _ = carried_out(folder, [fresh_one()], suite=small(16))
    assert set(scores["status"]) == {"error"}
    assert not [*folder.glob("restorations/one/*")]


def test_of_many_cases_some_are_kept_evenly(tmp_path, monkeypatch):
    """Whatever blocks the cases were cut into: every seventh of 34, in blocks of 8."""
    monkeypatch.setattr(plan, "KEPT", 5)
    folder = tmp_path / "run"
    carried_out(folder, [parse_method("mean")], suite=small(34))
    ids = pd.read_parquet(folder / "cases.parquet")["case_id"]
    kept = {f"{case_id}.png" for case_id in ids[::7]}
    assert len(kept) == 5
    for room in ("pictures/truth", "pictures/observed", "pictures/mask", "restorations/mean"):
        assert {path.name for path in (folder / room).iterdir()} == kept, room
    for name in kept:
        truth, mask, mean = (
            np.asarray(Image.open(folder / room / name))
            for room in ("pictures/truth", "pictures/mask", "restorations/mean")
        )
        assert np.array_equal(mean[mask == 0], truth[mask == 0])
        assert np.ptp(mean[mask > 0]) == 0


@pytest.mark.parametrize("begun", [{"suite": 3, "methods": []}, {"suite": {}, "methods": [[]]}, 3])
def test_a_start_that_is_none_is_no_run(tmp_path, begun):
    (tmp_path / "run.json").write_text(json.dumps(begun))
    with pytest.raises(InputError, match="is not empty and no run"):
        redone(tmp_path, [parse_method("mean")])


def test_a_file_is_no_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is no folder"):
        redone(tmp_path / "file", [parse_method("mean")])


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    folder = tmp_path / "run"
    script = "import sys, test_resume as own; own.carry_out(own.Path(sys.argv[1]), own.small(48))"
    first = subprocess.Popen([sys.executable, "-c", script, str(folder)], cwd=Path(__file__).parent)
    try:
        while read_start(folder) is None:
            assert first.poll() is None
            time.sleep(0.05)
        with pytest.raises(InputError, match="another run is writing"):
            carry_out(folder, small(48))
    finally:
        first.kill()
        first.wait()


def test_the_run_that_was_not_finished_is_found(tmp_path):
    suite, labels = small(8), ["mean"]
    assert unfinished_run(tmp_path, suite, labels) is None
    carried_out(tmp_path / "small-1", [parse_method("mean")], suite=suite)
    assert unfinished_run(tmp_path, suite, labels) is None
    (tmp_path / "small-1" / "environment.json").unlink()
    assert unfinished_run(tmp_path, suite, labels) == tmp_path / "small-1"
    assert unfinished_run(tmp_path, suite, ["telea"]) is None
    assert unfinished_run(tmp_path, small(9), labels) is None
