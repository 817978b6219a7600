"""How far fingerprints of copies differ, and those of unrelated photographs.

`python -m inpaintbench.benchmarks.near_duplicates A.zip B.zip ...` prints both as Markdown, for
docs/leakage.md. Unrelated are photographs of different collections, in all eight orientations.
"""

import io
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.fingerprints import THRESHOLD, Fingerprints, distance, orientations
from inpaintbench.datasets.images import Skipped, photograph_files, read_photographs, resize
from inpaintbench.reports.texts import markdown_table

COPIED = 20  # one photograph in so many is copied
BITS = (0, 2, 4, 6, 8, 10, 12)
ROWS = 500  # compared at a time


def copies(pixels: Array, rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Make copies of a photograph, as they are met: name and pixels."""
    height, width = pixels.shape
    half = resize(pixels, (max(height // 2, 1), max(width // 2, 1)))
    yield "half the size", half
    yield "twice the size", resize(pixels, (2 * height, 2 * width))
    yield "JPEG of quality 30", _jpeg(pixels, 30)
    yield "half the size, JPEG of quality 50", _jpeg(half, 50)
    yield "20 grey levels brighter", np.clip(pixels.astype(int) + 20, 0, 255).astype(np.uint8)
    yield "gamma 0.8", np.rint(255 * (pixels / 255) ** 0.8).astype(np.uint8)
    yield "10 % wider", resize(pixels, (height, round(1.1 * width)))
    noisy = np.rint(pixels + rng.normal(0, 8, pixels.shape))
    yield "noise of 8 grey levels", np.clip(noisy, 0, 255).astype(np.uint8)
    yield "flipped, JPEG of quality 50", _jpeg(np.ascontiguousarray(pixels[:, ::-1]), 50)
    yield "turned, JPEG of quality 50", _jpeg(np.ascontiguousarray(np.rot90(pixels)), 50)
    for percent in (1, 2, 3, 5, 8):
        rows, columns = round(height * percent / 100), round(width * percent / 100)
        cut = pixels[rows : height - rows, columns : width - columns]
        yield f"{percent} % cut off every side", cut


def _jpeg(pixels: Array, quality: int) -> Array:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def below(own: Fingerprints, known: Fingerprints) -> NDArray[np.int64]:
    """Count the pairs that differ in at most 0, 1, ... 64 bits."""
    counts = np.zeros(65, np.int64)
    for first in range(0, len(own), ROWS):
        bits = np.bitwise_count(own[first : first + ROWS, None] ^ known)
        counts += np.bincount(bits.ravel(), minlength=65)
    return np.cumsum(counts)


def main(sources: Sequence[str]) -> None:
    """Measure, and print three tables."""
    rng = np.random.default_rng(0)
    changed: dict[str, list[int]] = {}
    found: list[Fingerprints] = []  # of each collection (photographs, 8)
    for source in sources:
        turned = []
        photographs = read_photographs(photograph_files(source), 32, Skipped())
        for number, photograph in enumerate(photographs):
            turned.append(orientations(photograph.pixels))
            if number % COPIED == 0:
                for name, copy in copies(photograph.pixels, rng):
                    bits = distance(copy, turned[-1][:1])
                    changed.setdefault(name, []).append(bits)
        found.append(np.stack(turned))
    _print_copies(changed)
    _print_unrelated(found)
    _print_collections(sources, found)


def _print_copies(changed: dict[str, list[int]]) -> None:
    print(f"\nCopies of {len(next(iter(changed.values())))} photographs:\n")
    rows = [
        {
            "copy": name,
            "median bits": f"{np.median(bits):.0f}",
            "95 % within": f"{np.quantile(bits, 0.95):.0f}",
            "99 % within": f"{np.quantile(bits, 0.99):.0f}",
            f"found, {THRESHOLD} bits": f"{np.mean(np.array(bits) <= THRESHOLD):.1%}",
        }
        for name, bits in changed.items()
    ]
    print(markdown_table(pd.DataFrame(rows)))


def _print_unrelated(found: Sequence[Fingerprints]) -> None:
    """Pairs of photographs from two collections, the one in every orientation."""
    counts = np.zeros(65, np.int64)
    for place, own in enumerate(found):
        for other in found[place + 1 :]:
            counts += below(own.ravel(), other[:, 0])
    pairs = f"{counts[-1] // 8:,} pairs of photographs from different collections"
    print(f"\n{pairs}, in 8 orientations each ({counts[-1]:,} comparisons):\n")
    row = {f"{bits} bits or fewer": f"{counts[bits]:,}" for bits in BITS}
    print(markdown_table(pd.DataFrame([row])))


def _print_collections(sources: Sequence[str], found: Sequence[Fingerprints]) -> None:
    """Photographs that look like another one of their own collection."""
    rows = []
    for source, own in zip(sources, found, strict=True):
        known, nearest = own[:, 0], np.full(len(own), 64)
        for place in range(len(own)):
            bits = np.bitwise_count(np.delete(known, place)[:, None] ^ own[place])
            nearest[place] = bits.min()
        row = {"collection": source.rsplit("/", 1)[-1], "photographs": f"{len(own):,}"}
        rows.append(row | {f"{b} bits or fewer": f"{(nearest <= b).sum():,}" for b in BITS})
    print("\nPhotographs that look like another one of their own collection:\n")
    print(markdown_table(pd.DataFrame(rows)))


if __name__ == "__main__":
    main(sys.argv[1:])
