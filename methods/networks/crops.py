"""Crops for training and validation, drawn from photographs as the challenge draws its own."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler

from inpaintbench.datasets.cases import Array, Mask
from inpaintbench.datasets.tasks.crop import HOLE_SIDES, draw_hole, draw_picture, make_crop
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.networks import windows
from inpaintbench.methods.networks.examples import Example, Examples

TRIES = 20  # places for further holes in a training window; three or four have room
GAP = 6  # pixels between two holes, at the least
MARGIN = 4  # pixels between a further hole and the window's border, at the least

Box = tuple[slice, slice]


class Crops(Examples):
    """Crops of the challenge: what is shown is the window with its hole filled harmonically.

    Tensors of shape `(1, SIDE, SIDE)`. A window for training has further holes beside the
    challenge's own. Most of an error is what no network could know, so three times as many hidden
    pixels teach nearly as much as three windows do, in the time of one.

    Parameters
    ----------
    several : whether a window for training has these further holes
    """

    def __init__(
        self, pictures: Sequence[Array], seed: int, one_each: bool = False, several: bool = True
    ) -> None:
        super().__init__(pictures, seed, one_each)
        self.several = several and not one_each

    def __getitem__(self, index: int) -> Example:
        """Draw one crop."""
        pixels, rng = self.picture(index)
        picture = draw_picture(pixels, rng)
        _, crop, _ = make_crop(picture, *draw_hole((picture.shape[0], picture.shape[1]), rng))
        mask = crop.astype(bool)
        (hole,) = windows.holes(mask)
        truth = windows.cut(picture, mask, hole)
        boxes = [truth.inner]
        if self.several:
            boxes += further_holes(truth.mask, rng)
        highest = np.iinfo(picture.dtype).max
        filled = _filled(truth.pixels, boxes)
        planes = np.stack([filled / highest, truth.pixels / highest, truth.mask]).astype(np.float32)
        if not self.one_each:  # one of the 8 symmetries of the square
            planes = np.rot90(planes, int(rng.integers(4)), axes=(1, 2))
            planes = planes[:, :, ::-1] if rng.random() < 0.5 else planes
        tensor = torch.from_numpy(np.ascontiguousarray(planes))
        return tensor[0:1], tensor[1:2], tensor[2:3]


def further_holes(mask: Mask, rng: np.random.Generator) -> list[Box]:
    """Hide more rectangles of the challenge's sizes in a window, where they have room."""
    boxes: list[Box] = []
    sizes = rng.choice(HOLE_SIDES, (TRIES, 2))
    starts = rng.integers(MARGIN, np.array(mask.shape) - MARGIN - sizes, endpoint=True)
    for (top, left), (bottom, right) in zip(starts, starts + sizes, strict=True):
        if not mask[max(0, top - GAP) : bottom + GAP, max(0, left - GAP) : right + GAP].any():
            boxes.append((slice(top, bottom), slice(left, right)))
            mask[boxes[-1]] = True
    return boxes


def _filled(pixels: Array, boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Fill rectangles, each from the pixels around it alone: faster than all together, the same."""
    filled = pixels.astype(np.float64)
    for rows, columns in boxes:
        around = (slice(rows.start - 1, rows.stop + 1), slice(columns.start - 1, columns.stop + 1))
        hole = np.zeros(filled[around].shape, bool)
        hole[1:-1, 1:-1] = True
        filled[around] = harmonic_fill(filled[around], hole)
    return filled


class EpochSampler(Sampler[int]):
    """Numbers of the crops of one epoch after the other: `epoch * length` and on.

    Lightning calls `set_epoch`, also when it resumes, so that no crop comes twice. Of several
    devices number `rank` gets every `devices`-th.
    """

    def __init__(self, length: int, rank: int = 0, devices: int = 1) -> None:
        self.length = length
        self.rank = rank
        self.devices = devices
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch to draw."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length // self.devices

    def __iter__(self) -> Iterator[int]:
        first = self.epoch * self.length + self.rank
        return iter(range(first, first + len(self) * self.devices, self.devices))
