"""The command `restore`, on files as a user has them."""

import math
import resource
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import inpaintbench_here
from PIL import Image
from plugins import Misbehaves
from skimage import data

from inpaintbench.benchmarks.restoring_files import (
    chosen_method,
    restorer,
    side_by_side,
    time_limit,
)
from inpaintbench.benchmarks.trying import read_picture
from inpaintbench.datasets import InputError
from inpaintbench.datasets.cases import Observation
from inpaintbench.datasets.video import BrokenVideo, read_frames, video_facts, written_video
from inpaintbench.methods import parse_method
from inpaintbench.reports.choice import RECOMMENDED

FRAMES = [data.astronaut()[100 + i : 148 + i, 180:252] for i in range(30)]


def restore(*arguments, cwd):
    return inpaintbench_here("restore", *arguments, cwd=cwd)


def expected(picture, name="resize"):
    mask = np.ones((2 * picture.shape[0], 2 * picture.shape[1]), bool)
    exact = parse_method(name).restore(Observation(picture, mask))
    return np.rint(exact.clip(0, np.iinfo(picture.dtype).max)).astype(picture.dtype)


def written(path, frames=FRAMES, rate=25.0):
    """Write a video, and say how many bytes it has."""
    with written_video(path, rate) as write:
        for frame in frames:
            write(frame)
    return path.stat().st_size


def truncated(path, share):
    size = written(path)
    path.write_bytes(path.read_bytes()[: int(size * share)])


PICTURES = {
    "grey.png": data.camera()[100:151, 150:221],
    "colour.png": data.astronaut()[20:71, 170:241],
    "deep.tif": data.camera()[100:151, 150:221].astype(np.uint16) * 257,
    "deep-colour.tif": data.astronaut()[20:71, 170:241].astype(np.uint16) * 257,
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_any_kind_is_enlarged_in_its_own_kind(name, tmp_path):
    picture = PICTURES[name]
    assert cv2.imwrite(str(tmp_path / name), picture[..., ::-1] if picture.ndim == 3 else picture)
    out = f"out{name[name.index('.') :]}"
    made = restore(name, "-o", out, "--task=upscale", "--method=resize", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "102 rows by 142 columns" in made.stdout
    assert np.array_equal(read_picture(tmp_path / out), expected(picture))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, out])


def test_beside_stands_the_input_enlarged(tmp_path):
    picture = PICTURES["grey.png"]
    Image.fromarray(picture).save(tmp_path / "a.png")
    how = ["--task=upscale", "--method=resize:kind=nearest", "--beside"]
    made = restore("a.png", "--output=b.png", *how, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    both = np.asarray(Image.open(tmp_path / "b.png"))
    assert np.array_equal(both[:, :142], expected(picture))
    assert np.array_equal(both[:, 142:], picture.repeat(2, 0).repeat(2, 1))
    assert np.array_equal(side_by_side(picture, picture), np.hstack([picture, picture]))


def test_what_a_mask_hides_is_restored(tmp_path):
    picture = PICTURES["colour.png"]
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[20:23, 10:50] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    Image.fromarray(mask).save(tmp_path / "m.png")
    how = ["--task=scratches", "--method=telea", "--mask=m.png"]
    made = restore("a.png", "-o", "b.png", *how, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    restored, hidden = np.asarray(Image.open(tmp_path / "b.png")), mask > 0
    assert np.array_equal(restored[~hidden], picture[~hidden])
    for channel in range(3):
        plane = np.where(hidden, 0, picture[..., channel])
        own = cv2.inpaint(plane, mask, parse_method("telea").radius, cv2.INPAINT_TELEA)
        assert np.array_equal(restored[..., channel], own)


def test_what_a_method_cannot_do_for_a_hole_is_said(tmp_path):
    mask = np.zeros((90, 90), np.uint8)
    mask[10:80, 10:80] = 255
    Image.fromarray(data.camera()[:90, :90]).save(tmp_path / "a.png")
    Image.fromarray(mask).save(tmp_path / "m.png")
    how = ["--task=crop", "--method=course-cnn:device=cpu", "--mask=m.png"]
    made = restore("a.png", "-o", "b.png", *how, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    caveat = parse_method("course-cnn").caveat(mask > 0)
    assert caveat
    assert made.stderr == f"warning: course-cnn:device=cpu: {caveat}\n"


@pytest.mark.parametrize("beside", [False, True])
def test_a_video_is_enlarged_frame_by_frame(beside, tmp_path):
    written(tmp_path / "a.mkv", rate=12.5)
    flags = ["--beside"] if beside else []
    made = restore(
        "a.mkv",
        "-o",
        "b.mkv",
        "--task=upscale",
        "--method=resize:kind=nearest",
        *flags,
        cwd=tmp_path,
    )
    assert made.returncode == 0, made.stderr
    assert "30 frames" in made.stdout
    assert video_facts(tmp_path / "b.mkv") == (30, 12.5)
    for own, frame in zip(read_frames(tmp_path / "b.mkv"), FRAMES, strict=True):
        large = frame.repeat(2, 0).repeat(2, 1)
        assert np.array_equal(own, np.hstack([expected(frame), large]) if beside else large)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi", ".mkv"])
def test_videos_are_written_and_read(suffix, tmp_path):
    written(tmp_path / f"a{suffix}")
    frames = list(read_frames(tmp_path / f"a{suffix}"))
    assert len(frames) == 30
    error = np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(frames, FRAMES, strict=True)])
    assert error == 0 if suffix == ".mkv" else error < 12
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]


