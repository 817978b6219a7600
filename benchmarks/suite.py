"""Suites: frozen lists of cases and the methods to run on them, as TOML files.

`python -m inpaintbench.benchmarks.suite NAME` prints the manifest of a suite: the SHA-256 of every
case, which is committed beside the suite's file.
"""

import difflib
import sys
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
    """What to run on what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    task: str
    images: str = BUNDLED_NAME  # what `photograph_files` takes
    cases: int = Field(ge=1)
    seed: int = Field(ge=0)
    methods: list[str] = Field(min_length=1)  # as --methods takes them: "telea:radius=5"

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

    Raises
    ------
    InputError
        If there is no such suite, or its file is at fault.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        return Suite.model_validate(tomllib.loads(path.read_text()))
    except FileNotFoundError:
        names = suite_names()
        near = difflib.get_close_matches(name, names)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise InputError(f"unknown suite {name!r}: {hint}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read the suite {path}: {error}") from error
    except ValidationError as error:
        errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        first = errors[0]  # a misspelt key is also a missing one
        place = ".".join(str(part) for part in first["loc"])
        problem = first["msg"]
        if first["type"] == "extra_forbidden":
            keys = list(Suite.model_fields)
            near = difflib.get_close_matches(place, keys)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(keys)}"
            problem = f"unknown key; {hint}"
        raise InputError(f"suite {path}, {place}: {problem}") from None


if __name__ == "__main__":
    for case in read_suite(sys.argv[1]).draw(Skipped()):
        print(case.sha256, case.case_id)
