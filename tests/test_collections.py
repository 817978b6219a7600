"""CIFAR-10's archive, and windows in counts from pickles and npz files."""

import hashlib
import io
import os
import pickle
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pandas as pd
import plugins
import pytest
from skimage import data
from test_run import carried_out, small

from inpaintbench.benchmarks.suite import Suite
from inpaintbench.datasets import InputError, cifar
from inpaintbench.datasets.images import Skipped, grey, photograph_files
from inpaintbench.datasets.tasks import scratches
from inpaintbench.methods import parse_method
from inpaintbench.methods.photographs import read_split
from inpaintbench.reports import load_run
from inpaintbench.reports.provenance import provenance


class OldPickler(pickle._Pickler):
    """Writes text and bytes as Python 2 did: CIFAR-10's own pickles are of this kind."""

    def save_old_text(self, value):
        data = value if isinstance(value, bytes) else value.encode()
        self.write(pickle.BINSTRING + len(data).to_bytes(4, "little") + data)

    dispatch = {**pickle._Pickler.dispatch, str: save_old_text, bytes: save_old_text}  # noqa: RUF012


def old_pickle(pixels):
    """Pickle the layout of a CIFAR-10 batch, its array by the names of an old numpy."""

    class Old:
        def __reduce__(self):
            kind = np.dtype(np.uint8)
            state = (1, pixels.shape, kind, False, pixels.tobytes())
            return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state

    file = io.BytesIO()
    content = {"data": Old(), "labels": [3] * len(pixels), "batch_label": "testing batch 1 of 1"}
    OldPickler(file, 2).dump(content)
    return file.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def archived(path, **batches):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (7, 3072)).astype(np.uint8)


