"""Videos: read frame by frame, and written whole, by OpenCV (that is, FFmpeg)."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import written_whole
from inpaintbench.datasets.opencv import quiet_opencv

if TYPE_CHECKING:
    import cv2

# What is written, by the file's ending; FFV1 alone keeps every pixel as it is (in RGB).
CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".mkv": "FFV1"}
SUFFIXES = frozenset(CODECS) | {".webm", ".mpg", ".mpeg", ".wmv"}  # what is taken for a video
COUNTED = frozenset({".mp4", ".m4v", ".mov", ".avi"})  # these state how many frames they have


class BrokenVideo(InputError):
    """A video has fewer frames than it says; which ones are missing, cannot be told."""


class VideoFacts(NamedTuple):
    """What a video says of itself.

    Attributes
    ----------
    frames : how many; 0 if that is not known
    rate : frames a second
    """

    frames: int
    rate: float


class WriteFrame(Protocol):
    """Writes the next frame: `(H, W, 3)` of uint8, red first, all of one shape.

    OpenCV writes videos of even sides alone, and would cut the last row and column off others:
    there they are written twice.
    """

    def __call__(self, frame: Array) -> None: ...  # noqa: D102


def is_video(path: Path) -> bool:
    """Whether a file's ending is that of a video."""
    return path.suffix.lower() in SUFFIXES


def video_facts(path: Path) -> VideoFacts:
    """Look up what a video says of itself.

    Raises
    ------
    InputError
        If it cannot be opened.
    """
    import cv2

    video = _opened(path)
    frames, rate = video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
    video.release()
    return VideoFacts(max(int(frames), 0), rate)


def read_frames(path: Path) -> Iterator[Array]:
    """Read a video's frames one by one: `(H, W, 3)` of uint8, red first, upright.

    Raises
    ------
    InputError
        If it cannot be opened, or has no frame.
    BrokenVideo
        After the last frame that can be read, if there should be more: by the number that the file
        states, or where it only states a duration, which is often that of the sound, if more than a
        twentieth is missing.
    """
    frames = video_facts(path).frames
    video = _opened(path)
    count = 0
    try:
        while True:
            found, frame = video.read()
            if not found:
                break
            yield np.ascontiguousarray(frame[..., ::-1])
            count += 1
    finally:
        video.release()
    if not count:
        raise InputError(f"cannot read {path}: not one frame can be decoded")
    missing = frames - count
    # An .avi has no times of its own: after a gap, FFmpeg numbers frames as if there were none.
    if missing > (0 if path.suffix.lower() in COUNTED else frames / 20):
        raise BrokenVideo(
            f"{path} is broken: {count} of {frames} frames can be read, {missing} are missing"
        )


def _opened(path: Path) -> "cv2.VideoCapture":
    import cv2

    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    with quiet_opencv():
        video = cv2.VideoCapture(_plain_name(path), cv2.CAP_FFMPEG)
    if not video.isOpened():
        raise InputError(f"cannot read {path}: it is no video, or one cut short before its index")
    return video


def _plain_name(path: Path) -> str:
    """Name a file from the root on: FFmpeg takes "12:" in "12:30.avi" for a protocol."""
    return str(path.absolute())


def _count_frames(name: str) -> int:
    import cv2

    with quiet_opencv():
        video = cv2.VideoCapture(name, cv2.CAP_FFMPEG)
        count = 0
        while video.grab():
            count += 1
        video.release()
    return count


@contextmanager
def written_video(
    path: Path, rate: float, warn: Callable[[str], None] = lambda message: None
) -> Iterator[WriteFrame]:
    """Give a function that adds frames to a video, which stands at `path` when the block ends well.

    Its folder is made with the first frame.

    Parameters
    ----------
    path : its ending says how it is written: see `CODECS`
    rate : frames a second
    warn : told where sides are odd

    Raises
    ------
    InputError
        If its ending is none of these, or it cannot be written.
    """
    import cv2

    if not 0 < rate < math.inf:
        raise InputError(f"cannot write {path} at {rate:g} frames a second")

    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        raise InputError(f"cannot write {path}; a video's name ends in {', '.join(CODECS)}")
    made: list[cv2.VideoWriter] = []
    given = 0
    with ExitStack() as at_the_end:

        def check(temporary: str, failed: type[BaseException] | None) -> None:
            """Read it back: OpenCV does not say that a disk is full."""
            if not failed and (written := _count_frames(temporary)) < given:
                raise InputError(
                    f"cannot write {path}: {written} of {given} frames arrived; is the disk full?"
                )

        def begin(size: tuple[int, int]) -> None:
            temporary = _plain_name(at_the_end.enter_context(written_whole(path)))
            fourcc = cv2.VideoWriter.fourcc(*codec)
            with quiet_opencv():
                made.append(cv2.VideoWriter(temporary, cv2.CAP_FFMPEG, fourcc, rate, size))
            if not made[0].isOpened():
                raise InputError(
                    f"cannot write {path}: OpenCV cannot make it {size} at {rate:g} frames a second"
                )
            at_the_end.push(lambda kind, *_: check(temporary, kind))
            at_the_end.callback(made[0].release)

        def write(frame: Array) -> None:
            nonlocal given
            height, width = frame.shape[:2]
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if not made:
                size = (frame.shape[1], frame.shape[0])
                if size != (width, height):
                    warn(
                        f"{path} has {size[1]} rows by {size[0]} columns, not {height} by {width}: "
                        f"a video's sides are even, so the last row or column is there twice"
                    )
                begin(size)
            made[0].write(np.ascontiguousarray(frame[..., ::-1]))
            given += 1

        yield write
