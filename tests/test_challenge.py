"""The challenge's files: what is read, what is refused, and that nothing in a pickle runs."""

import builtins
import collections
import pickle
import struct
import sys
import tracemalloc
import types

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from inpaintbench.datasets import InputError, make_crop
from inpaintbench.datasets.challenge import (
    predictions_from,
    read_predictions,
    read_testset,
    score,
    write_predictions,
)
from inpaintbench.datasets.pickles import loads


def good_testset(**changes):
    rng = np.random.default_rng(0)
    sizes, centers = [(5, 7), (21, 9)], [(30, 25), (34, 61)]
    shapes = [(70, 93), (93, 100)]
    images = [
        make_crop(rng.integers(1, 256, shape, np.uint8), size, center)[0]
        for shape, size, center in zip(shapes, sizes, centers, strict=True)
    ]
    return {"images": images, "crop_sizes": sizes, "crop_centers": centers} | changes


def write(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(5, dtype=">i4"),
        np.zeros((0, 3), np.float32),
        np.array(7.5),
        np.int64(-3),
        np.float32(2.5),
        np.bool_(True),
        [1, (2.5, "x"), {"k": b"bytes"}, None, True, {3, 4}, frozenset({5}), 1j, bytearray(b"z")],
        collections.OrderedDict(a=np.ones(2)),
    ],
    ids=str,
)
def test_arrays_numbers_and_containers_come_back(value, protocol):
    back = loads(pickle.dumps(value, protocol))
    assert type(back) is (dict if isinstance(value, collections.OrderedDict) else type(value))
    if isinstance(value, np.ndarray):
        assert back.dtype == value.dtype.newbyteorder("=")
        assert back.shape == value.shape
    np.testing.assert_equal(back, value)


class Attack:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("attack", "name"),
    [
        (Attack(builtins.eval, "open('pwned', 'w')"), "builtins.eval"),
        (Attack(builtins.exec, "open('pwned', 'w')"), "builtins.exec"),
        (Attack(builtins.getattr, "", "join"), "builtins.getattr"),
        (Attack(builtins.__import__, "os"), "builtins.__import__"),
        (Attack(np.load, "x"), "numpy.load"),
        (Attack(np.fromfile, "x"), "numpy.fromfile"),
        (Attack(types.SimpleNamespace), "types.SimpleNamespace"),
        (Attack(pickle.loads, b""), "loads"),
        (Attack(np.random.default_rng), "default_rng"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_other_function_is_refused_by_name(attack, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for protocol in range(6):
        spelt = name.replace("builtins", "(builtins|__builtin__)")  # as protocol 2 has it
        with pytest.raises(InputError, match=f"refused .*{spelt}"):
            loads(pickle.dumps(attack, protocol))
    assert not list(tmp_path.iterdir())


def test_os_system_is_refused_however_it_is_spelt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in (b"os", b"posix", b"nt", b"subprocess"):
        with pytest.raises(InputError, match="refused"):
            loads(b"c" + module + b"\nsystem\n(S'touch pwned'\ntR.")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("function", ["_import_module", "_get_attr"])
def test_a_name_that_is_a_tuple_nested_deep_is_refused(function):
    """Its hash alone would overflow the stack, and end the process."""
    deep = b")" + b"\x85" * 1_000_000
    module = b"cdill._dill\n_import_module\nU\x12numpy.core.numeric\x85R"
    arguments = module + deep + b"\x86R" if function == "_get_attr" else deep + b"\x85R"
    with pytest.raises(InputError, match="refused"):
        loads(b"\x80\x04cdill._dill\n" + function.encode() + b"\n" + arguments + b".")


@pytest.fixture
def dill(monkeypatch):
    """What dill and an old numpy would pickle by, to write such files without either."""
    dill, inner = types.ModuleType("dill"), types.ModuleType("dill._dill")

    def _import_module(name):
        return sys.modules[name]

    def _get_attr(module, name):
        return getattr(module, name)

    for function in (_import_module, _get_attr):
        function.__module__ = "dill._dill"
        function.__qualname__ = function.__name__
        setattr(inner, function.__name__, function)
    dill._dill = inner
    monkeypatch.setitem(sys.modules, "dill", dill)
    monkeypatch.setitem(sys.modules, "dill._dill", inner)
    return inner


class ByDill:
    """Pickles as dill's detour to an attribute of a module."""

    def __init__(self, dill, module, name):
        self.call = dill._get_attr, (Attack(dill._import_module, module), name)

    def __reduce__(self):
        return self.call


class DillArray:
    def __init__(self, dill, array):
        reconstruct = ByDill(dill, "numpy.core._multiarray_umath", "_reconstruct")
        self.parts = Applied(reconstruct, (np.ndarray, (0,), b"b")), array.__reduce__()[2]


class Applied:
    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments


class DillPickler(pickle._Pickler):
    """Writes `_get_attr(_import_module("numpy.core..."), "_reconstruct")(...)` for arrays."""

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, DillArray):
            call, state = obj.parts
            self.save(call.function)
            super().save(call.arguments)
            self.write(pickle.REDUCE)
            super().save(state)
            self.write(pickle.BUILD)
        else:
            super().save(obj, save_persistent_id)


def test_a_file_by_dill_and_an_old_numpy_is_read_without_dill(dill, tmp_path, monkeypatch):
    content = good_testset()
    content["images"] = [DillArray(dill, image) for image in content["images"]]
    with (tmp_path / "old.pkl").open("wb") as file:
        DillPickler(file, 3).dump(content)
    raw = (tmp_path / "old.pkl").read_bytes()
    assert b"dill._dill\n_get_attr" in raw
    assert b"numpy.core._multiarray_umath" in raw
    monkeypatch.undo()
    assert "dill._dill" not in sys.modules
    found = read_testset(tmp_path / "old.pkl")
    for observation, image in zip(found, good_testset()["images"], strict=True):
        assert np.array_equal(observation.image, image)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "fromfile"),
        ("sys", "modules"),
    ],
)
def test_dills_detour_leads_nowhere_else(dill, module, name):
    with pytest.raises(InputError, match="refused"):
        loads(pickle.dumps(Attack(dill._get_attr, Attack(dill._import_module, module), name)))