@pytest.fixture
def archive(tmp_path, pixels, monkeypatch):
    training = {f"data_batch_{n}": old_pickle(pixels + np.uint8(n)) for n in (4, 5, 1, 2, 3)}
    path = archived(tmp_path / "cifar-10-python.tar.gz", test_batch=old_pickle(pixels), **training)
    monkeypatch.setattr(cifar, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_cifars_pictures_are_read_from_its_archive(archive, pixels):
    files = photograph_files(str(archive))
    assert [file.image_id for file in files] == [f"test/{number:05d}" for number in range(7)]
    expected = pixels[2].reshape(3, 32, 32).transpose(1, 2, 0)  # red plane first
    assert np.array_equal(files[2].read(32, colour=True).pixels, expected)
    assert np.array_equal(files[2].read(32).pixels, grey(expected))
    suite = Suite(name="s", task="scratches", images=str(archive), cases=9, seed=0, methods=["x"])
    assert {case.image_id for case in suite.draw(Skipped())} == {f.image_id for f in files}


def test_an_archive_with_a_wrong_hash_is_not_read(archive):
    archive.write_bytes(archive.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"wrong hash.*fetch it again"):
        photograph_files(str(archive))


@pytest.mark.parametrize("content", [b"", pickle.dumps([1], 2), pickle.dumps(os.system, 2)])
def test_an_archive_that_holds_something_else_is_refused(tmp_path, monkeypatch, content):
    path = archived(tmp_path / "a.tar.gz", test_batch=content)
    monkeypatch.setattr(cifar, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(InputError):
        photograph_files(str(path))


@pytest.fixture
def server(archive):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = partial(Quiet, directory=archive.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_the_archive_is_fetched_once(server, archive, tmp_path):
    url, cache = f"{server}/{archive.name}", tmp_path / "cache"
    fetched = cifar.fetch(url, cifar.SHA256, cache)
    assert fetched.read_bytes() == archive.read_bytes()
    archive.unlink()
    assert cifar.fetch(url, cifar.SHA256, cache) == fetched  # the server has nothing any more


def test_training_and_test_pictures_have_a_name_each(server, archive, pixels, monkeypatch):
    cache = archive.parent / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    fetch = partial(cifar.fetch, f"{server}/{archive.name}", cifar.SHA256)
    monkeypatch.setattr(cifar, "fetch", fetch)
    for name, part, expected in (
        ("cifar10", "test", pixels),
        ("cifar10-train", "train", np.concatenate([pixels + np.uint8(n) for n in range(1, 6)])),
    ):
        files = photograph_files(name)
        assert [file.image_id for file in files] == [
            f"{part}/{n:05d}" for n in range(len(expected))
        ]
        assert {file.source for file in files} == {name}
        found = [file.read(32, colour=True).pixels.transpose(2, 0, 1).ravel() for file in files]
        assert np.array_equal(found, expected)
        training, validation = read_split([name], Skipped(), scratches)
        assert len(training) + len(validation) == len(expected)
    assert [path.name for path in cache.rglob("*.tar.gz")] == [archive.name]  # fetched for both


def test_what_has_the_wrong_hash_is_not_kept(server, archive, tmp_path):
    with pytest.raises(InputError, match=r"cannot fetch cifar10.*--images"):
        cifar.fetch(f"{server}/{archive.name}", "0" * 64, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_a_server_without_the_archive_is_an_input_error(server, tmp_path):
    with pytest.raises(InputError, match="cannot fetch"):
        cifar.fetch(f"{server}/missing.tar.gz", "0" * 64, tmp_path / "cache")


def drawn(path, cases=5, skipped=None):
    suite = Suite(
        name="s", task="center-pixel", images=str(path), cases=cases, seed=0, methods=["x"]
    )
    return suite.draw(Skipped() if skipped is None else skipped)


@pytest.fixture
def windows():
    return np.random.default_rng(1).integers(487, 2737, (5, 31, 31))


def hidden(windows):
    """Code the centres as 0, as the published windows are."""
    coded = windows.copy()
    coded[:, 15, 15] = 0
    return coded, windows[:, 15, 15].copy()


@pytest.mark.parametrize("kind", [np.uint16, np.int64, np.float64])
@pytest.mark.parametrize("form", ["pickle", "channel", "list", "npz", "stack"])
def test_windows_are_read_with_their_centres(tmp_path, windows, kind, form):
    x, y = hidden(windows.astype(kind))
    path = tmp_path / ("data.npz" if form in ("npz", "stack") else "data.pkl")
    if form == "stack":
        np.savez(path, anything=windows.astype(kind))
    elif form == "npz":
        np.savez(path, x_data=x, y_data=y)
    else:
        layout = {"pickle": x, "channel": x[..., None], "list": list(x)}
        path.write_bytes(pickle.dumps({"x_data": layout[form], "y_data": y}))
    cases = drawn(path)
    assert len({case.image_id for case in cases}) == 5
    for case in cases:
        number = int(case.image_id.rsplit("/")[-1])
        assert case.truth.dtype == np.uint16
        assert np.array_equal(case.truth, windows[number])


def test_centres_of_16_bits_stay_whole_in_windows_of_8(tmp_path, windows):
    x, y = hidden((windows % 256).astype(np.uint8))[0], windows[:, 15, 15] + 256
    np.savez(tmp_path / "data.npz", x_data=x, y_data=y)
    for case in drawn(tmp_path / "data.npz"):
        assert case.truth[15, 15] == y[int(case.image_id.rsplit("/")[-1])]


@pytest.mark.parametrize("constant", [0, 1000, None])
def test_centres_may_be_hidden_by_a_constant_or_be_shown(tmp_path, windows, constant):
    x = windows.copy()
    x[:, 15, 15] = windows[:, 15, 15] if constant is None else constant
    if not constant:
        x[0, 15, 15] = 0  # one of those shown is hidden
    np.savez(tmp_path / "data.npz", x_data=x, y_data=windows[:, 15, 15])
    for case in drawn(tmp_path / "data.npz"):
        assert np.array_equal(case.truth, windows[int(case.image_id.rsplit("/")[-1])])


def test_centres_that_contradict_the_windows_are_refused(tmp_path, windows):
    centres = windows[:, 15, 15].copy()
    centres[3:] += 1
    np.savez(tmp_path / "data.npz", x_data=windows, y_data=centres)
    words = rf"data.npz, index 3: .* {centres[3] - 1} in x_data, but y_data says {centres[3]};"
    with pytest.raises(InputError, match=words):
        drawn(tmp_path / "data.npz")


def test_a_window_is_one_case(tmp_path, windows):
    larger = np.arange(35 * 36, dtype=np.uint16).reshape(1, 35, 36)  # has 5x6 windows
    np.savez(tmp_path / "a.npz", x=windows, y=3000 - windows, larger=larger)
    cases = drawn(tmp_path / "a.npz", 14)
    assert len({case.sha256 for case in cases}) == len({case.case_id for case in cases}) == 14
    assert sum(case.image_id.startswith("larger") for case in cases) == 4
    np.savez(tmp_path / "few.npz", x=windows)
    assert len(drawn(tmp_path / "few.npz", 100)) == len(windows)
    assert len(drawn(tmp_path / "few.npz", 3)) == 3


def write_pictures(folder, **pictures):
    folder.mkdir()
    for name, pixels in pictures.items():
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
    return folder


def test_made_up_counts_are_never_averaged_with_measured_ones(tmp_path):
    measured = np.random.default_rng(0).integers(0, 65536, (200, 200)).astype(np.uint16)
    folder = write_pictures(tmp_path / "a", deep=measured, one=data.camera(), two=data.moon())
    with pytest.raises(InputError, match=r"has 2 pictures of 8 bits among 3, .*keep them apart"):
        drawn(folder, 30)
    (folder / "two.png").unlink()
    with pytest.raises(InputError, match=r"has 1 picture of 8 bits among 2, "):
        drawn(folder, 30)


def test_a_run_says_once_that_its_counts_are_made_up(tmp_path):
    suite = small(6, task="center-pixel", images="skimage")
    _, warnings = carried_out(tmp_path / "made", [parse_method("mean")], 1, suite)
    assert warnings == ["6 photographs of 8 bits are mapped to counts of 487..2736"]
    folder = write_pictures(tmp_path / "own", deep=np.arange(9000, dtype=np.uint16).reshape(90, -1))
    own = small(6, task="center-pixel", images=str(folder))
    assert not carried_out(tmp_path / "run", [parse_method("mean")], 1, own)[1]
    assert not carried_out(tmp_path / "crop", [parse_method("mean")], 1, small(2))[1]


def test_a_run_has_the_different_cases_alone_and_says_so(tmp_path, windows):
    np.savez(tmp_path / "few.npz", x=windows, large=windows.repeat(7, 1).repeat(7, 2)[:1])
    np.savez(tmp_path / "fixed.npz", x=windows)
    for name, cases in (("few", 60), ("fixed", 5)):
        images = str(tmp_path / f"{name}.npz")
        suite = small(60, task="center-pixel", images=images)
        methods = [parse_method("mean"), plugins.LooksAround()]
        scores, warnings = carried_out(tmp_path / name, methods, 2, suite)
        told = [warning for warning in warnings if "different cases" in warning]
        assert told == [f"{images} gives 5 different cases, not 60: others would repeat them"] * (
            cases < 60
        )
        assert len(scores) == 2 * cases
        assert (scores["status"] == "ok").all(), scores["message"].unique()
        assert len(pd.read_parquet(tmp_path / name / "cases.parquet")["sha256"].unique()) == cases
        suites = dict(provenance(load_run(tmp_path / name)))["suite"]
        assert f"cases {cases}," in suites


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y_data": None}, "has no y_data"),
        ({"y_data": [1, 2]}, "one centre a window"),
        ({"x_data": np.zeros((5, 31))}, "shape|centre"),
        ({"x_data": np.full((5, 31, 31), 0.5)}, r"no whole counts \(the largest is 0\.5\): undo"),
        ({"x_data": np.full((5, 31, 31), -1)}, "outside 0..65535"),
        ({"x_data": np.full((5, 31, 31), np.nan)}, "outside 0..65535"),
        ({"x_data": np.zeros((5, 30, 30))}, "no centre pixel"),
        (
            {"x_data": np.zeros((5, 31, 31), np.uint8), "y_data": [0] * 5},
            "must be in 16-bit counts",
        ),
        ({"x_data": np.zeros((5, 31, 31), complex)}, "not numbers"),
        ({"x_data": [np.zeros((31, 31)), np.zeros((3, 3))]}, "x_data"),
        ({"x_data": None}, "has no x_data"),
        ({"x_data": os.system}, "refused"),
    ],
)
def test_bad_windows_are_refused(tmp_path, windows, change, words):
    x, y = hidden(windows)
    content = {"x_data": x, "y_data": y} | change
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps({k: v for k, v in content.items() if v is not None}))
    with pytest.raises(InputError, match=words):
        drawn(path)


def test_suffixes_are_told_where_files_were_looked_for_and_not_of_one_file(tmp_path, windows):
    np.savez(tmp_path / "few.npz", x=windows[:, :9, :9])
    with pytest.raises(InputError, match=r"few\.npz; first skipped: x/0000\d: 9x9 pixels"):
        drawn(tmp_path / "few.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty \(looked for \.jpeg, .*\.webp\)$"):
        drawn(tmp_path / "empty")


def test_an_npz_with_pickles_inside_is_refused(tmp_path):
    np.savez(tmp_path / "data.npz", x_data=np.array([os.system, 1], object))
    with pytest.raises(InputError, match="cannot read"):
        drawn(tmp_path / "data.npz")


@pytest.mark.parametrize("damage", ["cut", "flipped", "endless"])
def test_a_damaged_npz_is_an_input_error(tmp_path, windows, damage):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=windows)
    if damage == "cut":
        path.write_bytes(b"PK\x03\x04 and no more")
    elif damage == "flipped":
        content = bytearray(path.read_bytes())
        content[55] ^= 255  # where the compressed array begins
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as file:
            shape = (10**15, 31, 31)
            facts = {"descr": "<u2", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, facts)
    with pytest.raises(InputError, match=r"cannot read .*data\.npz"):
        drawn(path)
