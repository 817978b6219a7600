"""Near-duplicates of training pictures are found, marked, and nothing else is."""

import hashlib
import html
import io
import json
import tomllib

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image
from scipy.fft import dct
from scipy.ndimage import gaussian_filter
from skimage import data
from test_run import carried_out, small

from inpaintbench.benchmarks.leakage import (
    Leak,
    drawn_photographs,
    find_leaks,
    leak_notices,
    unknown_training,
)
from inpaintbench.benchmarks.suite import read_suite
from inpaintbench.datasets.fingerprints import (
    THRESHOLD,
    distance,
    fingerprints,
    orientations,
)
from inpaintbench.datasets.images import BUNDLED, Photograph, Skipped, grey
from inpaintbench.datasets.tasks import crop, scratches
from inpaintbench.datasets.tasks.drawing import draw_cases
from inpaintbench.methods import parse_method
from inpaintbench.methods.fitted import fit_method
from inpaintbench.methods.gaussian import Gaussian
from inpaintbench.methods.photographs import is_held_out
from inpaintbench.methods.training_pictures import training_pictures, write_training_pictures
from inpaintbench.methods.weights import SHIPPED, read_card, write_weights
from inpaintbench.reports import load_run
from inpaintbench.reports.page import write_report
from inpaintbench.reports.texts import leaderboard_text

