"""The report of a run: one HTML page that needs no network, with CSV and Markdown beside it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inpaintbench.datasets.files import write_text
from inpaintbench.reports.method_page import page_address, write_method_pages
from inpaintbench.reports.picture import (
    chosen_cases,
    hole_window,
    read_picture,
    write_contact_sheet,
    write_family_sheet,
)
from inpaintbench.reports.tables import Run
from inpaintbench.reports.tiles import ERROR_RANGE, Tile, address, eight_bits, error_picture

GALLERY = 24  # cases shown, evenly from the easiest to the hardest
TICKS = [f * 10**e for e in range(-1, 7) for f in (1, 1.5, 2, 3, 5, 7)]  # of a logarithmic axis
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777")
DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True)
class GalleryCase:
    """One case of the gallery: observed, truth, and what every method made of it."""

    case_id: str
    description: str
    tiles: list[Tile]


def write_report(run: Run) -> Path:
    """Write a run's `report/index.html`, with its tables and a contact sheet beside it.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    folder = run.path / "report"
    tables = {
        "leaderboard": run.leaderboard(),
        "ceilings": run.ceilings(),
        "by-hole-size": run.by_hole_size().reset_index(),
        "by-content": run.by_content().reset_index(),
        "calibration": run.calibration(),
        "differences": run.differences() if run.mse.shape[1] > 1 else pd.DataFrame(),
        "failures": run.failures(),
    }
    for name, table in tables.items():
        write_text(table.to_csv(index=False), folder / f"{name}.csv")
    write_text(markdown(run), folder / "leaderboard.md")
    write_contact_sheet(run, folder / "restorations.png")
    write_family_sheet(run, folder / "families.png")
    write_method_pages(run, folder)
    page = folder / "index.html"
    write_text(_render(run, tables), page)
    return page


def leaderboard_text(run: Run) -> pd.DataFrame:
    """Format the leaderboard for reading: every cell a short text, with units in the headings."""
    board = run.leaderboard()
    return pd.DataFrame(
        {
            "#": board["rank"].astype(str),
            "method": board["method"],
            "family": board["family"],
            "challenge MSE": board["mse"].map("{:.1f}".format),
            "95 % interval": _interval_texts(board, ".1f"),
            "median": board["median"].map("{:.1f}".format),
            "PSNR dB": board["psnr"].map("{:.2f}".format),
            "won": board["won"].map("{:.0%}".format),
            "ms a crop": board["ms"].map("{:.2f}".format),
            "coverage": board["coverage"].map("{:.0%}".format),
        }
    ).replace(["nan", "nan to nan"], "-")


def _interval_texts(table: pd.DataFrame, form: str) -> list[str]:
    ends = zip(table["low"], table["high"], strict=True)
    return [f"{low:{form}} to {high:{form}}" for low, high in ends]


def differences_text(run: Run) -> pd.DataFrame:
    """Format the differences against the best for reading."""
    table = run.differences()
    return pd.DataFrame(
        {
            "method": table["method"],
            "MSE above the best": table["difference"].map("{:+.1f}".format),
            "95 % interval": _interval_texts(table, "+.1f"),
            "beyond chance": table["distinguishable"].map({True: "yes", False: "no"}),
        }
    ).replace(["nan", "nan to nan"], "-")


def hole_size_text(run: Run) -> pd.DataFrame:
    """Format the MSE by hole size for reading."""
    table = run.by_hole_size()
    names = {column: f"{column} px" for column in table.columns}
    return table.map("{:.1f}".format).rename(columns=names).reset_index()


def content_text(run: Run) -> pd.DataFrame:
    """Format the MSE by what the holes hide for reading."""
    table = run.by_content()
    count = run.cases["content"].value_counts()
    names = {column: f"{column} ({count[column]} cases)" for column in table.columns}
    return table.map("{:.1f}".format).rename(columns=names).reset_index()


def ceilings_text(run: Run) -> pd.DataFrame:
    """Format the ceilings for reading."""
    table = run.ceilings()
    return pd.DataFrame(
        {
            "ceiling": table["ceiling"],
            "challenge MSE": table["mse"].map("{:.1f}".format),
            "95 % interval": _interval_texts(table, ".1f"),
        }
    ).replace(["nan", "nan to nan"], "-")


