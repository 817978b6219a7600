"""Figures of a run as plotly objects: for the page, and for notebooks."""

import html
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from inpaintbench.datasets.cases import evenly
from inpaintbench.reports import statistics
from inpaintbench.reports.tables import Run

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TICKS = {  # of a logarithmic axis, by the decades that it shows at the most
    0.8: (1, 1.5, 2, 3, 5, 7),
    1.7: (1, 2, 3, 5),
    2.5: (1, 3),
    np.inf: (1,),
}
WINS = [[0, "#ee8866"], [0.5, "#f7f7f7"], [1, "#77aadd"]]  # light enough for black numbers
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777")
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
LONGEST = 28  # characters of a name in a figure
SHOWN = 8  # methods whose lines are drawn at first; a click on the others' names adds theirs
POINTS = 1000  # of a method in a figure with a point for every case
CELLS = 12  # rows or columns of a heat map
ROW = 22  # pixels for a method in a figure with a row for each


def plotly_text(text: object, longest: int = LONGEST) -> str:
    """Keep plotly from reading a text as markup or, between dollar signs, as a formula.

    Characters that turn the direction of writing show as escapes, and long texts are cut.
    """
    plain = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))
    if len(plain) > longest:
        plain = plain[: longest - 1] + "…"
    return html.escape(plain).replace("$", "&#36;")


def names_of(labels: Sequence[str]) -> list[str]:
    """Name methods for an axis: short, and no two the same."""
    names: list[str] = []
    for number, label in enumerate(labels, 1):
        name = plotly_text(label)
        names.append(f"{name} ({number})" if name in names else name)
    return names


