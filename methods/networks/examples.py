"""What networks are trained on and validated with: cases of a task, drawn as they are needed."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from inpaintbench.datasets.cases import Array, Mask, hide
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.photographs import shares

Example = tuple[Tensor, Tensor, Tensor]


class Examples(Dataset[Example]):
    """Random examples: number `i` depends on (seed, i) alone, whatever worker draws it.

    Each item is what is shown `(C, h, w)`, the truth `(C, H, W)`, and the mask `(1, H, W)`, as
    `Restorer.forward` wants them: float32 tensors, the first two in 0..1.

    Parameters
    ----------
    pictures : photographs to draw from, uint8 or uint16
    seed : of everything drawn
    one_each : draw example `i` from picture `i`, untransformed: a fixed validation set
    """

    def __init__(self, pictures: Sequence[Array], seed: int, one_each: bool = False) -> None:
        self.pictures = pictures
        self.seed = seed
        self.one_each = one_each
        self.shares = shares(pictures)

    def __deepcopy__(self, _memo: dict[int, object]) -> "Examples":
        """Give the same: the weights' average copies all that a training has, photographs too."""
        return self

    def __len__(self) -> int:
        """Count a validation set; a training set has no end, its sampler decides."""
        return len(self.pictures)

    def picture(self, index: int) -> tuple[Array, np.random.Generator]:
        """Draw the photograph of an example, and give the generator to draw the rest with."""
        rng = np.random.default_rng((self.seed, index))
        number = index if self.one_each else int(np.searchsorted(self.shares, rng.random()))
        return self.pictures[number], rng

    @abstractmethod
    def __getitem__(self, index: int) -> Example:
        """Draw one example."""


class TaskCases(Examples):
    """Cases as their task draws them, each from a photograph turned at random.

    Turned before the case is drawn, so that training sees what the task asks, whatever that is.

    Parameters
    ----------
    task : the task's module
    corner : give the network only one corner of each training case, of so many of the truth's
        pixels a side, so that it makes more updates in the same time; 0 gives whole cases. What is
        shown must be of that size too, or smaller by a whole factor that divides the corner.
    """

    def __init__(
        self,
        task: Task,
        pictures: Sequence[Array],
        seed: int,
        one_each: bool = False,
        corner: int = 0,
    ) -> None:
        super().__init__(pictures, seed, one_each)
        self.draw = task.draw  # a module could not be copied, or sent to a worker
        self.corner = corner

    def __getitem__(self, index: int) -> Example:
        """Draw one case."""
        shown, truth, mask = self.case(index)
        if self.corner and not self.one_each:
            rng = np.random.default_rng((self.seed, index, 1))
            last = [bool(rng.integers(2)) for _ in range(2)]
            times = truth.shape[0] // shown.shape[0]
            shown = _corner(shown, self.corner // times, last)
            truth, mask = (_corner(array, self.corner, last) for array in (truth, mask))
        return planes(shown), planes(truth), torch.from_numpy(mask.astype(np.float32))[None]

    def case(self, index: int) -> tuple[Array, Array, Mask]:
        """Draw one case: what is shown, with 0 at hidden pixels, the truth, and the mask."""
        picture, rng = self.picture(index)
        if not self.one_each:
            picture = np.rot90(picture, int(rng.integers(4)))
            picture = picture[:, ::-1] if rng.random() < 0.5 else picture
        drawn: Sequence[Array] = self.draw(picture, rng)
        truth, mask, *given = drawn  # given by a task that shows more than the truth with holes
        return (given[0] if given else hide(truth, mask)), truth, mask


class SlidingPatches(TaskCases):
    """Patches from anywhere in drawn windows, each with its own centre hidden.

    As PixelNet slides them at stride 1, but for the number: `TIMES` of each window, with `TOGETHER`
    others between one and the next, so that a batch shows many windows and drawing them costs
    little.
    """

    TIMES, TOGETHER = 8, 64

    def __init__(self, task: Task, pictures: Sequence[Array], seed: int, side: int) -> None:
        super().__init__(task, pictures, seed)
        self.side = side
        self.block = -1
        self.windows: dict[int, Tensor] = {}  # of that block

    def __getitem__(self, index: int) -> Example:
        """Cut one patch: `(1, side, side)`."""
        block = index // (self.TIMES * self.TOGETHER)
        number = block * self.TOGETHER + index % self.TOGETHER
        if block != self.block:
            self.block, self.windows = block, {}
        if number not in self.windows:
            self.windows[number] = planes(self.case(number)[1])
        window, side = self.windows[number], self.side
        rng = np.random.default_rng((self.seed, index, 1))
        top, left = rng.integers(window.shape[1] - side + 1, size=2)  # windows are square
        return centre_hidden(window[:, top : top + side, left : left + side])


def _corner(array: Array, side: int, last: Sequence[bool]) -> Array:
    """Cut a corner of an array: the last rows or columns where `last` says so, else the first."""
    rows, columns = (slice(-side, None) if end else slice(side) for end in last)
    part: Array = array[rows, columns]
    return part


def centre_hidden(truth: Tensor) -> Example:
    """Hide the centre pixel of patches `(..., side, side)`, of one channel."""
    mask = torch.zeros_like(truth)
    mask[..., truth.shape[-2] // 2, truth.shape[-1] // 2] = 1
    return truth * (1 - mask), truth, mask


def planes(pixels: Array) -> Tensor:
    """Turn a uint8 or uint16 picture into a float32 tensor in 0..1: `(1, H, W)` or `(3, H, W)`."""
    channels = pixels if pixels.ndim == 3 else pixels[..., None]
    scaled = np.moveaxis(channels, -1, 0).astype(np.float32) / np.iinfo(pixels.dtype).max
    return torch.from_numpy(np.ascontiguousarray(scaled, np.float32))
