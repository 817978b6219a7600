"""What was fitted or trained, as safetensors files, each with a model card that holds its hash."""

import hashlib
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import write_bytes
from inpaintbench.methods.method import Method

SHIPPED = Path(__file__).parent / "trained"


class WeightsFile(NamedTuple):
    """A weights file as it is now: what is remembered of it is forgotten when it is replaced."""

    path: Path
    modified: int = 0  # in nanoseconds
    inode: int = 0

    @classmethod
    def now(cls, path: Path) -> "WeightsFile":
        """Look a file's state up."""
        try:
            state = path.stat()
        except OSError:
            return cls(path)  # who reads it says what is wrong
        return cls(path, state.st_mtime_ns, state.st_ino)


class WeightedMethod(Method):
    """A method whose numbers were fitted or trained beforehand, and lie in a weights file.

    Parameters
    ----------
    weights : str
        Path of a safetensors file with its card beside it; "" takes the one shipped here.
    """

    weights: str = ""

    @property
    def weights_name(self) -> str:
        """What its weights file is called, without ending."""
        return self.name

    @property
    def shipped_path(self) -> Path:
        """Where its weights are if any are shipped."""
        return SHIPPED / f"{self.weights_name}.safetensors"

    @property
    def weights_path(self) -> Path:
        """The weights file that is used.

        Raises
        ------
        InputError
            If none was named, and none is shipped.
        """
        if not self.weights and not self.shipped_path.exists():
            raise InputError(
                f"{self.label} has no weights of its own: make them by inpaintbench train "
                f"{self.label} --images FOLDER, and name them as {self.label}:weights=FILE"
            )
        return Path(self.weights or self.shipped_path)

    @property
    def weights_file(self) -> WeightsFile:
        """The same with its state, by which caches know it."""
        return WeightsFile.now(self.weights_path)

    def weights_sha256(self) -> str:
        """Hash of the weights, which is checked against their card.

        Raises
        ------
        InputError
            If the weights or their card are missing, the hash is wrong, or the card says that they
            are of another method.
        """
        return hashlib.sha256(read_weights(self.weights_path, self.weights_name)).hexdigest()

    def cards(self) -> list[tuple[Path, dict[str, Any]]]:
        """The card of its own weights."""
        return [(self.weights_path, read_card(self.weights_path))]


def fit_seconds(method: Method) -> float:
    """Seconds that fitting or training took, as the method's cards say; NaN without any.

    What a training started from counts as well; so does what an ensemble combines.
    """
    seconds = [
        float(card.get("seconds", 0))
        + 60 * (float(card.get("minutes", 0)) + float(card.get("minutes_before", 0)))
        for _, card in method.cards()
    ]
    return sum(seconds) if seconds else float("nan")


def write_weights(data: bytes, path: Path, card: dict[str, Any]) -> None:
    """Write a weights file, and the card with its SHA-256 beside it as TOML."""
    import tomli_w

    card = card | {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    write_bytes(data, path)
    write_bytes(tomli_w.dumps(card).encode(), path.with_suffix(".toml"))


def read_card(path: Path) -> dict[str, Any]:
    """Read the model card of a weights file.

    Raises
    ------
    InputError
        If there is none, or it is no TOML with a `sha256`.
    """
    card = path.with_suffix(".toml")
    try:
        content = tomllib.loads(card.read_text())
        str(content["sha256"])
    except OSError as error:
        if not path.exists():
            raise InputError(f"{path} does not exist") from error
        raise InputError(f"cannot read the model card {card}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise InputError(f"{card} is no model card with a sha256: {error}") from error
    return content


def read_weights(path: Path, name: str = "") -> bytes:
    """Read a weights file whose hash is the one on its card.

    Parameters
    ----------
    name : what the weights should be called, if they are to be of one method alone

    Raises
    ------
    InputError
        If the file or its card cannot be read, the card says another name, or the hashes differ.
    """
    card = read_card(path)
    owner = card.get("method", name)
    if name and owner != name:
        raise InputError(
            f"{path} holds the weights of {owner}, not of {name}: name the method that they were "
            "made for, with its parameters"
        )
    expected = str(card["sha256"])
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the weights {path}: {error.strerror}") from error
    actual = hashlib.sha256(data).hexdigest()
    if actual != expected:
        raise InputError(
            f"{path} has the wrong hash: its card says {expected[:12]}, the file is {actual[:12]}; "
            f"restore the file, or train it again"
        )
    return data


@lru_cache(maxsize=8)
def loaded_arrays(file: WeightsFile, names: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """Read named arrays as float64; kept for the next call.

    Raises
    ------
    InputError
        If the file cannot be read, its hash is not the card's, or it holds other arrays.
    """
    import safetensors.numpy
    from safetensors import SafetensorError

    path = file.path
    data = read_weights(path)
    try:
        arrays = safetensors.numpy.load(data)
    except SafetensorError as error:
        raise InputError(f"{path} is no safetensors file: {error}") from error
    if set(arrays) != set(names):
        raise InputError(f"{path} holds {', '.join(sorted(arrays))}, not {', '.join(names)}")
    return {name: value.astype(np.float64) for name, value in arrays.items()}
