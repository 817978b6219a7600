"""Methods on one picture, as a user tries them from the command line."""

import re

import cv2
import numpy as np
import pytest
from conftest import inpaintbench, inpaintbench_here
from PIL import Image
from plugins import Hopeful, Misbehaves, Spy
from skimage import data

from inpaintbench.benchmarks.app import app
from inpaintbench.benchmarks.trying import (
    Trial,
    around,
    hole_mask,
    read_picture,
    restorer,
    same_answer,
    try_method,
)
from inpaintbench.datasets import InputError
from inpaintbench.datasets.cases import Observation
from inpaintbench.methods import parse_method


def run(*arguments, cwd):
    return inpaintbench_here("try", *arguments, cwd=cwd)


PICTURES = {
    "grey": data.camera()[100:190, 150:250],
    "colour": data.astronaut()[20:110, 170:270],
    "deep grey": data.camera()[100:190, 150:250].astype(np.uint16) * 257,
    "deep colour": data.astronaut()[20:110, 170:270].astype(np.uint16) * 257,
}


def stored(pixels, path):
    assert cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return path


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_of_any_kind_is_restored_in_its_own_kind(kind, tmp_path):
    truth = PICTURES[kind]
    stored(truth, tmp_path / "a.png")
    made = run("a.png", "--box=30,40,9,12", "--methods=mean,telea", "-o", "out", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "mean.png",
        "side-by-side.png",
        "telea.png",
    ]
    restored = read_picture(tmp_path / "out" / "telea.png")
    assert restored.dtype == truth.dtype
    mask = np.zeros(truth.shape[:2], bool)
    mask[30:39, 40:52] = True  # X,Y,H,W: X is axis 0
    assert np.array_equal(restored[~mask], truth[~mask])
    radius = parse_method("telea").radius
    planes = [truth] if truth.ndim == 2 else np.moveaxis(truth, -1, 0)
    expected = [
        cv2.inpaint(np.where(mask, 0, plane).astype(truth.dtype), mask.astype(np.uint8), radius, 1)
        for plane in planes
    ]
    expected = expected[0] if truth.ndim == 2 else np.moveaxis(expected, 0, -1)
    assert np.array_equal(restored[mask], expected[mask])
    scale = 255 / np.iinfo(truth.dtype).max
    mse = np.mean(((restored[mask].astype(float) - truth[mask]) * scale) ** 2)
    psnr = 10 * np.log10(255**2 / mse)
    assert re.search(rf"telea +diffusion +ok +\S+ +{mse:.1f} +{psnr:.2f}", made.stdout)


def test_one_method_goes_into_a_file(tmp_path):
    stored(PICTURES["grey"], tmp_path / "a.png")
    made = run("a.png", "--box=30,40,9,12", "--methods=mean", "-o", "b.tif", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.tif"]
    assert read_picture(tmp_path / "b.tif").shape == PICTURES["grey"].shape


def test_without_an_output_a_new_folder_is_made(tmp_path):
    stored(PICTURES["grey"], tmp_path / "a.png")
    made = run("a.png", "--box=30,40,9,12", "--methods=mean", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (folder,) = (tmp_path / "tried").iterdir()
    assert {p.name for p in folder.iterdir()} == {"mean.png", "side-by-side.png"}


def test_a_damaged_picture_has_no_errors(tmp_path):
    stored(PICTURES["grey"], tmp_path / "a.png")
    made = run(
        "a.png", "--box=30,40,9,12", "--methods=mean", "--no-truth", "-o", "out", cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    assert "MSE" not in made.stdout
    assert "PSNR" not in made.stdout


def test_boxes_and_masks_hide_together(tmp_path):
    picture = PICTURES["colour"]
    drawn = np.zeros((*picture.shape[:2], 3), np.uint8)
    drawn[3:5, 70:75, 0] = 1  # any channel, any value
    mask = hole_mask(picture, ["10,20,3,4", "0,0,1,1"], stored(drawn, tmp_path / "m.png"))
    expected = np.zeros(picture.shape[:2], bool)
    expected[10:13, 20:24] = expected[0, 0] = expected[3:5, 70:75] = True
    assert np.array_equal(mask, expected)


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "deep", "tif"])
def test_a_mask_may_be_drawn_on_a_transparent_layer(kind, colour, tmp_path):
    expected = np.zeros(PICTURES["grey"].shape, bool)
    expected[3:5, 70:75] = True
    layer = np.full((*expected.shape, 4), colour, np.uint8)
    layer[..., 3] = expected * 255
    path = tmp_path / ("m.tif" if kind == "tif" else "m.png")
    if kind == "deep":
        assert cv2.imwrite(str(path), layer.astype(np.uint16) * 257)
    elif kind == "P":
        Image.fromarray(expected.astype(np.uint8), "P").save(path, transparency=0)
    else:
        Image.fromarray(layer).convert("RGBA" if kind == "tif" else kind).save(path)
    assert np.array_equal(hole_mask(PICTURES["grey"], [], path), expected)


@pytest.mark.parametrize("alpha", [0, 255])
def test_of_a_mask_that_is_evenly_transparent_the_colours_count(alpha, tmp_path):
    layer = np.zeros((*PICTURES["grey"].shape, 4), np.uint8)
    layer[..., 3] = alpha
    Image.fromarray(layer).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"m\.png: nothing is hidden"):
        hole_mask(PICTURES["grey"], [], tmp_path / "m.png")
    layer[3:5, 70:75, 1] = 9
    Image.fromarray(layer).save(tmp_path / "m.png")
    assert np.array_equal(
        hole_mask(PICTURES["grey"], [], tmp_path / "m.png"), layer[..., :3].any(axis=2)
    )
    layer[..., 0] = 1
    Image.fromarray(layer).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"m\.png: every pixel is hidden"):
        hole_mask(PICTURES["grey"], [], tmp_path / "m.png")