TURNS = {
    "as it is": lambda p: p,
    "flipped": np.fliplr,
    "upside down": np.flipud,
    "transposed": np.transpose,
    "turned": np.rot90,
}
CHANGES = {
    "half the size": lambda p: np.asarray(
        Image.fromarray(p).resize((p.shape[1] // 2, p.shape[0] // 2))
    ),
    "JPEG": lambda p: recompressed(p, 40),
    "brighter": lambda p: np.clip(p.astype(int) + 15, 0, 255).astype(np.uint8),
    "16 bits": lambda p: p.astype(np.uint16) * 257,
    "a rim of 1 % cut off": lambda p: p[p.shape[0] // 100 :, p.shape[1] // 100 :],
}


def recompressed(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("turn", TURNS)
def test_a_fingerprint_is_the_cosine_transform_by_its_definition(turn):
    picture = TURNS[turn](data.camera())  # 512x512: the small copy averages squares of 16
    small = picture.reshape(32, 16, 32, 16).mean(axis=(1, 3))
    low = dct(dct(small, axis=0, norm="ortho"), axis=1, norm="ortho")[:8, :8]
    above = (low > np.median(low)).ravel()
    expected = int("".join("1" if bit else "0" for bit in above), 2)
    assert int(orientations(picture)[0]) == expected
    assert expected in orientations(data.camera()).tolist()  # from the one transform


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("turn", TURNS)
def test_copies_are_known_again_and_other_photographs_are_not(change, turn):
    pictures = {name: grey(getattr(data, name)()) for name in ("camera", "astronaut", "coffee")}
    known = fingerprints(pictures.values())
    assert len(known) == 3
    for picture in pictures.values():
        copy = CHANGES[change](np.ascontiguousarray(TURNS[turn](picture)))
        assert distance(copy, known) <= THRESHOLD
    for other in (data.moon(), data.coins(), grey(data.cat())):
        assert distance(other, known) > THRESHOLD


def test_what_has_no_features_resembles_nothing():
    flat = np.full((90, 120), 77, np.uint8)
    flat[::2, ::2] += 2
    assert fingerprints([flat]).size == 0
    assert distance(flat, fingerprints([flat, data.camera()])) == 64
    assert fingerprints([flat.astype(np.uint16) * 257]).size == 0
    assert distance(data.camera(), np.empty(0, np.uint64)) == 64


def fields(count, seed):
    """Generate photographs: smooth random fields, no two alike."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        field = gaussian_filter(rng.normal(size=(120, 150)), 4.0, mode="wrap")
        yield np.clip(128 + 45 * field / field.std(), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of photographs, and weights of gaussian that were fitted on it."""
    folder = tmp_path_factory.mktemp("trained")
    for number, pixels in enumerate(fields(8, 0)):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inpaintbench.methods.gaussian.WINDOWS", 600)
        patch.setattr("inpaintbench.methods.gaussian.SIDE", 45)  # of the largest hole and around
        fit_method(Gaussian, [str(folder)], folder / "weights")
    return folder, folder / "weights" / "gaussian.safetensors"


def training_names(folder):
    return [p.name for p in sorted(folder.glob("*.png")) if not is_held_out(p.name)]


def test_fitting_leaves_the_fingerprints_of_what_was_fitted_on(trained):
    folder, weights = trained
    names = training_names(folder)
    table = read_card(weights)["training_pictures"]
    assert table["count"] == len(names) == read_card(weights)["photographs_fitted_on"]
    stored = safetensors.numpy.load_file(weights.with_name(table["file"]))["fingerprints"]
    pictures = [np.asarray(Image.open(folder / name)) for name in names]
    assert stored.tolist() == sorted(int(orientations(picture)[0]) for picture in pictures)


@pytest.fixture(scope="module")
def leaky(trained, tmp_path_factory):
    """A run on photographs of which one is a copy of a training picture, and its warnings."""
    folder, weights = trained
    images = tmp_path_factory.mktemp("suite") / "mine"
    images.mkdir()
    for number, pixels in enumerate(fields(4, 1)):
        Image.fromarray(pixels).save(images / f"new-{number}.png")
    original = Image.open(folder / training_names(folder)[2])
    copy = original.resize((112, 90), Image.Resampling.BICUBIC)
    copy.save(images / "copy.jpg", quality=60)
    methods = [parse_method(f"gaussian:weights={weights}"), parse_method("mean"), Gaussian()]
    run = images.parent / "run"
    suite = small(20, name="mine", images=str(images), seed=1)
    _, warnings = carried_out(run, methods, suite=suite)
    return load_run(run), methods[0].label, warnings


def test_a_recompressed_and_resized_training_picture_is_found_and_no_other(leaky):
    run, label, warnings = leaky
    leaks = run.leaks().to_dict("records")
    assert [(leak["label"], leak["source"], leak["image_id"]) for leak in leaks] == [
        (label, "mine", "copy.jpg")
    ]
    assert leaks[0]["distance"] <= THRESHOLD
    assert run.environment["leaks"] == leaks == json.loads(json.dumps(leaks))
    assert warnings == [
        f"1 photograph of this suite looks like training pictures of {label}: copy.jpg; "
        "their scores are marked"
    ]


def test_what_a_leak_changes_is_told(leaky):
    run, label, _ = leaky
    effect = run.leak_effects().iloc[0]
    clean = run.cases.set_index("case_id")["image_id"] != "copy.jpg"
    assert effect["method"] == label
    assert effect["cases"] == (~clean).sum() == 4
    means = run.mse[clean].mean()
    assert effect["mse_without"] == pytest.approx(means[label])
    assert effect["rank_without"] == (means <= means[label]).sum()
    assert effect["mse"] == pytest.approx(run.mse[label].mean())
    change = means / run.mse.mean() - 1
    assert effect["change"] == pytest.approx(change[label])
    assert effect["others_change"] == pytest.approx(change[["mean", "gaussian"]].mean())


def test_affected_scores_are_marked_wherever_they_are_shown(leaky):
    run, label, _ = leaky
    assert set(leaderboard_text(run)["method"]) == {f"{label} *", "mean", "gaussian"}
    assert f"{label} *" not in set(run.leaderboard()["method"])
    page = write_report(run)
    note = (
        f"{label}: 1 photograph looks like its training pictures (copy.jpg); "
        "without cases of it (4)"
    )
    assert f"* {note}" in page.read_text()
    markdown = (page.parent / "leaderboard.md").read_text()
    assert f"\\* {note}" in markdown
    assert f"{label} *" in markdown
    assert "copy.jpg" in (page.parent / "leaks.csv").read_text()


def test_a_run_without_leaks_marks_nothing(leaky):
    run, *_ = leaky
    run = type(run)(run.path, run.cases, run.scores, run.timings, {})  # of an earlier version
    assert run.leaks().empty
    assert run.leak_effects().empty
    assert set(leaderboard_text(run)["method"]) == set(run.mse.columns)


@pytest.mark.parametrize("card", sorted(p.stem for p in SHIPPED.glob("*.toml")))
def test_every_shipped_card_knows_its_training_pictures(card):
    content = tomllib.loads((SHIPPED / f"{card}.toml").read_text())
    table = content["training_pictures"]
    stored = safetensors.numpy.load_file(SHIPPED / table["file"])["fingerprints"]
    assert len(stored) == table["count"]
    count = content.get("photographs_trained_on") or content["photographs_fitted_on"]
    assert 0.99 * count < len(stored) <= count  # a few hold the same picture twice


def test_the_default_suite_shows_no_training_picture_of_what_is_shipped():
    methods = [parse_method(name) for name in read_suite("crop-full").methods]
    assert unknown_training(methods) == {}
    assert find_leaks(methods, drawn_photographs("skimage", set(BUNDLED))) == []
    known, _ = training_pictures(parse_method("cnn"))
    both, _ = training_pictures(parse_method("ensemble"))
    assert len(known) > 15_000
    assert set(known) < set(both)  # the ensemble's own, which are others, and its members'
    assert training_pictures(parse_method("telea"))[0].size == 0


def test_photographs_of_a_suite_that_look_alike_are_told(tmp_path):
    pictures = list(fields(6, 2))
    flat = [np.full((90, 120), level, np.uint8) for level in (70, 80)]  # these look like nothing
    for number, pixels in enumerate([*pictures, *flat]):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    skipped = Skipped()
    draw_cases(crop, str(tmp_path), 8, 0, skipped)
    assert skipped.notes == []
    colour = np.repeat(np.fliplr(pictures[3])[..., None], 3, axis=2)
    Image.fromarray(colour).save(tmp_path / "3-flipped.jpg", quality=60)
    words = (
        ": if they are copies, intervals count one photograph as two, and search=set may be shown "
        "in one what is hidden in the other"
    )
    draw_cases(scratches, str(tmp_path), 9, 0, skipped)
    assert skipped.notes == [f"3-flipped.jpg and 3.png look alike{words}"]
    Image.fromarray(pictures[5]).save(tmp_path / "other.png")
    Image.fromarray(pictures[5]).save(tmp_path / "third.png")
    draw_cases(crop, str(tmp_path), 11, 0, skipped)
    assert skipped.notes[1:] == [f"3-flipped.jpg and 3.png look alike, as do 2 more pairs{words}"]


def test_that_photographs_look_alike_stands_on_the_page(tmp_path):
    (tmp_path / "own").mkdir()
    for name in ("<b>one", "two"):
        Image.fromarray(data.camera()).save(tmp_path / "own" / f"{name}.png")
    suite = small(4, images=str(tmp_path / "own"))
    _, (warning,) = carried_out(tmp_path / "run", [parse_method("mean")], suite=suite)
    assert warning.startswith("<b>one.png and two.png look alike: ")
    page = write_report(load_run(tmp_path / "run")).read_text()
    assert f'role="note">{html.escape(warning)}.</p>' in page


def test_what_no_case_is_drawn_from_looks_like_nothing(tmp_path):
    for name in "abcd":
        Image.fromarray(data.camera()).save(tmp_path / f"{name}.png")
    draw_cases(crop, str(tmp_path), 1, 0, skipped := Skipped())
    assert skipped.notes == []


def test_photographs_that_no_case_was_drawn_from_are_not_read():
    read = list(drawn_photographs("skimage", {"camera", "moon"}))
    assert [photograph.image_id for photograph in read] == ["camera", "moon"]


def test_training_pictures_that_are_not_known_are_told(trained, tmp_path):
    _, weights = trained
    for file in weights.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    copied = tmp_path / weights.name
    method = parse_method(f"gaussian:weights={copied}")
    pictures = copied.with_name("gaussian-pictures.safetensors")
    content = pictures.read_bytes()
    assert unknown_training([method]) == {}
    pictures.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "SHA-256 is another" in unknown_training([method])[method.label]
    pictures.unlink()
    assert "cannot read" in unknown_training([method])[method.label]
    write_weights(copied.read_bytes(), copied, {})
    assert "does not say" in unknown_training([method])[method.label]
    (notice,) = leak_notices([], unknown_training([method]))
    assert notice.startswith(f"cannot tell whether {method.label} was trained on")


def test_a_training_that_starts_from_weights_inherits_their_pictures(trained, tmp_path):
    _, before = trained
    own = [data.camera(), data.moon()]
    card = write_training_pictures(own, tmp_path / "next.safetensors", before)
    assert card["training_pictures"]["count"] == read_card(before)["training_pictures"]["count"] + 2
    write_weights(before.read_bytes(), tmp_path / "next.safetensors", card)
    method = parse_method(f"gaussian:weights={tmp_path / 'next.safetensors'}")
    photographs = [
        Photograph("camera", "s", data.camera()),
        Photograph("coins", "s", data.coins()),
    ]
    assert find_leaks([method], photographs) == [Leak(method.label, "s", "camera", 0)]
    write_weights(before.read_bytes(), tmp_path / "silent.safetensors", {})
    card = write_training_pictures(
        own, tmp_path / "last.safetensors", tmp_path / "silent.safetensors"
    )
    write_weights(before.read_bytes(), tmp_path / "last.safetensors", card)
    method = parse_method(f"gaussian:weights={tmp_path / 'last.safetensors'}")
    assert "silent.toml does not say" in unknown_training([method])[method.label]
    assert len(find_leaks([method], photographs)) == 1  # what is known is looked for


def test_methods_with_the_same_findings_share_a_notice():
    leaks = [Leak(label, "s", name, 2) for label in "ab" for name in "xy"]
    leaks += [Leak("c", "s", str(number), 2) for number in range(7)]
    assert list(leak_notices(leaks, {})) == [
        "2 photographs of this suite look like training pictures of a, b: x, y; "
        "their scores are marked",
        "7 photographs of this suite look like training pictures of c: 0, 1, 2, 3, 4, ...; "
        "their scores are marked",
    ]


def test_every_method_with_pictures_so_near_is_named_and_none_whose_are_further_off(tmp_path):
    """Two with the same pictures, that differ in as many bits as copies may, and one in more."""
    own = orientations(data.camera())[0]
    photographs = [Photograph("camera", "s", data.camera()), Photograph("moon", "s", data.moon())]
    labels = []
    for name, bits in (("far", THRESHOLD + 1), ("near", THRESHOLD), ("nearly", THRESHOLD)):
        known = np.array([own ^ np.uint64(2**bits - 1)])
        assert distance(data.camera(), known) == bits
        stored = safetensors.numpy.save({"fingerprints": known})
        (tmp_path / f"{name}-pictures.safetensors").write_bytes(stored)
        table = {"file": f"{name}-pictures.safetensors", "count": 1}
        table["sha256"] = hashlib.sha256(stored).hexdigest()
        write_weights(name.encode(), tmp_path / f"{name}.safetensors", {"training_pictures": table})
        labels.append(f"gaussian:weights={tmp_path / name}.safetensors")
    found = find_leaks([parse_method(label) for label in (*labels, "mean")], photographs)
    assert found == [Leak(label, "s", "camera", THRESHOLD) for label in labels[1:]]
