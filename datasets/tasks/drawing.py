"""Drawing cases from photographs: what all tasks share.

A task is a module with the constants and the one function of `Task`. How many cases each photograph
gives, the cases' names and their random numbers are the same for all.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from inpaintbench.datasets.cases import Array, Case, Mask, Share
from inpaintbench.datasets.fingerprints import Fingerprints, look_alikes, orientations
from inpaintbench.datasets.images import (
    Photograph,
    PhotographFile,
    Skipped,
    grey,
    none_usable,
    photograph_files,
    resize,
)
from inpaintbench.datasets.tasks import center_pixel
from inpaintbench.datasets.tasks.metrics import Metric

# The truth, what to hide of it, and what is given instead where the task degrades all of it.
Degraded = tuple[Array, Mask] | tuple[Array, Mask, Array]


class _Usable(NamedTuple):
    """A photograph that a task can use: hash and bits of its pixels, and how many cases it gives.

    One where nothing is random: its size is the case's. Else as many as are wanted. And by what
    copies of it are known.
    """

    sha256: str
    bits: int
    most: float
    orientations: Fingerprints


class Task(Protocol):
    """What a task's module has.

    Attributes
    ----------
    NAME : what commands and tables call it
    SIDES : shortest and longest side of its cases, in pixels; smaller photographs are skipped
    COLOUR : whether photographs are read in colour
    LEVELS : the value of a metric's unit that the dtype's highest value stands for: 255 where
        scores are in grey levels of 8 bits, also for 16, and 65535 where they are in counts
    METRICS : what its cases are scored by, that which ranks first
    """

    @property
    def NAME(self) -> str: ...  # noqa: D102, N802

    @property
    def SIDES(self) -> tuple[int, int]: ...  # noqa: D102, N802

    @property
    def COLOUR(self) -> bool: ...  # noqa: D102, N802

    @property
    def LEVELS(self) -> int: ...  # noqa: D102, N802

    @property
    def METRICS(self) -> tuple[Metric, ...]: ...  # noqa: D102, N802

    def draw(self, pixels: Array, rng: np.random.Generator) -> Degraded:
        """Draw a picture of the task's size from a photograph, and degrade it.

        Raises
        ------
        ValueError
            If the photograph is not what the task can use; the message says why.
        """


def case_seed(suite_seed: int, image_id: str, index: int) -> int:
    """Seed of one case (63 bits): depends on (suite seed, image id, index) alone, anywhere."""
    text = f"{suite_seed}/{index}/{image_id}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def case_id(image_id: str, index: int) -> str:
    """Name the case number `index` of a photograph: unique in a suite, safe as a file name."""
    digest = hashlib.sha256(image_id.encode()).hexdigest()[:6]
    stem = "".join(c if c.isalnum() else "-" for c in image_id.rsplit(".", 1)[0])[-40:]
    return f"{stem}-{digest}-{index:03d}"


def draw_case(task: Task, photograph: Photograph, suite_seed: int, index: int) -> Case:
    """Draw the case number `index` of a photograph.

    Raises
    ------
    ValueError
        If the task cannot use the photograph.
    """
    seed = case_seed(suite_seed, photograph.image_id, index)
    truth, mask, *given = task.draw(photograph.pixels, np.random.default_rng(seed))
    return Case(
        case_id=case_id(photograph.image_id, index),
        task=task.NAME,
        image_id=photograph.image_id,
        source=photograph.source,
        seed=seed,
        truth=truth,
        mask=mask,
        given=given[0] if given else None,
    )


def plan_cases(
    task: Task, where: str, count: int, suite_seed: int, skipped: Skipped
) -> list[Share]:
    """Say how many cases to draw from each photograph: as evenly as their number allows.

    Where there are more photographs than cases, a random part of them is used, one case of each;
    otherwise several different cases of each. A photograph of the case's own size, of which nothing
    random is hidden, has one case to give, so there may be fewer than `count`. Photographs are read
    one at a time, to see whether they can be used.

    Parameters
    ----------
    where : what `photograph_files` takes
    count : how many cases
    suite_seed : decides, with image id and index, every pixel of every case
    skipped : receives the files that could not be used, and notes for the user

    Raises
    ------
    InputError
        If not one photograph can be used, or some are in counts and others are not.
    """
    files = photograph_files(where, skipped)
    drawn = dict.fromkeys((file.image_id for file in files), 0)
    found: dict[str, _Usable] = {}
    left = count
    while left and files:
        files.sort(key=lambda f: (drawn[f.image_id], case_seed(suite_seed, f.image_id, -1)))
        share, extra = divmod(left, len(files))
        wanted = {f.image_id: share + (place < extra) for place, f in enumerate(files)}
        unread = [f for f in files if wanted[f.image_id] and not drawn[f.image_id]]
        found |= _usable(task, unread, skipped)
        files = [f for f in files if f.image_id in found or not wanted[f.image_id]]
        for name in (file.image_id for file in files if wanted[file.image_id]):
            more = int(min(wanted[name], found[name].most - drawn[name]))
            drawn[name] += more
            left -= more
        files = [f for f in files if f.image_id not in found or found[f.image_id].most == np.inf]
    if not found:
        raise none_usable(where, skipped)
    if task is center_pixel:
        skipped.notes += center_pixel.notes(where, [usable.bits for usable in found.values()])
    skipped.notes += _alike_notes(found)
    shares = [Share(name, cases, found[name].sha256) for name, cases in drawn.items() if cases]
    return sorted(shares, key=lambda share: case_id(share.image_id, 0))


def _usable(task: Task, files: Sequence[PhotographFile], skipped: Skipped) -> dict[str, _Usable]:
    """What is known of the photographs that the task can use, by id; others are skipped."""
    found = {}
    for file in files:
        try:
            pixels = file.read(task.SIDES[0], task.COLOUR).pixels
            drawn = task.draw(pixels, np.random.default_rng(0))
        except ValueError as error:
            skipped.add(file.image_id, str(error))
        else:
            digest = hashlib.sha256(pixels.tobytes()).hexdigest()
            most = 1 if _is_one_case(task, pixels, drawn) else np.inf
            turned = orientations(grey(pixels))
            found[file.image_id] = _Usable(digest, 8 * pixels.itemsize, most, turned)
    return found


def _alike_notes(found: dict[str, _Usable]) -> list[str]:
    """Say which photographs look like copies of one, if any do."""
    names = sorted(found)
    pairs = look_alikes(np.stack([found[name].orientations for name in names]))
    if not pairs:
        return []
    first, second = (names[place] for place in pairs[0])
    more = f", as do {len(pairs) - 1} more pairs" if len(pairs) > 1 else ""
    return [
        f"{first} and {second} look alike{more}: if they are copies, intervals count one "
        "photograph as two, and search=set may be shown in one what is hidden in the other"
    ]


def _is_one_case(task: Task, pixels: Array, drawn: Degraded) -> bool:
    """Whether a photograph, of which a case was drawn, gives the same one with any seed."""
    if pixels.shape[:2] != task.SIDES:
        return False
    again = task.draw(pixels, np.random.default_rng(1))
    return all(map(np.array_equal, drawn, again))


def draw_cases(task: Task, where: str, count: int, suite_seed: int, skipped: Skipped) -> list[Case]:
    """Draw the cases that `plan_cases` plans, all at once.

    Parameters and errors are those of `plan_cases`.
    """
    files = {file.image_id: file for file in photograph_files(where)}
    cases: list[Case] = []
    for share in plan_cases(task, where, count, suite_seed, skipped):
        photograph = files[share.image_id].read(task.SIDES[0], task.COLOUR)
        cases += [draw_case(task, photograph, suite_seed, index) for index in range(share.cases)]
    return cases


def draw_window(
    pixels: Array, shape: tuple[int, int], rng: np.random.Generator, whole: float = 0.5
) -> Array:
    """Draw a picture of a shape from a photograph of at least that size.

    A share of the pictures, `whole`, show as much of the photograph as their shape allows, the
    others a window of it, at a scale between that and the photograph's own pixels (drawn on a
    logarithmic scale).

    Raises
    ------
    ValueError
        If the photograph is smaller than the shape.
    """
    height, width = pixels.shape[:2]
    if height < shape[0] or width < shape[1]:
        raise ValueError(f"{height}x{width} pixels are too few for {shape[0]}x{shape[1]}")
    largest = min(height / shape[0], width / shape[1])
    scale = largest if rng.random() < whole else largest ** rng.random()
    rows, columns = min(height, round(shape[0] * scale)), min(width, round(shape[1] * scale))
    top = int(rng.integers(height - rows + 1))
    left = int(rng.integers(width - columns + 1))
    return resize(pixels[top : top + rows, left : left + columns], shape)


def in_colour(picture: Array) -> Array:
    """Give a grey `(H, W)` picture three equal channels, as PIL's `convert("RGB")` does."""
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
