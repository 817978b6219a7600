"""What several test files share."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from PIL import Image
from plugins import Hopeful, Misbehaves
from skimage import data

from inpaintbench.benchmarks import app
from inpaintbench.benchmarks.timing import GROWTH
from inpaintbench.datasets.cases import Observation
from inpaintbench.methods import parse_method
from inpaintbench.reports import load_run

hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
hypothesis.settings.load_profile("default")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # several tests run side by side


@pytest.fixture
def photographs(tmp_path):
    """A folder with real photographs of every kind that is read."""
    folder = tmp_path / "photographs"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(data.astronaut()).save(folder / "colour.jpg", quality=95)
    Image.fromarray(data.camera()).save(folder / "grey.png")
    Image.fromarray(data.coffee()).save(folder / "sub" / "colour.tif")
    deep = data.moon().astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "sub" / "deep.PNG")
    return folder


def observe(picture, box):
    """Hide a box of a picture."""
    mask = np.zeros(picture.shape[:2], bool)
    mask[box] = True
    image = picture.copy()
    image[mask] = 0
    return Observation(image, mask)


@pytest.fixture
def observation():
    """A challenge-style crop of a real photograph, with the truth as `truth` beside it."""
    truth = data.camera()[100:170, 200:293]
    return observe(truth, (slice(30, 41), slice(40, 57)))


@pytest.fixture(scope="session")
def browser():
    """Give the system's Chromium, without a window, driven by playwright."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("there is no chromium to open pages in")
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=options)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def window(browser):
    """Give the one window of all tests: its process compiles plotly's script but once."""
    with browser.new_context() as context:
        yield context.new_page()


SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture
def one_tab(window):
    """Give an empty tab; whatever goes wrong in it gets into `complaints`."""
    window.complaints = []
    told = {
        "console": lambda message: window.complaints.append(message.text),
        "pageerror": lambda error: window.complaints.append(str(error)),
        "requestfailed": lambda asked: window.complaints.append(asked.url),
        "dialog": lambda dialog: window.complaints.append(dialog.message),
    }
    for event, hear in told.items():
        window.on(event, hear)
    yield window
    window.goto("about:blank")
    window.emulate_media(media="null", color_scheme="null")
    for event, hear in told.items():
        window.remove_listener(event, hear)
    assert window.complaints == []


@pytest.fixture(params=SIZES)
def tab(one_tab, request):
    """Give the tab in two sizes."""
    one_tab.set_viewport_size(SIZES[request.param])
    return one_tab


def in_both_sizes(tab, address):
    """Open a page in both sizes in turn, for what takes long to make."""
    for size in SIZES.values():
        tab.goto("about:blank")
        tab.set_viewport_size(size)
        tab.goto(address)
        yield size


SERIOUS = """async () => {
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  const serious = violations.filter((v) => ["serious", "critical"].includes(v.impact));
  return serious.map((v) => [v.id, v.nodes[0].html]);
}"""


@pytest.fixture
def no_serious_faults():
    """Give a check that axe-core finds nothing serious in a page, light or dark."""
    from axe_playwright_python.sync_playwright import Axe

    def check(page):
        page.evaluate(Axe().axe_script)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(SERIOUS) == []  # all that axe-core tells would be megabytes

    return check