WAYS = {
    "raise": ("error", "on purpose"),
    "exit": ("crash", "exit code 3"),
    "hang": ("timeout", "longer"),
    "memory": ("oom", "on purpose"),
    "nan": ("invalid", "not finite"),
    "shape": ("invalid", "shape"),
    "random": ("ok", ""),  # asked but once
    "good": ("ok", ""),
}


def test_a_failing_method_is_a_row_and_the_next_one_works():
    picture = data.camera()[:71, :90]  # of an odd height: misbehaves
    mask = hole_mask(picture, ["30,40,9,12"], None)
    with restorer(2) as restore:
        for way, (status, words) in WAYS.items():
            trial = try_method(restore, Misbehaves(way=way), picture, mask, True)
            assert (trial.status, words in trial.note) == (status, True), trial
            assert (trial.picture is None) == (status != "ok")


def test_the_truth_is_not_shown_to_a_method(tmp_path):
    picture = PICTURES["colour"]
    mask = hole_mask(picture, ["30,40,9,12"], None)
    with restorer(60) as restore:
        trial = try_method(restore, Spy(folder=str(tmp_path)), picture, mask, True)
    assert trial.status == "ok", trial.note
    assert np.array_equal(trial.picture[mask], np.zeros_like(picture[mask]))


def test_scores_are_those_of_the_hidden_pixels_wherever_they_are():
    picture = PICTURES["colour"]
    mask = hole_mask(picture, ["0,0,2,3", "85,97,5,3"], None)
    with restorer(60) as restore:
        trial = try_method(restore, Hopeful(), picture, mask, True)
    assert trial.mse == pytest.approx(np.mean((picture[mask] - 128.0) ** 2))


def test_a_hole_too_large_for_a_network_is_told():
    picture = data.camera()
    small, large = (hole_mask(picture, [f"100,100,{n},{n}"], None) for n in (48, 49))
    assert parse_method("cnn").caveat(small) == ""
    assert "harmonic" in parse_method("cnn").caveat(large)
    assert parse_method("ensemble").caveat(large) == parse_method("cnn").caveat(large)
    assert parse_method("harmonic").caveat(large) == ""


@pytest.mark.parametrize(
    "name", ["patchmatch", "exact-nearest-patch", "criminisi", "efros-leung", "quilting"]
)
@pytest.mark.parametrize("every", [7, 20])  # columns: one in so many is hidden
def test_what_finds_no_patch_to_copy_is_told(name, every):
    image, mask = data.camera()[100:130, 200:240].copy(), np.zeros((30, 40), bool)
    mask[:, every - 1 :: every] = True
    image[mask] = 0
    method, observation = parse_method(name), Observation(image, mask)
    harmonic = parse_method("harmonic").restore(observation)
    assert ("harmonic" in method.caveat(mask)) == (every == 7)
    assert np.allclose(method.restore(observation), harmonic) == (every == 7)


def test_a_hole_that_the_mixture_does_not_know_is_told():
    method, ensemble = parse_method("gaussian-mixture"), parse_method("ensemble")
    for box, known in (("40,40,7,5", True), ("40,40,6,5", False), ("4,40,7,5", False)):
        mask = hole_mask(data.camera()[:90, :90], [box], None)
        assert ("kriging" in method.caveat(mask)) != known
        assert ensemble.caveat(mask) == method.caveat(mask)


@pytest.mark.parametrize(
    ("name", "fits", "not_any_more"),
    [
        ("non-local-mean", ["100,100,32,32"], ["100,100,41,25"]),
        (
            "non-local-mean",
            [f"9,{9 * n},3,3" for n in range(32)],
            [f"9,{9 * n},3,3" for n in range(33)],
        ),
        ("pca", ["100,100,21,21"], ["100,100,21,22"]),
        ("pca", ["4,100,5,5"], ["3,100,5,5"]),
        ("pca", ["100,100,5,5"], ["100,100,5,5", "200,100,5,5"]),
    ],
)
def test_what_keeps_its_harmonic_fill_is_told(name, fits, not_any_more):
    picture, method = data.camera(), parse_method(name)
    with restorer(60) as restore:
        for boxes, kept in ((fits, False), (not_any_more, True)):
            mask = hole_mask(picture, boxes, None)
            trial = try_method(restore, method, picture, mask, True)
            harmonic = try_method(restore, parse_method("harmonic"), picture, mask, True)
            assert ("harmonic" in trial.note) == kept
            assert np.array_equal(trial.picture, harmonic.picture) == kept


