"""Photographs to fit on and to validate with, and what is drawn from them."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Observation, hide
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.images import (
    Skipped,
    none_usable,
    photograph_files,
    read_photographs,
    resize,
)
from inpaintbench.datasets.tasks import center_pixel, crop
from inpaintbench.datasets.tasks.crop import draw_picture
from inpaintbench.datasets.tasks.drawing import Task

LARGEST = 256  # pixels of a side that are kept of a photograph, so that many fit in memory
VALIDATION = 10  # one photograph in so many is held out
HELD_OUT_SEED = 0  # of the cases drawn from them, whatever a training's own: so scores compare
MOST_VALIDATION = 2000  # crops; more would cost time and change little
BLOCK = 2000  # windows drawn at a time


def is_held_out(image_id: str) -> bool:
    """Whether a photograph is for validation: by a hash of its name, so the same in every run."""
    return int.from_bytes(hashlib.sha256(image_id.encode()).digest()[:8], "big") % VALIDATION == 0


def read_split(
    sources: Sequence[str], skipped: Skipped, task: Task | None = None
) -> tuple[list[Array], list[Array]]:
    """Read the photographs of folders or archives into training and validation pictures.

    They are those that the task can draw cases from, in colour where it has colour; by default the
    crop challenge's. A large one is shrunk until its short side has `LARGEST` pixels. Counts would
    not be counts any more: of a 16-bit picture for center-pixel the middle is kept, at its own
    scale, of `LARGEST` pixels a side.

    Raises
    ------
    InputError
        If one of the sources has no pair of usable photographs (one to train on, one to hold out).
    """
    training: list[tuple[str, Array]] = []
    validation: list[Array] = []
    for source in sources:
        own = Skipped()
        pictures = list(_usable(task or crop, source, own))
        if not pictures:
            raise none_usable(source, own)
        if len(pictures) == 1:
            raise InputError(
                f"{source} has one usable photograph, {pictures[0][0]}; two are needed, one to "
                f"train on and one to hold out{own.first()}"
            )
        skipped.files += own.files
        skipped.notes += own.notes
        held_out = [is_held_out(image_id) for image_id, _ in pictures]
        if len(set(held_out)) == 1:  # a handful of photographs: hold out the last
            held_out = [False] * (len(pictures) - 1) + [True]
        training += [pair for pair, held in zip(pictures, held_out, strict=True) if not held]
        validation += [pair[1] for pair, held in zip(pictures, held_out, strict=True) if held]
    step = -(-len(validation) // MOST_VALIDATION)  # evenly over all sources
    return _not_held_out(training, validation, skipped), validation[::step]


def _not_held_out(
    training: Sequence[tuple[str, Array]], validation: Sequence[Array], skipped: Skipped
) -> list[Array]:
    """Leave out what is held out under another name, as of a folder beside a zip of it."""
    held_out = {_digest(picture) for picture in validation}
    others = []
    for image_id, picture in training:
        if _digest(picture) in held_out:
            skipped.add(image_id, "the same picture is held out under another name")
        else:
            others.append(picture)
    return others


def _digest(picture: Array) -> bytes:
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()


def announced_split(
    sources: Sequence[str], purpose: str, task: Task | None = None
) -> tuple[list[Array], list[Array]]:
    """Read a split, and print what was skipped and how many photographs there are.

    `purpose` says what the training pictures are for: "train on" or "fit on".
    """
    skipped = Skipped()
    training, validation = read_split(sources, skipped, task)
    for name, reason in skipped.files:
        print(f"skipped {name}: {reason}")
    for note in skipped.notes:
        print(note)
    counts = f"{len(training)} photographs to {purpose}, {len(validation)} held out"
    print(f"{counts}, {len(skipped)} files skipped", flush=True)
    return training, validation


def _usable(task: Task, source: str, skipped: Skipped) -> Iterator[tuple[str, Array]]:
    """Read the photographs that a task can draw cases from: their ids and pixels."""
    smallest = task.SIDES[0]
    files = photograph_files(source, skipped)
    for photograph in read_photographs(files, smallest, skipped, task.COLOUR):
        kept = _middle if _is_in_counts(task, photograph.pixels) else _reduced
        pixels = kept(photograph.pixels, max(LARGEST, smallest))
        try:
            task.draw(pixels, np.random.default_rng(0))
        except ValueError as error:
            skipped.add(photograph.image_id, str(error))
        else:
            yield photograph.image_id, pixels


def _is_in_counts(task: Task, pixels: Array) -> bool:
    """Whether a task takes a picture at its own scale: averages are no counts."""
    return task is center_pixel and pixels.dtype == np.uint16


def _middle(pixels: Array, largest: int) -> Array:
    top, left = (max(length - largest, 0) // 2 for length in pixels.shape)
    return pixels[top : top + largest, left : left + largest].copy()  # so that the rest is freed


def _reduced(pixels: Array, largest: int) -> Array:
    height, width = pixels.shape[:2]
    scale = largest / min(height, width)
    return pixels if scale >= 1 else resize(pixels, (round(height * scale), round(width * scale)))


def shares(pictures: Sequence[Array]) -> NDArray[np.float64]:
    """Cumulated chance of each picture to be drawn: a larger one has more to show.

    `np.searchsorted(shares(pictures), rng.random())` draws a picture's number.
    """
    sides = np.cumsum([min(picture.shape[:2]) for picture in pictures])
    return np.asarray(sides / sides[-1], np.float64)


def draw_windows(
    pictures: Sequence[Array], count: int, side: int, seed: int
) -> Iterator[NDArray[np.float32]]:
    """Draw square windows of challenge-style pictures: blocks `(n, side, side)` in 0..1.

    Window `i` depends on (seed, i) alone, so that fewer windows are the first of more.
    """
    chances = shares(pictures)
    for first in range(0, count, BLOCK):
        block = np.empty((min(BLOCK, count - first), side, side), np.float32)
        for number in range(len(block)):
            rng = np.random.default_rng((seed, first + number))
            picture = draw_picture(pictures[int(np.searchsorted(chances, rng.random()))], rng)
            top, left = (int(rng.integers(length - side + 1)) for length in picture.shape)
            window = picture[top : top + side, left : left + side]
            block[number] = window / np.float32(np.iinfo(picture.dtype).max)
        yield block


def draw_observations(
    pictures: Sequence[Array], seed: int, task: Task | None = None
) -> tuple[list[Observation], list[Array]]:
    """Draw a case of each picture: what is seen of it, and the truth.

    By default as the crop challenge would.
    """
    observations, truths = [], []
    for number, pixels in enumerate(pictures):
        drawn: Sequence[Array] = (task or crop).draw(pixels, np.random.default_rng((seed, number)))
        truth, mask, *given = drawn
        observations.append(Observation(given[0] if given else hide(truth, mask), mask))
        truths.append(truth)
    return observations, truths
