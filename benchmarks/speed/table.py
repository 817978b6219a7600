"""One table of all pairs: `python benchmarks/speed/table.py BENCHMARK.json [TABLE.md]`.

Reads what `pytest benchmarks/speed --benchmark-json=BENCHMARK.json` wrote, prints for every pair
our time, the rival's and their ratio, and writes the same as Markdown.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from inpaintbench.datasets.files import write_text
from inpaintbench.reports.texts import markdown_table


def speed_table(results: dict[str, Any]) -> pd.DataFrame:
    """Put the two sides of every pair in one row, in milliseconds a crop: median (quartiles)."""
    sides: dict[str, dict[str, tuple[str, dict[str, float], float, str]]] = {}
    for result in results["benchmarks"]:
        notes = result["extra_info"]
        if "side" in notes:
            role = "ours" if notes["side"] == "ours" else "rival"
            part = {k: result["stats"][k] * 1000 / notes["crops"] for k in ("median", "q1", "q3")}
            error = notes.get("mse", float("nan"))
            answer = notes.get("answer", "the same answer")
            sides.setdefault(result["group"], {})[role] = (notes["side"], part, error, answer)
    rows = []
    for pair, both in sides.items():
        if len(both) < 2:
            continue
        (_, ours, our_mse, answer), (rival, theirs, their_mse, _) = both["ours"], both["rival"]
        errors = f"{our_mse:.1f} / {their_mse:.1f}" if not math.isnan(our_mse) else answer
        rows.append(
            {
                "method": pair.split(" / ")[0],  # one method may race against several
                "ours, ms a crop": _spread(ours),
                "rival": rival,
                "rival, ms a crop": _spread(theirs),
                "times faster": _ratio(theirs["median"] / ours["median"]),
                "MSE, ours / rival": errors,
            }
        )
    return pd.DataFrame(rows)


def _spread(part: dict[str, float]) -> str:
    return "{median:.3g} ({q1:.3g} to {q3:.3g})".format(**part)


def _ratio(times: float) -> str:
    return f"{times:.2f}" if times < 10 else f"{times:.0f}"


def main() -> None:
    """Print the table, and write it if a second path is given."""
    source, *target = map(Path, sys.argv[1:])
    results = json.loads(source.read_text())
    table = speed_table(results)
    text = markdown_table(table) if len(table) else "No pair was timed on both sides."
    cpu = results["machine_info"]["cpu"].get("brand_raw", "an unnamed processor")
    text += (
        f"\n\nMedian (quartiles) of several rounds, one process, {cpu}, {results['datetime'][:10]}."
    )
    print(f"\n{text}")
    for path in target:
        write_text(text + "\n", path)
        print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
