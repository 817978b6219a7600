"""Pixels that see known ones at the same places: what linear methods compute once for all."""

import numpy as np
from numpy.typing import NDArray


def alike(patterns: NDArray[np.bool_]) -> dict[bytes, NDArray[np.intp]]:
    """Group equal rows `(n, size)`: their numbers, by the row's packed bits."""
    groups: dict[bytes, list[int]] = {}
    for number, row in enumerate(np.packbits(patterns, axis=1)):
        groups.setdefault(row.tobytes(), []).append(number)
    return {bits: np.array(numbers) for bits, numbers in groups.items()}


def unpacked(bits: bytes, size: int) -> NDArray[np.bool_]:
    """Give the row of `size` that `alike` packed."""
    return np.unpackbits(np.frombuffer(bits, np.uint8))[:size].view(np.bool_)
