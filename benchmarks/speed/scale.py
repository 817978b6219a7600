"""Measure how a run scales: memory and time by the number of cases, and the gain of two workers.

`python benchmarks/speed/scale.py memory 1000 10000 100000` carries out `mean` on so many cases of
70x93 pixels, each number in a fresh process, and prints the parent's peak of resident memory.
`python benchmarks/speed/scale.py workers exact-nearest-patch 200` carries out a method on so many
crops of the bundled photographs by one worker and by two, in turn, and prints the ratio of the
times; starting up, some seconds, does not gain, so let it take a minute or more.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from skimage import data

from inpaintbench.benchmarks.run import run_suite
from inpaintbench.benchmarks.suite import Suite
from inpaintbench.methods import parse_method

ROUNDS = 3


def carry_out(suite: Suite, jobs: int) -> float:
    """Carry a suite out but for the timing pass; returns seconds."""
    methods = [parse_method(name) for name in suite.methods]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        words = (lambda *_: None, print)
        run_suite(suite, methods, Path(folder) / "run", jobs, 60, *words, timed=False)
        return time.perf_counter() - start


def memory(cases: int, images: str) -> None:
    """Carry out a suite in this process, and print what it took."""
    suite = Suite(name="scale", task="crop", images=images, cases=cases, seed=0, methods=["mean"])
    seconds = carry_out(suite, 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {cases:,} | {peak:.0f} MiB | {seconds:.0f} s |", flush=True)


def small_photographs(folder: str) -> None:
    """Write ten photographs of 70x93 pixels."""
    for number in range(10):
        part = data.camera()[40 * number :][:70, 30 * number :][:, :93]
        Image.fromarray(part).save(Path(folder) / f"{number}.png")


def main(what: str, *words: str) -> None:
    """Measure what the command line says."""
    if what == "memory":
        print("| cases | parent's peak memory | time |\n| ---: | ---: | ---: |", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            small_photographs(folder)
            for cases in words:
                process = multiprocessing.get_context("spawn").Process(
                    target=memory, args=(int(cases), folder)
                )
                process.start()
                process.join()
        return
    name, cases = words
    suite = Suite(name="scale", task="crop", cases=int(cases), seed=0, methods=[name])
    carry_out(suite, 2)  # whatever is compiled once
    for _ in range(ROUNDS):
        one, two = carry_out(suite, 1), carry_out(suite, 2)
        print(
            f"{name}, {cases} cases: {one:.1f} s, {two:.1f} s with two, {one / two:.2f} times",
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
