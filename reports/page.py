"""The report of a run: one HTML page that needs no network, with tables and pictures beside it.

Figures are plotly's, drawn by its script, which the page brings along whole (4.8 MB): so the page
and a notebook show the very same objects, and each can be saved as PNG and SVG. Its smaller bundles
are not in the Python package, and would have to be kept in step with it by hand.
"""

import base64
import hashlib
import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from inpaintbench.datasets.files import write_text
from inpaintbench.reports import figures, texts
from inpaintbench.reports.cases import case_data, failure_texts
from inpaintbench.reports.downloads import Download, downloads
from inpaintbench.reports.history import HISTORY, comparable, read_history
from inpaintbench.reports.method_page import page_address, templates, write_method_pages
from inpaintbench.reports.picture import write_contact_sheet, write_family_sheet
from inpaintbench.reports.provenance import provenance, reproduction
from inpaintbench.reports.sample import KeptCase, by_surroundings, error_by_distance, kept_cases
from inpaintbench.reports.tables import Run
from inpaintbench.reports.tiles import ErrorScale, error_scale
from inpaintbench.reports.views import views

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


COLUMNS = {  # of the leaderboard: what the script knows them by, and their headings
    "rank": "#",
    "method": "method",
    "family": "family",
    "mse": "challenge MSE",
    "interval": "95 % interval",
    "bar": "drawn",
    "group": "group",
    "median": "median",
    "psnr": "PSNR dB",
    "won": "won",
    "ms": "ms a crop",
    "ms_batch": "in batches",
    "coverage": "coverage",
}
CASE_COLUMNS = {
    "case": "case",
    "photograph": "photograph",
    "hole": "hidden",
    "content": "content",
    "median": "median MSE",
    "spread": "disagreement",
    "best": "best method",
    "a": "MSE of A",
    "b": "MSE of B",
}


@dataclass(frozen=True)
class Table:
    """A table of the page: `texts` are shown, `numbers` are behind them."""

    name: str
    numbers: pd.DataFrame
    texts: pd.DataFrame

    def downloads(self) -> list[Download]:
        """Give the table as files that the page holds."""
        return downloads(self.name, self.numbers, self.texts)


def write_report(run: Run, history: Path | None = None) -> Path:
    """Write a run's `report/index.html`, with its tables and a contact sheet beside it.

    The report of a zip archive is written into a folder beside it.

    Parameters
    ----------
    run : the run
    history : a history to draw; by default the one that the run's folder holds, if it does

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If the folder cannot be written, or the history cannot be read.
    """
    folder = run.report_folder
    kept = kept_cases(run, run.leaderboard()["method"].tolist())
    past = _history(run, history)
    tables = {table.name: table for table in _tables(run, kept)}
    plain = {"calibration": run.calibration(), "history": past, "leaks": run.leaks()}
    for name, table in ({t.name: t.numbers for t in tables.values()} | plain).items():
        if table.shape[1]:  # nothing is said by an empty file
            write_text(table.to_csv(index=False), folder / f"{name}.csv")
    write_text(texts.markdown(run), folder / "leaderboard.md")
    write_contact_sheet(run, folder / "restorations.png")
    write_family_sheet(run, folder / "families.png")
    unit = "grey levels of 255" if run.levels == 255 else run.unit
    scale = error_scale((case.shades for case in kept), run.levels, unit)
    write_method_pages(run, folder, scale)
    page = folder / "index.html"
    write_text(_render(run, tables, past, kept, scale), page)
    return page


def _history(run: Run, path: Path | None) -> pd.DataFrame:
    """What a history says of a run's cases: the one given, or the one kept with the run."""
    kept = run.files / HISTORY
    if (path is None and not kept.exists()) or "unfinished" in run.environment:
        return pd.DataFrame()
    return comparable(read_history(path or kept), run)


def _tables(run: Run, kept: list[KeptCase]) -> list[Table]:
    """The tables of the page that say something."""
    around = by_surroundings(run, kept)
    made = [
        Table("leaderboard", run.leaderboard(), texts.leaderboard_text(run)),
        Table("task-scores", run.task_scores(), texts.task_scores_text(run)),
        Table("ceilings", run.ceilings(), texts.ceilings_text(run)),
        Table("by-hole-size", run.by_hole_size().reset_index(), texts.hole_size_text(run)),
        Table("by-content", run.by_content().reset_index(), texts.content_text(run)),
        Table("by-surroundings", around.reset_index(), texts.means_text(around)),
        Table("ranks", run.ranks(), texts.ranks_text(run)),
        Table("win-matrix", run.win_matrix().reset_index(), texts.wins_text(run)),
        Table("failures", run.failures(), run.failures().astype(str)),
        Table("cost", run.cost(), texts.cost_text(run)),
    ]
    if run.mse.shape[1] > 1:
        made.append(Table("differences", run.differences(), texts.differences_text(run)))
        made.append(Table("needed", run.needed(), texts.needed_text(run)))
    else:
        made += [Table(name, pd.DataFrame(), pd.DataFrame()) for name in ("differences", "needed")]
    return made


