"""The crop challenge: a rectangle hidden in a small greyscale photograph.

A photograph becomes a case by taking a window of it, resizing that with LANCZOS to 70..100 pixels a
side, and hiding a rectangle with odd sides of 5..21 pixels, at least 20 pixels from every border.
Axis 0 is the challenge's X, axis 1 its Y.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from inpaintbench.datasets.cases import Array, Case, Share
from inpaintbench.datasets.images import (
    Photograph,
    Skipped,
    none_usable,
    photograph_files,
    read_photographs,
    resize,
)

NAME = "crop"
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
        numbers, if a size is even, or if fewer than 20 pixels lie between the rectangle and a
        border.

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
        if not all(float(value).is_integer() for value in values):
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
    largest = min(photograph.shape[0] / height, photograph.shape[1] / width)
    scale = largest if rng.random() < 0.5 else largest ** rng.random()
    rows = min(photograph.shape[0], round(height * scale))
    columns = min(photograph.shape[1], round(width * scale))
    top = int(rng.integers(photograph.shape[0] - rows + 1))
    left = int(rng.integers(photograph.shape[1] - columns + 1))
    return resize(photograph[top : top + rows, left : left + columns], (height, width))


def case_seed(suite_seed: int, image_id: str, index: int) -> int:
    """Seed of one case (63 bits): depends on (suite seed, image id, index) alone, anywhere."""
    text = f"{suite_seed}/{index}/{image_id}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def case_id(image_id: str, index: int) -> str:
    """Name the case number `index` of a photograph: unique in a suite, safe as a file name."""
    digest = hashlib.sha256(image_id.encode()).hexdigest()[:6]
    stem = "".join(c if c.isalnum() else "-" for c in image_id.rsplit(".", 1)[0])[-40:]
    return f"{stem}-{digest}-{index:03d}"


def draw_case(photograph: Photograph, suite_seed: int, index: int) -> Case:
    """Draw the case number `index` of a photograph.

    Raises
    ------
    ValueError
        If a side of the photograph is under 70 pixels.
    """
    seed = case_seed(suite_seed, photograph.image_id, index)
    rng = np.random.default_rng(seed)
    picture = draw_picture(photograph.pixels, rng)
    shape = (picture.shape[0], picture.shape[1])
    _, crop, _ = make_crop(picture, *draw_hole(shape, rng))
    return Case(
        case_id=case_id(photograph.image_id, index),
        task=NAME,
        image_id=photograph.image_id,
        source=photograph.source,
        seed=seed,
        truth=picture,
        mask=crop.astype(bool),
    )


def plan_cases(where: str, count: int, suite_seed: int, skipped: Skipped) -> list[Share]:
    """Say how many cases to draw from each photograph: as evenly as their number allows.

    Where there are more photographs than cases, a random part of them is used, one case of each;
    otherwise several different cases of each. Photographs are read one at a time, to see whether
    they can be used.

    Parameters
    ----------
    where : what `photograph_files` takes
    count : how many cases
    suite_seed : decides, with image id and index, every pixel of every case
    skipped : receives the files that could not be used

    Raises
    ------
    InputError
        If not one photograph can be used.
    """
    files = photograph_files(where)
    drawn = dict.fromkeys((file.image_id for file in files), 0)
    left = count
    while left:
        files.sort(key=lambda f: (drawn[f.image_id], case_seed(suite_seed, f.image_id, -1)))
        share, extra = divmod(left, len(files))
        wanted = {f.image_id: share + (place < extra) for place, f in enumerate(files)}
        already = len(skipped)
        unread = [f for f in files if wanted[f.image_id] and not drawn[f.image_id]]
        for _ in read_photographs(unread, SIDES[0], skipped):
            pass  # those that cannot be used are in `skipped` now
        unusable = {name for name, _ in skipped.files[already:]}
        files = [file for file in files if file.image_id not in unusable]
        if not files:
            raise none_usable(where, skipped)
        for file in files:
            drawn[file.image_id] += wanted[file.image_id]
            left -= wanted[file.image_id]
    shares = [Share(image_id, cases) for image_id, cases in drawn.items() if cases]
    return sorted(shares, key=lambda share: case_id(share.image_id, 0))


def draw_cases(where: str, count: int, suite_seed: int, skipped: Skipped) -> list[Case]:
    """Draw the cases that `plan_cases` plans, all at once.

    Parameters and errors are those of `plan_cases`.
    """
    files = {file.image_id: file for file in photograph_files(where)}
    cases: list[Case] = []
    for image_id, count_of_it in plan_cases(where, count, suite_seed, skipped):
        photograph = files[image_id].read(SIDES[0])
        cases += [draw_case(photograph, suite_seed, index) for index in range(count_of_it)]
    return cases
