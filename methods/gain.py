"""Make a dimmed picture as bright as it was, and do nothing about its noise."""

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import LOW_LIGHT, Array, Observation
from inpaintbench.datasets.tasks import low_light
from inpaintbench.methods.method import Method, highest_value


class Gain(Method):
    """Five times the picture, clipped to its range: the dimming undone, and the noise with it."""

    name = "gain"
    family = "constant"
    tasks = LOW_LIGHT
    limits = "it brightens dark pictures, and fills no holes"

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return brightened(observation)


def brightened(observation: Observation) -> NDArray[np.float64]:
    """Undo the dimming of a picture; values beyond the range are clipped, never wrapped."""
    highest = highest_value(observation)
    return np.minimum(observation.image.astype(np.float64) * low_light.GAIN, highest)
