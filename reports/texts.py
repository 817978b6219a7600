"""A run's tables as texts for reading: on the page, in Markdown and in the terminal."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inpaintbench.datasets.errors import InputError
from inpaintbench.reports.choice import best_method
from inpaintbench.reports.tables import Run, share_text

MARK = "*"  # of a method that may have been trained on photographs of the suite
TEST_SETS = {"crop", "border", "grid"}  # tasks whose challenges have files to submit
NAMED = 5  # photographs in a note
NO_NUMBER = ["nan", "nan to nan", "+nan", "+nan to +nan"]  # as they are formatted


def leaderboard_text(run: Run) -> pd.DataFrame:
    """Format the leaderboard for reading: every cell a short text, with units in the headings."""
    board = run.leaderboard()
    return _readable(
        {
            "#": board["rank"].astype(str),
            "method": board["method"] + np.where(_leaked(run, board["method"]), f" {MARK}", ""),
            "family": board["family"],
            run.metric: board["mse"].map("{:.1f}".format),
            "95 % interval": _interval_texts(board, ".1f"),
            "group": board["group"].replace("", "-"),
            "median": board["median"].map("{:.1f}".format),
            "PSNR dB": board["psnr"].map("{:.2f}".format),
            "won": board["won"].map("{:.0%}".format),
            "ms a crop": board["ms"].map(ms_text),
            "in batches": board["ms_batch"].map(ms_text),
            "coverage": board["coverage"].map(share_text),
        }
    )


def ms_text(milliseconds: float) -> str:
    """Write milliseconds with two decimals, and with a third where these would be 0.00."""
    return f"{milliseconds:.{3 if milliseconds < 0.01 else 2}f}"


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
            f"; without cases of {'it' if row['photographs'] == 1 else 'them'} "
            f"({row['cases']}) its {run.metric} is "
            f"{row['mse_without']:.1f} instead of {row['mse']:.1f} ({row['change']:+.0%}"
        )
        if not np.isnan(row["others_change"]):
            note += f", where that of methods without a mark changes by {row['others_change']:+.0%}"
        notes.append(f"{note}), and its rank {row['rank_without']} instead of {row['rank']}")
    return notes


def harness_sentence(run: Run) -> str:
    """Say what the workers spent their time on; "" where that is not known, or all was reused."""
    spent = run.environment.get("worker_seconds") or {}
    total = sum(spent.values())
    if not total:
        return ""
    shares = {what: f"{seconds / total:.0%}" for what, seconds in spent.items()}
    return (
        "Of the time of the workers that scored this run, {method} were the methods' own; drawing "
        "cases took {drawing}, scoring {scoring}, and starting processes, sending and checking "
        "{sending}.".format(**shares)
    )


def cost_text(run: Run) -> pd.DataFrame:
    """Format what the methods cost for reading; columns that say nothing are left out."""
    cost = run.cost()
    quartiles = zip(cost["ms_low"], cost["ms_high"], strict=True)
    mebibytes = {
        name: (cost[name] / 2**20).map("{:.0f}".format)
        for name in ("memory", "memory_before", "gpu_memory")
    }
    table = _readable(
        {
            "method": cost["method"],
            "load s": cost["load"].map("{:.2f}".format),
            "first ms": cost["first"].map("{:.1f}".format),
            "ms a crop": cost["ms"].map(ms_text),
            "quartiles": [f"{ms_text(low)} to {ms_text(high)}" for low, high in quartiles],
            "crops a second": cost["crops_per_second"].map("{:,.0f}".format),
            "in batches of": cost["batch"].map("{:.0f}".format),
            "peak MiB": mebibytes["memory"],
            "before it MiB": mebibytes["memory_before"],
            "GPU MiB": mebibytes["gpu_memory"],
            "fitted in min": (cost["fit"] / 60).map("{:.1f}".format),
        }
    )
    return table[[column for column in table if (table[column] != "-").any()]]


def differences_text(run: Run) -> pd.DataFrame:
    """Format the differences against the best for reading."""
    table = run.differences()
    return _readable(
        {
            "method": table["method"],
            "MSE above the best": table["difference"].map("{:+.1f}".format),
            "95 % interval": _interval_texts(table, "+.1f"),
            "beyond chance": table["distinguishable"].map({True: "yes", False: "no"}),
            "Wilcoxon p": table["p"].map(_p_text),
            "p by Holm": table["p_holm"].map(_p_text),
        }
    )


def needed_text(run: Run) -> pd.DataFrame:
    """Format what it would take to tell each method from the best, for reading."""
    needed = run.needed()
    return _readable(
        {
            "method": needed["method"],
            "photographs needed": needed["photographs"].map("{:.0f}".format),
            "cases on them": needed["cases"].map("{:.0f}".format),
            "or one case each of": needed["cases_apart"].map("{:.0f}".format),
        }
    )


def _readable(columns: dict[str, Any]) -> pd.DataFrame:
    """Make a table of texts, with a dash where there is no number."""
    return pd.DataFrame(columns).replace(NO_NUMBER, "-")


def _p_text(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def ranks_text(run: Run) -> pd.DataFrame:
    """Format the mean ranks for reading."""
    table = run.ranks()
    return _readable(
        {
            "method": table["method"],
            "mean rank": table["mean_rank"].map("{:.2f}".format),
            "95 % interval": _interval_texts(table, ".2f"),
        }
    )


def wins_text(run: Run) -> pd.DataFrame:
    """Format the win matrix for reading, in percent; the columns have the methods' numbers."""
    table = run.win_matrix()
    numbers = [str(number) for number in range(1, len(table) + 1)]
    texts = (100 * table).map("{:.0f}".format).replace("nan", "-").set_axis(numbers, axis=1)
    texts.insert(0, "#", numbers)
    return texts.reset_index()


