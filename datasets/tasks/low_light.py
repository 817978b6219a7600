"""Low light: a colour photograph dimmed to a fifth, and then noise over it.

A photograph becomes a case by taking a window of it, resizing that with LANCZOS to 128x128 pixels,
multiplying its HSV value by 0.2, as published, and adding noise, of which there are five kinds:

- `low-light`: genuine salt and pepper, on a tenth of the pixels; half of these become white and
  half black, in all channels at once
- `low-light-published`: what was published under that name. Half as many (row, column, channel)
  triples as there are values are drawn twice, with replacement, and set to 1. So about 63 % of the
  values become 1 (1 - 1/e of them are drawn at least once), and nothing becomes white
- `low-light-gaussian`: with a standard deviation of 5 grey levels
- `low-light-poisson`: shot noise, one photon for each grey level
- `low-light-speckle`: each value times 1 plus a normal number with a standard deviation of 0.2

The published strengths of the last three are not known. These are such that, once the picture is
as bright as before, each has a standard deviation of about 25 grey levels where it is mid-grey.

All of the picture is asked for. It has 8 bits, since the published values are those of 8 bits.
Departure: windows have 128x128 pixels, not 500x500, which would take 15 times as long.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import LOW_LIGHT, Array, Mask
from inpaintbench.datasets.tasks.drawing import draw_window, in_colour
from inpaintbench.datasets.tasks.metrics import NEED_KNOWN, Metric, usual_metrics

DIMMING = 0.2  # by which the HSV value is multiplied
GAIN = 5.0  # which undoes it
AMOUNT = 0.1  # share of the pixels that salt and pepper change
PUBLISHED = 1  # what the published noise sets values to
GAUSSIAN = 5.0  # standard deviation, in grey levels of the dimmed picture
SPECKLE = 0.2  # standard deviation, as a share of each value
BRIGHT, DARK = 200, 50  # grey levels, for the scores of bright regions

Noise = Callable[[NDArray[np.float64], np.random.Generator], Array]


def dim(picture: Array) -> NDArray[np.float64]:
    """Multiply a picture's HSV value by 0.2, in floating point.

    Hue and saturation do not depend on the scale of red, green and blue, and the value is the
    largest of them: so all three are multiplied.
    """
    return picture * DIMMING


def salt_and_pepper(dimmed: NDArray[np.float64], rng: np.random.Generator) -> Array:
    """Make a twentieth of the pixels white and another black, in all channels."""
    noisy = np.rint(dimmed)
    drawn = rng.random(dimmed.shape[:2])
    noisy[drawn < AMOUNT / 2] = 0
    noisy[drawn >= 1 - AMOUNT / 2] = 255
    return noisy


def published(dimmed: NDArray[np.float64], rng: np.random.Generator) -> Array:
    """Draw half of all (row, column, channel) triples twice, with replacement; set them to 1."""
    noisy = np.rint(dimmed)
    for _ in range(2):
        places = [rng.integers(length, size=dimmed.size // 2) for length in dimmed.shape]
        noisy[tuple(places)] = PUBLISHED
    return noisy


def gaussian(dimmed: NDArray[np.float64], rng: np.random.Generator) -> Array:
    """Add normal numbers of one standard deviation."""
    return dimmed + rng.normal(0, GAUSSIAN, dimmed.shape)


def poisson(dimmed: NDArray[np.float64], rng: np.random.Generator) -> Array:
    """Count photons, as many as there are grey levels on average."""
    return rng.poisson(dimmed)


def speckle(dimmed: NDArray[np.float64], rng: np.random.Generator) -> Array:
    """Multiply each value by a normal number around 1."""
    return dimmed * rng.normal(1, SPECKLE, dimmed.shape)


@dataclass(frozen=True)
class LowLight:
    """A colour photograph dimmed to a fifth, and then noise over it: 128x128 pixels.

    Attributes
    ----------
    NAME : of the task, which says what noise
    what : the noise in words
    noise : adds it to a dimmed picture in 0..255; the result is clipped and rounded
    """

    NAME: str
    what: str
    noise: Noise
    SIDES: tuple[int, int] = (128, 128)
    COLOUR: bool = True
    LEVELS: int = 255
    METRICS: tuple[Metric, ...] = (
        *usual_metrics("MSE", "grey levels", without=NEED_KNOWN),
        Metric(
            "bright_mse",
            "bright MSE",
            "squared grey levels",
            "lower",
            0,
            None,
            f"mean over the values that are {BRIGHT} or more in truth",
        ),
        Metric(
            "wrapped",
            "wrapped",
            "",
            "lower",
            0,
            1,
            f"share of the values in bright regions ({BRIGHT} or more in truth, and so all eight "
            f"neighbours) that are restored as {DARK} or less: what values beyond 255 become in 8 "
            f"bits where they are not clipped, and also what noise leaves that is not taken away",
        ),
    )

    def __post_init__(self) -> None:
        # What a list of tasks says of a module is its docstring.
        about = f"Low light: a colour photograph dimmed to a fifth, under {self.what}."
        object.__setattr__(self, "__doc__", about)

    def draw(self, pixels: Array, rng: np.random.Generator) -> tuple[Array, Mask, Array]:
        """Draw a picture of 128x128 from a photograph, and degrade it.

        Raises
        ------
        ValueError
            If a side of the photograph is under 128 pixels, or it has 16 bits.
        """
        if pixels.dtype != np.uint8:
            raise ValueError("16 bits: the task is about the values of 8 bits")
        picture = draw_window(in_colour(pixels), self.SIDES, rng)
        noisy = self.noise(dim(picture), rng)
        return picture, np.ones(self.SIDES, bool), np.rint(noisy).clip(0, 255).astype(np.uint8)


NOISES: dict[str, Noise] = {
    "salt and pepper": salt_and_pepper,
    "the noise published as salt and pepper": published,
    "normal noise": gaussian,
    "shot noise": poisson,
    "speckle noise": speckle,
}
TASKS = tuple(LowLight(n, *noise) for n, noise in zip(LOW_LIGHT, NOISES.items(), strict=True))


def any_noise(dimmed: NDArray[np.float64], rng: np.random.Generator) -> Array:
    """Add one of the kinds of noise, each as likely: what networks are trained on."""
    return tuple(NOISES.values())[int(rng.integers(len(NOISES)))](dimmed, rng)


MIXED = LowLight("low-light-mixed", "any of these kinds of noise", any_noise)  # for training only
