"""What a run records of its methods, for those who read it without having them."""

import inspect
import json
import re
from collections.abc import Sequence
from typing import Any

from inpaintbench.methods.method import Method
from inpaintbench.methods.weights import WeightedMethod, read_card


def describe_methods(methods: Sequence[Method]) -> dict[str, dict[str, Any]]:
    """Describe methods by their labels, ready for JSON.

    Each has `name`, `family`, `class` (where it is defined), `documentation` (its docstring,
    without indentation), `parameters` (a list of `name`, `value`, `meaning` and whether the value
    is the `default`), `tasks`, `promises`, and `card`: the model card of its weights, if any.

    Raises
    ------
    InputError
        If a card cannot be read.
    """
    return {method.label: _described(method) for method in methods}


def _described(method: Method) -> dict[str, Any]:
    kind = type(method)
    meanings = _parameter_meanings(kind)
    parameters = [
        {
            "name": name,
            "value": value,
            "default": name not in method.changed_parameters,
            "meaning": meanings.get(name, ""),
        }
        for name, value in method.parameters.items()
    ]
    card = read_card(method.weights_path) if isinstance(method, WeightedMethod) else None
    described = {
        "name": method.name,
        "family": method.family,
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "documentation": _documentation(kind),
        "parameters": parameters,
        "tasks": list(method.tasks),
        "promises": list(method.promises),
        "card": card,
    }
    plain: dict[str, Any] = json.loads(json.dumps(described, default=str))  # a card may hold dates
    return plain


def _documentation(kind: type) -> str:
    text = inspect.cleandoc(kind.__dict__.get("__doc__") or "")
    made_by_dataclass = text.startswith(f"{kind.__name__}(")
    return "" if made_by_dataclass else text


def _parameter_meanings(kind: type) -> dict[str, str]:
    """Collect what the docstrings of a class and its bases say of parameters."""
    meanings: dict[str, str] = {}
    for ancestor in reversed(kind.__mro__):
        section = re.split(r"^Parameters\n-+\n", _documentation(ancestor), flags=re.MULTILINE)
        entry = re.compile(r"^(\w[\w, ]*) : .*\n((?:(?: +.*)?\n?)+)", re.MULTILINE)
        for names, text in entry.findall(section[-1] + "\n") if len(section) > 1 else []:
            meanings |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return meanings