def test_a_video_that_cannot_be_written_is_told_in_our_words_alone(tmp_path, capfd):
    with pytest.raises(InputError, match=r"a.mp4: OpenCV cannot make it \(40000, 2\) at"):
        written(tmp_path / "a.mp4", [np.zeros((2, 40000, 3), np.uint8)])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_full_disk_leaves_the_video_before(suffix, tmp_path):
    """OpenCV does not say that it could not write."""
    path = tmp_path / f"a{suffix}"
    size = written(path)
    before = path.read_bytes()
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    quiet = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, usual[1]))
    try:
        with pytest.raises(InputError, match="is the disk full"):
            written(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, quiet)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("rate", [0.0, math.nan, math.inf])
def test_a_frame_rate_that_is_none_is_refused(rate, tmp_path):
    with pytest.raises(InputError, match="frames a second"):
        written(tmp_path / "a.mkv", rate=rate)


def test_a_video_with_odd_sides_keeps_every_pixel(tmp_path):
    jpegs = [cv2.imencode(".jpg", frame[:47, :71])[1].tobytes() for frame in FRAMES]
    (tmp_path / "a.avi").write_bytes(b"".join(jpegs))  # a video, of sides that OpenCV cannot write
    given = list(read_frames(tmp_path / "a.avi"))
    assert {frame.shape for frame in given} == {(47, 71, 3)}
    made = restore("a.avi", "-o", "b.mkv", "--task=low-light", "--method=gain", cwd=tmp_path)
    assert made.returncode == 0
    (line,) = made.stderr.splitlines()
    assert "b.mkv has 48 rows by 72 columns, not 47 by 71" in line
    for own, frame in zip(read_frames(tmp_path / "b.mkv"), given, strict=True):
        bright = np.minimum(frame * 5.0, 255)
        assert np.array_equal(own, np.pad(bright, ((0, 1), (0, 1), (0, 0)), mode="edge"))


def damaged(path, first, last):
    """Write a video, and zeros over a part of it."""
    size = written(path)
    start, end = int(size * first), int(size * last)
    content = path.read_bytes()
    path.write_bytes(content[:start] + bytes(end - start) + content[end:])


BROKEN = {
    "cut.avi": lambda path: truncated(path, 0.6),
    "cut.mkv": lambda path: truncated(path, 0.6),
    "gap.avi": lambda path: damaged(path, 0.4, 0.6),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi", ".mkv"])
def test_a_name_with_a_colon_is_no_protocol(suffix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(Path(f"12:30{suffix}"))
    assert len(list(read_frames(Path(f"12:30{suffix}")))) == 30


@pytest.mark.parametrize("name", BROKEN)
def test_of_a_broken_video_the_frames_that_can_be_read_are_kept(name, tmp_path):
    BROKEN[name](tmp_path / name)
    readable = []
    with pytest.raises(BrokenVideo, match="are missing"):
        for frame in read_frames(tmp_path / name):
            readable.append(frame)
    count = len(readable)
    assert 8 < count < 30
    assert count % 8  # the last frames do not fill a block
    made = restore(
        name, "-o", "b.mkv", "--task=upscale", "--method=resize:kind=nearest", cwd=tmp_path
    )
    assert made.returncode == 2
    (line,) = made.stderr.splitlines()
    told = f"{name} is broken: {count} of 30 frames can be read, {30 - count} are missing"
    assert f"{told}; wrote what can be read to b.mkv" in line
    for own, frame in zip(read_frames(tmp_path / "b.mkv"), readable, strict=True):
        assert np.array_equal(own, frame.repeat(2, 0).repeat(2, 1))


def picture(folder):
    Image.fromarray(PICTURES["grey.png"]).save(folder / "a.png")
    return ["a.png", "-o", "b.png", "--task=upscale", "--method=resize"]


def with_(folder, **changes):
    """The same with other options; None leaves one out."""
    options = {"task": "upscale", "method": "resize"} | changes
    given = [f"--{key}={value}" for key, value in options.items() if value is not None]
    return [*picture(folder)[:3], *given]


def too_slow(method):
    return lambda folder: with_(folder, task="low-light", method=method, timeout=0.001)


def slow_video(folder):
    written(folder / "a.avi")
    return ["a.avi", "--task=low-light", "--method=light-unet", "--timeout=0.001"]


def no_video(folder):
    (folder / "a.avi").write_bytes(b"RIFF" + bytes(1000))
    return ["a.avi", "-o", "b.avi", *picture(folder)[3:]]


def without_index(folder):
    truncated(folder / "a.mp4", 0.6)  # an mp4 has it at its end
    return ["a.mp4", "-o", "b.mp4", *picture(folder)[3:]]


def a_video_with(mask, output):
    def prepare(folder):
        written(folder / "a.avi")
        options = ["--task=crop", "--method=telea", "--mask=a.png"] if mask else picture(folder)[3:]
        return ["a.avi", "-o", output, *options]

    return prepare


def broken_picture(folder):
    arguments = picture(folder)
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:500])
    return arguments


