"""What the methods fitted on photographs have in common: numbers in a file, and their fitting."""

import time
from abc import abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.datasets.files import make_folder
from inpaintbench.datasets.tasks.drawing import Task
from inpaintbench.methods.method import Method, highest_value
from inpaintbench.methods.photographs import HELD_OUT_SEED, announced_split, draw_observations
from inpaintbench.methods.training_pictures import write_training_pictures
from inpaintbench.methods.weights import WeightedMethod, loaded_arrays, write_weights

Arrays = dict[str, NDArray[np.float64]]


class FittedMethod(WeightedMethod):
    """A method with a few arrays that were fitted on photographs, by `inpaintbench train NAME`.

    A subclass names its arrays in `fits`, and computes them in `fit`.
    """

    family = "statistical"
    fits: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    @abstractmethod
    def fit(pictures: Sequence[Array], seed: int) -> dict[str, NDArray[Any]]:
        """Compute the arrays from photographs; the same seed gives the same arrays."""

    @staticmethod
    def fit_task() -> Task:
        """The task whose photographs it is fitted on, and validated with: the crop challenge."""
        from inpaintbench.datasets.tasks import crop

        return crop

    def fitted(self) -> Arrays:
        """Give the arrays, read once in a process unless the file changes.

        Raises
        ------
        InputError
            As `weights_sha256`, or if the file holds other arrays than these.
        """
        return loaded_arrays(self.weights_file, self.fits)

    def load(self) -> None:
        """Load the arrays."""
        self.fitted()


def fit_method(
    method: type[FittedMethod], images: Sequence[str], folder: Path, seed: int = 0
) -> dict[str, Any]:
    """Fit a method on photographs, and write its arrays with a model card.

    Parameters
    ----------
    method : the method to fit
    images : folders or zip archives of photographs; a tenth of each is held out for validation
    folder : receives `NAME.safetensors`, its card `NAME.toml`, and `NAME-pictures.safetensors`
    seed : of the windows drawn, and of whatever else is random

    Returns
    -------
    dict
        The model card.

    Raises
    ------
    InputError
        If no photographs can be used, or the folder cannot be written.
    """
    import safetensors.numpy

    make_folder(folder)
    task = method.fit_task()
    training, validation = announced_split(images, "fit on", task)
    start = time.monotonic()
    arrays = {name: np.ascontiguousarray(a) for name, a in method.fit(training, seed).items()}
    seconds = time.monotonic() - start
    path = folder / f"{method.name}.safetensors"
    card = described_fit(method.name, images, (training, validation), arrays, seconds, seed)
    card |= write_training_pictures(training, path)
    data = safetensors.numpy.save(arrays)
    write_weights(data, path, card)  # so that it can be validated as it will be used
    observations, truths = draw_observations(validation, HELD_OUT_SEED, task)
    score = _mean_mse(method(weights=str(path)), observations, truths)
    card["validation_mse"] = round(score, 1)
    title = task.METRICS[0].title
    card["validation"] = f"{title} of one case ({task.NAME}) of each held-out photograph"
    write_weights(data, path, card)
    return card


def described_fit(
    name: str,
    images: Sequence[str],
    split: tuple[list[Array], list[Array]],
    arrays: dict[str, NDArray[Any]],
    seconds: float,
    seed: int,
) -> dict[str, Any]:
    """Begin a model card: what was fitted, when, how and on which photographs."""
    training, validation = split
    return {
        "method": name,
        "made": datetime.now(UTC).date().isoformat(),
        "command": _command(name, images, seed),
        "numbers": int(sum(array.size for array in arrays.values())),
        "photographs": [Path(name).name for name in images],
        "photographs_fitted_on": len(training),
        "photographs_held_out": len(validation),
        "held_out": "SHA-256 of the file's name, its first 8 bytes, divisible by 10",
        "seconds": round(seconds, 1),
        "seed": seed,
        "numpy": np.__version__,
    }


def _command(name: str, images: Sequence[str], seed: int) -> str:
    sources = " ".join(f"--images {Path(image).name}" for image in images)
    return f"inpaintbench train {name} {sources} --seed {seed}"


def _mean_mse(
    method: Method, observations: Sequence[Observation], truths: Sequence[Array]
) -> float:
    """Mean over cases of the mean squared error over hidden pixels, in grey levels of 0..255."""
    errors = []
    for observation, restored, truth in zip(
        observations, method.restore_batch(observations), truths, strict=True
    ):
        highest = highest_value(observation)
        rounded = np.clip(np.rint(restored[observation.mask]), 0, highest)
        difference = (rounded - truth[observation.mask]) * (255 / highest)
        errors.append(np.square(difference).mean())
    return float(np.mean(errors))
