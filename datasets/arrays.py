"""Windows in counts, as a user may have them: a pickle as PixelNet published it, or an npz file.

PixelNet's pickles hold a dict: `x_data`, windows `(n, 31, 31)` or `(n, 31, 31, 1)` whose centre is
coded as 0, and `y_data`, the `n` centres. A centre may be shown as well, or all be hidden by
another constant, but none may show another value than `y_data`. An npz file holds the same two
arrays, or any arrays of two or three dimensions: pictures, or stacks of them.
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from inpaintbench.datasets import pickles
from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.images import PhotographFile

SUFFIXES = (".pkl", ".pickle", ".npz")
WINDOWS, CENTRES = "x_data", "y_data"


def array_files(path: Path) -> list[PhotographFile]:
    """List the pictures of a pickle or npz file.

    Raises
    ------
    InputError
        If it cannot be read, would run code, holds something else than whole numbers of
        0..65535 in the shapes above, or centres that contradict the windows.
    """
    return [
        PhotographFile(f"{name}/{number:05d}", path.stem, partial(_picture, path, name, number))
        for name, stack in _stacks(path, path.stat().st_mtime_ns).items()
        for number in range(len(stack))
    ]


def _picture(path: Path, name: str, number: int, _colour: bool) -> Array:
    picture: Array = _stacks(path, path.stat().st_mtime_ns)[name][number]
    return picture


@lru_cache(maxsize=2)
def _stacks(path: Path, _modified: int) -> dict[str, Array]:
    """Read a file: stacks `(n, H, W)` of uint8 or uint16, by their names."""
    content = _read_npz(path) if path.suffix.lower() == ".npz" else pickles.load(path)
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: holds no arrays by name, such as {WINDOWS} and {CENTRES}")
    if WINDOWS in content:
        return {WINDOWS: _with_centres(path, content)}
    if path.suffix.lower() != ".npz":
        raise InputError(f"{path}: has no {WINDOWS}; it has {', '.join(map(str, content))}")
    return {name: _stack(f"{path}, {name}", array) for name, array in content.items()}


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # a damaged file may fail in any way whatever
        raise InputError(f"cannot read {path}: {error}") from error


def _with_centres(path: Path, content: Mapping[str, Any]) -> Array:
    """Put the centres into the windows."""
    stack = _stack(f"{path}, {WINDOWS}", content[WINDOWS]).copy()
    if CENTRES not in content:
        raise InputError(f"{path}: has no {CENTRES}, the true centres: nothing could be scored")
    try:
        centres = np.asarray(content[CENTRES]).reshape(len(stack))
    except ValueError as error:
        raise InputError(f"{path}, {CENTRES}: {error}; one centre a window is needed") from error
    height, width = stack.shape[1:]
    if height % 2 == 0 or width % 2 == 0:
        raise InputError(f"{path}, {WINDOWS}: windows of {height}x{width} have no centre pixel")
    centres = _whole(f"{path}, {CENTRES}", centres)
    if centres.max() > np.iinfo(stack.dtype).max:  # the windows around them are of 8 bits
        stack = stack.astype(np.uint16)
    _check_shown(path, stack[:, height // 2, width // 2], centres)
    stack[:, height // 2, width // 2] = centres
    return stack


def _check_shown(path: Path, shown: Array, centres: Array) -> None:
    """Check that the windows show the centres, or hide them: as 0, or all as one constant."""
    wrong = np.flatnonzero((shown != 0) & (shown != centres))
    if wrong.size and shown.min() < shown.max():
        first = wrong[0]
        raise InputError(
            f"{path}, index {first}: the window's centre is {shown[first]} in {WINDOWS}, but "
            f"{CENTRES} says {centres[first]}; they must agree, or the centre be hidden as 0"
        )


def _stack(where: str, array: Any) -> Array:
    """Make a stack of an array `(H, W)`, `(n, H, W)` or `(n, H, W, 1)`, or of a list of such."""
    try:
        values = np.asarray(array)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or not values.size:
        raise InputError(f"{where}: has shape {values.shape}, not (windows, height, width)")
    return _whole(where, values)


def _whole(where: str, values: Array) -> Array:
    """Check that values are whole numbers of 16 bits; bytes stay bytes."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "uif":
        raise InputError(f"{where}: holds {values.dtype}, not numbers")
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535:
        raise InputError(f"{where}: holds values outside 0..65535")
    if (values != np.rint(values)).any():
        raise InputError(
            f"{where}: holds values that are no whole counts (the largest is {values.max():.6g}): "
            f"undo the scaling first"
        )
    return values.astype(np.uint16)
