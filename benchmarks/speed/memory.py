"""Peak memory of every method on a batch of 10,000 crops: `python benchmarks/speed/memory.py`.

Each method runs in a process of its own, on growing batches until one takes too long. The last
step says what a crop more costs, so the peak of 10,000 crops is seen, or reckoned where that says.
"""

import resource
import sys
import time
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue

import numpy as np
import pandas as pd
from skimage import data

from inpaintbench.datasets.cases import Observation
from inpaintbench.methods import method_classes, parse_method
from inpaintbench.reports.texts import markdown_table

CROPS = 10_000
STEPS = (250, 500, 1000, 2000, 5000, CROPS)
SECONDS = 90.0  # a step that would take longer is not run, but for the first two


def crops(count: int) -> list[Observation]:
    """Cut challenge-sized crops with a 13x13 hole from a photograph, each in its own memory."""
    made = []
    for number in range(count):
        top, left = number * 7 % 400, number * 13 % 400
        image = data.camera()[top : top + 70, left : left + 93].copy()
        mask = np.zeros(image.shape, bool)
        mask[30:43, 40:53] = True
        image[mask] = 0
        made.append(Observation(image, mask))
    return made


def measure(label: str, answer: "SimpleQueue[list[tuple[int, float]]]") -> None:
    """Send the peak memory in MiB after growing batches."""
    method = parse_method(label)
    method.restore(crops(1)[0])
    peaks: list[tuple[int, float]] = []
    seconds = 0.0
    for count in STEPS:
        if len(peaks) > 1 and seconds * count / peaks[-1][0] > SECONDS:
            break
        batch = crops(count)
        start = time.perf_counter()
        method.restore_batch(batch)
        seconds = time.perf_counter() - start
        peaks.append((count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    answer.put(peaks)


def main() -> None:
    """Measure the methods named, or all, and print the table."""
    context = get_context("spawn")
    rows = []
    filling = [name for name, kind in method_classes().items() if kind.fills_holes()]
    for label in sys.argv[1:] or filling:
        answer: SimpleQueue[list[tuple[int, float]]] = context.SimpleQueue()
        process = context.Process(target=measure, args=(label, answer))
        process.start()
        peaks = answer.get()
        process.join()
        count, peak = peaks[-1]
        each = (peak - peaks[-2][1]) / (count - peaks[-2][0])
        total = peak + each * (CROPS - count)
        how = "seen" if count == CROPS else f"reckoned from {count} crops"
        rows.append({"method": label, "MiB for 10,000 crops": f"{total:.0f}", "how": how})
        print(rows[-1], file=sys.stderr, flush=True)
    print(markdown_table(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
