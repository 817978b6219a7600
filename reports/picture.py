"""Contact sheets of a run: a few cases, several methods' restorations side by side."""

import textwrap
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from inpaintbench.datasets.cases import bounding_box, evenly, grown
from inpaintbench.datasets.files import safe_name, written_whole
from inpaintbench.reports.tables import Run
from inpaintbench.reports.tiles import Shades, eight_bits, shades_of

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

ROWS = 6  # cases, each of another photograph
MARGIN = 12  # pixels shown around a hole
TILE, GAP, LINE = 120, 8, 17  # pixels of a sheet: a picture's longer side, between them, a text
HEADING, LETTERS = 3 * LINE + 6, 17  # pixels above the pictures, letters in a line there


def one_case_a_photograph(run: Run, count: int) -> list[str]:
    """Choose the middling case of different photographs, evenly from easy to hard ones."""
    difficulty = run.mse.median(axis=1).dropna().sort_values()
    difficulty = difficulty[difficulty.index.isin(kept_ids(run))]
    photographs = pd.Series(run.photographs, run.mse.index)[difficulty.index]
    middling = [p.index[len(p) // 2] for _, p in difficulty.groupby(photographs)]
    order = difficulty[difficulty.index.isin(middling)].index.tolist()
    return [order[place] for place in evenly(len(order), count)]


def picture_path(run: Path, room: str, what: str, case_id: str) -> Path:
    """Where a run keeps a picture of a case; a label that is no file name gets one.

    Parameters
    ----------
    run : the run's folder
    room : "pictures" for the case's own "truth", "observed" and "mask"; "restorations" for what a
        method painted, by its label
    """
    return run / room / safe_name(what) / f"{case_id}.png"


def kept_ids(run: Run) -> set[str]:
    """Ids of the cases whose pictures a run kept: of a sample, where there are many."""
    return {path.stem for path in (run.files / "pictures" / "mask").glob("*.png")}


def read_picture(run: Run, room: str, what: str, case_id: str) -> NDArray[Any]:
    """Read a picture that a run keeps of a case, see `picture_path`."""
    with Image.open(picture_path(run.files, room, what, case_id)) as picture:
        return np.asarray(picture)


def kept_picture(run: Run, room: str, what: str, case_id: str) -> NDArray[Any] | None:
    """Read a picture as `read_picture` does; None where it is missing or damaged."""
    try:
        return read_picture(run, room, what, case_id)
    except (OSError, SyntaxError):
        return None


def case_view(run: Run, case_id: str) -> tuple[tuple[slice, slice], Shades]:
    """Say how a case is shown: its hidden pixels and `MARGIN` pixels around them, and which shades.

    The shades are those of `sample.KeptCase`.
    """
    hidden = read_picture(run, "pictures", "mask", case_id) > 0
    window = grown(bounding_box(hidden), MARGIN)
    is_known = picture_path(run.files, "pictures", "truth", case_id).exists()
    pixels = read_picture(run, "pictures", "truth" if is_known else "observed", case_id)
    return window, shades_of(pixels if hidden.all() else pixels[~hidden])


def write_contact_sheet(run: Run, path: Path) -> None:
    """Write a PNG picture of cases from easy to hard, with every method's restoration."""
    cases = one_case_a_photograph(run, ROWS)
    _write_sheet(run, path, cases, list(run.leaderboard()["method"]))


def write_family_sheet(run: Run, path: Path) -> None:
    """Write a PNG picture of what the best method of each family makes of each content."""
    best = run.leaderboard().drop_duplicates("family")["method"].tolist()
    cases = {
        f"{content} {number}": case_id
        for content, found in telling_cases(run, best).items()
        for number, case_id in enumerate(found, 1)
    }
    _write_sheet(run, path, list(cases.values()), best, list(cases))


def telling_cases(run: Run, methods: list[str], count: int = 2) -> dict[str, list[str]]:
    """Choose for each content the cases, of different photographs, where methods differ most."""
    constant = run.scores.loc[run.scores["family"] == "constant", "label"].unique()
    compared = [label for label in methods if label not in constant] or methods
    spread = np.sqrt(run.mse[compared]).std(axis=1, ddof=0)
    area = run.hidden_pixels
    table = pd.DataFrame(
        {
            "content": run.cases["content"].to_numpy(),
            "photograph": run.photographs,
            "spread": spread,
        }
    )[(area >= min(81, area.max())) & spread.notna().to_numpy() & spread.index.isin(kept_ids(run))]
    table = table.sort_values("spread", ascending=False).drop_duplicates("photograph")
    return {str(content): part.index[:count].tolist() for content, part in table.groupby("content")}


def _write_sheet(
    run: Run, path: Path, cases: list[str], methods: list[str], titles: list[str] | None = None
) -> None:
    """Draw a row for each case, zoomed in on its hole: observed, truth, the methods.

    Pasted, not plotted: 400 axes of a plotting library take ten seconds.
    """
    from PIL import ImageDraw as Drawing

    columns = [("pictures", "observed"), ("pictures", "truth")]
    columns += [("restorations", label) for label in methods]
    left = LINE * 6 if titles else 0
    size = (left + len(columns) * (TILE + GAP), HEADING + len(cases) * (TILE + LINE + GAP))
    sheet = Image.new("RGB", size, "white")
    draw = Drawing.Draw(sheet)
    for column, (_, name) in enumerate(columns):
        lines = textwrap.wrap(name.replace(":", ": "), LETTERS)  # broken there, or at hyphens
        place = (left + column * (TILE + GAP), HEADING - 3)
        draw.text(place, "\n".join(lines[:3]).replace(": ", ":"), "black", _font(), "ld")
    for row, case_id in enumerate(cases):
        top = HEADING + row * (TILE + LINE + GAP)
        draw.text((0, top + TILE // 2), titles[row] if titles else "", "black", _font(), "lm")
        for column, (room, name) in enumerate(columns):
            place = (left + column * (TILE + GAP), top)
            _paste_tile(sheet, draw, place, run, room, name, case_id)
    with written_whole(path) as temporary:
        sheet.save(temporary)


@lru_cache
def _font() -> "FreeTypeFont":
    """The font that comes with matplotlib: it knows more alphabets than Pillow's own."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), LINE - 4)


def _paste_tile(
    sheet: Image.Image,
    draw: "ImageDraw",
    place: tuple[int, int],
    run: Run,
    room: str,
    name: str,
    case_id: str,
) -> None:
    """Paste what a run keeps of a case, with the MSE below a restoration; nothing without one."""
    mse = float(run.mse[name][case_id]) if room == "restorations" else np.nan
    if room == "restorations" and np.isnan(mse):
        return
    try:
        window, shades = case_view(run, case_id)
        shown = eight_bits(read_picture(run, room, name, case_id)[window], shades)
    except (OSError, SyntaxError):  # a run may have been moved without its pictures
        return
    if not shown.size:  # a picture of another size
        return
    scale = TILE / max(shown.shape[:2])
    size = (round(shown.shape[1] * scale), round(shown.shape[0] * scale))
    sheet.paste(Image.fromarray(shown).resize(size, Image.Resampling.NEAREST), place)
    below = "" if np.isnan(mse) else f"{mse:.0f}"
    if name == "observed" and shades.stretched:
        below = f"{shades.black} to {shades.white}"
    draw.text((place[0] + size[0] // 2, place[1] + size[1]), below, "black", _font(), "ma")
