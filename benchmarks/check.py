"""The contract that every method must keep; `inpaintbench check MODULE:CLASS` runs it.

Each check is a function of a method class that raises `ContractBroken` with what to change.
"""

import importlib
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import lru_cache
from typing import Any

import numpy as np

from inpaintbench.benchmarks.suite import TASKS
from inpaintbench.datasets.cases import UPSCALE, Array, Mask, Observation, hide
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.images import BUNDLED_NAME, read_photograph
from inpaintbench.methods.method import CLOSE, Method, highest_value

# Pictures that several checks look at, as `_observation` makes them.
GREY: dict[str, Any] = {"height": 66, "width": 73, "hole": (28, 33, 31, 38)}
WIDE: dict[str, Any] = {"height": 60, "width": 81, "hole": (22, 27, 30, 51)}
HIGH: dict[str, Any] = {"height": 79, "width": 58, "hole": (25, 31, 25, 31)}
COLOUR = WIDE | {"colour": True}
DEEP = HIGH | {"deep": True}


class ContractBroken(AssertionError):
    """The method breaks the contract; the message says what to change."""


def load_class(name: str) -> type[Method]:
    """Import a method class from "package.module:Class", also from the current folder.

    Raises
    ------
    InputError
        If there is no such module or class, or it is no Method.
    """
    module_name, _, class_name = name.partition(":")
    if "=" in class_name:
        raise InputError(f"{name} has parameters; check takes MODULE:CLASS, or a name alone")
    sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the user's module may fail in any way whatever
        hint = "; write package.module:Class, no path" if "/" in name or ".py" in name else ""
        raise InputError(f"cannot import {module_name!r}: {error}{hint}") from error
    finally:
        sys.path.remove("")
    found = getattr(module, class_name, None)
    if not isinstance(found, type) or not issubclass(found, Method):
        raise InputError(f"{module_name} has no Method class {class_name!r}; use MODULE:CLASS")
    return found


def run_checks(method: type[Method]) -> Iterator[tuple[str, str]]:
    """Run every check: yield its description, and what to change (empty where it holds)."""
    for check in CHECKS:
        try:
            check(method)
        except ContractBroken as error:
            yield str(check.__doc__), str(error)
        except (Exception, SystemExit) as error:  # a method may fail in any way whatever
            yield str(check.__doc__), f"raised {type(error).__name__}: {error}"
        else:
            yield str(check.__doc__), ""


def _photograph(height: int, width: int, colour: bool = False, deep: bool = False) -> Array:
    photograph = read_photograph(BUNDLED_NAME, "astronaut", 1, colour=True)
    source = photograph.pixels[20 : 20 + height, 180 : 180 + width]
    pixels = source if colour else source[..., 1]
    return pixels.astype(np.uint16) * 257 if deep else pixels


def _observation(
    method: type[Method],
    height: int,
    width: int,
    hole: tuple[int, int, int, int],
    colour: bool = False,
    deep: bool = False,
) -> Observation:
    """Make what the method takes: a picture with a hole, or one that is wanted as a whole.

    The hole is given by its first and end row, and its first and end column.
    """
    image = _photograph(height, width, colour, deep)
    if method.fills_holes():
        mask = np.zeros((height, width), bool)
        mask[hole[0] : hole[1], hole[2] : hole[3]] = True
        return Observation(hide(image, mask), mask)
    times = 2 if set(method.tasks) <= set(UPSCALE) else 1
    return Observation(image.copy(), np.ones((height * times, width * times), bool))


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise ContractBroken(message)


def _restored(method: Method, observation: Observation) -> Array:
    """Restore, and check all that must be true of any answer."""
    return _sound(method.restore(observation), observation)


def _sound(restored: Array, observation: Observation) -> Array:
    """Check all that must be true of any answer, and give it back."""
    shape, highest = observation.answer_shape, highest_value(observation)
    _need(isinstance(restored, np.ndarray), f"return a numpy array, not {type(restored).__name__}")
    _need(restored.shape == shape, f"return shape {shape}, not {restored.shape}")
    _need(restored.dtype.kind in "uif", f"return integers or floats, not {restored.dtype}")
    _need(bool(np.isfinite(restored).all()), "return finite values: there are NaN or infinite ones")
    low, high = float(restored.min()), float(restored.max())
    inside = low >= -CLOSE * highest and high <= (1 + CLOSE) * highest
    _need(inside, f"return the picture's own range, 0..{highest}, not {low:g}..{high:g}")
    return restored


@lru_cache(maxsize=8)
def _answer(method: type[Method], **picture: Any) -> Array:
    """Restore a picture in a fresh object: once, however many checks look at the answer."""
    return deepcopy(method().restore(_observation(method, **picture)))