def task_scores_text(run: Run) -> pd.DataFrame:
    """Format what only this task scores for reading, with units in the headings."""
    metrics, table = run.metrics, run.task_scores()
    named = {"method": "method", "r2": "R2"}
    for name in table.columns.difference(list(named)):
        unit = metrics[name]["unit"]
        named[name] = metrics[name]["title"] + (f", {unit}" if unit else "")
    numbers = table.columns.drop("method", errors="ignore")
    shown = table.assign(**{name: table[name].map("{:.4g}".format) for name in numbers})
    return shown.replace("nan", "-").rename(columns=named)


def task_scores_notes(run: Run) -> list[str]:
    """Say what the scores of the task are, in the order of their columns."""
    metrics = run.metrics
    r2 = "R2: 1 - sum (actual - predicted)^2 / sum (actual - mean actual)^2 over all cases"
    return [
        r2 if name == "r2" else f"{metrics[name]['title']}: {metrics[name]['meaning']}"
        for name in run.task_scores().columns.drop("method", errors="ignore")
    ]


def hole_size_text(run: Run) -> pd.DataFrame:
    """Format the MSE by hole size for reading."""
    return means_text(run.by_hole_size().rename(columns="{} px".format))


def content_text(run: Run) -> pd.DataFrame:
    """Format the MSE by what the holes hide for reading."""
    count = run.cases["content"].value_counts()
    return means_text(run.by_content().rename(columns=lambda c: f"{c} ({count[c]} cases)"))


def means_text(table: pd.DataFrame) -> pd.DataFrame:
    """Format means of groups of cases (columns) by method (rows) for reading."""
    return table.map("{:.1f}".format).replace("nan", "-").reset_index()


def hole_notes(run: Run) -> list[str]:
    """Say why a run's cases cannot be compared by their holes in one way or another."""
    if run.nothing_known:
        return [
            "Every pixel of these cases is to be restored: they have no holes, whose sizes and "
            "surroundings, and distances from what is known, could tell them apart."
        ]
    notes = []
    sides = set(zip(run.cases["hidden_height"], run.cases["hidden_width"], strict=True))
    if not run.holes_are_boxes:
        notes.append("What these cases hide is no rectangle with a height and a width.")
    elif len(sides) == 1:
        height, width = sides.pop()
        notes.append(
            f"All holes have {height} x {width} {'pixel' if height * width == 1 else 'pixels'}."
        )
    contents = set(run.cases["content"])
    if len(contents) == 1:
        notes.append(f"By the gradients of the truth, what they hide is all {contents.pop()}.")
    return notes


def command_for(run: Run) -> tuple[str, str]:
    """Say how to use what the run says is best: a purpose and a command; empty if it cannot."""
    try:
        label, why = best_method(run)
    except InputError:
        return "", ""
    method = f"--method {shlex.quote(label)}"
    if run.task in TEST_SETS:
        return (
            f"To write the submission by {label}, {why}",
            f"inpaintbench submit TESTSET.pkl -o PREDICTIONS.pkl {method}",
        )
    mask = "" if run.nothing_known else "--mask HIDDEN.png "
    return (
        f"This task has no submission file; to restore a picture of your own by {label}, {why}",
        f"inpaintbench restore INPUT -o OUTPUT --task {shlex.quote(run.task)} {mask}{method}",
    )


