"""Methods that misbehave in every way; workers import them from here."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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

    def misbehave(self, observation):  # noqa: PLR0911, PLR0912  (a list of all ways)
        shape = observation.image.shape
        match self.way:
            case "sys.exit":
                raise SystemExit(0)
            case "timeout error":
                raise TimeoutError("its own")
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
            case "complex":
                return np.zeros(shape, complex)
            case "modify":
                observation.image[0, 0] += 1
            case "modify mask":
                observation.mask[0, 0] = True
            case "random":
                return np.random.default_rng().uniform(0, 255, shape)
            case "segfault":
                ctypes.string_at(0)
            case "abort":
                os.abort()
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "loop":
                while True:
                    pass
            case "print":
                while True:
                    print("noise " * 1000, flush=True)
                    os.write(2, b"noise " * 1000)
            case "allocate":
                return [np.ones(2**27) for _ in range(1000)]  # a GiB each
            case "children":
                leave_children()
            case "vandal":
                np.mean = np.sum = lambda *_, **__: 7.0  # for all that this process does later
            case "lambda":
                return lambda: None
        return np.full(shape, 100.0)


def leave_children():
    """Start processes as fast as the system allows, which would stay for ever; then hang."""
    while True:
        subprocess.Popen([sys.executable, "-S", "-c", f"import time; time.sleep(1000)  # {CHILD}"])


CHILD = "a child of the misbehaving method"


class HangsAt(Method):
    """Fills with grey at once, but hangs at a picture whose first pixel is `level`."""

    name = "hangs-at"
    family = "test"
    level: int = -1

    def restore(self, observation):
        if observation.image[0, 0] == self.level:
            time.sleep(1000)
        return np.full(observation.image.shape, 100.0)


class Slow(Method):
    """Fills with a grey that depends on the known pixels, taking its time."""

    name = "slow"
    family = "test"
    seconds: float = 0.01

    def restore(self, observation):
        time.sleep(self.seconds)
        return np.full(observation.image.shape, observation.image[~observation.mask].mean())


class OtherTask(Method):
    """Can do nothing that there is."""

    name = "other-task"
    family = "test"
    tasks = ("elsewhere",)

    def restore(self, observation):
        raise AssertionError("must never be called")


class Spy(Method):
    """Fails if it finds the truth, in what it is given or on disk beside the run."""

    name = "spy"
    family = "test"
    folder: str = ""

    def restore(self, observation):
        assert sorted(vars(observation)) == ["image", "mask"]
        assert not observation.image[observation.mask].any()
        pictures = [path for path in Path(self.folder).rglob("*.png") if "truth" in path.parts]
        assert not pictures, pictures
        return observation.image


class OneByOneOnly(Method):
    """Restores a batch well, and fails at a single picture: the scoring never notices."""

    name = "one-by-one-fails"
    family = "test"

    def restore(self, observation):
        raise RuntimeError("only in batches")

    def restore_batch(self, observations):
        return [np.full(o.image.shape, 100.0) for o in observations]


class LooksAround(Method):
    """Paints how many other pictures it was shown; fails if one is of its own photograph.

    For single-coloured photographs: the colour tells what was cut from which.
    """

    name = "looks-around"
    family = "test"
    search: str = "set"

    def look_around(self, others):
        assert all(not o.image[o.mask].any() for o in others)
        self.others = [o.image[0, 0] for o in others]

    def restore(self, observation):
        others = getattr(self, "others", [])
        assert observation.image[0, 0] not in others, "shown its own photograph"
        return np.full(observation.image.shape, float(len(others)))


class Hopeful(Method):
    """Fills in mid-grey, and expects to be off by 10 everywhere, or as `way` says."""

    name = "hopeful"
    family = "test"
    way: str = "good"

    def restore(self, observation):
        image = observation.image.astype(float)
        image[observation.mask] = 128
        return image

    def expected_errors(self, observations):
        assert all(not o.image[o.mask].any() for o in observations)
        errors = [np.full(o.image[o.mask].shape, 100.0) for o in observations]
        match self.way:
            case "raise":
                raise RuntimeError("on purpose")
            case "short":
                return errors[1:]
            case "none":
                return None
            case "unknown":
                for error in errors:
                    error[0] = np.nan
            case "growing":
                return [np.arange(error.size) for error in errors]
        return errors