def check_declaration(method: type[Method]) -> None:
    """Name, family and tasks are declared."""
    name, family = getattr(method, "name", ""), getattr(method, "family", "")
    well_formed = bool(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name))
    _need(well_formed, f"set name to lower-case words joined by '-', not {name!r}")
    _need(isinstance(family, str) and bool(family), "set family, such as 'diffusion'")
    unknown = set(method.tasks) - set(TASKS)
    _need(bool(method.tasks) and not unknown, f"set tasks to some of {', '.join(TASKS)}")


def check_parameters(method: type[Method]) -> None:
    """Parameters have plain values, are printed, and survive being sent to a worker."""
    made = method()
    for key, value in made.parameters.items():
        plain = isinstance(value, str | int | float | bool)
        _need(plain, f"make the parameter {key} a str, int, float or bool")
    copy = pickle.loads(pickle.dumps(made))  # our own object, made a line above
    _need(copy.parameters == made.parameters, "keep the parameters when pickled")
    _need(method.__name__ in repr(made), "leave __repr__ to Method")


def check_grey(method: type[Method]) -> None:
    """A greyscale picture comes back in shape, dtype and range."""
    _sound(_answer(method, **GREY), _observation(method, **GREY))


def check_colour(method: type[Method]) -> None:
    """A colour picture comes back as (H, W, 3)."""
    _sound(_answer(method, **COLOUR), _observation(method, **COLOUR))


def check_sixteen_bits(method: type[Method]) -> None:
    """A 16-bit picture is restored in its own range, 0..65535."""
    observation = _observation(method, **DEEP)
    restored = _sound(_answer(method, **DEEP), observation)
    shallow = _answer(method, **HIGH)
    distance = np.abs(restored / 257 - shallow)[observation.mask].mean()
    _need(bool(distance < 10), "restore 16 bits like 8 bits, scaled: do not convert silently")


def check_sizes(method: type[Method]) -> None:
    """Odd and even sides, small and large, are restored."""
    for height, width in ((45, 46), (70, 93), (101, 64), (200, 131)):
        _restored(method(), _observation(method, height, width, (20, 31, 21, 36)))


