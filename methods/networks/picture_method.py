"""Network methods that see the whole picture, also to give one of another size."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Observation, hide
from inpaintbench.methods.method import highest_value
from inpaintbench.methods.networks.network_method import NetworkMethod

if TYPE_CHECKING:
    from torch import Tensor

    from inpaintbench.methods.networks.examples import TaskCases

PIXELS = 32 * 32  # of a small picture: of larger ones fewer are restored at a time


class PictureMethod(NetworkMethod):
    """A network that restores a picture of any size as a whole.

    It is shown the picture with 0 at hidden pixels, or what its task gives of it, and the mask;
    it answers in the mask's size. A network of a task with colour sees a grey picture as three
    equal channels and answers with their mean; one of a grey task sees channel by channel. Pictures
    of the same size go through the network together.

    Attributes
    ----------
    corner : int
        In training, how many pixels a side to cut from a case: see `TaskCases`.
    """

    corner = 0

    def examples(self, pictures: Sequence[Array], seed: int, one_each: bool) -> "TaskCases":
        """Draw cases as the task does."""
        from inpaintbench.methods.networks.examples import TaskCases

        return TaskCases(self.task, pictures, seed, one_each, self.corner)

    def restore_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore several pictures; those of equal shape share batches."""
        pictures: dict[int, Array] = {}
        for numbers in _alike(observations, self._at_once()):
            restored = self._restored([observations[number] for number in numbers])
            pictures |= zip(numbers, restored, strict=True)
        return [pictures[number] for number in range(len(observations))]

    def _restored(self, observations: Sequence[Observation]) -> Iterator[Array]:
        """Restore pictures of equal shape."""
        import torch

        from inpaintbench.methods.networks.examples import planes

        shown = [self._shown(planes(_seen(o))) for o in observations]
        count = len(shown[0])  # of passes that a picture needs
        masks = [torch.from_numpy(o.mask.astype(np.float32))[None, None] for o in observations]
        mask = torch.cat(masks).repeat_interleave(count, 0)
        output = self.output(torch.cat(shown), mask)[:, : shown[0].shape[1]].clamp(0, 1)
        for o, part in zip(observations, torch.split(output.double(), count), strict=True):
            yield _picture(part.flatten(0, 1).numpy(), o)

    def _shown(self, channels: "Tensor") -> "Tensor":
        """Arrange a picture's channels `(C, h, w)` as the network's own: `(passes, C, h, w)`."""
        if not self.task.COLOUR:
            return channels[:, None]
        return channels.expand(3, -1, -1)[None]


def _alike(observations: Sequence[Observation], at_once: int) -> Iterator[list[int]]:
    """Group the numbers of pictures of equal shape and type, few of large ones at a time."""
    groups: dict[object, list[int]] = {}
    for number, o in enumerate(observations):
        groups.setdefault((o.image.shape, o.mask.shape, o.image.dtype), []).append(number)
    for numbers in groups.values():
        pixels = observations[numbers[0]].mask.size
        most = max(1, at_once * PIXELS // max(pixels, PIXELS))
        for first in range(0, len(numbers), most):
            yield numbers[first : first + most]


def _seen(observation: Observation) -> Array:
    """Give the picture with 0 at hidden pixels; as it is where all are asked for."""
    image, mask = observation.image, observation.mask
    return image if mask.all() else hide(image, mask)


def _picture(channels: NDArray[np.float64], observation: Observation) -> Array:
    """Make a picture of the mask's size, and the observed dtype's range, of channels in 0..1."""
    image, mask = observation.image, observation.mask
    if image.ndim == 2:
        channels = channels.mean(0, keepdims=True)
    picture = np.moveaxis(channels, 0, -1) * highest_value(observation)
    picture = picture.reshape(mask.shape + image.shape[2:])
    if not mask.all():
        picture[~mask] = image[~mask]
    return picture