def markdown(run: Run) -> str:
    """Write the run's tables as Markdown."""
    sections = [("Leaderboard", leaderboard_text(run)), ("MSE by hole area", hole_size_text(run))]
    sections += [("MSE by content", content_text(run)), ("Ceilings", ceilings_text(run))]
    if run.mse.shape[1] > 1:
        sections.append(("Differences against the best", differences_text(run)))
    parts = [f"# {_title(run)}", run.verdict()]
    parts += [f"## {title}\n\n{markdown_table(table)}" for title, table in sections]
    parts.append(f"Made by `{run.environment['command']}`, finished {run.environment['finished']}.")
    return "\n\n".join(parts) + "\n"


def markdown_table(table: pd.DataFrame) -> str:
    """Write a table of texts as a Markdown table."""
    rows = [list(table.columns), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(str(c).replace("|", "\\|") for c in r) + " |" for r in rows)


def _title(run: Run) -> str:
    photographs = len(set(run.photographs))
    name = run.environment["suite"]["name"]
    return f"{name}: {len(run.cases)} cases from {photographs} photographs"


def _render(run: Run, tables: dict[str, pd.DataFrame]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("inpaintbench.reports"), autoescape=True, undefined=StrictUndefined
    )
    several = run.mse.shape[1] > 1
    return environment.get_template("report.html.j2").render(
        title=_title(run),
        verdict=run.verdict(),
        winner=tables["leaderboard"]["method"][0],
        leaderboard=leaderboard_text(run),
        method_pages=[page_address(label) for label in tables["leaderboard"]["method"]],
        hole_sizes=hole_size_text(run),
        contents=content_text(run),
        ceilings=ceilings_text(run),
        differences=differences_text(run) if several else None,
        failures=tables["failures"],
        altered={label: f"{levels:.0f}" for label, levels in run.altered_known().items()},
        plot=_quality_against_time(tables["leaderboard"]),
        growth=_growth(run),
        calibration=_calibration(tables["calibration"]),
        expectations=expectations(tables["calibration"]),
        gallery=gallery(run),
        error_range=ERROR_RANGE,
        environment=run.environment,
    )


def _quality_against_time(board: pd.DataFrame) -> str:
    """Draw challenge MSE with its interval against milliseconds per crop, as a plotly figure."""
    import plotly.graph_objects as go

    board = board.dropna(subset=["mse", "ms"]).sort_values("ms", ignore_index=True)
    first = board["mse"] < board["mse"].cummin().shift(
        fill_value=np.inf
    )  # no faster one is as good
    frontier = board[first]
    figure = go.Figure()
    figure.add_scatter(
        x=frontier["ms"],
        y=frontier["mse"],
        mode="lines+text",
        text=frontier["method"].map(_plotly_text),
        textposition="bottom left",
        line={"color": "#999999", "dash": "dot", "width": 1},
        name="no faster method is as good",
        hoverinfo="skip",
    )
    for family, part in board.groupby("family"):
        figure.add_scatter(
            x=part["ms"],
            y=part["mse"],
            error_y={
                "array": (part["high"] - part["mse"]).fillna(0),
                "arrayminus": (part["mse"] - part["low"]).fillna(0),
                "thickness": 1,
            },
            mode="markers",
            text=part["method"].map(_plotly_text),
            marker={"size": 11},
            name=_plotly_text(family),
            hovertemplate="%{text}: MSE %{y:.1f}, %{x:.2f} ms<extra></extra>",
        )
    figure.update_layout(
        xaxis={
            "type": "log",
            "dtick": 1,
            "title": "milliseconds per crop, one at a time, one thread",
        },
        yaxis={"type": "log", "tickvals": TICKS, "title": "challenge MSE (lower is better)"},
        template="plotly_white",
        height=480,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        legend={"orientation": "h", "y": 1.08},
    )
    if len(board):  # room for the names on the left
        low, high = np.log10([board["ms"].min(), board["ms"].max()])
        span = max(high - low, 1)
        figure.update_xaxes(range=[low - 0.25 * span, high + 0.05 * span])
    return _figure_html(figure, first=True)


def _plotly_text(text: object) -> str:
    """Keep plotly from reading a text as markup or, between dollar signs, as a formula."""
    return html.escape(str(text)).replace("$", "&#36;")


def _figure_html(figure: Any, first: bool = False) -> str:
    """Write a plotly figure as HTML; the page's first one brings plotly's script along."""
    config = {"responsive": True, "displayModeBar": False}
    return str(figure.to_html(full_html=False, include_plotlyjs=first, config=config))


