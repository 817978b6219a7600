"""Every method keeps the contract; and the contract notices when one does not."""

import os

import numpy as np
import pytest

from inpaintbench.benchmarks.check import CHECKS, load_class, run_checks
from inpaintbench.datasets import InputError
from inpaintbench.methods import Method, find_method, method_classes, parse_method

READY = [name for name, method in method_classes().items() if not method.needs_file]


@pytest.mark.parametrize("name", READY)
def test_every_method_keeps_the_contract(name):
    outcomes = dict(run_checks(find_method(name)))
    assert len(outcomes) == len(CHECKS)
    assert {check: problem for check, problem in outcomes.items() if problem} == {}


class Good(Method):
    name = "good"
    family = "test"
    level: float = 0.0

    def restore(self, observation):
        known = observation.image[~observation.mask]
        return np.where(
            observation.mask if observation.image.ndim == 2 else observation.mask[..., None],
            known.mean() if known.size else 128.0,
            observation.image,
        )


def broken(restore=None, **attributes):
    """A method that is good but for what is given."""
    functions = {"restore": restore} if restore else {}
    return type("Broken", (Good,), {"name": "broken", **functions, **attributes})


def modifies(self, observation):
    observation.image[observation.mask] = 7
    return Good().restore(observation)


BROKEN = {
    "name": (broken(name="Not A Name"), "lower-case words"),
    "task": (broken(tasks=("unknown",)), "set tasks"),
    "list": (broken(lambda self, o: o.image.tolist()), "return a numpy array"),
    "shape": (broken(lambda self, o: Good().restore(o)[1:]), "return shape"),
    "nan": (broken(lambda self, o: Good().restore(o) * np.nan), "finite"),
    "scale": (broken(lambda self, o: Good().restore(o) / 255), "restore a flat 200"),
    "range": (broken(lambda self, o: Good().restore(o) + 1000), "picture's own range"),
    "input": (broken(modifies), "copy the image"),
    "random": (broken(lambda self, o: Good().restore(o) * os.urandom(1)[0]), "deterministic"),
    "peeks": (broken(lambda self, o: np.full(o.image.shape, o.image.mean())), "hidden pixels"),
    "batch": (broken(restore_batch=lambda self, os: [o.image for o in os]), "restore_batch equal"),
    "predictions": (
        broken(predict_batch=lambda self, os: [o.image[o.mask] for o in os]),
        "predict_batch equal",
    ),
    "prediction shape": (
        broken(predict_batch=lambda self, os: self.restore_batch(os)),
        "picture[mask] from predict_batch",
    ),
    "expected errors": (
        broken(expected_errors=lambda self, os: [o.image[o.mask][1:] for o in os]),
        "from expected_errors",
    ),
    "expected sign": (
        broken(expected_errors=lambda self, os: [o.image[o.mask] - 1.0 for o in os]),
        "return squared errors",
    ),
    "expected number": (
        broken(expected_errors=lambda self, os: []),
        "one array per observation from expected_errors",
    ),
    "colour": (broken(lambda self, o: np.full(o.mask.shape, 9.0)), "return shape"),
    "raises": (broken(lambda self, o: 1 / 0), "ZeroDivisionError"),
}


@pytest.mark.parametrize(("method", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_method_is_told_what_to_change(method, words):
    problems = [problem for _, problem in run_checks(method)]
    assert any(words in problem for problem in problems), problems


def test_a_good_method_passes():
    assert [problem for _, problem in run_checks(Good) if problem] == []


def test_a_method_of_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from inpaintbench.methods import Method\n"
        "class Grey(Method):\n"
        "    name, family = 'grey', 'constant'\n"
        "    def restore(self, observation):\n"
        "        return observation.image\n"
    )
    monkeypatch.chdir(tmp_path)
    assert load_class("mine:Grey").name == "grey"


@pytest.mark.parametrize(
    "name", ["nowhere:X", "inpaintbench.methods.mean:Nope", "os:path", "mean", "a:size=1"]
)
def test_what_is_no_method_class_is_an_input_error(name):
    with pytest.raises(InputError):
        load_class(name)


def test_a_typo_is_answered_with_the_nearest_name():
    with pytest.raises(InputError, match="did you mean telea"):
        find_method("tela")
    with pytest.raises(
        InputError, match="there are adaptive-median, affine-upscaler, amle, back-projection"
    ):
        find_method("zzz")


def test_parameters_are_read_converted_and_shown():
    method = parse_method("telea:radius=5")
    assert method.parameters == {"radius": 5.0}
    assert method.label == "telea:radius=5.0"
    assert repr(method) == "Telea(radius=5.0)"
    assert parse_method(method.label).parameters == method.parameters
    assert parse_method("telea").label == "telea"
    assert parse_method("cnn:device=cuda:1:symmetries=no").parameters["device"] == "cuda:1"
    assert parse_method("cnn:symmetries=false").parameters["symmetries"] is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("telea:radius", "PARAMETER=VALUE"),
        ("telea:size=3", "no parameter 'size'; it has: radius"),
        ("mean:size=3", "it has: none"),
        ("telea:radius=big", "no float"),
        ("telea:radius=nan", "radius must be over 0"),
        ("navier-stokes:radius=-5", "radius must be over 0"),
        ("cnn:symmetries=perhaps", "no bool"),
        ("patchmatch:patch=4", "patch must be odd"),
        ("cnn:size=tiny", "^method cnn: size must be one of large, small, not 'tiny'$"),
    ],
)
def test_bad_parameters_are_input_errors(text, words):
    with pytest.raises(InputError, match=words):
        parse_method(text)
