"""Crops for training and validation, drawn from photographs as the challenge draws its own."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler

from inpaintbench.datasets.tasks.crop import draw_hole, draw_picture, make_crop
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.networks import windows
from inpaintbench.methods.networks.examples import Example, Examples


class Crops(Examples):
    """Crops of the challenge: what is shown is the window with its hole filled harmonically.

    Tensors of shape `(1, SIDE, SIDE)`.
    """

    def __getitem__(self, index: int) -> Example:
        """Draw one crop."""
        pixels, rng = self.picture(index)
        picture = draw_picture(pixels, rng)
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
