"""A page for each method of a run: what it is, where it is good and where it fails, in pictures."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inpaintbench.datasets.files import safe_name, write_text
from inpaintbench.reports.picture import case_view, kept_ids, kept_picture, read_picture
from inpaintbench.reports.tables import Run, share_text
from inpaintbench.reports.texts import flat, hole_text
from inpaintbench.reports.tiles import ErrorScale, Shades, Tile, address, eight_bits

if TYPE_CHECKING:
    from jinja2 import Environment

PICTURES = 3  # cases shown where a method is best, and as many where it is worst


@dataclass(frozen=True)
class Shown:
    """A case in pictures: observed, truth, the method's answer and the best other's."""

    case_id: str
    description: str
    tiles: list[Tile]


def page_address(label: str) -> str:
    """Address of a method's page, seen from the run's report."""
    return f"methods/{safe_name(label)}.html"


def write_method_pages(run: Run, folder: Path, scale: ErrorScale) -> None:
    """Write `methods/NAME.html` into the folder of a report, for each method of the run.

    Parameters
    ----------
    scale : of the error pictures
    """
    descriptions = read_descriptions(run)
    for label in run.leaderboard()["method"]:
        page = method_page(run, label, descriptions.get(label), scale)
        write_text(page, folder / page_address(label))


def read_descriptions(run: Run) -> dict[str, Any]:
    """Read what the run recorded of its methods; nothing where an earlier version made it."""
    try:
        content = json.loads((run.files / "methods.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@cache
def templates() -> "Environment":
    """Give the templates of the pages, which are read and compiled once."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("inpaintbench.reports")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def method_page(run: Run, label: str, description: dict[str, Any] | None, scale: ErrorScale) -> str:
    """Write the page of one method as HTML.

    Parameters
    ----------
    description : what the run recorded of the method, as `read_descriptions` gives it
    scale : of the error pictures
    """
    board = run.leaderboard().set_index("method")
    rival = best_other(run, label)
    where = standings(run, label)
    good, bad = telling_cases(run, label, rival)
    failures = run.failures()
    return (
        templates()
        .get_template("method.html.j2")
        .render(
            label=label,
            metric=run.metric,
            row=board.loc[label],
            coverage=share_text(board["coverage"][label]),
            count=len(board),
            description=description,
            paragraphs=_paragraphs(description["documentation"]) if description else [],
            card=_card_texts(description["card"]) if description and description["card"] else {},
            standings=where,
            strength=_sentence(where.iloc[0], len(board)) if len(where) and len(board) > 1 else "",
            weakness=_sentence(where.iloc[-1], len(board))
            if len(where) > 1 and len(board) > 1
            else "",
            rival=rival,
            good=[_shown(run, case_id, label, rival, scale) for case_id in good],
            bad=[_shown(run, case_id, label, rival, scale) for case_id in bad],
            error=scale.text,
            failures=failures[failures["method"] == label],
            run=run.path.name,
        )
    )


def best_other(run: Run, label: str) -> str:
    """Label of the best method but this one; "" if there is none."""
    others = run.leaderboard().query("method != @label and mse == mse")["method"]
    return str(others.iloc[0]) if len(others) else ""


def standings(run: Run, label: str) -> pd.DataFrame:
    """Compare a method with the others by what holes hide and how large they are.

    Columns: `where`, `cases`, `mse`, `rank` (among methods), `other` (the best other method there)
    and `ratio` of the MSE to that method's: the best rows come first.
    """
    size = run.hole_areas
    tables = {
        "what is hidden is {}": (run.by_content(), run.cases["content"].to_numpy()),
        "the hole has {} pixels": (run.by_hole_size(), size),
    }
    rows = []
    for text, (table, kinds) in tables.items():
        for column in map(str, table.columns):
            values = table[column].astype(np.float64)
            mse, others = float(values[label]), values.drop(label).dropna()
            if np.isnan(mse):
                continue
            best = float(others.min()) if len(others) else np.nan
            rows.append(
                {
                    "where": text.format(column),
                    "cases": int(np.count_nonzero(kinds == column)),
                    "mse": mse,
                    "rank": int((values < mse).sum()) + 1,
                    "other": str(others.idxmin()) if len(others) else "",
                    "ratio": mse / best if best > 0 else np.nan,
                }
            )
    columns = ["where", "cases", "mse", "rank", "other", "ratio"]
    return pd.DataFrame(rows, columns=columns).sort_values("ratio", ignore_index=True)


