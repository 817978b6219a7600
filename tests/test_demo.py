"""The demo: its server as a hostile client sees it, its page in a real browser."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import cv2
import httpx
import numpy as np
import pytest
from conftest import inpaintbench_here, install
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from inpaintbench.benchmarks.answers import finish_prediction, hidden_of, picture_of
from inpaintbench.benchmarks.demo import MOST_BYTES, PAGE, hidden_pixels
from inpaintbench.benchmarks.trying import USUAL
from inpaintbench.datasets import InputError, Observation
from inpaintbench.methods import method_classes, parse_method

COMMAND = [sys.executable, "-m", "inpaintbench.benchmarks.app", "demo"]
PICTURE = data.astronaut()[20:110, 170:270]
BOX = (slice(30, 39), slice(40, 52))
RUNS = [number for row in range(30, 39) for number in (row * 100 + 40, 12)]


@contextmanager
def started(folder, path=None):
    """Start a server, and kill it if a test leaves it running."""
    environment = dict(os.environ)
    if path:
        environment["PYTHONPATH"] = os.pathsep.join([str(path), environment.get("PYTHONPATH", "")])
    server = subprocess.Popen(
        [*COMMAND, "--port=0", "--timeout=60"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(folder / "errors.txt").open("w"),
        text=True,
    )
    try:
        yield server, server.stdout.readline().split()[0]
    finally:
        server.kill()


@pytest.fixture(scope="module")
def address(tmp_path_factory, hostile):
    """Serve the demo, with hostile methods among the others, and give its address."""
    folder = tmp_path_factory.mktemp("demo")
    with started(folder, hostile) as (server, address):
        yield address
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
    told = (folder / "errors.txt").read_text()
    assert "Traceback" not in told, told
    assert [p.name for p in folder.iterdir()] == ["errors.txt"]  # nothing of the user is kept


def encoded(pixels, extension=".png"):
    shown = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    return cv2.imencode(extension, shown)[1].tobytes()


SLEEPER = """
import time
from pathlib import Path
from inpaintbench.methods import Method

class Sleeper(Method):
    "Takes an hour."
    name = "sleeper"
    family = "test"
    def restore(self, observation):
        Path("asleep").touch()
        time.sleep(3600)
