"""The challenge's files: its test set, predictions, and the server's way to score them."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inpaintbench.datasets import pickles
from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import written_whole
from inpaintbench.datasets.tasks.crop import make_crop

KEYS = ("images", "crop_sizes", "crop_centers")


def read_testset(path: str | Path) -> list[Observation]:
    """Read and check a challenge test set.

    The file is a pickled dict with `images` (2-D uint8 arrays, 0 inside the crop), `crop_sizes` and
    `crop_centers` (pairs of integers, axis 0 first), three sequences of one length. It is read by
    `pickles.load`, so that nothing in it is executed.

    Raises
    ------
    InputError
        If the file or an entry breaks the challenge's rules; it names the index of the first
        offender.
    """
    content = pickles.load(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, not a dict with {_and(KEYS)}")
    missing = [key for key in KEYS if key not in content]
    if missing:
        raise InputError(f"{path}: has no {_and(missing)}; a test set has {_and(KEYS)}")
    for key in KEYS:
        if not is_sequence(content[key]):
            raise InputError(f"{path}: {key} is a {type(content[key]).__name__}, not a list")
    lengths = [len(content[key]) for key in KEYS]
    if len(set(lengths)) > 1:
        told = ", ".join(f"{n} {key}" for key, n in zip(KEYS, lengths, strict=True))
        raise InputError(f"{path}: the lists differ in length: {told}")
    if not lengths[0]:
        raise InputError(f"{path}: holds no images")
    entries = zip(*(content[key] for key in KEYS), strict=True)
    return [_observation(f"{path}, index {k}", *entry) for k, entry in enumerate(entries)]


def _observation(where: str, image: Any, size: Any, center: Any) -> Observation:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"{where}: the image is {kind}, not a uint8 array")
    for name, pair in (("crop size", size), ("crop centre", center)):
        if not is_sequence(pair) or not all(
            isinstance(v, int | np.integer) and not isinstance(v, bool) for v in pair
        ):
            raise InputError(f"{where}: the {name} is not a pair of integers")
    try:
        hidden, crop, _ = make_crop(image, size, center)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    if not np.array_equal(hidden, image):
        raise InputError(f"{where}: the image is not 0 everywhere inside its crop")
    return Observation(hidden, crop.astype(bool))


def predictions_from(pictures: Sequence[Array], observations: Sequence[Observation]) -> list[Array]:
    """Cut the predictions for a submission out of restored `(H, W)` uint8 pictures."""
    return [p[o.hidden_box] for p, o in zip(pictures, observations, strict=True)]


class _Pickler(pickle.Pickler):
    """Writes arrays as a call of `numpy.ndarray` alone, which every numpy can load.

    numpy 2 would write the name `numpy._core`, which a server with an older numpy cannot import.
    """

    def reducer_override(self, value: Any) -> Any:
        if type(value) is np.ndarray:
            return np.ndarray, (value.shape, value.dtype.str, value.tobytes())
        return NotImplemented


def write_predictions(path: str | Path, predictions: Sequence[Array]) -> None:
    """Write a submission: a pickled list of 2-D uint8 arrays, in the test set's order.

    Raises
    ------
    InputError
        If the file cannot be written; an existing file is then left as it was.
    """
    with written_whole(path) as temporary, temporary.open("wb") as file:
        _Pickler(file, protocol=4).dump(list(predictions))


def read_predictions(path: str | Path) -> list[Array]:
    """Read a list of uint8 arrays, refusing what the challenge's server refuses.

    They are all `(h, w)`, or those of the sister challenges, all flat: `(n,)`.

    Raises
    ------
    InputError
        If it is not a list, or an entry is not such a uint8 array; it names the index of the first
        offender.
    """
    content = pickles.load(path)
    if not isinstance(content, list):
        raise InputError(f"{path}: holds a {type(content).__name__}, not a list of arrays")
    forms = {2: "(h, w)", 1: "(n,)"}
    for index, entry in enumerate(content):
        if not isinstance(entry, np.ndarray):
            raise InputError(f"{path}, index {index}: is a {type(entry).__name__}, not an array")
        if entry.dtype != np.uint8:
            raise InputError(f"{path}, index {index}: has dtype {entry.dtype}, not uint8")
        if not index and entry.ndim in forms:
            forms = {entry.ndim: forms[entry.ndim]}
        if entry.ndim not in forms or not entry.size:
            wanted = " or ".join(forms.values())
            raise InputError(f"{path}, index {index}: has shape {entry.shape}, not {wanted}")
    return content


def score(predictions: Sequence[Array], targets: Sequence[Array]) -> float:
    """Challenge MSE: the mean over samples of each sample's mean squared error, in float64.

    Parameters
    ----------
    predictions, targets : sequences of uint8 arrays, pairwise of one shape: `(h, w)`, or those of
        the sister challenges `(n,)`

    Raises
    ------
    InputError
        If the lengths or a pair of shapes differ, with the index of the first offender.
    """
    if len(predictions) != len(targets):
        raise InputError(f"{len(predictions)} predictions for {len(targets)} targets")
    if not targets:
        raise InputError("there are no predictions to score")
    errors = []
    for index, (prediction, target) in enumerate(zip(predictions, targets, strict=True)):
        if prediction.shape != target.shape:
            raise InputError(
                f"index {index}: the prediction has shape {prediction.shape}, "
                f"the target {target.shape}"
            )
        errors.append(np.mean((prediction.astype(np.float64) - target.astype(np.float64)) ** 2))
    return float(np.mean(errors))


def is_sequence(value: Any) -> bool:
    """Whether a value from a file is a list, a tuple, or an array with a length."""
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
