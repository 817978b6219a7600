"""Finding methods: the modules of this folder, other packages' entry points, and their names."""

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from inpaintbench.datasets.errors import InputError
from inpaintbench.methods.method import Method

ENTRY_POINTS = "inpaintbench.methods"

Parameter = str | int | float | bool


@cache
def method_classes() -> dict[str, type[Method]]:
    """All methods by name: ours in the order of their names, then other packages'.

    Raises
    ------
    InputError
        If two methods bear one name, or an entry point cannot be loaded.
    """
    package = importlib.import_module("inpaintbench.methods")
    found: dict[str, type[Method]] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        for value in vars(importlib.import_module(f"inpaintbench.methods.{module}")).values():
            if _is_method(value) and value.__module__ == f"inpaintbench.methods.{module}":
                _add(found, value)
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            value = entry.load()
        except Exception as error:  # a plug-in may fail in any way whatever
            raise InputError(f"cannot load the method {entry.value}: {error}") from error
        if not _is_method(value):
            raise InputError(f"the entry point {entry.value} is not a concrete Method class")
        _add(found, value)
    return found


def _is_method(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Method) and not inspect.isabstract(value)


def _add(found: dict[str, type[Method]], method: type[Method]) -> None:
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
    name, *settings = text.strip().split(":")
    for setting in settings:
        if "=" not in setting:
            raise InputError(f"method {text!r}: {setting!r} is not PARAMETER=VALUE")
    return make_method(name, dict(setting.split("=", 1) for setting in settings))


def make_method(name: str, parameters: Mapping[str, Parameter]) -> Method:
    """Make a method from its name and parameters, with values converted to each field's type.

    Raises
    ------
    InputError
        If the method, a parameter or a value is unknown.
    """
    method = find_method(name)
    defaults = method().parameters
    converted: dict[str, Parameter] = {}
    for key, value in parameters.items():
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


def _convert(value: Parameter, kind: type) -> Parameter:
    if kind is bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if str(value).lower() not in words:
            raise ValueError
        return words[str(value).lower()]
    made: Parameter = kind(value)
    return made
