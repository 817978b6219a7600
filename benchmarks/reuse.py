"""What a score depends on: by this a run knows which finished blocks it may take over.

A key holds the source of the method and of everything that it imports of its own package, of ours
and of no installed one, its parameters, its weights, the versions of the libraries that it imports,
and Python's.
"""

import ast
import hashlib
import importlib
import importlib.util
import json
import platform
import sys
from collections.abc import Iterator
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from pathlib import Path

from inpaintbench.benchmarks.suite import Suite
from inpaintbench.methods.method import Method

OURS = "inpaintbench"
ROOMS = ("benchmarks", "datasets", "methods")
DESCRIBED_BY = ("inpaintbench.benchmarks.content", "inpaintbench.benchmarks.scoring")
SCORED_BY = ("inpaintbench.benchmarks.scoring", "inpaintbench.benchmarks.answers")

Key = dict[str, str]  # what it depends on, and its state


def method_key(method: Method, suite: Suite) -> Key:
    """Say all that a method's restorations and their scores depend on, besides the cases."""
    key = _code_key(*modules_of(method), *SCORED_BY)
    key["parameters"] = method.params_json
    key["weights"] = method.weights_sha256()
    key["python"] = platform.python_version()
    key["scores"] = f"{' '.join(suite.columns)} in 0..{suite.task_module().LEVELS}"
    return key


def task_key(module: str) -> Key:
    """Say all that a task's cases depend on, besides the suite and the photographs' files."""
    return _code_key(module, *DESCRIBED_BY)


def _code_key(*modules: str) -> Key:
    """Source of modules and of all that they import of ours, and their libraries' versions."""
    sources = sorted(imported_sources(*modules))
    key = {f"module {name}": _digest(_source(name)) for name in sources}
    return key | {f"library {name}": found for name, found in _versions(sources).items()}


def key_digest(key: Key, *more: str) -> str:
    """Make one hash of a key, and of what more the block depends on."""
    return _digest(json.dumps([sorted(key.items()), more]))


def why_redone(old: Key, new: Key) -> str:
    """Say what changed between two keys; "" if nothing did."""
    gone = [f"{name} is no longer used" for name in old if name not in new]
    added = [f"{name} is used now" for name in new if name not in old]
    changed = [
        f"{name} was {old[name]}, is {new[name]}"
        if name.split()[0] in ("library", "python", "parameters", "scores")
        else f"{name} changed"
        for name in new
        if name in old and old[name] != new[name]
    ]
    return ", ".join(changed + added + gone)


def libraries_of(method: Method) -> set[str]:
    """Find the libraries that a method's own source and ours under it import, as import names."""
    return {name for module in imported_sources(*modules_of(method)) for name in _foreign(module)}


def modules_of(method: Method) -> list[str]:
    """Name the modules of a method's class, and of its members' if it is made of several."""
    return [type(m).__module__ for m in (method, *getattr(method, "members", ()))]


@cache
def imported_sources(*modules: str) -> frozenset[str]:
    """Find the modules that some import, directly or not, in a function or not; with themselves.

    Only those of inpaintbench, of the modules' own packages, and those that belong to no installed
    package nor to Python: they have no version, and may lie beside the user's own method.
    """
    packages = {OURS, *(name.split(".")[0] for name in modules)}
    versioned = (sys.stdlib_module_names | _distributions().keys()) - packages
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or not _source(name):
            continue
        found.add(name)
        waiting += [n for n in _imports(name) if n.split(".")[0] not in versioned]
    return frozenset(found)


@cache
def _spec(module: str) -> ModuleSpec | None:
    """Find a module without importing anything but the packages that it lies in."""
    package = module.rpartition(".")[0]
    if package:
        above = _spec(package)
        if above is None or above.submodule_search_locations is None:
            return None
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None


@cache
def _source(module: str) -> str:
    """Read a module's source; "" for what is no module, or has none."""
    spec = _spec(module)
    try:
        return Path(spec.origin or "").read_text(encoding="utf-8") if spec else ""
    except (OSError, UnicodeDecodeError):
        return ""


@cache
def _imports(module: str) -> frozenset[str]:
    """Find what a module's source imports; a name taken from a package may be a module, too."""
    try:
        return frozenset(_found_imports(ast.parse(_source(module)), module))
    except (SyntaxError, ValueError):  # one that cannot be imported need not be: perhaps in a `try`
        return frozenset()


def _found_imports(tree: ast.AST, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*module.split(".")[: -node.level], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _foreign(module: str) -> set[str]:
    """Top-level names of the libraries that a module's source imports."""
    tops = {name.split(".")[0] for name in _imports(module)}
    own = module.split(".", maxsplit=1)[0]
    return tops - {"", OURS, own} - sys.stdlib_module_names


def _versions(modules: list[str]) -> dict[str, str]:
    """Versions of the installed packages that modules import, by the package's name."""
    packages = _distributions()
    names = {top for module in modules for top in _foreign(module)}
    return {package: version(package) for n in sorted(names) for package in packages.get(n, ())}


@cache
def _distributions() -> dict[str, tuple[str, ...]]:
    """Which installed packages an import name belongs to."""
    return {name: tuple(sorted(set(found))) for name, found in packages_distributions().items()}


def source_digest() -> str:
    """Make one hash of all source of this copy of inpaintbench."""
    folders = [Path(importlib.import_module(f"{OURS}.{room}").__path__[0]) for room in ROOMS]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    return _digest("".join(file.read_text(encoding="utf-8") for file in files))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
