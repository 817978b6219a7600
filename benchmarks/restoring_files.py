"""Restoring a user's own files for good: a picture, or a video frame by frame."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from inpaintbench.benchmarks.answers import pack, picture_of
from inpaintbench.benchmarks.isolation import Isolation, Limits
from inpaintbench.benchmarks.restoring import attempt
from inpaintbench.benchmarks.suite import TASKS
from inpaintbench.benchmarks.trying import LOSSLESS, hole_mask, read_picture
from inpaintbench.datasets.cases import HIDING, UPSCALE, Array, Mask, Observation, hide
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import check_writable, write_picture
from inpaintbench.datasets.images import resize_exactly
from inpaintbench.datasets.tasks.upscale import FACTOR
from inpaintbench.datasets.video import BrokenVideo, is_video, read_frames, written_video
from inpaintbench.methods import Method, method_classes, parse_method
from inpaintbench.methods.method import cannot_do
from inpaintbench.reports.choice import RECOMMENDED

FRAMES = 8  # that a method gets at a time
MEGAPIXEL = 1_000_000

Restore = Callable[[Sequence[Array]], list[Array]]


def chosen_method(task: str, name: str) -> Method:
    """Make the method to restore with; "best" is the one recommended for the task.

    Raises
    ------
    InputError
        If there is no such task or method, the method cannot do the task, or its weights are not
        what they should be.
    """
    if task not in TASKS:
        raise InputError(f"unknown task {task!r}; there are {', '.join(TASKS)}")
    if name == "best" and task not in RECOMMENDED:
        raise InputError(f"no method is recommended for {task}: name one with --method")
    method = parse_method(RECOMMENDED[task] if name == "best" else name)
    if task not in method.tasks:
        able = [n for n, c in method_classes().items() if task in c.tasks]
        why = cannot_do(method, task)
        raise InputError(f"{method.name} {why}; these can: {', '.join(able)}")
    method.weights_sha256()  # wrong weights are found before the work
    return method


def check_files(source: Path, output: Path, task: str, mask: Path | None) -> None:
    """Check before the work that the files fit the task and each other.

    Raises
    ------
    InputError
        If the output would lose pixels or is the input, or a mask is missing or makes no sense.
    """
    if task in HIDING and not mask:
        raise InputError(f"{task} restores hidden pixels: give --mask FILE (not 0 = hidden)")
    if task not in HIDING and mask:
        raise InputError(f"{task} restores all of a picture: leave --mask out")
    if is_video(source) and mask:
        raise InputError(f"{source} is a video; {task} restores pictures")
    if not is_video(source) and output.suffix.lower() not in LOSSLESS:
        raise InputError(f"cannot write {output} losslessly; name a .png or .tif")
    check_writable(output, source)


@contextmanager
def restorer(method: Method, task: str, mask: Mask | None, timeout: float) -> Iterator[Restore]:
    """Give a function that restores pictures of equal size in a process that can be killed.

    Parameters
    ----------
    mask : what is hidden; None where the task restores all of a picture
    timeout : seconds that the method may take for a picture, and for each megapixel of a large one

    Raises
    ------
    InputError
        By the function, if the method fails.
    """
    process = Isolation(Limits.gibibytes)

    def restore(pictures: Sequence[Array]) -> list[Array]:
        observations = [_observed(picture, task, mask) for picture in pictures]
        limits = Limits(time_limit(timeout, observations[0].mask.shape))
        outcomes = attempt(process, method, pack(observations), pack([]), limits, ask_again=False)
        for outcome in outcomes:
            if not outcome.is_ok:
                advice = _quicker(method) if outcome.status == "timeout" else ""
                problem = f"{outcome.status}: {outcome.message}{advice}"
                raise InputError(f"{method.label} failed: {problem}")
        return [picture_of(done.hidden, o) for done, o in zip(outcomes, observations, strict=True)]

    try:
        yield restore
    finally:
        process.close()


def time_limit(timeout: float, shape: tuple[int, ...]) -> float:
    """Give the seconds for a picture to be made of `(height, width)`: more for a large one."""
    return timeout * max(1.0, math.prod(shape) / MEGAPIXEL)


def _quicker(method: Method) -> str:
    """Say what to do where a method took too long."""
    ways = ["a longer --timeout"]
    if method.parameters.get("symmetries"):
        ways.append(f"--method {method.label}:symmetries=no, 8 times as fast")
    return f"; give {' or '.join(ways)}"


def _observed(picture: Array, task: str, mask: Mask | None) -> Observation:
    """Make what a method gets to see of a picture."""
    if mask is not None:
        return Observation(hide(picture, mask), mask)
    times = FACTOR if task in UPSCALE else 1
    height, width = picture.shape[:2]
    return Observation(picture, np.ones((height * times, width * times), bool))


def restore_picture(
    source: Path,
    output: Path,
    method: Method,
    task: str,
    mask_file: Path | None = None,
    timeout: float = 60.0,
    beside: bool = False,
    warn: Callable[[str], None] = lambda message: None,
) -> tuple[int, ...]:
    """Restore a picture file losslessly, in its own dtype, grey or in colour.

    Parameters
    ----------
    mask_file : says what is hidden, for tasks that hide pixels
    beside : write the source, enlarged plainly where need be, to the left of what was restored
    warn : is told where the method cannot do what it is known for with such holes

    Returns
    -------
    tuple of int
        Shape of what was written.

    Raises
    ------
    InputError
        If a file cannot be read or written, or the method fails.
    """
    picture = read_picture(source)
    mask = hole_mask(picture, [], mask_file) if mask_file else None
    if mask is not None and (caveat := method.caveat(mask)):
        warn(f"{method.label}: {caveat}")
    with restorer(method, task, mask, timeout) as restore:
        (restored,) = restore([picture])
    if beside:
        restored = side_by_side(picture, restored)
    write_picture(restored, output)
    return restored.shape


def restore_video(
    source: Path,
    output: Path,
    method: Method,
    task: str,
    rate: float,
    timeout: float = 60.0,
    beside: bool = False,
    progress: Callable[[int], None] = lambda count: None,
    warn: Callable[[str], None] = lambda message: None,
) -> int:
    """Restore a video frame by frame, without its sound.

    Parameters
    ----------
    rate : frames a second of what is written
    beside : as `restore_picture`
    progress : told how many frames more are done
    warn : told where frames have an odd side, which is padded

    Returns
    -------
    int
        How many frames were written.

    Raises
    ------
    InputError
        If it cannot be read at all, the output cannot be written, or the method fails.
    BrokenVideo
        If frames are missing: after what could be read was restored and written.
    """
    count = 0
    broken: list[BrokenVideo] = []
    with (
        restorer(method, task, None, timeout) as restore,
        written_video(output, rate, warn) as write,
    ):
        for frames in _blocks(read_frames(source), broken):
            for frame, restored in zip(frames, restore(frames), strict=True):
                write(side_by_side(frame, restored) if beside else restored)
            count += len(frames)
            progress(len(frames))
    if broken:
        raise BrokenVideo(f"{broken[0]}; wrote what can be read to {output}")
    return count


def _blocks(frames: Iterator[Array], broken: list[BrokenVideo]) -> Iterator[list[Array]]:
    """Gather a few frames at a time, also the last of a broken video: noted in `broken`."""
    while True:
        block: list[Array] = []
        try:
            for frame in islice(frames, FRAMES):
                block.append(frame)
        except BrokenVideo as error:
            broken.append(error)
        if not block:
            return
        yield block


def side_by_side(picture: Array, restored: Array) -> Array:
    """Put a picture to the left of its restoration, enlarged to its height bicubically if smaller.

    `(H, 2W)` or `(H, 2W, 3)`, of the picture's dtype.
    """
    if picture.shape != restored.shape:
        exact = resize_exactly(picture, restored.shape[:2], "bicubic")
        picture = np.rint(exact).clip(0, np.iinfo(picture.dtype).max).astype(picture.dtype)
    return np.concatenate([picture, restored], axis=1)