"""


def ask_in_vain(address, body):
    with suppress(httpx.HTTPError):
        httpx.post(address + "api/restore", json=body, timeout=120)


def order(**changes):
    picture = base64.b64encode(encoded(PICTURE)).decode()
    return {"picture": picture, "hidden": RUNS, "method": "telea", "truth": True} | changes


def test_the_page_brings_everything_along(address):
    answer = httpx.get(address)
    assert answer.text == PAGE.read_text()
    assert not re.findall(r"https?://|<script [^>]*src|@import|url\(", answer.text)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers


def test_every_method_that_fills_holes_is_listed_and_a_few_are_ticked(address, hostile_names):
    listed = httpx.get(address + "api/methods").json()
    filling = {name for name, method in method_classes().items() if method.fills_holes()}
    assert {m["name"] for m in listed} >= {*filling, *hostile_names}
    assert "resize" not in {m["name"] for m in listed}
    assert {m["name"] for m in listed if m["usual"]} == set(USUAL)


def test_a_picture_is_shown_as_the_server_sees_it(address):
    deep = PICTURE.astype(np.uint16) * 257
    kind = {"content-type": "application/octet-stream"}
    answer = httpx.post(address + "api/picture", content=encoded(deep, ".tiff"), headers=kind)
    assert answer.status_code == 200
    assert answer.headers["x-bits"] == "16 bits"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), PICTURE)


def test_a_method_is_run_on_what_was_sent(address):
    answer = httpx.post(address + "api/restore", json=order(), timeout=120).json()
    mask = np.zeros((90, 100), bool)
    mask[BOX] = True
    image = PICTURE.copy()
    image[mask] = 0
    observation = Observation(image, mask)
    hidden, _ = hidden_of(parse_method("telea").restore(observation), observation)
    expected = picture_of(finish_prediction(hidden, observation), observation)
    top, left, height, width = answer["window"]
    png = base64.b64decode(answer["picture"].removeprefix("data:image/png;base64,"))
    window = expected[top : top + height, left : left + width]
    assert mask[top : top + height, left : left + width].sum() == mask.sum()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), window)
    difference = expected[mask].astype(float) - PICTURE[mask]
    assert answer["mse"] == pytest.approx(np.mean(difference**2))
    assert answer["seconds"] > 0


def test_16_bits_of_which_little_is_used_are_not_black(address):
    deep = PICTURE.astype(np.uint16) * 10 + 487  # as a sensor counts
    low, high = int(deep.min()), int(deep.max())
    shown = (deep.astype(int) - low) * 256 // (high - low + 1)
    kind = {"content-type": "application/octet-stream"}
    preview = httpx.post(address + "api/picture", content=encoded(deep), headers=kind)
    told = f"16 bits shown from {low:,} (black) to {high:,} (white), clipped"
    assert preview.headers["x-bits"] == told
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(preview.content))), shown)
    sent = order(picture=base64.b64encode(encoded(deep)).decode())
    answer = httpx.post(address + "api/restore", json=sent, timeout=120).json()
    top, left, height, width = answer["window"]
    png = base64.b64decode(answer["picture"].removeprefix("data:image/png;base64,"))
    restored = np.asarray(Image.open(io.BytesIO(png)))
    known = np.ones((90, 100), bool)
    known[BOX] = False
    window = (slice(top, top + height), slice(left, left + width))
    assert np.array_equal(restored[known[window]], shown[window][known[window]])


def test_a_damaged_picture_has_no_errors(address):
    answer = httpx.post(address + "api/restore", json=order(truth=False), timeout=120).json()
    assert (answer["mse"], answer["psnr"]) == (None, None)


def test_a_method_that_fails_is_an_answer_and_the_next_one_works(address, hostile_names):
    script, _, _, crash = hostile_names
    wanted = {crash: "crash", script: "error", "telea": "ok"}
    for name, status in wanted.items():
        answer = httpx.post(address + "api/restore", json=order(method=name), timeout=120)
        assert answer.status_code == 200
        assert answer.json()["status"] == status
        assert len(answer.json()["note"]) <= 500


BLACK = base64.b64encode(encoded(np.zeros((4001, 4000), np.uint8))).decode()
BAD = {
    "no picture": (order(picture=base64.b64encode(b"no picture").decode()), "not a readable"),
    "no base64": (order(picture="a"), "picture"),
    "many pixels": (order(picture=BLACK), "16 million are the most"),
    "unknown method": (order(method="<script>alert(1)</script>"), "unknown method"),
    "long method": (order(method="x" * 1001), "method"),
    "nothing hidden": (order(hidden=[]), "hidden"),
    "everything hidden": (order(hidden=[0, 9000]), "every pixel"),
    "outside": (order(hidden=[8999, 2]), "no runs"),
    "huge": (order(hidden=[10**30, 1]), "hidden"),
    "negative": (order(hidden=[-1, 1]), "hidden"),
    "not in order": (order(hidden=[50, 5, 10, 5]), "no runs"),
    "odd": (order(hidden=[50, 5, 10]), "without a length"),
    "text": (order(hidden=["a", "b"]), "hidden"),
    "something else": ([1, 2], "object"),
    "one more thing": (order(path="/etc/passwd"), "path"),
}


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD)
def test_hostile_input_is_refused_in_a_line(address, content, words):
    answer = httpx.post(address + "api/restore", json=content)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/json"
    assert words in answer.json()["error"]
    assert len(answer.json()["error"]) <= 500
    assert "Traceback" not in answer.text


def test_a_body_that_is_no_json_is_refused(address):
    kind = {"content-type": "application/json"}
    for content in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        answer = httpx.post(address + "api/restore", content=content, headers=kind)
        assert 400 <= answer.status_code < 500
        assert "error" in answer.json()


@pytest.mark.parametrize("told", [True, False], ids=["of known length", "in chunks"])
def test_a_large_upload_is_refused_before_it_has_come(address, told):
    part = bytes(2**20)
    parts = (part for _ in range(MOST_BYTES // 2**20 + 1))
    kind = {"content-type": "application/octet-stream"}
    content = b"".join(parts) if told else parts
    answer = httpx.post(address + "api/picture", content=content, headers=kind, timeout=60)
    assert answer.status_code == 413
    assert "32 MiB" in answer.json()["error"]


def test_another_site_cannot_use_the_server(address):
    elsewhere = {"origin": "https://elsewhere.example"}
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = elsewhere | {"content-type": kind}
        answer = httpx.post(address + "api/restore", content=b"{}", headers=headers)
        assert answer.status_code == 415
    asked = elsewhere | {"access-control-request-method": "POST"}
    answer = httpx.options(address + "api/restore", headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_another_name_for_the_server_is_refused(address):
    port = address.rstrip("/").rpartition(":")[2]
    assert httpx.get(address, headers={"host": f"rebound.example:{port}"}).status_code == 400
    assert httpx.get(address, headers={"host": f"localhost:{port}"}).status_code == 200


def test_there_is_nothing_else(address):
    for path in ("docs", "openapi.json", "redoc", "api", "..%2f..%2fetc/passwd"):
        answer = httpx.get(address + path)
        assert answer.status_code == 404
        assert "error" in answer.json()
    assert httpx.get(address + "api/restore").status_code == 405


@given(st.lists(st.booleans(), min_size=12, max_size=12))
def test_runs_are_the_hidden_pixels(hidden):
    runs = []
    for place, is_hidden in enumerate(hidden):
        if is_hidden:
            runs += [place, 1]  # also such that touch
    if any(hidden) and not all(hidden):
        assert hidden_pixels(runs, (3, 4)).ravel().tolist() == hidden
    elif all(hidden):
        with pytest.raises(InputError):
            hidden_pixels(runs, (3, 4))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for its processes")
def test_ending_the_server_leaves_no_worker_behind(tmp_path):
    with started(tmp_path) as (server, address):
        httpx.post(address + "api/restore", json=order(method="mean"), timeout=120)
        tasks = Path(f"/proc/{server.pid}/task").iterdir()
        workers = [pid for task in tasks for pid in (task / "children").read_text().split()]
        assert workers
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    for _ in range(100):
        left = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
        if not left:
            break
        time.sleep(0.1)
    assert not left


def test_ctrl_c_ends_the_server_while_it_restores(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    install(package, "sleeper", SLEEPER, {"sleeper": "Sleeper"})
    with started(tmp_path, package) as (server, address):
        asked = Thread(target=ask_in_vain, args=(address, order(method="sleeper")))
        asked.start()
        while not (tmp_path / "asleep").exists():
            time.sleep(0.05)
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        asked.join()


def test_without_fastapi_it_says_what_to_install(tmp_path):
    program = (
        "import sys\n"
        "sys.modules['fastapi'] = None\n"
        "sys.argv = ['inpaintbench', 'demo']\n"
        "from inpaintbench.benchmarks.app import main\n"
        "main()\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert answer.returncode == 2
    assert answer.stderr == ("inpaintbench: demo needs fastapi: pip install 'inpaintbench[demo]'\n")


def test_a_port_that_is_taken_is_told(address, tmp_path):
    port = address.rstrip("/").rpartition(":")[2]
    answer = inpaintbench_here("demo", f"--port={port}", cwd=tmp_path)
    assert answer.returncode == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.fixture
def file(tmp_path):
    """Give a photograph with a hostile name."""
    path = tmp_path / "<img src=x onerror=window.pwned=1>\u202e\"'.png"
    path.write_bytes(encoded(data.astronaut()[:200, 100:300]))
    return path


def loaded(tab, address, file):
    tab.goto(address)
    tab.set_input_files("#file", file)
    tab.wait_for_selector("#editor:not([hidden])")


def choose(tab, *names):
    tab.wait_for_selector("input[name=method]")
    values = "(ticks) => ticks.map((tick) => tick.value)"
    ticked = tab.locator("input[name=method]:checked").evaluate_all(values)
    for name in {*names} ^ {*ticked}:
        tab.locator(f"input[name=method][value={json.dumps(name, ensure_ascii=False)}]").click()


def finished(tab):
    tab.wait_for_selector("#go:enabled", timeout=120_000)


def drag(tab, start, end):
    """Draw on the canvas from one (row, column) to another."""
    tab.locator("#canvas").scroll_into_view_if_needed()
    box = tab.locator("#canvas").bounding_box()
    scale = (box["width"] - 2) / 200  # a border of one pixel
    tab.mouse.move(box["x"] + 1 + (start[1] + 0.5) * scale, box["y"] + 1 + (start[0] + 0.5) * scale)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 1 + (end[1] + 0.5) * scale, box["y"] + 1 + (end[0] + 0.5) * scale)
    tab.mouse.up()


def test_holes_are_drawn_with_the_mouse_and_restored(tab, address, file, no_serious_faults):
    loaded(tab, address, file)
    drag(tab, (40, 60), (48, 71))
    assert tab.inner_text("#status") == "108 of 40000 pixels hidden"
    tab.check("input[value=brush]")
    drag(tab, (100, 100), (110, 110))
    brushed = int(tab.inner_text("#status").split()[0])
    assert brushed > 108 + 9 * 10
    tab.check("input[value=erase]")
    tab.fill("#width", "64")
    drag(tab, (100, 100), (110, 110))
    assert tab.inner_text("#status") == "108 of 40000 pixels hidden"
    choose(tab, "mean", "telea")
    no_serious_faults(tab)
    tab.click("#go")
    finished(tab)
    assert tab.inner_text("#status") == "2 of 2 methods done"
    names = tab.locator("#results strong").all_inner_texts()
    assert sorted(names) == ["mean", "observed", "telea"]
    assert tab.locator("#results").inner_text().count("MSE") == 2
    no_serious_faults(tab)
    tab.fill("#share", "100")  # all of the original: nothing is left of the restored one
    clip = tab.locator(".pair img:nth-child(2)").first.evaluate("e => getComputedStyle(e).clipPath")
    assert clip == "inset(0px 0px 0px 100%)"
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_keyboard_is_enough(tab, address, file):
    loaded(tab, address, file)
    choose(tab, "mean")
    tab.focus("#x")
    for number in ("10", "20", "5", "6"):
        tab.keyboard.press("Control+a")
        tab.keyboard.type(number)
        tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "add"
    tab.keyboard.press("Enter")
    assert tab.inner_text("#status") == "30 of 40000 pixels hidden"
    for _ in range(60):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.id") == "go":
            break
    tab.keyboard.press("Enter")
    finished(tab)
    assert tab.inner_text("#status") == "1 of 1 methods done"
    tab.focus("#share")
    tab.keyboard.press("End")
    assert (
        tab.evaluate("document.getElementById('results').style.getPropertyValue('--share')")
        == "100%"
    )


def test_a_picture_can_be_dropped(tab, address, file):
    tab.goto(address)
    dropped = tab.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.from(bytes)], "dropped.png"));
            return transfer;
        }""",
        list(file.read_bytes()),
    )
    tab.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    tab.wait_for_selector("#editor:not([hidden])")
    assert "dropped.png: 200 rows by 200 columns, 8 bits" in tab.inner_text("#about")