@pytest.mark.parametrize("call", [(bytearray, 10**12), (bytes, 10**12), (np.ndarray, (10**7,) * 2)])
def test_no_call_can_ask_for_memory_that_the_file_does_not_fill(call):
    for protocol in range(6):
        with pytest.raises(InputError):
            loads(pickle.dumps(Attack(*call), protocol))


def test_a_bytearray_takes_what_the_file_holds_and_no_more():
    tracemalloc.start()
    with pytest.raises(InputError, match="not a complete pickle"):
        loads(b"\x80\x05\x96" + struct.pack("<Q", 2**30) + b"abc.")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert loads(pickle.dumps(bytearray(b"abc"), 5)) == bytearray(b"abc")


def test_arrays_of_the_same_bytes_share_them():
    content = pickle.dumps([Attack(np.ndarray, (2**20,), "u1", data := b"x" * 2**20)] * 2)
    one, other = loads(content)
    assert np.shares_memory(one, other)
    assert one.tobytes() == data


def test_an_ordered_dict_is_read_as_a_dict():
    value = collections.OrderedDict(b=np.arange(3), a=[1])
    for protocol in range(6):
        read = loads(pickle.dumps(value, protocol), encoding="latin1")
        assert list(read) == ["b", "a"]
        assert np.array_equal(read["b"], value["b"])


def test_a_refusal_does_not_repeat_an_endless_name():
    with pytest.raises(InputError) as refused:
        loads(b"c" + b"x" * 100_000 + b"\ny\n.")
    assert len(str(refused.value)) < 300


def test_a_list_of_lists_of_lists_is_not_unfolded(tmp_path):
    bomb = []
    for _ in range(40):
        bomb = [bomb] * 10  # 10^40 lists, were they unfolded; a few hundred bytes as a pickle
    unfolded = loads(pickle.dumps(bomb))
    assert unfolded[0] is unfolded[9]
    for key in ("images", "crop_sizes", "crop_centers"):
        with pytest.raises(InputError) as refused:
            read_testset(write(tmp_path / "t.pkl", good_testset(**{key: [bomb, bomb]})))
        assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "name", [b"numpy\nndarray", b"_codecs\nencode", b"dill._dill\n_get_attr", b"builtins\nset"]
)
def test_the_file_cannot_change_our_functions(name):
    before = loads(pickle.dumps(np.arange(3)))
    with pytest.raises(InputError):
        loads(b"c" + name + b"\n(N}S'__defaults__'\n(I1\nI2\nI3\ntstb.")
    with pytest.raises(InputError):
        loads(b"c" + name + b"\n(N}S'function'\nNstb.")
    assert np.array_equal(loads(pickle.dumps(np.arange(3))), before)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04})" + b"\x85" * 500_000 + b"Ns.",
        b"\x80\x04}()" + b"\x85" * 500_000 + b"Nu.",
        b"\x80\x04()" + b"\x85" * 500_000 + b"Nd.",
        b"\x80\x04\x8f()" + b"\x85" * 500_000 + b"\x90.",
        b"\x80\x04()" + b"\x85" * 500_000 + b"\x91.",
        b"c__builtin__\nset\n(]()" + b"\x85" * 500_000 + b"etR.",
        b"ccollections\nOrderedDict\n(](]()" + b"\x85" * 500_000 + b"NeetR.",
    ],
    ids=[
        "dict key",
        "dict keys",
        "whole dict",
        "set member",
        "frozenset member",
        "set call",
        "OrderedDict call",
    ],
)
def test_a_deep_tuple_does_not_overflow_the_stack(content):
    with pytest.raises(InputError, match="refused"):
        loads(content)


