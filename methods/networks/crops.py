"""Crops for training and validation, drawn from photographs as the challenge draws its own."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.tasks.crop import draw_hole, draw_picture, make_crop
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.networks import windows
from inpaintbench.methods.photographs import shares


class Crops(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Random crops: number `i` depends on (seed, i) alone, so any number of workers gives the same.

    Each item is the window with its hole filled harmonically, the truth, and the mask: float32
    tensors of shape `(1, SIDE, SIDE)`, the first two in 0..1.

    Parameters
    ----------
    pictures : photographs to draw from, uint8 or uint16
    seed : of everything drawn
    one_each : draw crop `i` from picture `i`, untransformed: a fixed validation set
    """

    def __init__(self, pictures: Sequence[Array], seed: int, one_each: bool = False) -> None:
        self.pictures = pictures
        self.seed = seed
        self.one_each = one_each
        self.shares = shares(pictures)

    def __len__(self) -> int:
        """Count the crops of a validation set; a training set has no end, its sampler decides."""
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw one crop."""
        rng = np.random.default_rng((self.seed, index))
        number = index if self.one_each else int(np.searchsorted(self.shares, rng.random()))
        picture = draw_picture(self.pictures[number], rng)
        hidden, crop, _ = make_crop(picture, *draw_hole((picture.shape[0], picture.shape[1]), rng))
        mask = crop.astype(bool)
        (hole,) = windows.holes(mask)
        highest = np.iinfo(picture.dtype).max
        truth = windows.cut(picture, mask, hole)
        filled = harmonic_fill(windows.cut(hidden, mask, hole).pixels, truth.mask)
        planes = np.stack([filled / highest, truth.pixels / highest, truth.mask]).astype(np.float32)
        if not self.one_each:  # one of the 8 symmetries of the square
            planes = np.rot90(planes, int(rng.integers(4)), axes=(1, 2))
            planes = planes[:, :, ::-1] if rng.random() < 0.5 else planes
        tensor = torch.from_numpy(np.ascontiguousarray(planes))
        return tensor[0:1], tensor[1:2], tensor[2:3]


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