def cost_sentence(run: Run) -> str:
    """Say what the winner costs, and which method is fastest of those not told apart from it."""
    board = run.leaderboard()
    first = board.iloc[0]
    if np.isnan(first["mse"]) or np.isnan(first["ms"]):
        return ""
    text = f"{first['method']} takes {ms_text(first['ms'])} ms a crop"
    if not np.isnan(first["ms_batch"]):
        text += f", {ms_text(first['ms_batch'])} ms in batches"
    like = board[board["group"].str.split("-").str[0] == "a"]
    fast = like.sort_values("ms").iloc[0] if len(like) else first
    if fast["method"] != first["method"]:
        text += (
            f". Of the {len(like)} methods that share its group {fast['method']} is the fastest: "
            f"{ms_text(fast['ms'])} ms, MSE {fast['mse']:.1f}"
        )
    return text + "."


def ceilings_text(run: Run) -> pd.DataFrame:
    """Format the ceilings for reading."""
    table = run.ceilings()
    return _readable(
        {
            "ceiling": table["ceiling"],
            run.metric: table["mse"].map("{:.1f}".format),
            "95 % interval": _interval_texts(table, ".1f"),
        }
    )


def expectations(calibration: pd.DataFrame) -> list[str]:
    """Say for each method what it expected over all cases, and what it made of them."""
    texts = []
    for label, groups in calibration.groupby("method", sort=False):
        expected, mse = (
            np.average(groups[column], weights=groups["cases"]) for column in ("expected", "mse")
        )
        texts.append(f"{label} expected an MSE of {expected:.1f} and had {mse:.1f}")
    return texts


def summary(run: Run) -> dict[str, Any]:
    """Sum a run up for other programs, in values fit for JSON: what is not known is None.

    Keys: `run` (its path), `finished`, `verdict`, `submit` (the method to submit, None if none
    restored every case) and `leaderboard`, a dict for each method as `Run.leaderboard` has it.
    """
    board = run.leaderboard()
    rows = board.astype(object).where(board.notna(), None).to_dict("records")
    submit = None
    with suppress(InputError):
        submit, _ = best_method(run)
    return {
        "run": str(run.path),
        "finished": run.environment.get("finished"),
        "verdict": run.verdict(),
        "submit": submit,
        "leaderboard": rows,
    }


def markdown(run: Run) -> str:
    """Write the run's tables as Markdown."""
    sections = [("Leaderboard", leaderboard_text(run)), ("MSE by hole area", hole_size_text(run))]
    sections += [("Cost", cost_text(run))] if len(run.timings) else []
    sections += [("MSE by content", content_text(run)), ("Ceilings", ceilings_text(run))]
    if run.mse.shape[1] > 1:
        sections.append(("Differences against the best", differences_text(run)))
        sections.append(("What would tell them from the best", needed_text(run)))
    sections.append(("Mean ranks", ranks_text(run)))
    parts = [f"# {title(run)}", run.verdict(), *(f"\\{MARK} {n}." for n in leak_notes(run))]
    parts += [f"## {title}\n\n{markdown_table(table)}" for title, table in sections]
    if "command" in run.environment:
        made, finished = run.environment["command"], run.environment.get("finished", "not yet")
        parts.append(f"Made by `{made}`, finished {finished}.")
    return "\n\n".join(parts) + "\n"


def markdown_table(table: pd.DataFrame) -> str:
    """Write a table of texts as a Markdown table."""
    rows = [list(table.columns), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(str(c).replace("|", "\\|") for c in r) + " |" for r in rows)


def flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Give the entries of tables in tables: a table's keys get its name before theirs."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def hole_text(case: "pd.Series[Any]") -> str:
    """Say which pixels a case hides: rows by columns, or how many in the box that holds them.

    Parameters
    ----------
    case : a row of a run's cases, with the number of hidden pixels as `hidden`
    """
    box = f"{case['hidden_height']} x {case['hidden_width']}"
    whole = case["hidden"] == case["hidden_height"] * case["hidden_width"]
    return box if whole else f"{case['hidden']:,} of {box}"


def title(run: Run) -> str:
    """Name the suite, and say how much it holds."""
    photographs = len(set(run.photographs))
    name = run.environment.get("suite", {}).get("name", "a suite")
    cases = "1 case" if len(run.cases) == 1 else f"{len(run.cases):,} cases"
    many = "1 photograph" if photographs == 1 else f"{photographs:,} photographs"
    return f"{name}: {cases} from {many}"
