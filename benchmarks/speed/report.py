"""Size and speed of a report: `python benchmarks/speed/report.py CASES METHODS [FOLDER]`.

Makes a run's files with scores drawn at random and pictures of the crops' sizes, of which 500 cases
at the most are kept as by a run; writes its report, and opens it in Chromium if there is one.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from skimage import data

from inpaintbench.benchmarks.plan import KEPT
from inpaintbench.datasets.files import write_json, write_parquet, write_picture
from inpaintbench.reports import load_run
from inpaintbench.reports.page import write_report
from inpaintbench.reports.picture import picture_path

FAMILIES = ("diffusion", "exemplar", "network", "spectral", "statistical", "constant")


def make_run(folder: Path, count: int, methods: int) -> None:
    """Write the files of a run of `count` cases, on a photograph for every 15, and its pictures."""
    rng = np.random.default_rng(0)
    cases = _cases(count, rng)
    labels = [f"method-{number}:size=large" for number in range(methods)]
    write_parquet(cases, folder / "cases.parquet")
    hard = rng.gamma(1, 500, count)
    parts = [_scores(cases, hard, number, label, rng) for number, label in enumerate(labels)]
    write_parquet(pd.concat(parts), folder / "scores.parquet")
    write_parquet(_timings(labels, rng), folder / "timings.parquet")
    for number in range(0, count, -(-count // KEPT)):
        _keep_pictures(folder, cases.iloc[number], labels, rng)
    suite = {"name": "made-up", "task": "crop", "images": "none", "cases": count, "seed": 0}
    about = {"format": 2, "suite": suite, "command": "made up", "finished": "2026-11-21"}
    write_json(about | {"commit": "", "cases_sha256": "0"}, folder / "environment.json")


def _cases(count: int, rng: np.random.Generator) -> pd.DataFrame:
    numbers = np.arange(count)
    sides = rng.integers(2, 11, (count, 2)) * 2 + 1
    return pd.DataFrame(
        {
            "case_id": [f"photograph-{n // 15:05d}-{n % 15:03d}" for n in numbers],
            "task": "crop",
            "image_id": [f"photograph-{n // 15:05d}" for n in numbers],
            "source": np.where(numbers % 2, "one", "other"),
            "height": 80,
            "width": 80,
            "hidden_height": sides[:, 0],
            "hidden_width": sides[:, 1],
            "sha256": numbers.astype(str),
            "content": rng.choice(["smooth", "edge", "corner", "texture"], count),
            "constant_mse": rng.gamma(1, 1000, count),
        }
    )


def _scores(
    cases: pd.DataFrame, hard: np.ndarray, number: int, label: str, rng: np.random.Generator
) -> pd.DataFrame:
    mse = hard * (1 + number / 20) * rng.gamma(8, 1 / 8, len(cases))
    return pd.DataFrame(
        {
            "method": label.partition(":")[0],
            "label": label,
            "family": FAMILIES[number % len(FAMILIES)],
            "case_id": cases["case_id"],
            "status": "ok",
            "message": "",
            "mse": mse,
            "mae": np.sqrt(mse),
            "psnr": 10 * np.log10(255**2 / np.maximum(mse, 1 / 12)),
            "ssim": rng.uniform(0, 1, len(cases)),
            "edge_mse": mse / 2,
            "altered_known": 0.0,
            "expected_mse": mse * 1.1 if number < 5 else np.nan,
            "traceback": "",
        }
    )


def _timings(labels: list[str], rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for label in labels:
        usual = 10 ** rng.uniform(-4, -1)
        kinds = {"load": 1.0, "first": usual * 10, "single": usual, "batch": usual / 3}
        about = {"label": label, "crops": 1, "hidden_pixels": 81.0, "picture_pixels": 6400.0}
        rows += [about | {"kind": kind, "seconds": value} for kind, value in kinds.items()]
        for side, hole in ((80, 5), (80, 9), (80, 21), (40, 9), (160, 9)):
            sizes = {"picture_pixels": float(side**2), "hidden_pixels": float(hole**2)}
            seconds = usual * hole / 9 * side / 80
            rows.append(about | sizes | {"kind": "growth", "seconds": seconds})
    return pd.DataFrame(rows).assign(bytes=np.nan)


def _keep_pictures(
    folder: Path, case: "pd.Series[str]", labels: list[str], rng: np.random.Generator
) -> None:
    height, width = int(case["hidden_height"]), int(case["hidden_width"])
    top, left = rng.integers(0, 400, 2)
    truth = data.camera()[top : top + 80, left : left + 80].copy()
    hole = (slice(30, 30 + height), slice(30, 30 + width))
    mask = np.zeros_like(truth)
    mask[hole] = 255
    pictures = {"truth": truth, "mask": mask, "observed": np.where(mask, 0, truth).astype(np.uint8)}
    for what, pixels in pictures.items():
        write_picture(pixels, picture_path(folder, "pictures", what, case["case_id"]))
    for label in labels:
        noisy = truth[hole] + rng.normal(0, 10, (height, width))
        painted = truth.copy()
        painted[hole] = np.clip(noisy, 0, 255)
        write_picture(painted, picture_path(folder, "restorations", label, case["case_id"]))


def open_page(page: Path) -> str:
    """Open a page in Chromium; say when it could be used, and how long sorting and filtering took.

    Times are wall clock, in milliseconds.
    """
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        return "no chromium to open it in"
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        tab = playwright.chromium.launch(executable_path=program, args=options).new_page()
        tab.goto(page.resolve().as_uri())
        loaded = tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        sort, choose, turn = (
            tab.evaluate(
                "(changes) => { const start = performance.now(); set(changes);"
                "document.body.offsetHeight; return performance.now() - start; }",
                changes,
            )
            for changes in ({"sort": "psnr"}, {"size": "82-169"}, {"list": "disagreement"})
        )
    return (
        f"opened in {loaded:.0f} ms; sorted {sort:.0f}, filtered {choose:.0f}, list {turn:.0f} ms"
    )


def main() -> None:
    """Make, write and open a report, and print what that took."""
    count, methods = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[3] if len(sys.argv) > 3 else temporary)
        make_run(folder, count, methods)
        start = time.process_time()
        page = write_report(load_run(folder))
        seconds, size = time.process_time() - start, page.stat().st_size / 1e6
        print(
            f"{count} cases, {methods} methods: {size:.1f} MB in {seconds:.1f} s of the processor"
        )
        print(open_page(page))


if __name__ == "__main__":
    main()
