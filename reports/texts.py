"""A run's tables as texts for reading: on the page, in Markdown and in the terminal."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inpaintbench.reports.tables import Run

MARK = "*"  # of a method that may have been trained on photographs of the suite
NAMED = 5  # photographs in a note


def leaderboard_text(run: Run) -> pd.DataFrame:
    """Format the leaderboard for reading: every cell a short text, with units in the headings."""
    board = run.leaderboard()
    return pd.DataFrame(
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
            "ms a crop": board["ms"].map("{:.2f}".format),
            "in batches": board["ms_batch"].map("{:.2f}".format),
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
            f"; without their {row['cases']} cases its {run.metric} is "
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
    """Format the differences against the best for reading."""
    table = run.differences()
    return pd.DataFrame(
        {
            "method": table["method"],
            "MSE above the best": table["difference"].map("{:+.1f}".format),
            "95 % interval": _interval_texts(table, "+.1f"),
            "beyond chance": table["distinguishable"].map({True: "yes", False: "no"}),
            "Wilcoxon p": table["p"].map(_p_text),
            "p by Holm": table["p_holm"].map(_p_text),
        }
    ).replace(["nan", "nan to nan", "+nan", "+nan to +nan"], "-")


def needed_text(run: Run) -> pd.DataFrame:
    """Format what it would take to tell each method from the best, for reading."""
    needed = run.needed()
    return pd.DataFrame(
        {
            "method": needed["method"],
            "photographs needed": needed["photographs"].map("{:.0f}".format),
            "cases on them": needed["cases"].map("{:.0f}".format),
            "or one case each of": needed["cases_apart"].map("{:.0f}".format),
        }
    ).replace("nan", "-")


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


def cost_sentence(run: Run) -> str:
    """Say what the winner costs, and which method is fastest of those not told apart from it."""
    board = run.leaderboard()
    first = board.iloc[0]
    if np.isnan(first["mse"]) or np.isnan(first["ms"]):
        return ""
    text = f"{first['method']} takes {first['ms']:.2f} ms a crop"
    if not np.isnan(first["ms_batch"]):
        text += f", {first['ms_batch']:.2f} ms in batches"
    like = board[board["group"].str.split("-").str[0] == "a"]
    fast = like.sort_values("ms").iloc[0] if len(like) else first
    if fast["method"] != first["method"]:
        text += (
            f". Of the {len(like)} methods that share its group {fast['method']} is the fastest: "
            f"{fast['ms']:.2f} ms, MSE {fast['mse']:.1f}"
        )
    return text + "."


def ceilings_text(run: Run) -> pd.DataFrame:
    """Format the ceilings for reading."""
    table = run.ceilings()
    return pd.DataFrame(
        {
            "ceiling": table["ceiling"],
            run.metric: table["mse"].map("{:.1f}".format),
            "95 % interval": _interval_texts(table, ".1f"),
        }
    ).replace(["nan", "nan to nan"], "-")


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

    Keys: `run` (its path), `finished`, `verdict`, `submit` (the method to submit, None if nothing
    was scored) and `leaderboard`, a dict for each method as `Run.leaderboard` has it.
    """
    board = run.leaderboard()
    rows = board.astype(object).where(board.notna(), None).to_dict("records")
    return {
        "run": str(run.path),
        "finished": run.environment.get("finished"),
        "verdict": run.verdict(),
        "submit": board["method"][0] if board["mse"].notna().any() else None,
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


def title(run: Run) -> str:
    """Name the suite, and say how much it holds."""
    photographs = len(set(run.photographs))
    name = run.environment.get("suite", {}).get("name", "a suite")
    cases = "1 case" if len(run.cases) == 1 else f"{len(run.cases):,} cases"
    many = "1 photograph" if photographs == 1 else f"{photographs:,} photographs"
    return f"{name}: {cases} from {many}"
