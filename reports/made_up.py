"""A run of made-up scores, for examples: its files are those of any run, without pictures."""

import atexit
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

SCORES = {"fsr": (10, 30), "telea": (20, 50), "mean": (40, 200)}  # MSE on two cases
MILLISECONDS = {"fsr": 0.6, "telea": 0.2, "mean": 0.03}


def write_example() -> Path:
    """Write a run of three methods on two cases into a temporary folder, which goes at the end."""
    folder = TemporaryDirectory(prefix="inpaintbench-example-")
    atexit.register(folder.cleanup)
    path = Path(folder.name)
    ids = ["coins-0", "moon-0"]
    cases = {"image_id": ["coins", "moon"], "source": "skimage", "task": "crop"}
    hole = {"hidden_height": [5, 11], "hidden_width": [7, 9], "content": ["smooth", "edge"]}
    about = {"sha256": ["0", "1"], "constant_mse": [8.0, 25.0], "height": 80, "width": 80}
    pd.DataFrame({"case_id": ids} | cases | hole | about).to_parquet(path / "cases.parquet")
    rows = [
        {"label": label, "family": "any", "case_id": case_id, "mse": float(mse)}
        for label, values in SCORES.items()
        for case_id, mse in zip(ids, values, strict=True)
    ]
    same: dict[str, Any] = {"status": "ok", "message": "", "psnr": 30.0, "altered_known": 0.0}
    pd.DataFrame(rows).assign(**same).to_parquet(path / "scores.parquet")
    timings = [
        {"label": n, "kind": "single", "seconds": ms / 1e3} for n, ms in MILLISECONDS.items()
    ]
    nothing = dict.fromkeys(("crops", "bytes", "hidden_pixels", "picture_pixels"), float("nan"))
    pd.DataFrame(timings).assign(**nothing).to_parquet(path / "timings.parquet")
    suite = {"name": "example", "task": "crop", "images": "skimage", "cases": 2, "seed": 0}
    environment = {"format": 2, "suite": suite, "finished": "2026-11-21T12:00:00+00:00"}
    (path / "environment.json").write_text(json.dumps(environment))
    return path