def test_dills_getattr_works_on_nothing_but_allowed_modules(dill):
    with pytest.raises(InputError, match="refused"):
        loads(pickle.dumps(Attack(dill._get_attr, "text", "join")))


@pytest.mark.parametrize("value", [np.array([object()]), np.array(["text"]), np.array([None, 1])])
def test_arrays_of_anything_but_numbers_are_refused(value):
    with pytest.raises(InputError):
        loads(pickle.dumps(value))


@given(st.binary(max_size=200))
def test_random_bytes_are_an_input_error_or_plain_data(data):
    try:
        value = loads(data)
    except InputError:
        return
    plain = int | float | complex | str | bytes | bytearray | list | tuple | dict | set | frozenset
    assert value is None or isinstance(value, plain)


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_test_set_is_an_input_error_or_still_plain_data(place, value):
    data = bytearray(pickle.dumps(good_testset(), 4))
    data[place % len(data)] = value
    try:
        loads(bytes(data))
    except InputError as error:
        assert "\n" not in str(error)


def test_every_truncation_of_a_test_set_is_an_input_error():
    data = pickle.dumps({"images": [np.zeros((3, 4), np.uint8)], "crop_sizes": [(5, 5)]}, 4)
    for end in range(len(data)):
        with pytest.raises(InputError):
            loads(data[:end])


def test_an_array_with_the_wrong_number_of_bytes_is_refused():
    data = pickle.dumps(np.zeros((30, 40), np.uint8), 4)
    with pytest.raises(InputError, match="shape"):
        loads(data.replace(b"K\x1eK(\x86", b"K\x1fK(\x86"))


def test_a_good_test_set_is_read(tmp_path):
    content = good_testset()
    for observation, image, size, center in zip(
        read_testset(write(tmp_path / "t.pkl", content)), *content.values(), strict=True
    ):
        assert np.array_equal(observation.image, image)
        rows, columns = observation.hidden_box
        assert (rows.stop - rows.start, columns.stop - columns.start) == size
        assert ((rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2) == center
        assert observation.mask.sum() == size[0] * size[1]


def test_numpy_integers_and_arrays_serve_as_sizes(tmp_path):
    content = good_testset(crop_sizes=np.array([(5, 7), (21, 9)]))
    content["crop_centers"] = [tuple(np.int64(v) for v in c) for c in content["crop_centers"]]
    assert len(read_testset(write(tmp_path / "t.pkl", content))) == 2


first, second = good_testset()["images"]
BAD_TESTSETS = {
    "not a dict": ([1, 2], "a list, not a dict"),
    "no crop_sizes": (
        {k: v for k, v in good_testset().items() if k != "crop_sizes"},
        "no crop_sizes",
    ),
    "lengths": (good_testset(crop_centers=[(30, 25)]), "2 images, 2 crop_sizes, 1 crop_centers"),
    "empty": ({"images": [], "crop_sizes": [], "crop_centers": []}, "holds no images"),
    "sizes a number": (good_testset(crop_sizes=np.array(5)), "crop_sizes is a ndarray"),
    "small integers": (
        good_testset(crop_centers=np.array([(3, 25), (34, 61)], np.uint8)),
        "index 0: .*20 pixels or more",
    ),
    "images no list": (good_testset(images=5), "images is a int"),
    "float image": (good_testset(images=[first, second / 255]), "index 1: the image is float64"),
    "image no array": (good_testset(images=[[[0]], second]), "index 0: the image is list"),
    "colour image": (
        good_testset(images=[first, np.zeros((90, 90, 3), np.uint8)]),
        "index 1: .*2-D",
    ),
    "even crop": (good_testset(crop_sizes=[(5, 7), (20, 9)]), "index 1: .*odd"),
    "three sizes": (good_testset(crop_sizes=[(5, 7, 9), (21, 9)]), "index 0: .*exactly 2"),
    "float size": (good_testset(crop_sizes=[(5.0, 7), (21, 9)]), "index 0: the crop size"),
    "text centre": (good_testset(crop_centers=["ab", (34, 61)]), "index 0: the crop centre"),
    "near border": (
        good_testset(crop_centers=[(21, 25), (34, 61)]),
        "index 0: .*20 pixels or more",
    ),
    "endless centre": (
        good_testset(crop_centers=[(30, 25), (34, 10**400)]),
        "index 1: crop_center holds a number that is larger than any image",
    ),
    "not zero": (good_testset(crop_centers=[(30, 25), (35, 61)]), "index 1: .*not 0 everywhere"),
}


@pytest.mark.parametrize(("content", "words"), BAD_TESTSETS.values(), ids=BAD_TESTSETS)
def test_a_bad_test_set_is_refused_with_the_first_offender(content, words, tmp_path):
    with pytest.raises(InputError, match=words):
        read_testset(write(tmp_path / "t.pkl", content))


def test_predictions_are_read_by_any_numpy_and_by_us(tmp_path):
    predictions = [np.arange(35, dtype=np.uint8).reshape(5, 7), np.full((21, 9), 255, np.uint8)]
    path = tmp_path / "p.pkl"
    write_predictions(path, [predictions[0][:, ::1], np.asfortranarray(predictions[1])])
    for back in (read_predictions(path), pickle.loads(path.read_bytes())):
        assert type(back) is list
        for ours, theirs in zip(back, predictions, strict=True):
            assert type(ours) is np.ndarray
            assert ours.dtype == np.uint8
            assert np.array_equal(ours, theirs)
    assert b"_core" not in path.read_bytes()  # which numpy 1 could not import


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (({}), "a dict, not a list"),
        ((np.zeros((5, 5), np.uint8),), "a tuple, not a list"),
        ([np.zeros((5, 5), np.uint8), [[1]]], "index 1: is a list"),
        ([np.zeros((5, 5), np.uint8), np.zeros((5, 5))], "index 1: has dtype float64"),
        ([np.zeros((5, 5), np.int8)], "index 0: has dtype int8"),
        (
            [np.zeros((5, 5, 3), np.uint8)],
            r"index 0: .*, not \(h, w\) or \(n,\)$",
        ),
        ([np.zeros((5, 5), np.uint8), np.zeros(25, np.uint8)], r"index 1: .*, not \(h, w\)$"),
        ([np.zeros(25, np.uint8), np.zeros((5, 5), np.uint8)], r"index 1: .*, not \(n,\)$"),
        ([np.zeros((0, 5), np.uint8)], "index 0: has shape"),
    ],
)
def test_bad_predictions_are_refused_with_the_first_offender(content, words, tmp_path):
    with pytest.raises(InputError, match=words):
        read_predictions(write(tmp_path / "p.pkl", content))


