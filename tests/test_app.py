"""The command line as a user runs it: on real files, mostly in a process of its own."""

import doctest
import importlib
import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import inpaintbench as run
from conftest import inpaintbench_here, install, replace_table
from PIL import Image
from rich.console import Console
from skimage import data
from test_reports import NAN, made_up
from test_run import carried_out, small

from inpaintbench.benchmarks.app import _print_table as print_table
from inpaintbench.benchmarks.app import _progress as progress
from inpaintbench.benchmarks.submit import BLOCK, expectation, write_submission
from inpaintbench.datasets import InputError, make_crop
from inpaintbench.datasets.cases import LOW_LIGHT
from inpaintbench.datasets.challenge import read_predictions, read_testset
from inpaintbench.methods import Method, parse_method
from inpaintbench.reports.choice import RECOMMENDED, best_method
from inpaintbench.reports.texts import command_for


@pytest.fixture(scope="module")
def challenge(tmp_path_factory):
    """A test set and its targets, made from a real photograph."""
    folder = tmp_path_factory.mktemp("challenge")
    rng = np.random.default_rng(0)
    sizes = [(5, 7), (11, 9), (21, 21)] * 3
    centers = [(int(c), int(d)) for c, d in rng.integers(31, 38, (9, 2))]
    starts = rng.integers(0, 400, (9, 2))
    made = [
        make_crop(data.camera()[y : y + 70, x : x + 93].copy(), size, center)
        for (y, x), size, center in zip(starts, sizes, centers, strict=True)
    ]
    content = {"images": [m[0] for m in made], "crop_sizes": sizes, "crop_centers": centers}
    (folder / "testset.pkl").write_bytes(pickle.dumps(content))
    (folder / "targets.pkl").write_bytes(pickle.dumps([m[2] for m in made]))
    return folder


