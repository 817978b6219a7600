"""Suites: frozen lists of cases and the methods to run on them, as TOML files.

`python -m inpaintbench.benchmarks.suite NAME` prints the manifest of a suite: the SHA-256 of every
case, which is committed beside the suite's file.
"""

import difflib
import sys
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inpaintbench.datasets import cifar
from inpaintbench.datasets.cases import Case, Share
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.images import BUNDLED_NAME, Photograph, Skipped, read_photograph
from inpaintbench.datasets.tasks import (
    border,
    center_pixel,
    crop,
    drawing,
    grid,
    low_light,
    scratches,
    upscale,
)

FOLDER = Path(__file__).parent / "suites"
MODULES: tuple[drawing.Task, ...] = (crop, border, grid, scratches, center_pixel, upscale)
TASKS = {task.NAME: task for task in (*MODULES, *low_light.TASKS)}


class Suite(BaseModel):
    """What to run on what. Each description says what a key's value is, for errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(
        pattern=r"^[a-z0-9-]+$", description='small letters, digits and hyphens, such as "mine"'
    )
    task: str = Field(description='the name of a task, such as "crop"')
    images: str = Field(default=BUNDLED_NAME, description='what --images takes, such as "skimage"')
    cases: int = Field(ge=1, description="a whole number, 1 or more")
    seed: int = Field(ge=0, description="a whole number, 0 or more")
    methods: list[str] = Field(
        min_length=1, description='a list of methods, such as ["mean", "telea:radius=5"]'
    )

    def task_module(self) -> drawing.Task:
        """Find the module of `datasets.tasks` that draws the cases.

        Raises
        ------
        InputError
            If the task is unknown.
        """
        if self.task not in TASKS:
            raise InputError(f"unknown task {self.task!r}; there are {', '.join(TASKS)}")
        return TASKS[self.task]

    def plan(self, skipped: Skipped) -> list[Share]:
        """Say how many cases come from each photograph, in the order of the suite.

        Raises
        ------
        InputError
            If the task is unknown, or no photograph can be used.
        """
        task = self.task_module()
        return drawing.plan_cases(task, self.images, self.cases, self.seed, skipped)

    def draw(self, skipped: Skipped) -> list[Case]:
        """Draw all cases at once.

        Raises
        ------
        InputError
            If the task is unknown, or no photograph can be used.
        """
        task = self.task_module()
        return drawing.draw_cases(task, self.images, self.cases, self.seed, skipped)

    def read_photograph(self, image_id: str) -> Photograph:
        """Read a photograph as the task wants it.

        Raises
        ------
        InputError
            If it is not there any more, or cannot be used.
        """
        task = self.task_module()
        return read_photograph(self.images, image_id, task.SIDES[0], task.COLOUR)

    def draw_case(self, photograph: Photograph, index: int) -> Case:
        """Draw the case number `index` of a photograph."""
        return drawing.draw_case(self.task_module(), photograph, self.seed, index)

    @property
    def columns(self) -> tuple[str, ...]:
        """The scores that the task asks for."""
        return tuple(metric.column for metric in self.task_module().METRICS)

    @property
    def metrics(self) -> list[dict[str, str]]:
        """What these scores are, ready for JSON."""
        return [metric._asdict() for metric in self.task_module().METRICS]

    def _draws_from(self) -> tuple[str, str, int]:
        return self.task, self.images, self.seed

    def manifest(self) -> dict[str, str]:
        """Case ids and hashes that were committed with a suite that draws the same cases.

        Empty if none of the suites that ship with the package does.
        """
        for name in suite_names():
            path = FOLDER / f"{name}.sha256"
            if path.exists() and self._draws_from() == read_suite(name)._draws_from():
                lines = path.read_text().splitlines()
                return {case_id: sha256 for sha256, case_id in (line.split() for line in lines)}
        return {}


def suite_names() -> list[str]:
    """Names of the suites that ship with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_suite(name: str) -> Suite:
    """Read a suite by its name, or from the path of a TOML file.

    What `images` names in such a file is looked for beside it first, then from the current folder.

    Raises
    ------
    InputError
        If there is no such suite, or its file is at fault.
    """
    is_own = name.endswith(".toml")
    path = Path(name) if is_own else FOLDER / f"{name}.toml"
    try:
        content = tomllib.loads(path.read_text())
        suite = Suite.model_validate(content)
    except FileNotFoundError:
        names = suite_names()
        near = difflib.get_close_matches(name, names)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise InputError(
            f"there is no file {name}" if is_own else f"unknown suite {name!r}: {hint}"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read the suite {path}: {error}") from error
    except ValidationError as error:
        raise InputError(f"suite {path}{_problem(error, content)}") from None
    return suite.model_copy(update={"images": _beside(path, suite.images)}) if is_own else suite


def _problem(error: ValidationError, content: dict[str, Any]) -> str:
    """Say what is wrong with a suite's file: the first thing, in its own words."""
    errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = errors[0]  # a misspelt key is also a missing one
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        keys = list(Suite.model_fields)
        near = difflib.get_close_matches(key, keys)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(keys)}"
        return f", {key}: unknown key; {hint}"
    wanted = Suite.model_fields[key].description
    if first["type"] == "missing":
        return f" has no {key}: {wanted}"
    return f", {key}: {content[key]!r} is not {wanted}"


def _beside(path: Path, images: str) -> str:
    """Find a suite's pictures beside its file; what is a name, or not there, stays as it is."""
    beside = path.parent / images
    is_name = images in ("", BUNDLED_NAME, *cifar.PARTS)
    return str(beside) if beside.exists() and not is_name else images


if __name__ == "__main__":
    for case in read_suite(sys.argv[1]).draw(Skipped()):
        print(case.sha256, case.case_id)
