"""Methods that misbehave in every way; workers import them from here."""

import os
import time

import numpy as np

from inpaintbench.methods import Method


class Misbehaves(Method):
    """Does what `way` says on pictures of an odd height, and is good on the others."""

    name = "misbehaves"
    family = "test"
    way: str = "good"

    def restore(self, observation):
        if observation.image.shape[0] % 2:
            return self.misbehave(observation)
        return np.full(observation.image.shape, 100.0)

    def misbehave(self, observation):
        shape = observation.image.shape
        match self.way:
            case "raise":
                raise RuntimeError("on purpose")
            case "exit":
                os._exit(3)
            case "hang":
                time.sleep(1000)
            case "memory":
                raise MemoryError("on purpose")
            case "nan":
                return np.full(shape, np.nan)
            case "shape":
                return np.zeros((3, 3))
            case "text":
                return "no picture"
        return np.full(shape, 100.0)


class OtherTask(Method):
    """Can do nothing that there is."""

    name = "other-task"
    family = "test"
    tasks = ("elsewhere",)

    def restore(self, observation):
        raise AssertionError("must never be called")


class Spy(Method):
    """Restores the truth if it can find it anywhere in what it is given."""

    name = "spy"
    family = "test"

    def restore(self, observation):
        seen = [v for v in vars(observation).values() if isinstance(v, np.ndarray)]
        hidden = [a[observation.mask] for a in seen if a.shape == observation.mask.shape]
        assert sorted(vars(observation)) == ["image", "mask"]
        assert not hidden[0].any()
        return observation.image