def test_the_same_answer_is_told():
    one, other = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    trials = [
        Trial(name, "", "ok", "", 1, p) for name, p in (("a", one), ("b", other), ("c", None))
    ]
    assert same_answer(Trial("d", "", "ok", "", 1, other.copy()), trials) == "b"
    assert same_answer(Trial("d", "", "error", "", 1), trials) == ""


def test_what_is_shown_holds_the_holes_and_stays_inside():
    mask = np.zeros((50, 80), bool)
    mask[2:12, 60:64] = True
    assert around(mask, 3) == (slice(0, 17), slice(57, 67))
    assert around(mask, 30) == (slice(0, 42), slice(30, 80))


def test_hostile_names_and_messages_are_shown_and_do_nothing(hostile, hostile_names, tmp_path):
    name = "<script>[bold]\x1b[31m\u202e.png"
    stored(PICTURES["grey"], tmp_path / name)
    options = ["--box=30,40,9,12", f"--methods={','.join(hostile_names)},mean"]
    made = inpaintbench("try", name, *options, cwd=tmp_path, path=hostile)
    assert made.returncode == 0, made.stderr
    assert "\x1b" not in made.stdout + made.stderr
    assert "\u202e" not in made.stdout + made.stderr
    assert "<img src=x" in made.stdout
    (folder,) = (tmp_path / "tried").iterdir()
    names = [p.name for p in folder.iterdir()]
    assert len(names) == 4  # long, turned, mean and the sheet
    assert all(re.fullmatch(r"[A-Za-z0-9=:.,+_-]{1,100}", n) for n in [*names, folder.name]), names


def two_methods(folder):
    return "a.png", "--box=1,1,5,5", "-o", "b.png", "--methods=mean,telea"


def other_size(folder):
    stored(PICTURES["grey"][:50], folder / "m.png")
    return "a.png", "--mask", "m.png"


def no_picture(folder):
    (folder / "m.png").write_text("no picture")
    return "m.png", "--box=1,1,5,5"


def test_a_name_with_dots_is_no_files(tmp_path):
    stored(PICTURES["grey"], tmp_path / "IMG.2024.png")
    made = run("IMG.2024.png", "--box=30,40,9,12", "--methods=mean", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert list((tmp_path / "tried").glob("IMG-2024-*/mean.png"))


MISTAKES = {
    "outside": (lambda f: ("a.png", "--box=88,1,5,5"), "has 90 rows and 100 columns"),
    "negative": (lambda f: ("a.png", "--box=-1,1,5,5"), "not inside the picture"),
    "empty": (lambda f: ("a.png", "--box=1,1,0,5"), "not inside the picture"),
    "three": (lambda f: ("a.png", "--box=1,1,5"), "four whole numbers"),
    "words": (lambda f: ("a.png", "--box=a,b,c,d"), "four whole numbers"),
    "nothing": (lambda f: ("a.png",), "nothing is hidden"),
    "everything": (lambda f: ("a.png", "--box=0,0,90,100"), "every pixel is hidden"),
    "other size": (other_size, "m.png has 50 rows and 100 columns"),
    "no picture": (no_picture, "cannot read m.png"),
    "no file": (lambda f: ("no.png", "--box=1,1,5,5"), "cannot read no.png"),
    "lossy": (lambda f: ("a.png", "--box=1,1,5,5", "-o", "b.jpg"), "losslessly"),
    "two methods": (two_methods, "name a folder"),
    "itself": (
        lambda f: ("a.png", "--box=1,1,5,5", "-o", "a.png", "--methods=mean"),
        "the input itself",
    ),
    "method": (lambda f: ("a.png", "--box=1,1,5,5", "--methods=tela"), "did you mean telea"),
    "no method": (lambda f: ("a.png", "--box=1,1,5,5", "--methods=,"), "names no method"),
    "weights": (
        lambda f: ("a.png", "--box=1,1,5,5", "--methods=mean,cnn:weights=no.safetensors"),
        "no.safetensors does not exist",
    ),
}


@pytest.mark.parametrize(("prepare", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_before_anything_is_written(prepare, words, tmp_path, monkeypatch):
    stored(PICTURES["grey"], tmp_path / "a.png")
    arguments = prepare(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        app(["try", *arguments], standalone_mode=False)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_mistake_is_one_clear_line(tmp_path):
    answer = run("no\x1b\nsuch.png", "--box=1,1,5,5", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith("inpaintbench: cannot read no\\x1b such.png")
    assert answer.stderr.count("\n") == 1


def test_a_photograph_is_restored_as_a_viewer_shows_it(tmp_path):
    photograph = Image.fromarray(PICTURES["colour"])
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright: to be turned clockwise
    photograph.save(tmp_path / "a.jpg", exif=exif, quality=95)
    turned = read_picture(tmp_path / "a.jpg")
    plain = np.asarray(Image.open(tmp_path / "a.jpg"))
    assert np.array_equal(turned, np.rot90(plain, -1))
