"""What several test files share."""

import contextlib
import io
import os
import shutil
import subprocess
import sys

import hypothesis
import numpy as np
import pytest
from PIL import Image
from skimage import data

from inpaintbench.benchmarks import app
from inpaintbench.datasets.cases import Observation
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


SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(params=SIZES)
def tab(browser, request):
    """Give a tab in two sizes; whatever goes wrong in it gets into `complaints`."""
    with browser.new_context(viewport=SIZES[request.param]) as context:
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("requestfailed", lambda asked: page.complaints.append(asked.url))
        page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
        yield page
        assert page.complaints == []


@pytest.fixture
def no_serious_faults():
    """Give a check that axe-core finds nothing serious in a page, light or dark."""
    from axe_playwright_python.sync_playwright import Axe

    def check(page):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page).response["violations"]
            serious = [v for v in found if v["impact"] in ("serious", "critical")]
            assert [(v["id"], v["nodes"][0]["html"]) for v in serious] == []

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


@pytest.fixture(scope="session")
def hostile_run(hostile, hostile_names, tmp_path_factory):
    """A run of these methods and a good one."""
    folder = tmp_path_factory.mktemp("hostile-run")
    options = [f"--methods={','.join([*hostile_names, 'mean'])}", "--cases=17", "--jobs=1"]
    made = inpaintbench("run", *options, "--out=run", cwd=folder, path=hostile)
    assert made.returncode == 0, made.stderr
    assert "\x1b" not in made.stdout
    return load_run(folder / "run")


def replace_table(path, table):
    """Put a table in the place of a run's, which is a folder of parts."""
    shutil.rmtree(path)
    path.mkdir()
    table.to_parquet(path / "0000000000.parquet", index=False)
