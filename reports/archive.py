"""Runs in zip archives, which may come from anyone."""

import re
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from inpaintbench.datasets.errors import InputError

MARK = "environment.json"  # the file that makes a folder a run


def unpacked(archive: Path) -> "TemporaryDirectory[str]":
    """Unpack a run from a zip archive into a temporary folder, which goes when it is let go.

    The run may lie in a folder of the archive, as when the folder itself was zipped. Its report is
    left out: it is made again.

    Raises
    ------
    InputError
        If the archive is damaged, holds no run or several, names a file outside of itself, or
        would not fit on the disk.
    """
    folder = TemporaryDirectory(prefix="inpaintbench-")
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(archive, opened)
            size = sum(member.file_size for member in members.values())
            free = shutil.disk_usage(folder.name).free
            if size > free:
                raise InputError(f"{archive} holds {size} bytes, and {folder.name} has {free} free")
            for path, member in members.items():
                target = Path(folder.name, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{archive} is damaged or encrypted: {error}") from error
    except OSError as error:
        raise InputError(f"cannot unpack {archive}: {error}") from error
    return folder


def _members(archive: Path, opened: zipfile.ZipFile) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """Find the files of the one run in an archive, by their paths inside the run's folder."""
    files = {PurePosixPath(m.filename): m for m in opened.infolist() if not m.is_dir()}
    for path in files:
        if (
            not path.parts
            or path.is_absolute()
            or ".." in path.parts
            or "\\" in str(path)
            or re.match(r"[A-Za-z]:", path.parts[0])  # a drive
        ):
            raise InputError(f"{archive} names a file outside of itself: {str(path)!r}")
    roots = [path.parent for path in files if path.name == MARK]
    if len(roots) != 1:
        raise InputError(f"{archive} holds {len(roots) or 'no'} finished runs; one is wanted")
    (root,) = roots
    inside = {p.relative_to(root): m for p, m in files.items() if p.is_relative_to(root)}
    return {path: member for path, member in inside.items() if path.parts[0] != "report"}
