"""Find the noisy values, brighten, and restore them by a method of inpainting."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import LOW_LIGHT, Array, Mask, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.tasks.low_light import PUBLISHED
from inpaintbench.methods.gain import brightened
from inpaintbench.methods.method import Method, each_channel, highest_value, joined
from inpaintbench.methods.registry import parse_method

MOSTLY = 0.5  # share of a picture's values that must be the published one to be its noise
THRESHOLD = 4.0  # of ROAD, in grey levels; the best of 4, 8, 16 and 24 on held-out photographs
PASSES = 2  # over black values; more would eat black lines up from their ends
FAR = 1e6  # from every value


class DetectAndInpaint(Method):
    """Find values that are noise, and restore them from the others by any method of inpainting.

    In two phases, as R. H. Chan, C.-W. Ho and M. Nikolova, "Salt-and-pepper noise removal by
    median-type noise detectors and detail-preserving regularization", IEEE Transactions on Image
    Processing 14(10), 2005. Noise is what `find_impulses` finds, in each channel by itself: salt
    and pepper, and the published noise. The others are brightened, and the noisy ones hidden from
    the inpainting method.

    Noise that changes every value a little, it does not find.

    Parameters
    ----------
    inpainter : str
        Name of the inpainting method, with its default parameters.
    threshold : float
        ROAD above which a black value is noise, in grey levels of 0..255.
    """

    name = "detect-and-inpaint"
    family = "filter"
    tasks = LOW_LIGHT
    limits = "it brightens dark pictures, and fills no holes"
    inpainter: str = "biharmonic"
    threshold: float = THRESHOLD

    def __post_init__(self) -> None:
        if not self._method.fills_holes():
            raise InputError(f"{self.inpainter} fills no holes; choose another inpainter")

    @property
    def _method(self) -> Method:
        return parse_method(self.inpainter)

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return self.restore_batch([observation])[0]

    def restore_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore several pictures; all their channels go to the inpainting method at once."""
        holes = []
        for observation in observations:
            bright = brightened(observation).astype(observation.image.dtype)
            noisy = find_impulses(observation, self.threshold)
            for channel, mask in zip(each_channel(bright), each_channel(noisy), strict=True):
                holes.append(Observation(np.where(mask, channel.dtype.type(0), channel), mask))
        restored = iter(self._method.restore_batch(holes))
        pictures = []
        for observation in observations:
            shape, highest = observation.image.shape, highest_value(observation)
            channels = [next(restored) for _ in range(int(np.prod(shape[2:])))]
            pictures.append(joined(channels, shape).clip(0, highest))
        return pictures

    def weights_sha256(self) -> str:
        """Hash of the inpainting method's weights."""
        return self._method.weights_sha256()

    def cards(self) -> list[tuple[Path, dict[str, Any]]]:
        """The inpainting method's cards."""
        return self._method.cards()

    def load(self) -> None:
        """Load what the inpainting method needs."""
        self._method.load()


def find_impulses(observation: Observation, threshold: float) -> Mask:
    """Find the noisy values of a dimmed picture: an array of its shape, not only of its mask's.

    In a picture without white, most of whose values are that of the published noise, these are the
    noise: no neighbours can tell then. In others it is, in grey levels of 0..255,

    - white, which a dimmed picture cannot have
    - black, where more than half of the neighbours differ: where ROAD, the sum of the four smallest
      absolute differences from the eight neighbours, is above the threshold. R. Garnett,
      T. Huegerich, C. Chui and W. He, "A universal noise removal algorithm with an impulse
      detector", IEEE Transactions on Image Processing 14(11), 2005, who take more than extreme
      values for noise. Departure: a second pass takes the noise of the first for different, and
      so finds pepper in the middle of pepper
    """
    values = observation.image * (255 / highest_value(observation))
    published, noisy = np.asarray(values == PUBLISHED), np.asarray(values >= 255)
    if published.mean() > MOSTLY and not noisy.any():  # a night's picture has such values as well
        return published
    for _ in range(PASSES):
        others = each_channel(np.where(noisy, FAR, values))
        noisy |= (values <= 0) & (joined([road(c) for c in others], values.shape) > threshold)
    return noisy


def road(channel: Array) -> NDArray[np.float64]:
    """Rank-ordered absolute differences: the four smallest from the eight neighbours, added.

    The picture is mirrored at its borders.
    """
    padded = np.pad(channel.astype(np.float64), 1, mode="symmetric")
    height, width = channel.shape
    neighbours = [
        padded[y : y + height, x : x + width]
        for y in range(3)
        for x in range(3)
        if (y, x) != (1, 1)
    ]
    differences = np.abs(np.stack(neighbours) - channel)
    return np.asarray(np.partition(differences, 3, axis=0)[:4].sum(axis=0), np.float64)