def quality_against_time(run: Run) -> "Figure":
    """Draw challenge MSE with its interval against milliseconds per crop, on logarithmic axes.

    Markers have the methods' ranks on the leaderboard. The dotted line is the frontier: methods
    that no faster one beats. A menu chooses between crops one at a time and crops in batches.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    board = run.leaderboard()
    board["place"] = np.arange(len(board))
    kinds = {"one at a time": "ms", "in batches": "ms_batch"}
    drawn: list[str] = []
    for kind, column in kinds.items():
        timed = board.dropna(subset=["mse", column])
        if timed.empty:
            continue
        _draw_quality(figure, timed.sort_values(column), column)
        drawn += [kind] * (len(figure.data) - len(drawn))
    titles = {kind: f"milliseconds per crop, {kind}, one thread" for kind in kinds}
    first = drawn[0] if drawn else "one at a time"
    figure.update_layout(
        xaxis=_log_axis(board[list(kinds.values())]) | {"title": {"text": titles[first]}},
        yaxis=_log_axis(board[["mse", "high"]], board["low"], 0.1)
        | {"title": {"text": run.metric}},
    )
    figure.for_each_trace(lambda t: t.update(visible=drawn[figure.data.index(t)] == first))
    if len(set(drawn)) > 1:
        choices = {
            kind: [{"visible": [k == kind for k in drawn]}, {"xaxis.title.text": titles[kind]}]
            for kind in dict.fromkeys(drawn)
        }
        _menu(figure, choices)
    return _finished(figure, 480)


def frontier(board: pd.DataFrame, column: str) -> pd.DataFrame:
    """The methods of a leaderboard that no faster one beats, fastest first.

    Parameters
    ----------
    column : "ms" or "ms_batch"
    """
    timed = board.dropna(subset=["mse", column]).sort_values(column, ignore_index=True)
    return timed[timed["mse"] < timed["mse"].cummin().shift(fill_value=np.inf)]


def _draw_quality(figure: "Figure", board: pd.DataFrame, column: str) -> None:
    line = frontier(board, column)
    figure.add_scatter(
        x=line[column],
        y=line["mse"],
        mode="lines",
        line={"color": "#999999", "dash": "dot", "width": 1.5},
        name="no faster method is as good",
        hoverinfo="skip",
    )
    for number, (family, part) in enumerate(board.groupby("family")):
        figure.add_scatter(
            x=part[column],
            y=part["mse"],
            error_y=_bars(part, "mse", 2),
            mode="markers+text",
            text=part["rank"].astype(str),
            textposition="middle right",
            textfont={"size": 12},
            customdata=np.column_stack([part["method"].map(plotly_text), part["place"]]),
            marker={
                "size": 11,
                "symbol": SYMBOLS[number // len(COLOURS) % len(SYMBOLS)],
                "color": COLOURS[number % len(COLOURS)],
            },
            name=plotly_text(family),
            hovertemplate="%{customdata[0]}: MSE %{y:.1f}, %{x:.2f} ms<extra></extra>",
        )


def _bars(table: pd.DataFrame, column: str, width: int) -> dict[str, Any]:
    """Error bars from `low` to `high` around a column, with ends of a width in pixels."""
    return {
        "array": (table["high"] - table[column]).fillna(0),
        "arrayminus": (table[column] - table["low"]).fillna(0),
        "thickness": 1,
        "width": width,
    }


def heat_maps(run: Run) -> "Figure":
    """Draw mean MSE by height and width of the hole; a menu chooses the method.

    All methods share one logarithmic scale of colours. The figure has no data where no two holes
    differ, or what is hidden is no rectangle within a picture.
    """
    import plotly.graph_objects as go

    heights, widths = (
        pd.Series(_classes(run.cases[f"hidden_{side}"]), run.mse.index)
        for side in ("height", "width")
    )
    figure = go.Figure()
    labels = [m for m in run.leaderboard()["method"] if run.mse[m].notna().any()]
    differ = len(set(zip(heights, widths, strict=True))) > 1
    if not differ or not run.holes_are_boxes or run.nothing_known:
        labels = []
    counts = pd.crosstab(heights, widths)
    tables = [
        run.mse[label].groupby([heights, widths], observed=True).mean().unstack()
        for label in labels
    ]
    tables = [table.reindex(index=counts.index, columns=counts.columns) for table in tables]
    logs = [np.log10(table.clip(lower=0.1)) for table in tables]
    ends = [np.nanmin(logs), np.nanmax(logs)] if logs else [0, 1]
    for number, (label, table, log) in enumerate(zip(labels, tables, logs, strict=True)):
        figure.add_heatmap(
            x=[str(c) for c in counts.columns],
            y=[str(c) for c in counts.index],
            z=log.to_numpy(),
            customdata=np.dstack([table.to_numpy(), counts.to_numpy()]),
            text=table.map(lambda v: "" if np.isnan(v) else f"{v:.0f}").to_numpy(),
            texttemplate="%{text}",
            hovertemplate="%{y} rows by %{x} columns: MSE %{customdata[0]:.1f}, "
            "%{customdata[1]} cases<extra>" + plotly_text(label) + "</extra>",
            zmin=ends[0],
            zmax=ends[1],
            colorscale="Viridis",
            showscale=False,
            visible=number == 0,
            xgap=1,
            ygap=1,
        )
    if len(labels) > 1:
        _menu(figure, {n: [{"visible": _only(k, labels)}] for k, n in enumerate(names_of(labels))})
    figure.update_xaxes(title="columns of the hole", type="category")
    figure.update_yaxes(title="rows of the hole", type="category")
    return _finished(figure, 440)


def _only(number: int, every: Sequence[object]) -> list[bool]:
    return [k == number for k in range(len(every))]


def _classes(sizes: pd.Series) -> Any:
    """Put sizes in pixels into ordered classes, a `Categorical`: each its own, if they are few."""
    values = sizes.to_numpy()
    if len(np.unique(values)) <= CELLS:
        return pd.Categorical(values)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, CELLS + 1)).round().astype(int))
    names = [f"{low + 1}-{high}" if high > low + 1 else f"{high}" for low, high in pairwise(edges)]
    names[0] = f"{edges[0]}-{edges[1]}"
    return pd.cut(sizes, edges.tolist(), labels=names, include_lowest=True).array


def by_group(table: pd.DataFrame) -> "Figure":
    """Draw a table of mean MSE, methods in rows and groups of cases in columns, as dots.

    For `Run.by_content()`, `Run.by_hole_size()` and `by_surroundings`.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    table = table.dropna(how="all")
    names = names_of(table.index.tolist())
    for number, column in enumerate(table.columns):
        figure.add_scatter(
            x=table[column],
            y=names,
            mode="markers",
            name=plotly_text(column),
            marker={
                "size": 10,
                "color": COLOURS[number % len(COLOURS)],
                "symbol": SYMBOLS[number % len(SYMBOLS)],
            },
            hovertemplate="%{y}: MSE %{x:.1f}<extra>" + plotly_text(column) + "</extra>",
        )
    figure.update_xaxes(**_log_axis(table, floor=0.1), title="MSE")
    return _rows(figure, names)


