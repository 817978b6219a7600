"""CIFAR-10's pictures, those for training and those for testing, from its official archive.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009): 60,000 colour
pictures of 32x32 pixels, 10,000 of them for testing. The archive is fetched once, and read only if
it has the right SHA-256; its pickles go through the allow-list unpickler.
"""

import hashlib
import tarfile
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from inpaintbench.datasets import pickles
from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.images import PhotographFile, grey

NAME, TRAIN_NAME = "cifar10", "cifar10-train"
ENDINGS = (".tar.gz", ".tgz")
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
MEMBERS = {  # by the beginning of image ids
    "test": ("test_batch",),
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
}
PARTS = {NAME: "test", TRAIN_NAME: "train"}
SIDE = 32  # pixels
TERMS = "fetched when first used (170 MB, both in one archive); its page states no licence"


def cifar_files(where: str) -> list[PhotographFile]:
    """List CIFAR-10's test pictures, or those for training.

    Parameters
    ----------
    where : "cifar10" (test) or "cifar10-train", which fetch the archive unless it was fetched
        before, or the archive's path (test)

    Raises
    ------
    InputError
        If the archive cannot be had, or is not the official one.
    """
    name, path = (where, fetch()) if where in PARTS else (NAME, Path(where))
    part = PARTS[name]
    count = len(_pictures(path, part, SHA256))
    return [
        PhotographFile(f"{part}/{number:05d}", name, partial(_picture, path, part, number))
        for number in range(count)
    ]


def fetch(url: str = URL, sha256: str = SHA256, folder: Path | None = None) -> Path:
    """Fetch the archive into a folder (default: the user's cache), unless it is there and right.

    Raises
    ------
    InputError
        If it cannot be fetched, or what was fetched has another hash.
    """
    import pooch

    folder = folder or Path(pooch.os_cache("inpaintbench"))
    try:
        return Path(
            pooch.retrieve(url, f"sha256:{sha256}", fname=url.rsplit("/", 1)[-1], path=folder)
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot fetch {NAME} from {url} into {folder}: {error}; put the archive there by "
            f"other means, or give --images a folder of pictures"
        ) from error


@lru_cache(maxsize=2)
def _pictures(path: Path, part: str, sha256: str) -> Array:
    """Read a part of an archive's pictures: `(count, 32, 32, 3)` uint8."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise InputError(
                f"{path} has the wrong hash: the official archive has {sha256[:12]}, "
                f"this one {found[:12]}; fetch it again from {URL}"
            )
        with tarfile.open(path) as archive:
            batches = [_batch(path, archive, member) for member in MEMBERS[part]]
    except (OSError, tarfile.TarError, KeyError, EOFError) as error:
        raise InputError(f"cannot read the archive {path}: {error}") from error
    return np.concatenate(batches)


def _batch(path: Path, archive: tarfile.TarFile, member: str) -> Array:
    file = archive.extractfile(f"cifar-10-batches-py/{member}")
    content = pickles.loads(file.read() if file else b"", f"{path}, {member}", "latin1")
    pixels = content.get("data") if isinstance(content, dict) else None
    if not isinstance(pixels, np.ndarray) or pixels.shape[1:] != (3 * SIDE * SIDE,):
        raise InputError(f"{path}, {member}: holds no pictures of {SIDE}x{SIDE}")
    return np.ascontiguousarray(pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


def _picture(path: Path, part: str, number: int, colour: bool) -> Array:
    picture: Array = _pictures(path, part, SHA256)[number]
    return picture if colour else grey(picture)
