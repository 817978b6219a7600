"""The files of the course's other years: border (2021) and grid (2022), and how they are scored.

A test set is a pickled dict with `input_arrays`, pictures with 0 at unknown pixels, and
`known_arrays` of the same shapes, 1 where a pixel is known and 0 where not. In 2021 pictures are
`(90, 90)`, and `borders_x`, `borders_y` and `sample_ids` come along; in 2022 they are
`(3, 100, 100)`, channels first, with `offsets`, `spacings` and `sample_ids`. What comes along is
not needed. Predictions are a pickled list of 1-D uint8 arrays: `picture[known_array == 0]`, so the
unknown pixels in row-major order, in 2022 those of one channel after the other.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from inpaintbench.datasets import pickles
from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.datasets.challenge import is_sequence, score
from inpaintbench.datasets.errors import InputError

KEYS = ("input_arrays", "known_arrays")


class FlatScores(NamedTuple):
    """What the two challenges make of predictions.

    Attributes
    ----------
    mse : mean over samples of each one's mean squared error, as border ranks
    rmse : mean over samples of its root, as grid ranks
    """

    mse: float
    rmse: float


def task_of(path: str | Path) -> str:
    """Tell whose test set a file is: "crop", "border" or "grid"; crop's reader judges all others.

    Raises
    ------
    InputError
        If it cannot be read, or is no pickle.
    """
    content = pickles.load(path)
    if not isinstance(content, dict) or KEYS[0] not in content:
        return "crop"
    first = next(iter(content[KEYS[0]]), None) if is_sequence(content[KEYS[0]]) else None
    return "grid" if isinstance(first, np.ndarray) and first.ndim == 3 else "border"


def read_testset(path: str | Path) -> list[Observation]:
    """Read and check a test set; colour pictures come as `(H, W, 3)`.

    Raises
    ------
    InputError
        If the file or an entry is not as described above; it names the index of the first
        offender.
    """
    content = pickles.load(path)
    if not isinstance(content, dict) or not all(is_sequence(content.get(key)) for key in KEYS):
        raise InputError(f"{path}: is no dict with the lists {' and '.join(KEYS)}")
    pictures, known = (content[key] for key in KEYS)
    if len(pictures) != len(known) or not len(pictures):
        raise InputError(f"{path}: {len(pictures)} {KEYS[0]} for {len(known)} {KEYS[1]}")
    pairs = zip(pictures, known, strict=True)
    return [_observation(f"{path}, index {k}", *pair) for k, pair in enumerate(pairs)]


def _observation(where: str, picture: Any, known: Any) -> Observation:
    for name, array in (("input array", picture), ("known array", known)):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
            raise InputError(f"{where}: the {name} is no array of numbers")
    if picture.ndim != 2 and picture.shape[:-2] != (3,):
        raise InputError(
            f"{where}: the input array has shape {picture.shape}, not (h, w), (3, h, w)"
        )
    if known.shape != picture.shape:
        raise InputError(
            f"{where}: the known array has shape {known.shape}, the input array {picture.shape}"
        )
    if not picture.size or (picture != np.clip(np.rint(picture), 0, 255)).any():
        raise InputError(f"{where}: the input array must hold whole numbers of 0..255")
    unknown = known == 0
    mask = unknown if unknown.ndim == 2 else unknown[0]
    if (unknown != mask).any():
        raise InputError(f"{where}: the channels of the known array differ")
    if picture[unknown].any():
        raise InputError(f"{where}: the input array is not 0 at every unknown pixel")
    if not mask.any():
        raise InputError(f"{where}: the known array hides nothing, so there is nothing to predict")
    image = picture.astype(np.uint8)
    if image.ndim == 3:
        image = np.moveaxis(image, 0, -1)
    return Observation(np.ascontiguousarray(image), np.ascontiguousarray(mask))


def predictions_from(pictures: Sequence[Array], observations: Sequence[Observation]) -> list[Array]:
    """Take the predictions for a submission out of restored pictures."""
    return [p[o.mask].T.ravel() for p, o in zip(pictures, observations, strict=True)]


def flat_scores(predictions: Sequence[Array], targets: Sequence[Array]) -> FlatScores:
    """Score predictions, in float64.

    Raises
    ------
    InputError
        If the lengths or a pair of shapes differ, with the index of the first offender.
    """
    mse = score(predictions, targets)
    pairs = zip(predictions, targets, strict=True)
    roots = [np.sqrt(score([prediction], [target])) for prediction, target in pairs]
    return FlatScores(mse, float(np.mean(roots)))
