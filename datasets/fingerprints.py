"""Fingerprints of photographs, by which copies of one are known: a perceptual hash of 64 bits.

The hash is "pHash" of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions" (2010): a small grey copy, its cosine transform, and for each of the lowest 8x8
coefficients whether it is above their median. Departures: the copy of 32x32 is made by averaging
areas, not by a filter; the first row and column of the transform are kept, as the library imagehash
keeps them, since they survive cropping better (measured in docs/leakage.md). It is written here
because the eight flips and turns of a picture come from one transform, where imagehash, which
would bring PyWavelets along, hashes 8-bit pictures in one orientation.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from inpaintbench.datasets.cases import Array

Fingerprints = NDArray[np.uint64]

SIDE = 32  # pixels of the small copy
KEPT = 8  # lowest frequencies along rows and columns
THRESHOLD = 6  # bits in which copies may differ: docs/leakage.md has both distributions
FLAT = 2.0  # grey levels of 0..255: below this standard deviation there is nothing to recognise


def orientations(pixels: Array) -> Fingerprints:
    """Fingerprints of a picture's eight flips and turns, the picture as it is first.

    Parameters
    ----------
    pixels : (H, W) array of uint8 or uint16

    Returns
    -------
    (8,) array of uint64
        Exactly 32 bits of each are set, unless coefficients tie; all 0 for a picture without
        features, which cannot be told from any other such.
    """
    import cv2
    from scipy.fft import dctn

    levels = pixels.astype(np.float32) * np.float32(255 / np.iinfo(pixels.dtype).max)
    small = cv2.resize(levels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    if small.std() < FLAT:
        return np.zeros(8, np.uint64)
    low = dctn(small.astype(np.float64), norm="ortho")[:KEPT, :KEPT]
    odd = np.where(np.arange(KEPT) % 2, -1, 1)  # a flip turns the signs of odd frequencies
    turned = [
        block * rows * columns
        for block in (low, low.T)
        for rows in (1, odd[:, None])
        for columns in (1, odd)
    ]
    bits = np.stack([block > np.median(block) for block in turned])
    return np.packbits(bits.reshape(8, -1), axis=1).view(">u8").ravel().astype(np.uint64)


def fingerprints(pictures: Iterable[Array]) -> Fingerprints:
    """Fingerprints of pictures as they are: sorted, each once, none of those without features."""
    found = {int(orientations(picture)[0]) for picture in pictures} - {0}
    return np.array(sorted(found), np.uint64)


def look_alikes(turned: Fingerprints) -> list[tuple[int, int]]:
    """Find pictures that look like an earlier one: pairs of its number and the later one's.

    Parameters
    ----------
    turned : (n, 8) array of uint64, by `orientations` of each picture

    Returns
    -------
    list of (int, int)
        A pair for each such picture, with that earlier one which is nearest.
    """
    upright, pairs = turned[:, 0], []
    for place in range(1, len(turned)):
        bits = np.bitwise_count(upright[:place] ^ turned[place, :, None]).min(axis=0)
        nearest = int(bits.argmin())
        if turned[place, 0] and bits[nearest] <= THRESHOLD:
            pairs.append((nearest, place))
    return pairs


def distance(pixels: Array, known: Fingerprints) -> int:
    """Bits by which the nearest of known fingerprints differs from a picture, flipped or turned.

    64 where nothing is known, or the picture has no features.
    """
    own = orientations(pixels)
    if not known.size or not own[0]:
        return 64
    return min(int(np.bitwise_count(known ^ turned).min()) for turned in own)