def test_from_run_to_scored_submission(challenge, tmp_path):
    command = ("run", "--methods", "mean,telea,telea:radius=5", "--cases", 17, "--jobs", 2)
    made = inpaintbench_here(*command, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "wins with a challenge MSE of" in made.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    assert f"Report: runs/{folder.name}/report/index.html" in made.stdout
    board = (folder / "report" / "leaderboard.csv").read_text().splitlines()
    winner = board[1].split(",")[1]
    again = inpaintbench_here("report", folder, cwd=tmp_path)
    assert winner in again.stdout
    submitted = inpaintbench_here("submit", challenge / "testset.pkl", "-o", "p.pkl", cwd=tmp_path)
    assert submitted.returncode == 0, submitted.stderr
    assert f"method: {winner}, the winner" in submitted.stdout
    assert "expected challenge MSE" in submitted.stdout
    assert "9 predictions" in submitted.stdout
    scored = inpaintbench_here("score", "p.pkl", challenge / "targets.pkl", "--json", cwd=tmp_path)
    answer = json.loads(scored.stdout)
    predictions = pickle.loads((tmp_path / "p.pkl").read_bytes())
    targets = pickle.loads((challenge / "targets.pkl").read_bytes())
    expected = np.mean(
        [np.mean((p.astype(float) - t) ** 2) for p, t in zip(predictions, targets, strict=True)]
    )
    assert answer == {"challenge_mse": pytest.approx(expected), "samples": 9}
    same = inpaintbench_here("compare", folder, folder, cwd=tmp_path)
    assert same.returncode == 0
    assert same.stdout.count("same") == 3


COMPILED = """
import numba
import numpy as np
from inpaintbench.methods import Method

@numba.njit(cache=True)
def brightest(image):
    return image.max()

class Brightest(Method):
    "Fills with the largest known value."
    name = "brightest"
    family = "test"
    def restore(self, observation):
        return np.full(observation.image.shape, float(brightest(observation.image)))
"""


def test_the_first_time_it_says_that_it_compiles_and_the_next_it_need_not(challenge, tmp_path):
    install(tmp_path, "compiled", COMPILED, {"brightest": "Brightest"})
    command = ("submit", challenge / "testset.pkl", "-o", "p.pkl", "--method", "brightest")
    told = []
    for _ in range(2):
        made = run(*command, cwd=tmp_path, path=tmp_path)
        assert made.returncode == 0, made.stderr
        told.append("brightest: compiling" in made.stderr)
    assert told == [True, False]


def test_submit_needs_no_run_where_a_method_is_named(challenge, tmp_path):
    command = ("submit", challenge / "testset.pkl", "-o", "p.pkl", "--method", "mean")
    made = inpaintbench_here(*command, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "itself expects" not in made.stdout  # it cannot tell
    predictions = pickle.loads((tmp_path / "p.pkl").read_bytes())
    content = pickle.loads((challenge / "testset.pkl").read_bytes())
    for prediction, image, size in zip(
        predictions, content["images"], content["crop_sizes"], strict=True
    ):
        known = image.astype(float).sum() / (image.size - size[0] * size[1])
        assert np.array_equal(prediction, np.full(size, np.rint(known), np.uint8))


def test_without_a_run_the_recommended_method_is_submitted(challenge, tmp_path):
    made = inpaintbench_here("submit", challenge / "testset.pkl", "-o", "p.pkl", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    told = made.stdout.splitlines()
    assert (
        told[0]
        == f"method: {RECOMMENDED['crop']}, which is recommended: no run in runs says better"
    )
    predictions = pickle.loads((tmp_path / "p.pkl").read_bytes())
    observations = read_testset(challenge / "testset.pkl")
    for prediction, o in zip(predictions, observations, strict=True):
        assert prediction.shape == o.image[o.hidden_box].shape
    by_hand = parse_method(RECOMMENDED["crop"]).restore(observations[0])[observations[0].hidden_box]
    assert np.abs(predictions[0] - by_hand).max() < 1


def test_a_submission_says_what_the_method_itself_expects(challenge, tmp_path):
    command = ("submit", challenge / "testset.pkl", "-o", "p.pkl", "--method", "cnn:symmetries=no")
    made = inpaintbench_here(*command, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (text,) = [line for line in made.stdout.splitlines() if "itself expects" in line]
    assert text.startswith("cnn:symmetries=False itself expects a challenge MSE of ")
    observations = read_testset(challenge / "testset.pkl")
    errors = parse_method("cnn:symmetries=no").expected_errors(observations)
    mean = np.mean([error.mean() for error in errors])
    assert float(text.split(" MSE of ")[1].split()[0]) == pytest.approx(mean, rel=1e-2)


def test_the_test_set_is_not_overwritten_nor_a_folder(challenge, tmp_path):
    before = (challenge / "testset.pkl").read_bytes()
    for output, words in ((challenge / "testset.pkl", "the input itself"), (tmp_path, "folder")):
        command = ("submit", challenge / "testset.pkl", "-o", output, "--method", "mean")
        made = inpaintbench_here(*command, cwd=tmp_path)
        assert (made.returncode, made.stderr.count("\n")) == (2, 1)
        assert words in made.stderr
    assert (challenge / "testset.pkl").read_bytes() == before


def test_a_later_run_of_another_task_or_a_damaged_one_hides_no_winner(challenge, tmp_path):
    methods = [parse_method("mean"), parse_method("harmonic")]
    for name, task in (("a", "crop"), ("b", "border")):
        carried_out(tmp_path / "runs" / name, methods, suite=small(17, task=task))
    (tmp_path / "runs" / "c").mkdir()
    (tmp_path / "runs" / "c" / "environment.json").write_text('{"format": 2, "fini')
    made = inpaintbench_here("submit", challenge / "testset.pkl", "-o", "p.pkl", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "method: harmonic, the winner of runs/a" in made.stdout
    assert "ensemble, which is recommended, was not in that run" in made.stdout


def test_only_a_method_that_restored_every_case_is_submitted():
    run = made_up({"lucky": [1, NAN, 1], "whole": [5, 6, 7], "other": [9, 9, 9]}, list("pqr"))
    assert best_method(run) == ("whole", "the winner")
    run = made_up({"lucky": [1, NAN, 1], "other": [NAN, 9, 9]}, list("pqr"))
    with pytest.raises(InputError, match=r"no method in .* restored every case; choose one"):
        best_method(run)
    assert command_for(run) == ("", "")
    truthless = replace(run, scores=run.scores.assign(status="ok", mse=NAN))
    with pytest.raises(InputError, match=r"nothing in .* could be scored; choose a method"):
        best_method(truthless)


def test_the_recommended_method_is_submitted_where_a_run_cannot_tell_it_from_the_winner():
    near = {"winner": [5, 6, 7], "ensemble": [6, 5, 8], "worst": [50, 60, 70]}
    chosen, why = best_method(made_up(near, list("pqr")))
    assert chosen == "ensemble"
    assert "not told apart from winner" in why
    page = command_for(made_up(near, list("pqr")))
    assert page[1] == "inpaintbench submit TESTSET.pkl -o PREDICTIONS.pkl --method ensemble"
    assert page[0] == f"To write the submission by ensemble, {why}"
    for other in ([15, 16, 17], [5, NAN, 7]):  # worse beyond chance; not always restored
        run = made_up(near | {"ensemble": other}, list("pqr"))
        assert best_method(run) == ("winner", "the winner")
    alone = made_up({"ensemble": [5, 6, 7], "other": [5, 6, 7.5]}, list("pqr"))
    assert best_method(alone) == ("ensemble", "the winner")


def test_what_to_expect_is_what_the_run_says_of_the_method():
    run = made_up({"whole": [5, 6, 7], "lucky": [1, NAN, 1]}, list("pqr"))
    run.environment["suite"] = {"images": "my-photographs"}
    told = expectation(run, "whole")
    low, high = run.leaderboard().set_index("method").loc["whole", ["low", "high"]]
    assert f"expected challenge MSE 6.0 (95 % interval {low:.1f} to {high:.1f})" in told
    assert "my-photographs" in told
    assert "lucky restored only 67% of" in expectation(run, "lucky")
    assert "did not run another" in expectation(run, "another")


class Late(Method):
    """Fills with the first pixel, and takes its time where that is 0.

    Wants to see all pictures but those of the block, and knows of all but one how far off it is.
    """

    name = "late"
    family = "test"
    search: str = "set"

    def look_around(self, others):
        self.others = {int(o.image[0, 0]) for o in others}

    def restore(self, observation):
        level = int(observation.image[0, 0])
        time.sleep(0.7 if level == 0 else 0)
        first = level // BLOCK * BLOCK
        assert self.others == set(range(3 * BLOCK)) - set(range(first, first + BLOCK))
        return np.full(observation.image.shape, float(level))

    def expected_errors(self, observations):
        errors = [np.nan if o.image[0, 0] == 7 else 10.0 for o in observations]
        return [np.full(o.mask.sum(), e) for o, e in zip(observations, errors, strict=True)]


def test_predictions_are_in_the_test_sets_order_whichever_block_is_done_first(tmp_path):
    count = 3 * BLOCK
    made = [make_crop(np.full((70, 80), n, np.uint8), (5, 7), (30, 40))[0] for n in range(count)]
    sizes, centers = [(5, 7)] * count, [(30, 40)] * count
    content = {"images": made, "crop_sizes": sizes, "crop_centers": centers}
    testset, output, blocks = tmp_path / "t.pkl", tmp_path / "p.pkl", []
    testset.write_bytes(pickle.dumps(content))
    made = write_submission(testset, "crop", output, Late(), 2, 60.0, blocks.append)
    assert made.predictions == count
    assert np.isnan(made.expected_mse)  # a mean over all but one would promise too much
    assert blocks == [BLOCK] * 3
    for number, prediction in enumerate(read_predictions(output)):
        assert np.array_equal(prediction, np.full((5, 7), number, np.uint8))


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_number_of_a_leaderboard_is_cut_off_on_a_narrow_terminal(width):
    console = Console(width=width, file=io.StringIO())
    numbers = {"challenge MSE": "1309.2", "95 % interval": "1409.7 to 2912.4", "median": "762.5"}
    texts = {"method": "denoising-autoencoder", "family": "network"} | numbers
    print_table(console, pd.DataFrame([texts]), ["family", "median"])
    printed = console.file.getvalue()
    assert "\u2026" not in printed
    shown = [texts[name] for name in texts if f" {name} " in printed]
    assert all(f" {text} " in printed for text in shown)
    assert set(texts) - {"family", "median"} <= {n for n in texts if f" {n} " in printed}
    if width >= 80:
        assert max(map(len, printed.splitlines())) <= width


def test_an_interrupted_run_goes_on_with_the_same_command(tmp_path):
    command = [sys.executable, "-m", "inpaintbench.benchmarks.app", "run"]
    command += ["--methods", "mean,telea", "--cases", "160"]
    first = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    while not list(tmp_path.glob("runs/*/scores.parquet/*/*")):
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    assert "interrupted; the same command goes on with runs/crop-" in first.communicate()[1]
    assert first.returncode == 130
    (folder,) = (tmp_path / "runs").iterdir()
    explained = inpaintbench_here(*command[3:], "--explain", cwd=tmp_path)
    assert explained.returncode == 0, explained.stderr
    second = inpaintbench_here(*command[3:], cwd=tmp_path)
    assert f"going on with runs/{folder.name}" in second.stdout
    assert second.returncode == 0, second.stderr
    assert (folder / "report" / "index.html").exists()
    assert list((tmp_path / "runs").iterdir()) == [folder]


def test_compare_exits_with_1_where_a_method_got_worse(tmp_path):
    for name in ("old", "new"):
        carried_out(tmp_path / name, [parse_method("telea")], 1, small(34))
    scores = pd.read_parquet(tmp_path / "new" / "scores.parquet")
    scores["mse"] += 1
    replace_table(tmp_path / "new" / "scores.parquet", scores)
    assert inpaintbench_here("compare", "old", "new", cwd=tmp_path).returncode == 1
    assert inpaintbench_here("compare", "new", "old", cwd=tmp_path).returncode == 0


def test_images_of_ones_own_are_used_and_bad_ones_are_named(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for k in range(3):
        Image.fromarray(data.coffee()[k * 100 : k * 100 + 200]).save(folder / f"{k}.jpg")
    (folder / "bad.png").write_bytes(b"x")
    command = ("run", "--methods", "mean", "--images", folder, "--cases", 6, "--out", "r")
    made = inpaintbench_here(*command, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "skipped bad.png" in made.stderr
    assert "skipped 1 file in all" in made.stderr
    stored = json.loads((tmp_path / "r" / "environment.json").read_text())
    assert list(stored["skipped_files"]) == ["bad.png"]


@pytest.mark.parametrize("what", ["methods", "tasks", "datasets", "suites"])
def test_list_shows_what_there_is(what, tmp_path):
    shown = inpaintbench_here("list", what, cwd=tmp_path)
    word = {"methods": "navier-stokes", "tasks": "crop", "datasets": "astronaut", "suites": "crop"}
    assert word[what] in shown.stdout


def test_the_list_of_tasks_says_what_each_low_light_is(tmp_path):
    shown = inpaintbench_here("list", "tasks", cwd=tmp_path).stdout
    told = [line.split(maxsplit=1) for line in shown.splitlines() if "low-light" in line]
    assert [name for name, _ in told] == list(LOW_LIGHT)
    beginning = "Low light: a colour photograph dimmed to a fifth, under "
    noises = {what.strip().removeprefix(beginning) for _, what in told}
    assert len(noises) == len(LOW_LIGHT)
    assert {"salt and pepper.", "shot noise."} <= noises


def write_own(folder, module, kind, does):
    """Write a module with a method of one's own, whose `restore` does what is given."""
    (folder / f"{module}.py").write_text(
        "from inpaintbench.methods import Method\n"
        f"class {kind}(Method):\n"
        f"    name = '{kind.lower()}'\n"
        "    family = 'constant'\n"
        "    def restore(self, observation):\n"
        f"        {does}\n"
    )


def test_check_tells_good_from_bad(tmp_path):
    write_own(tmp_path, "own_zero", "Zero", "return observation.image")
    bad = inpaintbench_here("check", "own_zero:Zero", cwd=tmp_path)
    assert bad.returncode == 1
    assert "FAIL A flat picture is restored flat." in bad.stdout
    good = inpaintbench_here("check", "inpaintbench.methods.telea:Telea", cwd=tmp_path)
    assert good.returncode == 0
    assert "FAIL" not in good.stdout


def test_check_fails_a_method_that_ends_the_program(tmp_path):
    write_own(tmp_path, "own_exit", "Ends", "raise SystemExit(0)")
    checked = inpaintbench_here("check", "own_exit:Ends", cwd=tmp_path)
    assert checked.returncode == 1
    assert "raised SystemExit: 0" in checked.stdout


UNFINISHED = {
    "broken": "def broken(:\n",
    "ends": "raise SystemExit(0)\n",
    "nameless": "class Nameless(Method):\n    family = 'test'\n    restore = None\n",
    "bare": "class Bare(Method):\n    name = 'bare'\n    family = 'test'\n    radius: float\n",
    "whole": "class Whole(Method):\n    name = 'whole'\n    family = 'test'\n    restore = None\n",
}


def test_an_unfinished_file_among_the_methods_is_left_out_alone(tmp_path):
    (tmp_path / "methods").mkdir()
    for name, source in UNFINISHED.items():
        text = f"from inpaintbench.methods import Method\n{source}"
        (tmp_path / "methods" / f"{name}.py").write_text(text)
    program = (
        "import inpaintbench.methods\n"
        "from inpaintbench.benchmarks.app import main\n"
        "inpaintbench.methods.__path__.append('methods')\n"
        "main()\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, "list", "methods"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stderr
    listed = {line.split()[0] for line in answer.stdout.splitlines() if line.strip()}
    assert {"mean", "telea", "whole"} <= listed
    assert not listed & {"broken", "nameless", "bare"}
    warned = answer.stderr.splitlines()
    assert len(warned) == 4
    for name, why in {
        "bare": "give the parameter radius of Bare a default",
        "broken": "SyntaxError",
        "ends": "SystemExit: 0",
        "nameless:Nameless": "it has no name",
    }.items():
        (line,) = (line for line in warned if f"inpaintbench.methods.{name}: " in line)
        assert line.startswith("warning: left out the method ")
        assert why in line


def test_a_run_that_restored_nothing_fails(hostile, tmp_path):
    made = run("run", "--methods=crash", "--cases=2", "--out=r", cwd=tmp_path, path=hostile)
    assert made.returncode == 1, made.stderr
    assert "crash" in made.stdout
    assert (tmp_path / "r" / "report" / "index.html").exists()


def test_a_run_goes_on_where_nobody_reads_its_lines(tmp_path):
    command = [sys.executable, "-m", "inpaintbench.benchmarks.app", "run", "--out=r", "--cases=2"]
    with subprocess.Popen(
        [*command, "--methods=mean,telea"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as made:
        made.stdout.close()
        told = made.stderr.read()
    assert made.returncode == 0, told
    assert told == ""
    assert (tmp_path / "r" / "report" / "index.html").exists()


def bad_pickle(folder, content):
    (folder / "bad.pkl").write_bytes(content)
    return "submit", "bad.pkl", "-o", "out.pkl", "--method", "mean"


def bad_testset(folder, **changes):
    hidden, _, _ = make_crop(data.camera()[:70, :93].copy(), (5, 5), (30, 30))
    content = {"images": [hidden], "crop_sizes": [(5, 5)], "crop_centers": [(30, 30)]} | changes
    content = {key: value for key, value in content.items() if value is not None}
    return bad_pickle(folder, pickle.dumps(content))


def bad_predictions(folder, predictions):
    (folder / "p.pkl").write_bytes(pickle.dumps(predictions))
    (folder / "t.pkl").write_bytes(pickle.dumps([np.zeros((5, 5), np.uint8)] * 2))
    return "score", "p.pkl", "t.pkl"


def wrong_hash(folder):
    (folder / "w.safetensors").write_bytes(b"something")
    (folder / "w.toml").write_text("sha256 = 'abc'")
    return "run", "--methods", "cnn:weights=w.safetensors", "--cases", "2", "--out", "out.run"


def unwritable(folder):
    (folder / "file").write_text("")
    return "run", "--methods", "mean", "--cases", "2", "--out", "file/run"


def empty_folder(folder):
    (folder / "empty").mkdir()
    return "run", "--methods", "mean", "--images", "empty", "--out", "out.run"


def untrainable(folder):
    return "train", "telea", "--images", "skimage", "--out", "out.run"


def no_such_device(folder):
    return "train", "cnn", "--images", "skimage", "--device", "cuda:99", "--out", "out.run"


UINT8 = np.zeros((5, 5), np.uint8)
SYSTEM = b"cos\nsystem\n(S'touch out.pwned'\ntR."
CUT = pickle.dumps({"images": [UINT8]})[:-20]
FLOATS = [np.zeros((70, 93))]


def test_a_label_is_no_markup_of_the_terminal():
    label = "cnn:weights=a[/b]/[bold]w.safetensors"
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    with progress(console, {label: 2}) as advance:
        advance(label, 2)
    assert label in console.file.getvalue()


CNN_SMALL = parse_method("cnn:size=small").weights_path

MISTAKES = {
    "os.system": (lambda f: bad_pickle(f, SYSTEM), "refused os.system"),
    "truncated": (lambda f: bad_pickle(f, CUT), "bad.pkl: not a complete pickle"),
    "no crop_sizes": (lambda f: bad_testset(f, crop_sizes=None), "has no crop_sizes"),
    "float image": (lambda f: bad_testset(f, images=FLOATS), "index 0: the image is float64"),
    "even crop": (lambda f: bad_testset(f, crop_sizes=[(4, 5)]), "index 0: .*must be odd"),
    "near border": (lambda f: bad_testset(f, crop_centers=[(21, 30)]), "index 0: .*20 pixels"),
    "lengths": (lambda f: bad_testset(f, crop_sizes=[(5, 5)] * 2), "differ in length"),
    "no file": (lambda f: ("submit", "no.pkl", "-o", "o", "--method", "mean"), "cannot read"),
    "a ceiling": (
        lambda f: ("submit", "no.pkl", "-o", "out.pkl", "--method", "oracle"),
        "knows the truth",
    ),
    "no such run": (
        lambda f: ("submit", "no.pkl", "-o", "out.pkl", "--run", "nowhere"),
        "nowhere does not exist",
    ),
    "wrong dtype": (lambda f: bad_predictions(f, [UINT8, UINT8 / 1]), "index 1: .*float64"),
    "wrong shape": (
        lambda f: bad_predictions(f, [UINT8, UINT8[:3]]),
        "pkl against .*pkl: index 1: .*shape",
    ),
    "wrong number": (lambda f: bad_predictions(f, [UINT8]), "1 predictions for 2 targets"),
    "no folder": (
        lambda f: ("run", "--methods", "mean", "--images", ""),
        "an empty name is neither a folder nor a zip archive; --images takes",
    ),
    "no pictures": (empty_folder, "no usable photographs in empty"),
    "unknown method": (lambda f: ("run", "--methods", "tela"), "did you mean telea"),
    "none can": (
        lambda f: ("run", "upscale", "--methods", "telea,mean"),
        "telea cannot do upscale, nor can any other that was named",
    ),
    "another's weights": (
        lambda f: ("run", "--methods", f"cnn:weights={CNN_SMALL}"),
        "cnn-small.safetensors holds the weights of cnn-small, not of cnn: name the method",
    ),
    "a path to check": (lambda f: ("check", "own/mine.py:Blend"), "write package.module:Class"),
    "a class to run": (lambda f: ("run", "--methods", "mine:Blend"), "a class of your own is kno"),
    "exported into a folder": (lambda f: ("export", "course-cnn", "-o", "."), "is a folder: name"),
    "unknown suite": (lambda f: ("run", "cropp"), "did you mean crop"),
    "wrong hash": (wrong_hash, "w.safetensors has the wrong hash"),
    "unwritable": (unwritable, "cannot write file/run"),
    "not trainable": (untrainable, "telea has nothing to train"),
    "no GPU": (no_such_device, "there is no device 'cuda:99'"),
    "unknown list": (lambda f: ("list", "everything"), "there are methods, tasks"),
}


@pytest.mark.parametrize(("prepare", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_clear_line_and_exit_code_2(prepare, words, tmp_path):
    arguments = prepare(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    answer = inpaintbench_here(*arguments, cwd=tmp_path)
    assert answer.returncode == 2, answer.stderr
    assert re.search(words, answer.stderr), answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stderr.count("\n") == 1
    left = {path.name for path in tmp_path.iterdir()}
    assert left == before  # nothing half-written


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_a_mistake_too(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    answer = run("run", "--methods", "mean", "--out", "locked/run", cwd=tmp_path)
    assert answer.returncode == 2
    assert "cannot write locked/run" in answer.stderr


def test_help_loads_nothing_heavy(tmp_path):
    program = (
        "import sys; sys.argv = ['inpaintbench', '--help']\n"
        "from inpaintbench.benchmarks.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numba', 'plotly', 'pandas', 'cv2', 'scipy', 'skimage', 'lightning'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert answer.returncode == 0, answer.stderr
    assert "submit" in answer.stdout


DOCUMENTED = ["datasets.tasks.crop", "methods.method", "methods.registry"]
DOCUMENTED += [f"reports.{name}" for name in ("downloads", "statistics", "tables")]


@pytest.mark.parametrize("module", DOCUMENTED)
def test_the_examples_in_docstrings_hold(module):
    result = doctest.testmod(importlib.import_module(f"inpaintbench.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_notebooks_examples_hold():
    page = Path(__file__).parents[1] / "docs" / "notebook.md"
    if not page.exists():
        pytest.skip("the documentation is not beside the tests")
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0
