"""What the page's case browser shows: cases with their scores, and pictures small enough."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inpaintbench.datasets.cases import evenly, grown
from inpaintbench.reports.sample import KeptCase
from inpaintbench.reports.tables import Run
from inpaintbench.reports.texts import hole_text
from inpaintbench.reports.tiles import ErrorScale, eight_bits, palette, png
from inpaintbench.reports.views import plain

MOST = 500  # cases in a page
MARGIN = 24  # pixels shown around a hole
PICTURES = 9_000_000  # characters that all pictures of a page may take
SCORES = ("mse", "psnr", "ssim", "edge_mse", "expected_mse")
TRACEBACKS = 100  # kinds of failure with their traceback
LONGEST = 6000  # characters of a traceback that are shown: its end says what went wrong


def shown_cases(run: Run, kept: Sequence[KeptCase]) -> list[str]:
    """Choose the cases of the browser: those with pictures, or if there are none, some evenly."""
    if kept:
        return [case.case_id for case in kept]
    ids = run.cases["case_id"].to_numpy()
    return [str(case_id) for case_id in ids[evenly(len(ids), MOST)]]


def case_data(
    run: Run, labels: Sequence[str], kept: Sequence[KeptCase], scale: ErrorScale
) -> dict[str, Any]:
    """Gather what the browser needs of its cases, as plain values.

    Parameters
    ----------
    scale : of the error pictures

    Returns
    -------
    dict
        `cases`, a dict for each with columns of the run's cases, `hidden` (how many pixels are),
        `size` (in which class that is) and `hole` (in words); `scores`, by the names `SCORES` a
        list for each case with a number for each of `labels`; `status`, likewise; `pictures` (see
        `picture_data`) by case id; `hover`, the number of the case that stands for all where a
        method is pointed at, or -1; `palette`, the colours of errors from 0 to `error_range` grey
        levels.
    """
    ids = shown_cases(run, kept)
    table = run.cases.assign(size=run.hole_areas.astype(str), hidden=run.hidden_pixels)
    table = table.set_index("case_id").loc[ids]
    table["hole"] = [hole_text(row) for _, row in table.iterrows()]
    columns = ("task", "source", "image_id", "content", "size", "hidden", "hole")
    about = table.reindex(columns=list(columns)).fillna("").reset_index().to_dict("records")
    rows = run.scores[run.scores["case_id"].isin(ids)]
    rows = rows.reindex(columns=["case_id", "label", "status", *SCORES])

    def wide(name: str) -> pd.DataFrame:
        table = rows.pivot(index="case_id", columns="label", values=name)
        return table.reindex(index=ids, columns=list(labels))

    pictures = _pictures(kept, labels, scale)
    status = wide("status").fillna("missing")
    return {
        "cases": about,
        "scores": {name: _matrix(wide(name)) for name in SCORES},
        "status": status.to_numpy().tolist(),
        "pictures": pictures,
        "hover": _telling(run, ids, pictures),
        "palette": base64.b64encode(palette().tobytes()).decode(),
        "error_range": scale.grey_levels,
    }


def _matrix(table: pd.DataFrame) -> list[list[Any]]:
    values = table.astype(float).to_numpy().tolist()
    return [[plain(value) for value in row] for row in values]


def _telling(run: Run, ids: Sequence[str], pictures: dict[str, Any]) -> int:
    """Choose one case on which methods differ much, with a hole large enough to see it."""
    if not pictures:
        return -1
    spread = np.sqrt(run.mse.loc[list(pictures)]).std(axis=1, ddof=0).fillna(0)
    area = pd.Series(run.hidden_pixels, run.mse.index)[list(pictures)]
    return list(ids).index(spread.where(area >= min(81, area.max()), spread * 0.1).idxmax())


def _pictures(kept: Sequence[KeptCase], labels: Sequence[str], scale: ErrorScale) -> dict[str, Any]:
    """Pictures of as many cases as fit into a page, evenly chosen."""
    made = {case.case_id: picture_data(case, labels, scale) for case in kept}
    size = sum(len(p["base"]) + len(p["patches"]) + len(p["errors"]) for p in made.values())
    step = max(int(np.ceil(size / PICTURES)), 1)
    return dict(list(made.items())[::step])


def picture_data(case: KeptCase, labels: Sequence[str], scale: ErrorScale) -> dict[str, Any]:
    """Store a case's pictures small: what methods share once, and what they painted by itself.

    Returns
    -------
    dict
        `base`, a PNG of the truth around the hole (of the observation, where the truth is not
        known); `at`, the row and column in it where the box around the hole begins, and `size` of
        the box; `patches`, a PNG of boxes one above the other: the observation's, then those of the
        methods whose numbers are in `have`; `truth`, whether that is known; `shown`, how 16 bits
        are shown, "" for their whole range. Where they are not shown whole, what is shown does not
        tell the errors: then `errors` is a PNG of the methods' boxes with errors in steps of the
        scale's palette, and else "".
    """
    rows, columns = grown(case.box, MARGIN)
    base = case.observed if case.truth is None else case.truth
    box = case.observed[case.box]
    have = [k for k, n in enumerate(labels) if n in case.restorations]
    painted = [case.restorations[labels[k]] for k in have]
    shades, errors = case.shades, ""
    if shades.stretched and case.truth is not None and painted:
        truth = case.truth[case.box]
        errors = _text(np.concatenate([scale.steps(patch, truth) for patch in painted]))
    return {
        "base": _text(eight_bits(base[rows, columns], shades)),
        "patches": _text(np.concatenate([eight_bits(p, shades) for p in (box, *painted)])),
        "errors": errors,
        "shown": shades.text,
        "at": [case.box[0].start - rows.start, case.box[1].start - columns.start],
        "size": list(box.shape[:2]),
        "have": have,
        "truth": case.truth is not None,
    }


def _text(pixels: NDArray[np.uint8]) -> str:
    """Write a picture as PNG in base64."""
    return base64.b64encode(png(pixels)).decode()


def failure_texts(run: Run) -> list[dict[str, Any]]:
    """Say how cases failed: by method, status and message, with one case and one traceback each.

    Keys: `method`, `status`, `message`, `cases` (how many), `case_id` (the first) and `traceback`,
    "" where none was kept. At most `TRACEBACKS` of them, the most frequent ones.
    """
    failed = run.scores[run.scores["status"] != "ok"]
    failed = failed.reindex(columns=["label", "status", "message", "case_id", "traceback"])
    found = failed.fillna("").groupby(["label", "status", "message"])
    table = found.agg(
        cases=("case_id", "size"), case_id=("case_id", "first"), traceback=("traceback", "max")
    )
    table = table.reset_index().rename(columns={"label": "method"})
    table = table.sort_values("cases", ascending=False, kind="stable").head(TRACEBACKS)
    return [
        {str(k): v for k, v in row.items()} | {"traceback": _traceback(run, row["traceback"])}
        for row in table.to_dict("records")
    ]


def _traceback(run: Run, name: str) -> str:
    """Read the end of a traceback; "" if there is none."""
    path = run.files / "failures" / name
    if not name or path.parent != run.files / "failures":
        return ""
    try:
        return path.read_text(encoding="utf-8", errors="replace")[-LONGEST:]
    except OSError:
        return ""