def _growth(run: Run) -> str:
    """Draw how each method's time grows with the hole and with the picture; "" if not timed."""
    from plotly.subplots import make_subplots

    timings = run.timings[run.timings["kind"] == "growth"]
    if timings.empty:
        return ""
    common_hole = timings.groupby("hidden_pixels")["picture_pixels"].nunique().idxmax()
    common_picture = timings.groupby("picture_pixels")["hidden_pixels"].nunique().idxmax()
    panels = [
        ("hidden_pixels", timings[timings["picture_pixels"] == common_picture]),
        ("picture_pixels", timings[timings["hidden_pixels"] == common_hole]),
    ]
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.03)
    labels = [label for label in run.leaderboard()["method"] if label in set(timings["label"])]
    for column, (size, part) in enumerate(panels, 1):
        for number, label in enumerate(labels):
            line = part[part["label"] == label].sort_values(size)
            figure.add_scatter(
                x=line[size],
                y=line["seconds"] * 1000,
                name=_plotly_text(label),
                legendgroup=label,
                showlegend=column == 1,
                mode="lines+markers",
                line={
                    "color": COLOURS[number % len(COLOURS)],
                    "dash": DASHES[number // len(COLOURS) % len(DASHES)],
                },
                row=1,
                col=column,
            )
    figure.update_xaxes(type="log", title=f"hidden pixels, in {common_picture:.0f} pixels", col=1)
    figure.update_xaxes(type="log", title=f"pixels of the picture, {common_hole:.0f} hidden", col=2)
    figure.update_yaxes(type="log", dtick=1)
    figure.update_yaxes(title="milliseconds per picture, one thread", col=1)
    figure.update_layout(
        template="plotly_white",
        height=max(480, 90 + 26 * len(labels)),
        margin={"l": 60, "r": 20, "t": 20},
    )
    return _figure_html(figure)


def expectations(calibration: pd.DataFrame) -> list[str]:
    """Say for each method what it expected over all cases, and what it made of them."""
    texts = []
    for label, groups in calibration.groupby("method", sort=False):
        expected, mse = (
            np.average(groups[column], weights=groups["cases"]) for column in ("expected", "mse")
        )
        texts.append(f"{label} expected a challenge MSE of {expected:.1f} and had {mse:.1f}")
    return texts


def _calibration(table: pd.DataFrame) -> str:
    """Draw the errors that methods made against those that they expected; "" if none could."""
    import plotly.graph_objects as go

    if table.empty:
        return ""
    figure = go.Figure()
    least = max(table[["expected", "mse"]].to_numpy().min(), 0.1)
    ends = [least / 1.5, table[["expected", "mse"]].to_numpy().max() * 1.5]
    figure.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"color": "#999999", "dash": "dot", "width": 1},
        name="as expected",
        hoverinfo="skip",
    )
    for label, groups in table.groupby("method", sort=False):
        figure.add_scatter(
            x=groups["expected"],
            y=groups["mse"],
            error_y={
                "array": (groups["high"] - groups["mse"]).fillna(0),
                "arrayminus": (groups["mse"] - groups["low"]).fillna(0),
                "thickness": 1,
            },
            mode="lines+markers",
            name=_plotly_text(label),
            hovertemplate="expected %{x:.1f}, had %{y:.1f}<extra></extra>",
        )
    axis = {"type": "log", "tickvals": TICKS}
    figure.update_layout(
        xaxis=axis | {"title": "MSE that the method expected"},
        yaxis=axis | {"title": "MSE that it had"},
        template="plotly_white",
        height=480,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        legend={"orientation": "h", "y": 1.08},
    )
    return _figure_html(figure)


def gallery(run: Run) -> list[GalleryCase]:
    """Show cases evenly from the easiest to the hardest."""
    methods = list(run.leaderboard()["method"])
    return [_gallery_case(run, case_id, methods) for case_id in chosen_cases(run, GALLERY)]


def _gallery_case(run: Run, case_id: str, methods: Sequence[str]) -> GalleryCase:
    case = run.cases.set_index("case_id").loc[case_id]
    window = hole_window(run, case_id)
    truth = read_picture(run, "pictures", "truth", case_id)[window]
    observed = read_picture(run, "pictures", "observed", case_id)
    tiles = [
        Tile("observed", "the hole is black", address(eight_bits(observed))),
        Tile("truth", "", address(eight_bits(truth))),
    ]
    for label in methods:
        mse = float(run.mse[label][case_id])
        if np.isnan(mse):
            tiles.append(Tile(label, "failed", ""))
            continue
        restored = read_picture(run, "restorations", label, case_id)[window]
        error = address(error_picture(restored, truth))
        tiles.append(Tile(label, f"MSE {mse:.1f}", address(eight_bits(restored)), error))
    description = "{image_id}, hole {hidden_height}x{hidden_width} pixels".format(**case)
    return GalleryCase(case_id, description, tiles)
