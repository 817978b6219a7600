"""The report of a run: one HTML page that needs no network, with CSV and Markdown beside it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inpaintbench.datasets.files import write_text
from inpaintbench.reports.history import HISTORY, comparable, draw_history, read_history
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

MARK = "*"  # of a method that may have been trained on photographs of the suite
NAMED = 5  # photographs in a note
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
    several = run.mse.shape[1] > 1
    tables = {
        "leaderboard": run.leaderboard(),
        "ceilings": run.ceilings(),
        "by-hole-size": run.by_hole_size().reset_index(),
        "by-content": run.by_content().reset_index(),
        "calibration": run.calibration(),
        "differences": run.differences() if several else pd.DataFrame(),
        "needed": run.needed() if several else pd.DataFrame(),
        "ranks": run.ranks(),
        "win-matrix": run.win_matrix().reset_index(),
        "history": _history(run, history),
        "failures": run.failures(),
        "cost": run.cost(),
        "leaks": run.leaks(),
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
            "method": board["method"] + np.where(_leaked(run, board["method"]), f" {MARK}", ""),
            "family": board["family"],
            "challenge MSE": board["mse"].map("{:.1f}".format),
            "95 % interval": _interval_texts(board, ".1f"),
            "group": board["group"].replace("", "-"),
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


def _leaked(run: Run, labels: pd.Series) -> NDArray[np.bool_]:
    """Whether each of the methods may have been trained on photographs of the suite."""
    return labels.isin(run.leaks()["label"]).to_numpy(bool)


def leak_notes(run: Run) -> list[str]:
    """Say of each marked method what it may have been trained on, and what that changes."""
    names = run.leaks().groupby("label")["image_id"].apply(list)
    notes = []
    for row in run.leak_effects().to_dict("records"):
        shown = ", ".join(names[row["method"]][:NAMED])
        shown += ", ..." if row["photographs"] > NAMED else ""
        many = "photograph looks" if row["photographs"] == 1 else "photographs look"
        note = f"{row['method']}: {row['photographs']} {many} like its training pictures ({shown})"
        if np.isnan(row["mse_without"]):
            notes.append(f"{note}, and nothing else can be scored")
            continue
        note += (
            f"; without their {row['cases']} cases its challenge MSE is "
            f"{row['mse_without']:.1f} instead of {row['mse']:.1f} ({row['change']:+.0%}"
        )
        if not np.isnan(row["others_change"]):
            note += f", where that of methods without a mark changes by {row['others_change']:+.0%}"
        notes.append(f"{note}), and its rank {row['rank_without']} instead of {row['rank']}")
    return notes


def cost_text(run: Run) -> pd.DataFrame:
    """Format what the methods cost for reading; columns that say nothing are left out."""
    cost = run.cost()
    quartiles = zip(cost["ms_low"], cost["ms_high"], strict=True)
    mebibytes = {
        name: (cost[name] / 2**20).map("{:.0f}".format)
        for name in ("memory", "memory_before", "gpu_memory")
    }
    table = pd.DataFrame(
        {
            "method": cost["method"],
            "load s": cost["load"].map("{:.2f}".format),
            "first ms": cost["first"].map("{:.1f}".format),
            "ms a crop": cost["ms"].map("{:.2f}".format),
            "quartiles": [f"{low:.2f} to {high:.2f}" for low, high in quartiles],
            "crops a second": cost["crops_per_second"].map("{:,.0f}".format),
            "in batches of": cost["batch"].map("{:.0f}".format),
            "peak MiB": mebibytes["memory"],
            "before it MiB": mebibytes["memory_before"],
            "GPU MiB": mebibytes["gpu_memory"],
            "fitted in min": (cost["fit"] / 60).map("{:.1f}".format),
        }
    ).replace(["nan", "nan to nan"], "-")
    return table[[column for column in table if (table[column] != "-").any()]]


def differences_text(run: Run) -> pd.DataFrame:
    """Format the differences against the best, and what it would take to be sure, for reading."""
    table, needed = run.differences(), run.needed()
    return pd.DataFrame(
        {
            "method": table["method"],
            "MSE above the best": table["difference"].map("{:+.1f}".format),
            "95 % interval": _interval_texts(table, "+.1f"),
            "beyond chance": table["distinguishable"].map({True: "yes", False: "no"}),
            "Wilcoxon p": table["p"].map(_p_text),
            "p by Holm": table["p_holm"].map(_p_text),
            "photographs needed": needed["photographs"].map("{:.0f}".format),
            "cases on them": needed["cases"].map("{:.0f}".format),
            "or one case each of": needed["cases_apart"].map("{:.0f}".format),
        }
    ).replace(["nan", "nan to nan"], "-")


def _p_text(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def ranks_text(run: Run) -> pd.DataFrame:
    """Format the mean ranks for reading."""
    table = run.ranks()
    return pd.DataFrame(
        {
            "method": table["method"],
            "mean rank": table["mean_rank"].map("{:.2f}".format),
            "95 % interval": _interval_texts(table, ".2f"),
        }
    ).replace(["nan", "nan to nan"], "-")


def wins_text(run: Run) -> pd.DataFrame:
    """Format the win matrix for reading, in percent; the columns have the methods' numbers."""
    table = run.win_matrix()
    numbers = [str(number) for number in range(1, len(table) + 1)]
    texts = (100 * table).map("{:.0f}".format).replace("nan", "-").set_axis(numbers, axis=1)
    texts.insert(0, "#", numbers)
    return texts.reset_index()


def _history(run: Run, path: Path | None) -> pd.DataFrame:
    """What a history says of a run's cases: the one given, or the one kept with the run."""
    kept = run.files / HISTORY
    if path is None and not kept.exists():
        return pd.DataFrame()
    return comparable(read_history(path or kept), run)


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
    sections += [("Cost", cost_text(run))] if len(run.timings) else []
    sections += [("MSE by content", content_text(run)), ("Ceilings", ceilings_text(run))]
    if run.mse.shape[1] > 1:
        sections.append(("Differences against the best", differences_text(run)))
    sections.append(("Mean ranks", ranks_text(run)))
    parts = [f"# {_title(run)}", run.verdict(), *(f"\\{MARK} {n}." for n in leak_notes(run))]
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
        ranks=ranks_text(run),
        wins=wins_text(run) if several else None,
        history=_history_figure(tables["history"], tables["leaderboard"]),
        runs=tables["history"]["finished"].nunique() if len(tables["history"]) else 0,
        failures=tables["failures"],
        cost=cost_text(run),
        leaks=[f"{MARK} {note}." for note in leak_notes(run)],
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


def _history_figure(history: pd.DataFrame, board: pd.DataFrame) -> str:
    """Draw the history of a run's methods; "" if there is none."""
    if history.empty:
        return ""
    return _figure_html(draw_history(history, board["method"].tolist()))


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
