"""CIFAR-10's test pictures, from its official archive.

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

NAME = "cifar10"
ENDINGS = (".tar.gz", ".tgz")
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
MEMBER = "cifar-10-batches-py/test_batch"
SIDE = 32  # pixels
TERMS = "CIFAR-10's test pictures, fetched when first used (170 MB); its page states no licence"


def cifar_files(where: str) -> list[PhotographFile]:
    """List CIFAR-10's test pictures.

    Parameters
    ----------
    where : "cifar10", which fetches the archive unless it was fetched before, or the archive's path

    Raises
    ------
    InputError
        If the archive cannot be had, or is not the official one.
    """
    path = fetch() if where == NAME else Path(where)
    count = len(_test_batch(path, SHA256))
    return [
        PhotographFile(f"test/{number:05d}", NAME, partial(_picture, path, number))
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
            f"cannot fetch {NAME} from {url} into {folder}: {error}; fetch the archive by other "
            f"means and give its path to --images, or give a folder of pictures"
        ) from error


@lru_cache(maxsize=2)
def _test_batch(path: Path, sha256: str) -> Array:
    """Read the test pictures of an archive: `(count, 32, 32, 3)` uint8."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise InputError(
                f"{path} has the wrong hash: the official archive has {sha256[:12]}, "
                f"this one {found[:12]}; fetch it again from {URL}"
            )
        with tarfile.open(path) as archive:
            member = archive.extractfile(MEMBER)
            data = member.read() if member else b""
    except (OSError, tarfile.TarError, KeyError, EOFError) as error:
        raise InputError(f"cannot read the archive {path}: {error}") from error
    content = pickles.loads(data, f"{path}, {MEMBER}", "latin1")
    pixels = content.get("data") if isinstance(content, dict) else None
    if not isinstance(pixels, np.ndarray) or pixels.shape[1:] != (3 * SIDE * SIDE,):
        raise InputError(f"{path}, {MEMBER}: holds no pictures of {SIDE}x{SIDE}")
    return np.ascontiguousarray(pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


def _picture(path: Path, number: int, colour: bool) -> Array:
    picture: Array = _test_batch(path, SHA256)[number]
    return picture if colour else grey(picture)