def distance_curves(run: Run, errors: pd.DataFrame) -> "Figure":
    """Draw mean squared error against the distance from the nearest known pixel.

    Parameters
    ----------
    errors : as `sample.error_by_distance` gives them
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, label in enumerate(run.leaderboard()["method"]):
        line = errors[errors["method"] == label]
        if len(line):
            figure.add_scatter(
                x=line["distance"],
                y=line["mse"],
                customdata=line["pixels"],
                hovertemplate="distance %{x}: MSE %{y:.1f}, %{customdata} pixels",
                **_line(label, number),
            )
    steps = 2 if errors["distance"].max() > 12 else 1
    figure.update_xaxes(title="pixels from the nearest known one", dtick=steps)
    figure.update_yaxes(**_log_axis(errors["mse"], floor=0.1), title="mean squared error")
    return _finished(figure, 480)


def _line(label: str, number: int) -> dict[str, Any]:
    """How a method's line looks: only the first few are drawn until others are clicked."""
    return {
        "name": plotly_text(label),
        "legendgroup": str(number),
        "mode": "lines+markers",
        "marker": {"size": 5},
        "line": {
            "color": COLOURS[number % len(COLOURS)],
            "dash": DASHES[number // len(COLOURS) % len(DASHES)],
        },
        "visible": True if number < SHOWN else "legendonly",
    }


def _truth(name: str) -> dict[str, Any]:
    """How the line looks on which methods would be without error."""
    line = {"color": "#999999", "dash": "dot", "width": 1}
    return {"mode": "lines", "line": line, "name": name, "hoverinfo": "skip"}


def wins(run: Run) -> "Figure":
    """Draw the win matrix: on which share of the cases the row's method beats the column's."""
    import plotly.graph_objects as go

    table = run.win_matrix()
    names, numbers = names_of(table.index.tolist()), list(range(1, len(table) + 1))
    rows = [f"{name} {number}" for name, number in zip(names, numbers, strict=True)]
    figure = go.Figure()
    if len(table) > 1:
        percent = (100 * table).round(0)
        figure.add_heatmap(
            x=[str(n) for n in numbers],
            y=rows,
            z=table.to_numpy(),
            text=percent.map(lambda v: "" if np.isnan(v) else f"{v:.0f}").to_numpy(),
            texttemplate="%{text}" if len(table) <= 16 else None,
            customdata=np.tile(names, (len(names), 1)),
            hovertemplate="%{y} beats %{customdata} on %{z:.1%} of the cases<extra></extra>",
            colorscale=WINS,
            textfont={"color": "#1c1c1c"},
            zmin=0,
            zmax=1,
            colorbar={"tickformat": ".0%", "thickness": 12},
            xgap=1,
            ygap=1,
        )
    figure.update_xaxes(type="category", side="top", title="against number")
    return _rows(figure, rows)


def critical_difference(run: Run) -> "Figure":
    """Draw mean ranks with their intervals; bars join methods that cannot be told apart.

    After the diagram of Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets",
    JMLR 7, 2006, with a row for each method, so that names never overlap. One departure: what is
    told apart is decided by `statistics.told_apart`, and not by mean ranks.
    """
    import plotly.graph_objects as go

    table = run.ranks().sort_values("mean_rank", ignore_index=True)
    complete = run.mse.notna().all()
    table = table[table["method"].map(complete)].reset_index(drop=True)
    names = names_of(table["method"].tolist())
    figure = go.Figure()
    if len(table) < 2:
        return _rows(figure, names)
    figure.add_scatter(
        x=table["mean_rank"],
        y=names,
        mode="markers",
        marker={"size": 9, "color": COLOURS[0]},
        error_x=_bars(table, "mean_rank", 3),
        name="mean rank",
        hovertemplate="%{y}: mean rank %{x:.2f}<extra></extra>",
        showlegend=False,
    )
    apart = statistics.told_apart(run.mse[table["method"].tolist()].to_numpy(), run.photographs)
    top = float(np.nanmax(table[["mean_rank", "high"]]))
    step = max(top * 0.025, 0.03)
    joined = [ranks for ranks in statistics.runs_alike(apart) if len(ranks) > 1]
    for number, ranks in enumerate(joined, 1):
        alike = names[ranks.start : ranks.stop]
        figure.add_scatter(
            x=[top + number * step] * len(alike),
            y=alike,
            mode="lines",
            line={"width": 5, "color": "#777777"},
            hovertemplate=f"{alike[0]} to {alike[-1]}: not told apart<extra></extra>",
            showlegend=False,
        )
    low = float(np.nanmin(table[["mean_rank", "low"]]))
    figure.update_xaxes(
        title="mean rank over the cases, 1 the best",
        range=[low - 2 * step, top + (len(joined) + 1) * step],
    )
    return _rows(figure, names)


def growth(run: Run) -> "Figure":
    """Draw how each method's time grows with the hole (left) and with the picture (right)."""
    from plotly.subplots import make_subplots

    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.04)
    timings = run.timings[run.timings["kind"] == "growth"]
    if timings.empty:
        return figure
    hole = timings.groupby("hidden_pixels")["picture_pixels"].nunique().idxmax()
    picture = timings.groupby("picture_pixels")["hidden_pixels"].nunique().idxmax()
    panels = [
        ("hidden_pixels", timings[timings["picture_pixels"] == picture]),
        ("picture_pixels", timings[timings["hidden_pixels"] == hole]),
    ]
    told = [f"hidden pixels of {picture:.0f}", f"pixels, {hole:.0f} of them hidden"]
    labels = [label for label in run.leaderboard()["method"] if label in set(timings["label"])]
    for column, (size, part) in enumerate(panels, 1):
        for number, label in enumerate(labels):
            line = part[part["label"] == label].sort_values(size)
            figure.add_scatter(
                x=line[size],
                y=line["seconds"] * 1000,
                showlegend=column == 1,
                hovertemplate="%{x} " + told[column - 1] + ": %{y:.2f} ms",
                row=1,
                col=column,
                **_line(label, number),
            )
    figure.update_xaxes(**_log_axis(panels[0][1]["hidden_pixels"]), title="hidden pixels", col=1)
    figure.update_xaxes(
        **_log_axis(panels[1][1]["picture_pixels"]), title="pixels of the picture", col=2
    )
    figure.update_yaxes(**_log_axis(pd.concat([part for _, part in panels])["seconds"] * 1000))
    figure.update_yaxes(title="milliseconds per picture", col=1)
    return _finished(figure, 480)