def test_score_is_the_mean_over_samples_not_over_pixels():
    predictions = [np.zeros((5, 5), np.uint8), np.zeros((21, 21), np.uint8)]
    targets = [np.full((5, 5), 10, np.uint8), np.full((21, 21), 200, np.uint8)]
    assert score(predictions, targets) == (100 + 40000) / 2


def test_score_does_not_wrap_around_in_uint8():
    assert score([np.array([[0]], np.uint8)], [np.array([[255]], np.uint8)]) == 65025


@pytest.mark.parametrize(
    ("predictions", "targets", "words"),
    [([], [], "no predictions"), ([(5, 5)], [(5, 5)] * 2, "1 predictions for 2"),
     ([(5, 5), (5, 7)], [(5, 5), (7, 5)], "index 1")],
)  # fmt: skip
def test_score_refuses_what_does_not_match(predictions, targets, words):
    arrays = [[np.zeros(shape, np.uint8) for shape in shapes] for shapes in (predictions, targets)]
    with pytest.raises(InputError, match=words):
        score(*arrays)


def test_predictions_are_cut_where_the_crop_is(tmp_path):
    content = good_testset()
    observations = read_testset(write(tmp_path / "t.pkl", content))
    pictures = [np.arange(o.image.size).reshape(o.image.shape) for o in observations]
    for crop, picture, size, center in zip(
        predictions_from(pictures, observations),
        pictures,
        content["crop_sizes"],
        content["crop_centers"],
        strict=True,
    ):
        assert np.array_equal(crop, make_crop(picture, size, center)[2])


def test_predictions_keep_their_order_of_pixels_however_they_lie_in_memory(tmp_path):
    picture = np.arange(9 * 12, dtype=np.uint8).reshape(9, 12)
    views = [np.asfortranarray(picture), picture.T, picture[1:8:2, ::-1], picture[:, 3:4]]
    write_predictions(tmp_path / "p.pkl", views)
    for found, view in zip(read_predictions(tmp_path / "p.pkl"), views, strict=True):
        assert found.tolist() == view.tolist()


def test_a_failing_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "p.pkl"
    path.write_bytes(b"old")
    with pytest.raises(AttributeError):
        write_predictions(path, [lambda: None])
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["p.pkl"]
