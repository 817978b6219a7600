"""Methods whose cost is known; workers import them from here."""

import os
from pathlib import Path

import numpy as np

from inpaintbench.methods import Method


class Greedy(Method):
    """Takes memory while it is loaded and while it restores, and lets go of it again."""

    name = "greedy"
    family = "test"
    loading: int = 0  # MiB
    restoring: int = 0

    def load(self):
        np.ones(self.loading << 20, np.uint8)

    def restore(self, observation):
        np.ones(self.restoring << 20, np.uint8)
        return np.full(observation.image.shape, 100.0)


class Diary(Method):
    """Notes in a file, for every call, in which process it runs and with how many threads."""

    name = "diary"
    family = "test"
    file: str = ""
    number: int = 0

    def note(self, what):
        with Path(self.file).open("a") as file:
            file.write(f"{what} {os.getpid()} {os.environ['OMP_NUM_THREADS']}\n")

    def load(self):
        self.note("load")

    def restore(self, observation):
        self.note("restore")
        return np.full(observation.image.shape, 100.0)


class FailsInBatches(Method):
    """Restores one picture well, and fails at several."""

    name = "fails-in-batches"
    family = "test"

    def restore(self, observation):
        return np.full(observation.image.shape, 100.0)

    def predict_batch(self, observations):
        raise RuntimeError("one at a time")