def test_hostile_names_and_messages_are_text(tab, address, file, hostile_names):
    loaded(tab, address, file)
    assert file.name in tab.inner_text("#about")
    drag(tab, (40, 60), (48, 71))
    choose(tab, *hostile_names)
    tab.click("#go")
    finished(tab)
    shown = tab.locator("#results").inner_text()
    assert "RuntimeError: <script>window.pwned = 1</script>" in shown
    assert tab.locator("#results strong").count() == 5
    assert tab.evaluate("window.pwned") is None
    assert tab.locator("main script, main img[src=x]").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_mistakes_are_told_in_the_page(tab, address, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    tab.goto(address)
    tab.set_input_files("#file", tmp_path / "no.png")
    tab.wait_for_selector("#error:not(:empty)")
    assert "not a readable" in tab.inner_text("#error")
    assert tab.locator("#editor").is_hidden()
    (complaint,) = tab.complaints  # the browser's own line about the status 400
    assert "400" in complaint
    tab.complaints.clear()


def test_nothing_hidden_and_no_method_are_told(tab, address, file):
    loaded(tab, address, file)
    tab.click("#go")
    assert "hide something first" in tab.inner_text("#error")
    drag(tab, (40, 60), (48, 71))
    choose(tab)
    tab.click("#go")
    assert "choose a method" in tab.inner_text("#error")