def _sentence(row: "pd.Series[Any]", count: int) -> str:
    text = f"where {row['where']} ({row['cases']} cases): rank {row['rank']} of {count}"
    if np.isnan(row["ratio"]):
        return text
    return f"{text}, {row['ratio']:.2f} times the MSE of {row['other']}, the best other there"


def telling_cases(run: Run, label: str, rival: str) -> tuple[list[str], list[str]]:
    """Choose the cases where a method is most ahead of another, and most behind.

    By the difference of root mean squared errors, of different photographs; by its own error alone
    if there is no other. Only cases of which the run kept the pictures.
    """
    error = np.sqrt(run.mse[label])
    if rival:
        error = error - np.sqrt(run.mse[rival])
    photographs = pd.Series(run.photographs, run.mse.index)
    order = error.dropna().sort_values(kind="stable").index
    masks = kept_ids(run)
    order = [case_id for case_id in order if case_id in masks]

    def first_kept(cases: Iterable[str]) -> list[str]:
        kept = (case_id for case_id in cases if _is_kept(run, case_id, label, rival))
        return _of_different_photographs(kept, photographs)

    good = first_kept(order)
    return good, first_kept(case_id for case_id in reversed(order) if case_id not in good)


def _is_kept(run: Run, case_id: str, label: str, rival: str) -> bool:
    """Whether a case's pictures are there, whole and of one size."""
    rooms = [("pictures", what) for what in ("truth", "observed", "mask")]
    rooms += [("restorations", what) for what in (label, rival) if what]
    pictures = [kept_picture(run, room, what, case_id) for room, what in rooms]
    sizes = {None if picture is None else picture.shape[:2] for picture in pictures}
    return None not in sizes and len(sizes) == 1


def _of_different_photographs(cases: Iterable[str], photographs: "pd.Series[str]") -> list[str]:
    """The first few cases, each of another photograph; no more are looked at than that takes."""
    chosen: dict[str, str] = {}
    for case_id in cases:
        chosen.setdefault(photographs[case_id], case_id)
        if len(chosen) == PICTURES:
            break
    return list(chosen.values())


def _shown(run: Run, case_id: str, label: str, rival: str, scale: ErrorScale) -> Shown:
    window, shades = case_view(run, case_id)
    truth, observed, mask = (
        read_picture(run, "pictures", what, case_id)[window]
        for what in ("truth", "observed", "mask")
    )
    is_black = not observed[mask > 0].any()
    tiles = [
        Tile("observed", "what is hidden is black" if is_black else "", _address(observed, shades)),
        Tile("truth", "", _address(truth, shades)),
    ]
    for name in (label, rival) if rival else (label,):
        restored = read_picture(run, "restorations", name, case_id)[window]
        error = address(scale.picture(restored, truth))
        caption = f"MSE {run.mse[name][case_id]:.1f}"
        tiles.append(Tile(name, caption, _address(restored, shades), error))
    case = run.cases.assign(hidden=run.hidden_pixels)[run.cases["case_id"] == case_id].iloc[0]
    about = [case["image_id"], f"hidden: {hole_text(case)} pixels", case["content"], shades.text]
    return Shown(case_id, ", ".join(text for text in about if text), tiles)


def _address(pixels: NDArray[np.integer], shades: Shades) -> str:
    return address(eight_bits(pixels, shades))


def _paragraphs(documentation: str) -> list[str]:
    """Cut a docstring into paragraphs, up to its first section with a heading."""
    text = re.split(r"^\S[^\n]*\n-{3,}$", documentation, maxsplit=1, flags=re.MULTILINE)[0]
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def _card_texts(card: dict[str, Any]) -> dict[str, str]:
    """Write a model card's entries for reading, by their names."""
    return {
        key: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in flat(card)
    }