def _figures(
    run: Run, tables: dict[str, Table], past: pd.DataFrame, kept: list[KeptCase]
) -> dict[str, "Figure"]:
    """The figures of the page that show something."""
    around = tables["by-surroundings"].numbers.set_index("method")
    content = run.by_content()
    distances = error_by_distance(kept, run.levels)
    methods = run.leaderboard()["method"].tolist()
    made = {
        "quality": figures.quality_against_time(run),
        "predicted": figures.predicted(run),
        "lift": figures.lift(run),
        "hole": figures.heat_maps(run),
        "content": figures.by_group(content if content.shape[1] > 1 else content[[]]),
        "surroundings": figures.by_group(around),
        "distance": figures.distance_curves(
            run, distances if len(set(distances["distance"])) > 1 else distances[:0]
        ),
        "ranks": figures.critical_difference(run),
        "wins": figures.wins(run),
        "calibration": figures.calibration(run),
        "growth": figures.growth(run),
        "history": figures.history(past, methods),
    }
    return {name: figure for name, figure in made.items() if len(figure.data)}


def _render(
    run: Run,
    tables: dict[str, Table],
    past: pd.DataFrame,
    kept: list[KeptCase],
    scale: ErrorScale,
) -> str:
    from plotly.offline import get_plotlyjs

    environment = templates()
    own = environment.loader.get_source(environment, "report.js")[0]  # type: ignore[union-attr]
    board = run.leaderboard()
    methods = board["method"].tolist()
    plotly = get_plotlyjs().replace("\r", "")
    cases = case_data(run, methods, kept, scale)
    boards = views(run)
    drawn = _figures(run, tables, past, kept)
    about = {"methods": methods, "families": board["family"].tolist(), "views": boards}
    shown = [case["case_id"] for case in cases["cases"]]
    tables = tables | {"scores": _scores(run, shown)}
    return environment.get_template("report.html.j2").render(
        policy=policy([plotly, own]),
        plotly=plotly,
        script=own,
        data=as_json(about | cases),
        figures={name: as_json(figure.to_plotly_json()) for name, figure in drawn.items()},
        menus={name: _choices(figure) for name, figure in drawn.items()},
        columns=COLUMNS | {"mse": run.metric},
        metric=run.metric,
        case_columns=CASE_COLUMNS,
        filters=boards["filters"],
        methods=methods,
        families=sorted(set(about["families"])),
        hover=shown[cases["hover"]] if cases["hover"] >= 0 else "",
        tables=tables,
        run=run,
        title=texts.title(run),
        notices=notices(run, len(cases["pictures"])),
        verdict=run.verdict(),
        cost=texts.cost_sentence(run),
        harness=texts.harness_sentence(run),
        winner=board["method"][0] if board["mse"].notna().any() else "",
        command=texts.command_for(run),
        method_pages=[page_address(label) for label in methods],
        frontier=figures.frontier(board, "ms")["method"].tolist(),
        runs=past["finished"].nunique() if len(past) else 0,
        leaks=[f"{texts.MARK} {note}." for note in texts.leak_notes(run)],
        altered={label: f"{levels:.0f}" for label, levels in run.altered_known().items()},
        expectations=texts.expectations(run.calibration()),
        failures=failure_texts(run),
        sample=len(kept),
        shown=len(shown),
        pictured=len(cases["pictures"]),
        scale=scale,
        stretched=any(case.shades.stretched for case in kept),
        hole_notes=texts.hole_notes(run),
        task_notes=texts.task_scores_notes(run),
        incomplete=bool((board["coverage"] < 1).any()),
        provenance=provenance(run),
        reproduction=reproduction(run),
    )


def _scores(run: Run, case_ids: list[str]) -> Table:
    """Give the scores of the cases that the page shows, to go on with."""
    columns = ["label", "case_id", "status", "mse", "mae", "psnr", "ssim", "edge_mse"]
    rows = run.scores[run.scores["case_id"].isin(case_ids)].reindex(columns=columns)
    return Table("scores", rows.reset_index(drop=True), pd.DataFrame())


def _choices(figure: "Figure") -> list[str]:
    """What a figure's menu offers, as plain texts."""
    return [html.unescape(b.label) for menu in figure.layout.updatemenus for b in menu.buttons]


def as_json(content: Any) -> str:
    """Write a value as JSON that may stand in a page's script element, whatever texts it holds."""
    from plotly.utils import PlotlyJSONEncoder

    text = json.dumps(content, cls=PlotlyJSONEncoder, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def policy(scripts: list[str]) -> str:
    """Allow a page its own scripts, known by their hashes, and nothing from elsewhere.

    Styles are free: plotly sets them on what it draws.
    """
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def notices(run: Run, pictured: int) -> list[str]:
    """Say what a reader must know before believing the numbers; empty for an ordinary run."""
    found = []
    unfinished = run.environment.get("unfinished")
    if unfinished:
        found.append(f"This run is not finished: {unfinished}")
    if run.truth_unknown:
        found.append("The truth of these cases is not known: nothing can be scored.")
    elif run.mse.isna().all(axis=None):
        found.append("Not one case has a score: see the failures below.")
    if run.mse.shape[1] == 1:
        found.append("One method alone was run: there is nothing to compare it with.")
    if len(run.cases) == 1:
        found.append("One case alone was run: it says nothing of others.")
    elif len(set(run.photographs)) == 1:
        found.append("All cases are of one photograph: they say nothing of others.")
    if not pictured:
        found.append("The run has no pictures of its cases, so that none can be shown.")
    elif pictured < len(run.cases):
        found.append(
            f"Pictures are of a sample: {pictured:,} of {len(run.cases):,} cases, evenly over the "
            "suite. Tables and statistics are of all cases, unless they say otherwise."
        )
    return found + [f"{note}." for note in run.environment.get("notes", [])]