HOSTILE = r"""
import os
from inpaintbench.methods import Method

class Script(Method):
    "<script>window.pwned = 1</script>"
    name = "<img src=x onerror=window.pwned=1>"
    family = "<script>window.pwned = 1</script>"
    def restore(self, observation):
        raise RuntimeError("<script>window.pwned = 1</script>\"' \x1b[31m" + "long" * 500)

class Long(Method):
    "A name without end."
    name = "x" * 300
    family = "test"
    def restore(self, observation):
        return observation.image + 100

class Turned(Method):
    "A name from right to left, with a mark that turns what follows, a path and a formula."
    name = "../\u202eevil/\u05d0\u05d1$\\frac$"
    family = "test"
    def restore(self, observation):
        return observation.image + 100

class Crash(Method):
    "Takes its process along."
    name = "crash"
    family = "test"
    def restore(self, observation):
        os._exit(3)
"""


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """Give a folder that, on the path, is an installed package of methods with hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    classes = ("Script", "Long", "Turned", "Crash")
    install(folder, "hostile", HOSTILE, {name.lower(): name for name in classes})
    return folder


def install(folder, package, source, methods):
    """Make a folder that, on the path, is an installed package of methods."""
    (folder / f"{package}.py").write_text(source)
    information = folder / f"{package}-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    lines = [f"{name} = {package}:{found}" for name, found in methods.items()]
    (information / "entry_points.txt").write_text(
        "\n".join(["[inpaintbench.methods]", *lines]) + "\n"
    )


@pytest.fixture(scope="session")
def hostile_names(hostile):
    """Give the names of these methods, in the order of their classes."""
    space = {}
    exec((hostile / "hostile.py").read_text(), space)
    return [space[name].name for name in ("Script", "Long", "Turned", "Crash")]


def inpaintbench(*arguments, cwd, path=None):
    """Run the command line as a user does; `path`: a folder with packages of the user's own."""
    environment = dict(os.environ)
    if path:
        environment["PYTHONPATH"] = os.pathsep.join([str(path), environment.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "inpaintbench.benchmarks.app", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )


def inpaintbench_here(*arguments, cwd):
    """Run the command line in this process, which has imported everything: many times faster."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["inpaintbench", *map(str, arguments)])
        try:
            app.main()
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def made_once(tmp_path_factory, name, make):
    """Have `make` make a run in a folder, once for all processes that tests run in."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / name
    with FileLock(base / f"{name}.lock"):
        if not (folder / "run" / "environment.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
    return folder / "run"


@pytest.fixture(scope="session")
def hostile_run(hostile, hostile_names, tmp_path_factory):
    """A run of these methods and a good one."""

    def make(folder):
        options = [f"--methods={','.join([*hostile_names, 'mean'])}", "--cases=17", "--jobs=1"]
        made = inpaintbench("run", *options, "--out=run", cwd=folder, path=hostile)
        assert made.returncode == 0, made.stderr
        assert "\x1b" not in made.stdout

    return load_run(made_once(tmp_path_factory, "hostile-run", make))


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory):
    """The folder of a run of 34 cases, of which tests of reports take a part with `part_of`."""
    names = ("mean", "telea", "telea:radius=9", "harmonic", "gaussian")

    def make(folder):
        from test_run import carried_out, small  # which needs this module

        methods = [*map(parse_method, names), Hopeful(), Misbehaves(way="raise")]
        carried_out(folder / "run", methods, suite=small(34, seed=1))

    return made_once(tmp_path_factory, "whole-run", make)


def part_of(run, labels, target):
    """Copy what a run holds of some of its methods, with made-up timings of those that never fail.

    That what fails is not timed, and how long it takes to time what does not, is for other tests.
    """

    def others(folder, names):
        rooms = ("scores.parquet", "restorations")
        mine = (name for name in names if name.replace("~", "=") in labels)
        return {*names} - {*mine} if Path(folder).name in rooms else ()

    shutil.copytree(run, target, ignore=others)
    for name in ("methods", "run"):
        content = json.loads((target / f"{name}.json").read_text())
        if name == "methods":
            content = {label: about for label, about in content.items() if label in labels}
        else:
            content["methods"] = [label for label in content["methods"] if label in labels]
        (target / f"{name}.json").write_text(json.dumps(content))
    whole = pd.read_parquet(target / "scores.parquet").groupby("label")["mse"].count()
    made_up_timings(whole.index[whole == whole.max()]).to_parquet(target / "timings.parquet")
    return target


def made_up_timings(labels):
    """Timings of all kinds that a run on a CPU has."""
    rng = np.random.default_rng(0)
    kinds = {"load": (1, 0.5), "first": (1, 0.02), "single": (30, 0.002), "batch": (3, 0.001)}
    rows = []
    for label in labels:
        for kind, (count, scale) in kinds.items():
            crops = 64 if kind == "batch" else 1
            seconds = rng.gamma(2, scale, count)
            rows += [{"label": label, "kind": kind, "seconds": s, "crops": crops} for s in seconds]
        for side, hole in GROWTH:
            pixels = {"picture_pixels": side**2, "hidden_pixels": hole**2}
            rows.append(
                {"label": label, "kind": "growth", "seconds": rng.gamma(2, 0.002), **pixels}
            )
        for kind in ("memory-before", "memory"):
            rows.append({"label": label, "kind": kind, "bytes": rng.uniform(1e8, 1e9)})
    return pd.DataFrame(rows)


def replace_table(path, table):
    """Put a table in the place of a run's, which is a folder of parts.

    The run is then of the methods that the table has.
    """
    start = path.with_name("run.json")
    if path.name == "scores.parquet":
        content = json.loads(start.read_text())
        start.write_text(json.dumps(content | {"methods": list(dict.fromkeys(table["label"]))}))
    shutil.rmtree(path)
    path.mkdir()
    table.to_parquet(path / "0000000000.parquet", index=False)