def calibration(run: Run) -> "Figure":
    """Draw the errors that methods made against those that they expected."""
    import plotly.graph_objects as go

    table = run.calibration()
    figure = go.Figure()
    if table.empty:
        return figure
    least = max(table[["expected", "mse"]].to_numpy().min(), 0.1)
    ends = [least / 1.5, table[["expected", "mse"]].to_numpy().max() * 1.5]
    figure.add_scatter(x=ends, y=ends, **_truth("as expected"))
    for number, (label, groups) in enumerate(table.groupby("method", sort=False)):
        figure.add_scatter(
            x=groups["expected"],
            y=groups["mse"],
            error_y=_bars(groups, "mse", 2),
            hovertemplate="expected %{x:.1f}, had %{y:.1f}",
            **_line(str(label), number),
        )
    figure.update_xaxes(
        **_log_axis(table["expected"], floor=0.1), title="MSE that the method expected"
    )
    figure.update_yaxes(**_log_axis(table[["mse", "high"]], floor=0.1), title="MSE that it had")
    return _finished(figure, 480)


def predicted(run: Run) -> "Figure":
    """Draw restored against actual values, where one pixel of a case is asked for, with R2."""
    import plotly.graph_objects as go

    figure = go.Figure()
    table = _few_predictions(run)
    if table.empty:
        return figure
    ends = [table.index.min(), table.index.max()]
    figure.add_scatter(x=ends, y=ends, **_truth("as it is"))
    r2 = run.task_scores().set_index("method")["r2"]
    for number, label in enumerate(table.columns):
        look = _points(label, number)
        look["name"] += f", R2 {r2[label]:.4f}"
        figure.add_scatter(x=table.index, y=table[label], hovertemplate="%{x}: %{y}", **look)
    figure.update_xaxes(title=f"actual, {run.unit}")
    figure.update_yaxes(title=f"restored, {run.unit}")
    return _finished(figure, 480)


def lift(run: Run) -> "Figure":
    """Draw a sorted lift chart: the actual values in ascending order, and the restored ones."""
    import plotly.graph_objects as go

    figure = go.Figure()
    table = _few_predictions(run)
    if table.empty:
        return figure
    places = np.arange(1, len(table) + 1)
    for number, label in enumerate(table.columns):
        look = _points(label, number)
        figure.add_scatter(x=places, y=table[label], hovertemplate="case %{x}: %{y}", **look)
    line = {"color": "#777777", "width": 2}
    figure.add_scatter(x=places, y=table.index, **_truth("actual") | {"line": line})
    figure.update_xaxes(title="cases by their actual value")
    figure.update_yaxes(title=run.unit)
    return _finished(figure, 480)


def _few_predictions(run: Run) -> pd.DataFrame:
    """The best methods' predictions on `POINTS` cases at the most, evenly over actual values."""
    table = run.predictions().dropna(axis=1, how="all").iloc[:, :SHOWN]
    return table.iloc[evenly(len(table), POINTS)]