def check_tiny(method: type[Method]) -> None:
    """A picture smaller than any patch is restored, or its hole filled somehow."""
    for height, width in ((1, 1), (1, 2), (2, 3), (5, 4), (9, 6)):
        hole = (0, max(height // 2, 1), 0, max(width // 2, 1))
        _restored(method(), _observation(method, height, width, hole))


def check_border(method: type[Method]) -> None:
    """A hole that touches the border, or lies in the corner, is restored."""
    if not method.fills_holes():
        return
    for hole in ((0, 6, 30, 38), (61, 66, 66, 73)):
        _restored(method(), _observation(method, **GREY | {"hole": hole}))


def check_several_holes(method: type[Method]) -> None:
    """Several holes, also single pixels and lines, are restored."""
    if not method.fills_holes():
        return
    observation = _observation(method, 45, 65, (18, 23, 23, 30))
    mask = observation.mask.copy()
    mask[8, 10] = mask[38, 5:60] = True
    mask[27:35, 40:48] = np.eye(8, dtype=bool)
    _restored(method(), Observation(np.where(mask, 0, observation.image).astype(np.uint8), mask))


def check_no_hole(method: type[Method]) -> None:
    """A picture without a hole comes back unchanged."""
    if not method.fills_holes():
        return
    image = _photograph(66, 73)
    restored = _restored(method(), Observation(image, np.zeros(image.shape, bool)))
    _need(bool(np.abs(restored - image.astype(float)).max() < 1), "leave a picture without a hole")


def check_all_hidden(method: type[Method]) -> None:
    """A picture with everything hidden gives some answer."""
    if not method.fills_holes():
        return
    _restored(method(), Observation(np.zeros((66, 73), np.uint8), np.ones((66, 73), bool)))


def check_flat(method: type[Method]) -> None:
    """A flat picture is restored flat."""
    if not method.fills_holes():
        return  # low light is not restored to itself
    mask = _observation(method, **GREY).mask
    image = np.where(mask, 0, 200).astype(np.uint8)
    restored = _restored(method(), Observation(image, mask))[mask].astype(float)
    flat = bool(np.abs(restored - 200).max() < 25)
    got = f"{restored.min():g}..{restored.max():g}"
    _need(flat, f"restore a flat 200 to about 200, not {got}: are hidden zeros kept out?")


def check_hidden_unseen(method: type[Method]) -> None:
    """What stands in the hidden pixels changes nothing."""
    if not method.fills_holes():
        return
    observation = _observation(method, **GREY)
    other = observation.image.copy()
    other[observation.mask] = 255
    restored = method().restore(Observation(other, observation.mask))
    _need(
        _close(_answer(method, **GREY), restored, observation.mask, 255),
        "do not use the values of hidden pixels",
    )


def check_inputs_kept(method: type[Method]) -> None:
    """Image and mask are not modified."""
    observation = _observation(method, **GREY)
    image, mask = observation.image.copy(), observation.mask.copy()
    method().restore(observation)
    _need(np.array_equal(image, observation.image), "copy the image before changing it")
    _need(np.array_equal(mask, observation.mask), "copy the mask before changing it")


def check_repeatable(method: type[Method]) -> None:
    """The same observation gives the same answer, in the same and in a fresh object."""
    observation, made = _observation(method, **GREY), method()
    answers = [made.restore(observation), made.restore(observation)]
    same = all(np.array_equal(_answer(method, **GREY), answer) for answer in answers)
    _need(same, "make it deterministic: take random numbers from a generator seeded by a field")


def check_batch(method: type[Method]) -> None:
    """restore_batch gives what restore gives, for pictures of different sizes."""
    several = [_observation(method, **picture) for picture in (GREY, WIDE, HIGH)]
    batch = method().restore_batch(several)
    _need(len(batch) == len(several), "return one picture per observation from restore_batch")
    for picture, observation, restored in zip((GREY, WIDE, HIGH), several, batch, strict=True):
        alone = _answer(method, **picture)
        _need(_close(restored, alone, observation.mask, 255), "make restore_batch equal to restore")


def check_predictions(method: type[Method]) -> None:
    """predict_batch gives the hidden pixels of what restore gives, grey and colour."""
    several = [_observation(method, **picture) for picture in (GREY, COLOUR, DEEP)]
    predictions = method().predict_batch(several)
    _need(len(predictions) == len(several), "return one array per observation from predict_batch")
    pictures = zip((GREY, COLOUR, DEEP), several, predictions, strict=True)
    for picture, observation, prediction in pictures:
        expected = _answer(method, **picture)[observation.mask]
        _need(prediction.shape == expected.shape, "return picture[mask] from predict_batch")
        far = np.abs(prediction - expected.astype(np.float64)).max() / highest_value(observation)
        _need(bool(far <= CLOSE), "make predict_batch equal to restore in the hidden pixels")


def check_expected_errors(method: type[Method]) -> None:
    """The errors that a method expects, if it can tell, are one of 0 or more per hidden pixel."""
    several = [_observation(method, **picture) for picture in (GREY, COLOUR, DEEP)]
    errors = method().expected_errors(several)
    if errors is None:
        return
    _need(len(errors) == len(several), "return one array per observation from expected_errors")
    for observation, error in zip(several, errors, strict=True):
        shape = (int(np.count_nonzero(observation.mask)), *observation.image.shape[2:])
        _need(error.shape == shape, f"return {shape}, as image[mask], from expected_errors")
        _need(not (error < 0).any(), "return squared errors, or NaN, from expected_errors")
        _need(not np.isinf(error).any(), "return finite errors, or NaN, from expected_errors")


# What is done to a picture, and to its restoration in turn. Values stay in 0..255 and whole.
SYMMETRIES: dict[str, Callable[[Array], Array]] = {
    "shift": lambda pixels: pixels + 70,
    "contrast": lambda pixels: pixels * 2,
    "flip": lambda pixels: pixels[::-1],
    "transpose": lambda pixels: pixels.swapaxes(0, 1),
}


def check_promises(method: type[Method]) -> None:
    """The promised symmetries hold: shift, contrast, flip, transpose."""
    unknown = set(method.promises) - set(SYMMETRIES)
    _need(not unknown, f"set promises to some of {', '.join(SYMMETRIES)}")
    observation = _observation(method, **GREY)
    soft = observation.image // 3 + 20  # leaves room for what follows
    observation = _hidden(soft, observation.mask)
    restored = method().restore(observation) if method.promises else soft
    for promise in method.promises:
        broken = symmetry_error(method(), observation, restored, promise)
        _need(broken <= CLOSE * 255, f"do not promise {promise}, or keep it: off by {broken:.3g}")


def symmetry_error(
    method: Method, observation: Observation, restored: Array, promise: str
) -> float:
    """By how many grey levels the answer to a changed picture differs from the changed answer.

    `restored` is the answer to the picture as it is.
    """
    change = SYMMETRIES[promise]
    moves = promise in ("flip", "transpose")
    mask = np.ascontiguousarray(change(observation.mask)) if moves else observation.mask
    image = change(observation.image.astype(np.int64)).astype(np.uint8)
    expected = change(restored.astype(np.float64))
    found = method.restore(_hidden(np.ascontiguousarray(image), mask))
    return float(np.abs(found - expected)[mask].max(initial=0.0))


def _hidden(image: Array, mask: Mask) -> Observation:
    """Hide pixels of an image, unless all of a picture is asked for."""
    return Observation(image if mask.all() else hide(image, mask), mask)


def _close(first: Array, second: Array, mask: Mask, highest: int) -> bool:
    difference = np.abs(first.astype(np.float64) - second.astype(np.float64))[mask]
    return bool(difference.max() <= CLOSE * highest)


CHECKS: tuple[Callable[[type[Method]], None], ...] = tuple(
    value for name, value in list(globals().items()) if name.startswith("check_")
)
