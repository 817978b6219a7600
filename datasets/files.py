"""Writing files so that a reader never meets half of one."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaintbench.datasets.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from inpaintbench.datasets.cases import Array

HALF_WRITTEN = ".inpaintbench-"  # how the names of files begin that are not whole yet
LONGEST_NAME = 80  # characters of a text that stay in a file name


def check_writable(path: Path, source: Path | None = None) -> None:
    """Check before the work that a file can be written, and is not the one that is read, if any.

    Its folder may be missing; it is left to later to make it.

    Raises
    ------
    InputError
        If the file is a folder or `source`, or its folder can be neither written to nor made.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: name the file to write")
    if source and path.exists() and source.exists() and path.samefile(source):
        raise InputError(f"{path} is the input itself: name another file to write")
    there = next(folder for folder in path.parents if os.path.exists(folder))
    if not there.is_dir():
        raise InputError(f"cannot write {path}: {there} is no folder")
    if not os.access(there, os.W_OK):
        raise InputError(f"cannot write {path}: permission denied")


def make_folder(path: Path) -> None:
    """Make a folder that can be written to, with all that are above it.

    Raises
    ------
    InputError
        If that cannot be.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise InputError(f"cannot write {path}: permission denied")


@contextmanager
def folder_for_one(folder: Path, what: str, patience: float = 1.0) -> Iterator[None]:
    """Keep a folder to this process alone.

    Parameters
    ----------
    what : is done in it, such as "run"
    patience : seconds to wait for it: what a killed process was just starting may hold it still

    Raises
    ------
    InputError
        If another process has it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        raise InputError(f"another {what} is writing to {folder}; choose another --out") from None
    try:
        yield
    finally:
        lock.release()  # the file stays: another process may be waiting for this very one


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and rename it to `path` when the block ends well.

    Where the block raises, the temporary file is removed and `path` is as it was before.

    Raises
    ------
    InputError
        If the folder cannot be made or written to.
    """
    path = Path(path)
    make_folder(path.parent)
    try:
        handle, name = tempfile.mkstemp(
            prefix=f"{HALF_WRITTEN}{path.stem}-", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes it private; an ordinary file is not
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def safe_name(text: str) -> str:
    """Turn any text into a file name: letters, digits and "=:.,-+~"; a hash tells others apart."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "=:.,-+~") else "_" for c in text)
    if name == text and len(name) <= LONGEST_NAME and not name.startswith("."):
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[:LONGEST_NAME]}-{digest}".lstrip("._")


def write_text(text: str, path: Path) -> None:
    """Write a text file whole."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(content: Any, path: Path) -> None:
    """Write a JSON file whole."""
    write_text(json.dumps(content, indent=2) + "\n", path)


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file whole."""
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def write_parquet(table: "pd.DataFrame", path: Path) -> None:
    """Write a parquet file whole."""
    with written_whole(path) as temporary:
        table.to_parquet(temporary, index=False)


def write_picture(pixels: "Array", path: Path) -> None:
    """Write an `(H, W)` or `(H, W, 3)` array of uint8 or uint16 as a picture file, losslessly."""
    with written_whole(path) as temporary:
        temporary.write_bytes(encoded_picture(pixels, path.suffix))


def encoded_picture(pixels: "Array", suffix: str = ".png") -> bytes:
    """Encode an `(H, W)` or `(H, W, 3)` array of uint8 or uint16 as a picture file's content.

    Raises
    ------
    OSError
        If that cannot be.
    """
    import cv2

    if pixels.ndim == 3:
        pixels = pixels[..., ::-1]  # OpenCV's order is blue, green, red
    done, content = cv2.imencode(suffix, pixels)
    if not done:
        raise OSError("the picture could not be encoded")
    return content.tobytes()
