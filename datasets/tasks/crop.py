"""The crop challenge: a rectangle hidden in a small greyscale photograph.

A photograph becomes a case by taking a window of it, resizing that with LANCZOS to 70..100 pixels a
side, and hiding a rectangle with odd sides of 5..21 pixels, at least 20 pixels from every border.
Axis 0 is the challenge's X, axis 1 its Y.
"""

from collections.abc import Sequence

import numpy as np

from inpaintbench.datasets.cases import Array, Mask
from inpaintbench.datasets.tasks.drawing import draw_window
from inpaintbench.datasets.tasks.metrics import usual_metrics

NAME = "crop"
COLOUR = False
LEVELS = 255
METRICS = usual_metrics("challenge MSE", "grey levels")
BORDER = 20  # known pixels between the rectangle and every border, at the least
SIDES = (70, 100)  # shortest and longest side of a case, in pixels
HOLE_SIDES = tuple(range(5, 22, 2))  # sides of the hidden rectangle, in pixels


def make_crop(
    image_array: Array, crop_size: Sequence[int], crop_center: Sequence[int]
) -> tuple[Array, Array, Array]:
    """Hide a rectangle of an image, as the course's exercise 4 asks.

    Parameters
    ----------
    image_array : (X, Y) array of any dtype
        The image; it is not modified.
    crop_size : two odd integers
        Size of the rectangle along X (axis 0) and Y (axis 1).
    crop_center : two integers
        Position of its centre along X and Y.

    Returns
    -------
    image_array : (X, Y) array
        A copy with the rectangle set to 0.
    crop_array : (X, Y) array of the same dtype
        1 inside the rectangle, 0 outside.
    target_array : array of `crop_size` and the same dtype
        The original values of the rectangle.

    Raises
    ------
    ValueError
        If the image is not a 2-D numpy array, if size or centre do not hold exactly 2 whole
        numbers, if one is far too large or a size is even, or if fewer than 20 pixels lie between
        the rectangle and a border.

    Examples
    --------
    >>> image = np.arange(50 * 60).reshape(50, 60)
    >>> hidden, crop, target = make_crop(image, (5, 7), (22, 30))
    >>> target.shape, int(crop.sum()), int(hidden[20:25, 27:34].sum())
    ((5, 7), 35, 0)
    """
    if not isinstance(image_array, np.ndarray) or image_array.ndim != 2:
        raise ValueError("image_array must be a 2-D numpy array")
    for name, values in (("crop_size", crop_size), ("crop_center", crop_center)):
        if np.shape(values) != (2,):
            raise ValueError(f"{name} must hold exactly 2 values, not {values!r}")
        try:
            whole = all(float(value).is_integer() for value in values)
        except OverflowError as error:  # a number of hundreds of digits
            raise ValueError(f"{name} holds a number that is larger than any image") from error
        if not whole:
            raise ValueError(f"{name} must hold whole numbers, not {values!r}")
    box = []
    sizes, centers = map(int, crop_size), map(int, crop_center)  # small numpy integers would wrap
    for axis, length, size, center in zip("XY", image_array.shape, sizes, centers, strict=True):
        if size < 1 or size % 2 != 1:
            raise ValueError(f"crop_size must be odd and positive, but is {size} along {axis}")
        start = center - size // 2
        border = min(start, length - start - size)
        if border < BORDER:
            raise ValueError(
                f"the crop must be {BORDER} pixels or more from every border, but is {border} "
                f"away along {axis}: size {size}, centre {center}, image {length}"
            )
        box.append(slice(start, start + size))
    rectangle = tuple(box)
    target_array = image_array[rectangle].copy()
    crop_array = np.zeros_like(image_array)
    crop_array[rectangle] = 1
    hidden = image_array.copy()
    hidden[rectangle] = 0
    return hidden, crop_array, target_array


ex4 = make_crop


def draw_hole(
    shape: tuple[int, int], rng: np.random.Generator
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Draw size and centre of a rectangle that the challenge would allow in a picture of `shape`.

    Both sides are drawn from the odd numbers 5..21 (smaller where the picture allows no more),
    then the place uniformly.

    Raises
    ------
    ValueError
        If not even a hole of 5 pixels fits, that is if a side is under 45 pixels.
    """
    size, center = [], []
    for length in shape:
        allowed = [side for side in HOLE_SIDES if side <= length - 2 * BORDER]
        if not allowed:
            raise ValueError(f"a picture of {shape[0]}x{shape[1]} pixels has no room for a hole")
        side = allowed[int(rng.integers(len(allowed)))]
        size.append(side)
        center.append(int(rng.integers(BORDER, length - BORDER - side + 1)) + side // 2)
    return (size[0], size[1]), (center[0], center[1])


def draw_picture(photograph: Array, rng: np.random.Generator) -> Array:
    """Draw a picture of 70..100 pixels a side from a photograph of any size.

    Half of the pictures show as much of the photograph as their shape allows, the others a window
    of it, at a scale between that and the photograph's own pixels (drawn on a logarithmic scale).

    Raises
    ------
    ValueError
        If a side of the photograph is under 70 pixels.
    """
    if min(photograph.shape) < SIDES[0]:
        raise ValueError(f"{photograph.shape[0]}x{photograph.shape[1]} pixels are too few")
    height, width = (
        int(rng.integers(SIDES[0], min(SIDES[1], length) + 1)) for length in photograph.shape
    )
    return draw_window(photograph, (height, width), rng)


def draw(pixels: Array, rng: np.random.Generator) -> tuple[Array, Mask]:
    """Draw a picture from a photograph, and the rectangle to hide.

    Raises
    ------
    ValueError
        If a side of the photograph is under 70 pixels.
    """
    picture = draw_picture(pixels, rng)
    _, crop, _ = make_crop(picture, *draw_hole((picture.shape[0], picture.shape[1]), rng))
    return picture, crop.astype(bool)