MISTAKES = {
    "task": (lambda f: with_(f, task="up"), "unknown task 'up'; there are crop"),
    "method": (lambda f: with_(f, method="telea"), "telea cannot do upscale; these can: affine-"),
    "limits": (
        lambda f: with_(f, task="crop", mask="a.png"),
        "resize cannot do crop: it only enlarges pictures; these can",
    ),
    "mask": (lambda f: with_(f, task="crop", method="telea"), "give --mask FILE"),
    "no mask": (lambda f: with_(f, mask="a.png"), "restores all of a picture: leave --mask out"),
    "jpeg": (lambda f: [*picture(f)[:2], "b.jpg", *picture(f)[3:]], "cannot write b.jpg lossless"),
    "itself": (lambda f: [*picture(f)[:2], "a.png", *picture(f)[3:]], "is the input itself"),
    "missing": (lambda f: ["no.png", *picture(f)[1:]], "cannot read no.png: No such file"),
    "broken": (broken_picture, "cannot read a.png"),
    "missing video": (lambda f: ["no.mp4", "-o", "b.mp4", *picture(f)[3:]], "cannot read no.mp4"),
    "no video": (no_video, "cannot read a.avi: it is no video, or one cut short"),
    "no index": (without_index, "cannot read a.mp4: it is no video, or one cut short"),
    "codec": (a_video_with(False, "b.gif"), "cannot write b.gif; a video's name ends in .mp4"),
    "new folder": (
        lambda f: ["no.png", "-o", "new/sub/b.png", *picture(f)[3:]],
        "cannot read no.png: No such file",
    ),
    "new folder for a video": (
        lambda f: [*slow_video(f), "-o", "new/b.avi"],
        "light-unet failed: timeout",
    ),
    "file as folder": (
        lambda f: [*picture(f)[:2], "a.png/sub/b.png", *picture(f)[3:]],
        "cannot write a.png/sub/b.png: a.png is no folder",
    ),
    "slow": (too_slow("detect-and-inpaint"), "--timeout allows; give a longer --timeout"),
    "slow network": (
        too_slow("light-unet:device=cpu"),
        "give a longer --timeout or --method light-unet:device=cpu:symmetries=no, 8 times as fast",
    ),
    "masked video": (a_video_with(True, "b.avi"), "a.avi is a video; crop restores pictures"),
}


@pytest.mark.parametrize(("prepare", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(prepare, words, tmp_path):
    arguments = prepare(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    made = restore(*arguments, cwd=tmp_path)
    assert made.returncode == 2
    (line,) = made.stderr.splitlines()
    assert words in line
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_large_picture_has_more_time():
    assert time_limit(60, (400, 500)) == 60
    assert time_limit(60, (3000, 4000)) == 12 * 60


def test_a_picture_is_restored_once():
    """A large one takes long, and a method need not be worth comparing."""
    picture = PICTURES["grey.png"]
    with restorer(Misbehaves(way="random"), "low-light", None, 60) as made:
        (restored,) = made([picture])  # asked again, it would answer otherwise
    assert restored.std() > 50


def test_every_recommended_method_can_do_its_task():
    for task in RECOMMENDED:
        assert task in chosen_method(task, "best").tasks
    with pytest.raises(InputError, match="did you mean telea"):
        chosen_method("crop", "tela")