def _points(label: str, number: int) -> dict[str, Any]:
    """How a method's points look: those of two methods are drawn until others are clicked."""
    look = _line(label, number) | {"mode": "markers", "opacity": 0.7}
    return look if number < 2 else look | {"visible": "legendonly"}


def history(table: pd.DataFrame, methods: Sequence[str]) -> "Figure":
    """Draw each method's challenge MSE from run to run.

    Runs stand at equal distances, in the order in which they were finished: a month without one
    takes no room. Intervals are told, not drawn: they are far wider than what changes on the same
    photographs, and would hide it.

    Parameters
    ----------
    table : as `history.comparable` gives it; the figure has no data if it is empty
    methods : best first
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    if table.empty:
        return figure
    runs = {finished: number for number, finished in enumerate(table["finished"].unique(), 1)}
    for number, label in enumerate(methods):
        line = table[table["method"] == label]
        ends = zip(line["low"], line["high"], strict=True)
        about = line["finished"] + ", commit " + line["commit"].str[:9].replace("", "unknown")
        figure.add_scatter(
            x=line["finished"].map(runs),
            y=line["mse"],
            text=about.map(lambda text: plotly_text(text, 80)),
            customdata=[f"{low:.1f} to {high:.1f}" for low, high in ends],
            hovertemplate="%{text}: MSE %{y:.2f}, 95 % interval %{customdata}",
            **_line(label, number),
        )
    ticks = {"tickvals": list(runs.values()), "ticktext": [plotly_text(day[:10]) for day in runs]}
    figure.update_xaxes(title="runs, by the day they were finished")
    figure.update_xaxes(**(ticks if len(runs) < 30 else {}))
    figure.update_yaxes(type="log", title="MSE (lower is better)")
    return _finished(figure, 480)


def _log_axis(
    values: "pd.DataFrame | pd.Series[float]", lows: Any = (), floor: float = 1e-9
) -> dict[str, Any]:
    """Describe a logarithmic axis for values, with as many ticks as there is room for.

    Parameters
    ----------
    lows : lower ends of intervals, which the axis shows as far as to a third of the least value
    floor : what the axis shows at the least, however small a value is
    """
    known = np.asarray(values, float).ravel()
    known = known[known > 0]
    if not len(known):
        return {"type": "log"}
    shown = np.clip(np.asarray(lows, float), known.min() / 3, None)
    least = float(np.nanmin([known.min(), *shown]))
    ends = np.log10([max(least, floor) / 1.15, max(known.max(), floor) * 1.15])
    steps = next(steps for decades, steps in TICKS.items() if ends[1] - ends[0] <= decades)
    ticks = [step * 10.0**e for e in range(-9, 10) for step in steps]
    inside = [tick for tick in ticks if ends[0] <= np.log10(tick) <= ends[1]]
    if len(inside) < 2:  # of values that are nearly the same
        inside = sorted({float(f"{tick:.3g}") for tick in 10 ** np.linspace(ends[0], ends[1], 4)})
    texts = [_tick_text(tick) for tick in inside]
    return {"type": "log", "tickvals": inside, "ticktext": texts, "range": ends.tolist()}


def _tick_text(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}"


def _menu(figure: "Figure", choices: dict[str, list[Any]]) -> None:
    """Let a reader choose what a figure shows; the page makes it an ordinary list to choose from.

    Parameters
    ----------
    choices : by its name, what `Plotly.update` is called with
    """
    buttons = [{"label": n, "method": "update", "args": args} for n, args in choices.items()]
    place = {"x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"}
    figure.update_layout(updatemenus=[{"buttons": buttons, **place}])


def _rows(figure: "Figure", names: Sequence[str]) -> "Figure":
    """Finish a figure with a row for each method, the first at the top."""
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=list(names)[::-1],
        range=[-0.6, len(names) - 0.4],
        tickmode="array",
        tickvals=list(names),
        automargin=True,
    )
    return _finished(figure, max(160 + ROW * len(names), 260))


@cache
def _template() -> Any:
    """Give what our figures use of plotly's white template: each gets a copy, which takes long."""
    import plotly.graph_objects as go
    import plotly.io as pio

    white = pio.templates["plotly_white"]
    kinds = {"scatter": white.data.scatter, "heatmap": white.data.heatmap}
    return go.layout.Template(layout=white.layout, data=kinds)


def _finished(figure: "Figure", height: int) -> "Figure":
    figure.update_layout(
        template=_template(),
        height=height,
        margin={"l": 60, "r": 20, "t": 50 if figure.layout.updatemenus else 20, "b": 50},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        hoverlabel={"namelength": -1},
    )
    return figure
