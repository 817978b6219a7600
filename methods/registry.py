"""Finding methods: the modules of this folder, other packages' entry points, and their names."""

import difflib
import importlib
import inspect
import pkgutil
import re
import warnings
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import entry_points
from typing import Any

from inpaintbench.datasets.errors import InputError
from inpaintbench.methods.method import Method

ENTRY_POINTS = "inpaintbench.methods"

# What a report computes from the truth for comparison; no method can do it.
CEILINGS = ("oracle", "constant-oracle")

Parameter = str | int | float | bool


@cache
def method_classes() -> dict[str, type[Method]]:
    """All methods by name: ours in the order of their names, then other packages'.

    What cannot be imported is left out with a warning: one unfinished file in the folder of methods
    keeps nobody from using the others.

    Raises
    ------
    InputError
        If two methods bear one name, or an entry point names no method.
    """
    package = importlib.import_module("inpaintbench.methods")
    found: dict[str, type[Method]] = {}
    for name in sorted(
        m.name for m in pkgutil.iter_modules(package.__path__, "inpaintbench.methods.")
    ):
        module = _loaded(name, partial(importlib.import_module, name))
        for value in vars(module).values() if module else ():
            if _is_method(value) and value.__module__ == name:
                _add(found, value)
    for entry in entry_points(group=ENTRY_POINTS):
        value = _loaded(entry.value, entry.load)
        if value is None:
            continue
        if not _is_method(value):
            raise InputError(f"the entry point {entry.value} is not a concrete Method class")
        _add(found, value)
    return found


def _loaded(name: str, load: Callable[[], Any]) -> Any:
    """Import what holds a method; None, with a warning, where that fails."""
    try:
        return load()
    except (Exception, SystemExit) as error:  # somebody's code may fail in any way whatever
        what = f"{type(error).__name__}: {error}"
        warnings.warn(f"left out the method {name}: {what}", stacklevel=3)
        return None


def _is_method(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Method) and not inspect.isabstract(value)


def _add(found: dict[str, type[Method]], method: type[Method]) -> None:
    for needed in ("name", "family"):
        if not isinstance(getattr(method, needed, None), str):
            where = f"{method.__module__}:{method.__name__}"
            warnings.warn(f"left out the method {where}: it has no {needed}", stacklevel=3)
            return
    if method.name in found:
        modules = f"{found[method.name].__module__} and {method.__module__}"
        raise InputError(f"two methods are named {method.name}: in {modules}")
    found[method.name] = method


def find_method(name: str) -> type[Method]:
    """Look a method up by its name.

    Raises
    ------
    InputError
        If there is none of that name; it suggests the nearest ones.
    """
    if name in CEILINGS:
        raise InputError(
            f"{name} knows the truth: a report shows it as a ceiling, but it cannot restore"
        )
    methods = method_classes()
    if name in methods:
        return methods[name]
    near = difflib.get_close_matches(name, methods, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(methods)}"
    raise InputError(f"unknown method {name!r}: {hint}")


def parse_method(text: str) -> Method:
    """Make a method from its name and parameters as the command line takes them.

    Examples
    --------
    >>> parse_method("telea:radius=5")
    Telea(radius=5.0)

    Raises
    ------
    InputError
        If the method, a parameter or a value is unknown.
    """
    # A value may hold ":" itself, as in device=cuda:1, so only ":" before "word=" parts settings.
    name, *settings = re.split(r":(?=\w+=)", text.strip())
    if ":" in name:
        name, rest = name.split(":", 1)
        raise InputError(
            f"method {text!r}: {rest!r} is not PARAMETER=VALUE; a class of your own is known by "
            "its name once its file is in methods/ or its package has an entry point"
        )
    method = find_method(name)
    defaults = method().parameters
    converted: dict[str, Parameter] = {}
    for setting in settings:
        key, value = setting.split("=", 1)
        if key not in defaults:
            known = ", ".join(defaults) or "none"
            raise InputError(f"method {name} has no parameter {key!r}; it has: {known}")
        try:
            converted[key] = _convert(value, type(defaults[key]))
        except ValueError:
            kind = type(defaults[key]).__name__
            raise InputError(f"method {name}: {key}={value!r} is no {kind}") from None
    try:
        return method(**converted)
    except ValueError as error:
        raise InputError(f"method {name}: {error}") from error


def _convert(value: str, kind: type) -> Parameter:
    if kind is bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if value.lower() not in words:
            raise ValueError
        return words[value.lower()]
    converted: Parameter = kind(value)
    return converted
