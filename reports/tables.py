"""Tables of a run: leaderboard, MSE by hole size, differences against the best."""

import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, wraps
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inpaintbench.datasets.errors import InputError
from inpaintbench.reports import statistics
from inpaintbench.reports.archive import MARK, unpacked
from inpaintbench.reports.intervals import estimate, intervals, score_intervals, totals

FORMAT = 2  # of a run's files, in its environment.json; raise it when an older reader would err
GROUPS = 10  # of cases, by the error that a method expects
USUAL_SCORES = ("mse", "mae", "psnr", "ssim", "edge_mse", "altered_known")  # of every task
HOLE_AREAS = {
    "under 25": 24,
    "25-81": 81,
    "82-169": 169,
    "170-289": 289,
    "290-441": 441,
    "over 441": 10**12,
}


COST_KINDS = (
    "load",
    "first",
    "single",
    "batch",
    "memory-before",
    "memory",
    "gpu-memory",
    "fit",
)


def computed_once(method: "Callable[[Run], pd.DataFrame]") -> "Callable[[Run], pd.DataFrame]":
    """Let a run compute a table once, and give copies: many parts of a report ask for the same."""
    kept = f"_{method.__name__}"

    @wraps(method)
    def table(run: "Run") -> pd.DataFrame:
        if kept not in vars(run):
            vars(run)[kept] = method(run)
        copy: pd.DataFrame = vars(run)[kept].copy()
        return copy

    return table


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run, as its files tell it.

    Attributes
    ----------
    path : Path
        The run's folder, or a zip archive of it.
    cases, scores, timings : DataFrame
        The run's parquet files.
    environment : dict
        What it was made with.
    unpacked : TemporaryDirectory
        Where the files of an archive lie, for as long as the run is used.
    """

    path: Path
    cases: pd.DataFrame
    scores: pd.DataFrame
    timings: pd.DataFrame
    environment: dict[str, Any]
    unpacked: "TemporaryDirectory[str] | None" = None

    @property
    def files(self) -> Path:
        """The folder to read pictures from."""
        return Path(self.unpacked.name) if self.unpacked else self.path

    @property
    def report_folder(self) -> Path:
        """The folder to write the report into: beside an archive, inside of a folder."""
        if self.unpacked:
            return self.path.with_name(f"{self.path.stem}-report")
        return self.path / "report"

    @property
    def task(self) -> str:
        """The task of the run's cases; that of the crop challenge, if they do not tell."""
        return str(min(self.cases["task"])) if "task" in self.cases else "crop"

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """What the task scores, that which ranks first, by column; older runs do not tell."""
        return {metric["column"]: metric for metric in self.environment.get("metrics", [])}

    @property
    def metric(self) -> str:
        """What the task calls the mean squared error that methods are ranked by."""
        first = next(iter(self.metrics.values()), {"title": "challenge MSE"})
        return str(first["title"])

    @property
    def unit(self) -> str:
        """What errors are scored in: "grey levels" of 0..255, or the task's own unit."""
        return str(self.metrics.get("mae", {"unit": "grey levels"})["unit"])

    @property
    def levels(self) -> int:
        """What the highest value of a picture's dtype stands for in that unit."""
        return 65535 if self.unit == "counts" else 255

    def task_scores(self) -> pd.DataFrame:
        """Average what only this task scores, and the MAE, over the cases that were restored.

        Columns: `method` (best first), `mae`, the task's own scores by the names in the
        environment's `metrics`, and `r2` instead of `actual` and `predicted`: over all cases,
        1 - sum (actual - predicted)^2 / sum (actual - mean actual)^2. Empty for a task without.
        """
        own = [column for column in self.metrics if column not in USUAL_SCORES]
        if not own:
            return pd.DataFrame()
        table = self.scores.groupby("label")[["mae", *own]].mean()
        if {"actual", "predicted"} <= set(own):
            table = table.drop(columns=["actual", "predicted"])
            done = self.scores.dropna(subset=["actual", "predicted"])
            errors = (done["actual"] - done["predicted"]) ** 2
            spread = done.groupby("label")["actual"].var(ddof=0)
            table["r2"] = 1 - errors.groupby(done["label"]).mean() / spread
        return table.loc[self.leaderboard()["method"]].rename_axis("method").reset_index()

    @computed_once
    def predictions(self) -> pd.DataFrame:
        """Say what methods restored where one pixel of a case is asked for.

        A row per case, its index the actual value, in ascending order; a column per method, best
        first. Empty for another task.
        """
        if not {"actual", "predicted"} <= set(self.scores):
            return pd.DataFrame()
        actual = self._wide("actual").max(axis=1)  # the same of every method that restored it
        table = self._wide("predicted")[self.leaderboard()["method"]].set_axis(actual, axis=0)
        return table[table.index.notna()].sort_index(kind="stable").rename_axis("actual")

    @cached_property
    def mse(self) -> pd.DataFrame:
        """MSE with a row per case and a column per method; NaN where there is no score."""
        return self._wide("mse")

    @cached_property
    def photographs(self) -> np.ndarray[Any, np.dtype[Any]]:
        """The photograph of each row of `mse`."""
        sources = self.cases["source"] + "/" + self.cases["image_id"]
        return sources.to_numpy(dtype=str)

    @cached_property
    def psnr(self) -> pd.DataFrame:
        """PSNR in dB, arranged as `mse` is."""
        return self._wide("psnr")

    def _wide(self, column: str) -> pd.DataFrame:
        table = self.scores.pivot(index="case_id", columns="label", values=column)
        return table.reindex(self.cases["case_id"])

    def leaderboard_of(self, chosen: NDArray[np.bool_]) -> pd.DataFrame:
        """Rank the methods by a part of the cases alone: the columns of `leaderboard`.

        Parameters
        ----------
        chosen : (cases,) array
            Which of them; at least one. What a crop costs is what it is on all of them.
        """
        mse, photographs = self.mse[chosen], self.photographs[chosen]
        low, high = score_intervals(mse.to_numpy(), photographs)
        best = mse.eq(mse.min(axis=1), axis=0)
        won = best.div(best.sum(axis=1).where(lambda n: n > 0), axis=0).sum() / len(mse)
        timings = self.timings.groupby(["kind", "label"])["seconds"].median()
        single = timings.get("single", pd.Series(dtype=float))
        batch = timings.get("batch", pd.Series(dtype=float))
        table = pd.DataFrame(
            {
                "family": self.scores.groupby("label")["family"].first(),
                "mse": mse.mean(),
                "low": pd.Series(low, mse.columns),
                "high": pd.Series(high, mse.columns),
                "median": mse.median(),
                "psnr": self.psnr[chosen].mean(),
                "won": won,
                "ms": single.reindex(mse.columns) * 1000,
                "ms_batch": batch.reindex(mse.columns) * 1000,
                "coverage": mse.notna().mean(),
            }
        )
        table["incomplete"] = table["coverage"] < 1
        table = table.sort_values(["incomplete", "mse"]).drop(columns="incomplete")
        table = table.rename_axis("method").reset_index()
        table.insert(0, "rank", np.arange(1, len(table) + 1))
        ranked = table.loc[table["coverage"] == 1, "method"].tolist()
        apart = statistics.told_apart(mse[ranked].to_numpy(), photographs)
        groups = pd.Series(statistics.groups(apart), dtype=str)
        table["group"] = groups.reindex(table.index, fill_value="")
        return table

    @computed_once
    def leaderboard(self) -> pd.DataFrame:
        """Rank the methods by challenge MSE; those that did not restore every case come last.

        Columns: `rank`, `method`, `family`, `mse` with its 95 % interval `low`, `high` over
        resampled photographs, `median` MSE, `psnr` (dB, mean over cases), `won` (share of cases
        with the lowest MSE, ties shared), `ms` and `ms_batch` (milliseconds per crop, one at a time
        and in batches, medians), `coverage` (share of cases restored) and `group`: methods that
        share a letter cannot be told apart, see `statistics.groups`.
        """
        return self.leaderboard_of(np.ones(len(self.cases), bool))

    @cached_property
    def hidden_pixels(self) -> NDArray[np.int64]:
        """How many pixels are hidden in each row of `mse`: of scratches not all of their box."""
        cases = self.cases
        if "hidden_fraction" not in cases:
            boxes = cases["hidden_height"] * cases["hidden_width"]
            return boxes.to_numpy(np.int64)
        hidden = cases["hidden_fraction"] * cases["height"] * cases["width"]
        return hidden.round().to_numpy(np.int64)

    @property
    def holes_are_boxes(self) -> bool:
        """Whether in every case a rectangle is hidden, and nothing else."""
        area = self.cases["hidden_height"] * self.cases["hidden_width"]
        return bool((self.hidden_pixels == area).all())

    @property
    def nothing_known(self) -> bool:
        """Whether in every case all pixels are to be restored: there are no holes, but pictures."""
        return bool((self.hidden_pixels == self.cases["height"] * self.cases["width"]).all())

    @cached_property
    def hole_areas(self) -> NDArray[Any]:
        """For each row of `mse` the key of `HOLE_AREAS` that its hidden pixels belong to."""
        edges = [0, *HOLE_AREAS.values()]
        sizes = pd.Series(pd.cut(self.hidden_pixels, edges, labels=list(HOLE_AREAS)))
        return np.asarray(sizes.astype(object))

    @computed_once
    def by_hole_size(self) -> pd.DataFrame:
        """Mean MSE of each method (rows, best first) by the hole's area in pixels (columns)."""
        table = self.mse.groupby(self.hole_areas).mean().T
        order = [name for name in HOLE_AREAS if name in table.columns]
        return table.loc[self.leaderboard()["method"], order].rename_axis("method")

    @computed_once
    def by_content(self) -> pd.DataFrame:
        """Mean MSE of each method (rows, best first) by what the holes hide (columns)."""
        table = self.mse.groupby(self.cases["content"].to_numpy()).mean().T
        return table.loc[self.leaderboard()["method"]].rename_axis("method")

    def ceilings(self) -> pd.DataFrame:
        """Score what only the truth can tell; neither is a method, and neither is ranked.

        `oracle` takes for every case the method of this run that turned out best on it;
        `constant-oracle` fills every hole with the mean of what it hides. Columns: `ceiling`,
        `mse` with its 95 % interval `low`, `high`.
        """
        best = self.mse.min(axis=1).to_numpy()
        values = np.column_stack([best, self.cases["constant_mse"].to_numpy()])
        low, high = score_intervals(values, self.photographs)
        return pd.DataFrame(
            {
                "ceiling": ["oracle", "constant-oracle"],
                "mse": pd.DataFrame(values).mean().to_numpy(),  # NaN without a score
                "low": low,
                "high": high,
            }
        )

    @computed_once
    def differences(self) -> pd.DataFrame:
        """Compare every other method with the best, case by case.

        Columns: `method`, `difference` (its mean MSE less the best's, over the cases that both
        restored) with its 95 % interval `low`, `high`, `distinguishable`: whether the interval
        leaves 0 out, `p` of Wilcoxon's signed-rank test on the photographs' means, and `p_holm`,
        the same by Holm's correction for so many methods.
        """
        best, *others = self.leaderboard()["method"]
        paired = self.mse[others].sub(self.mse[best], axis=0)
        low, high = intervals(paired.to_numpy(), self.photographs)
        table = pd.DataFrame(
            {
                "method": others,
                "difference": paired.mean().to_numpy(),
                "low": low,
                "high": high,
            }
        )
        table["distinguishable"] = (table["low"] > 0) | (table["high"] < 0)
        means = statistics.photograph_means(paired.to_numpy(), self.photographs)
        table["p"] = np.array([statistics.wilcoxon(column) for column in means.T], float)
        table["p_holm"] = statistics.holm(table["p"].to_numpy())
        return table

    @computed_once
    def ranks(self) -> pd.DataFrame:
        """Average the ranks that each method has on the cases; a failure ranks last.

        Columns: `method` (in the leaderboard's order), `mean_rank` with its 95 % interval `low`,
        `high`.
        """
        methods = self.leaderboard()["method"]
        values = statistics.ranks(self.mse[methods].to_numpy())
        low, high = intervals(values, self.photographs)
        low, high = low.clip(1), high.clip(max=len(methods))  # no rank is beyond
        means = {"mean_rank": values.mean(axis=0), "low": low, "high": high}
        return pd.DataFrame({"method": methods, **means})

    @computed_once
    def win_matrix(self) -> pd.DataFrame:
        """Share of cases on which the method of the row beats that of the column; ties are half.

        Of the cases that both restored; best method first, NaN on the diagonal.
        """
        methods = self.leaderboard()["method"].tolist()
        shares = statistics.win_matrix(self.mse[methods].to_numpy())
        return pd.DataFrame(shares, pd.Index(methods, name="method"), methods)

    def needed(self, against: str | None = None) -> pd.DataFrame:
        """Count what it would take to tell each method from another, by default the best.

        With a chance of 80 %, at 5 %, if the differences are as large and as scattered as they seem
        here: a plan for the next run, and no result. Columns: `method`, `difference`, and the
        numbers needed, NaN where they cannot be told: `photographs` with as many cases each as
        here, `cases` on these, and `cases_apart`, with one case from each photograph.

        Raises
        ------
        InputError
            If the run has no method `against`.
        """
        methods = self.leaderboard()["method"].tolist()
        against = against or methods[0]
        if against not in methods:
            raise InputError(f"{self.path} did not run {against}; it ran {', '.join(methods)}")
        others = [label for label in methods if label != against]
        paired = self.mse[others].sub(self.mse[against], axis=0).to_numpy()
        sizes = totals(paired, self.photographs).sizes
        made = estimate(paired, self.photographs)
        counts = (sizes > 0).sum(axis=0)
        spread = made.error * np.sqrt(counts)  # from one photograph to the next
        known = zip(made.mean, spread, pd.DataFrame(paired).std(), strict=True)
        needed = np.array(
            [[statistics.photographs_needed(m, sd) for sd in sds] for m, *sds in known], float
        ).reshape(-1, 2)
        each = np.divide(sizes.sum(axis=0), counts, where=counts > 0, out=np.zeros(len(counts)))
        numbers = {"photographs": needed[:, 0], "cases": np.ceil(needed[:, 0] * each)}
        numbers["cases_apart"] = np.where(counts > 1, needed[:, 1], np.nan)
        return pd.DataFrame({"method": others, "difference": made.mean, **numbers})

    @computed_once
    def calibration(self) -> pd.DataFrame:
        """Compare the errors that methods expected of themselves with those that they made.

        The cases of every method that can tell are put into ten groups of one size, from the least
        expected MSE to the greatest. Columns: `method` (best first), `cases`, and means over the
        group of `expected` and `mse`, the latter with its 95 % interval `low`, `high`.
        """
        columns = ["method", "cases", "expected", "mse", "low", "high"]
        if "expected_mse" not in self.scores:  # a run of an earlier version
            return pd.DataFrame(columns=columns)
        photographs = pd.Series(self.photographs, self.cases["case_id"])
        known = self.scores.dropna(subset=["expected_mse", "mse"])
        rows = []
        for label in self.leaderboard()["method"]:
            part = known[known["label"] == label].sort_values("expected_mse", kind="stable")
            sizes = np.array_split(np.arange(len(part)), min(GROUPS, len(part)) or 1)
            for group in (part.iloc[places] for places in sizes if len(places)):
                low, high = score_intervals(
                    group[["mse"]].to_numpy(), photographs[group["case_id"]].to_numpy()
                )
                means = (group["expected_mse"].mean(), group["mse"].mean())
                rows.append((label, len(group), *means, low[0], high[0]))
        return pd.DataFrame(rows, columns=columns)

    @computed_once
    def cost(self) -> pd.DataFrame:
        """Say what each method costs, from the timing pass; NaN where nothing was measured.

        Columns: `method` (best first), `load` (seconds: module, libraries, weights), `first` (ms of
        the first restoration, with what is compiled or made for it), `ms` a crop, one at a time,
        with its quartiles `ms_low` and `ms_high`, `crops_per_second` in batches of `batch` crops,
        `memory` (bytes of the process at the most while restoring), `memory_before` (before the
        method was loaded), `gpu_memory`, and `fit` (seconds, as the model card says).
        """
        timings = self.timings.reindex(columns=["label", "kind", "seconds", "crops", "bytes"])
        values = timings["seconds"].astype(float).fillna(timings["bytes"].astype(float))
        by_kind = values.groupby([timings["label"], timings["kind"]])
        labels = list(self.leaderboard()["method"])

        def table(part: pd.Series) -> pd.DataFrame:
            return part.unstack().reindex(index=labels, columns=COST_KINDS)

        usual = table(by_kind.median())
        crops = timings["crops"].astype(float).groupby([timings["label"], timings["kind"]])
        columns = {
            "load": usual["load"],
            "first": usual["first"] * 1000,
            "ms": usual["single"] * 1000,
            "ms_low": table(by_kind.quantile(0.25))["single"] * 1000,
            "ms_high": table(by_kind.quantile(0.75))["single"] * 1000,
            "crops_per_second": 1 / usual["batch"],
            "batch": table(crops.median())["batch"],
            "memory": usual["memory"],
            "memory_before": usual["memory-before"],
            "gpu_memory": usual["gpu-memory"],
            "fit": usual["fit"],
        }
        return pd.DataFrame(columns).rename_axis("method").reset_index()

    def leaks(self) -> pd.DataFrame:
        """List the photographs that look like training pictures of a method that was run.

        Columns: `label`, `source`, `image_id`, `distance` (bits by which fingerprints differ).
        """
        columns = ["label", "source", "image_id", "distance"]
        return pd.DataFrame(self.environment.get("leaks", []), columns=columns)

    def leak_effects(self) -> pd.DataFrame:
        """Leave out, for each method, the cases that look like its training pictures.

        Columns: `method`, `photographs` (how many), `cases` (left out), `mse` and `rank` as they
        stand on the leaderboard, and `mse_without` and `rank_without` on the other cases, on which
        all methods are ranked anew; `mse_without` is NaN where no case is left. Cases differ in how
        hard they are, so `change` (of the mean, as a share) has `others_change` beside it: the
        median of this over the methods that are not marked, NaN without any.
        """
        board = self.leaderboard().set_index("method")
        unmarked = board.index[~board.index.isin(self.leaks()["label"])]
        rows = []
        for label, found in self.leaks().groupby("label", sort=False):
            if label not in board.index:
                continue
            leaked = np.isin(
                self.photographs, (found["source"] + "/" + found["image_id"]).to_list()
            )
            means = self.mse[~leaked].mean()
            anew = board.assign(incomplete=board["coverage"] < 1, mse=means)
            order = anew.sort_values(["incomplete", "mse"]).index
            change = means / board["mse"] - 1
            rows.append(
                {
                    "method": label,
                    "photographs": len(found),
                    "cases": int(leaked.sum()),
                    "mse": board["mse"][label],
                    "rank": board["rank"][label],
                    "mse_without": means[label],
                    "rank_without": list(order).index(label) + 1,
                    "change": change[label],
                    "others_change": change[unmarked].median(),
                }
            )
        columns = ["method", "photographs", "cases", "mse", "rank", "mse_without", "rank_without"]
        return pd.DataFrame(rows, columns=[*columns, "change", "others_change"])

    @property
    def truth_unknown(self) -> bool:
        """Whether cases were restored, and not one could be scored."""
        return bool(self.mse.isna().all(axis=None) and (self.scores["status"] == "ok").any())

    @computed_once
    def failures(self) -> pd.DataFrame:
        """Count the cases without a score by method, status and message."""
        failed = self.scores[self.scores["status"] != "ok"]
        counts = failed.groupby(["label", "status", "message"]).size()
        return counts.rename("cases").reset_index().rename(columns={"label": "method"})

    def altered_known(self) -> pd.Series:
        """By how many grey levels each method changed known pixels at the most, where it did.

        Known pixels are pasted back before scoring, so this costs a method nothing.
        """
        worst = self.scores.groupby("label")["altered_known"].max()
        return worst[worst >= 0.5].sort_values(ascending=False)

    def verdict(self) -> str:
        """Say in a sentence or two which method to submit, and how sure that is."""
        board = self.leaderboard()
        first = board.iloc[0]
        if self.truth_unknown:
            return "The truth is not known: no method can be scored."
        if np.isnan(first["mse"]):
            return "No method restored a single case."
        text = f"{first['method']} wins with {_a(self.metric)} of {first['mse']:.1f}"
        if not np.isnan(first["low"]):
            text += f" (95 % interval {first['low']:.1f} to {first['high']:.1f})"
        if first["coverage"] < 1:
            text += f", though it restored only {share_text(first['coverage'])} of the cases"
        rivals = board[(board["coverage"] == 1) & (board["rank"] > 1)]
        if not len(rivals):
            return text + "."
        rival, group = rivals.iloc[0][["method", "group"]]
        second = self.differences().set_index("method").loc[rival]
        text += f". The runner-up {rival} is {second['difference']:.1f} higher"
        if np.isnan(second["low"]):
            return text + "; one photograph alone cannot say how sure that is."
        text += f" ({second['low']:.1f} to {second['high']:.1f}): "
        return text + self._how_sure(second, first["group"], group)

    @staticmethod
    def _how_sure(second: pd.Series, *groups: str) -> str:
        """Say whether the winner's lead over the second is beyond chance."""
        if second["distinguishable"]:
            return "a difference beyond chance."
        if len({group.split("-")[0] for group in groups}) > 1:
            return "the mean may be so by chance, though photograph by photograph they differ."
        return "the two cannot be told apart on these photographs."


def share_text(share: float) -> str:
    """Write a share in percent, with decimals where it would else look like none or all."""
    for decimals in range(5):
        text = f"{share:.{decimals}%}"
        if share in (0, 1) or float(text[:-1]) not in (0, 100):
            break
    return text


def _a(words: str) -> str:
    """Put "a" or "an" before a metric: an MSE, a challenge MSE."""
    return f"an {words}" if words.startswith(("MSE", "RMSE")) else f"a {words}"


def load_run(path: str | Path, unfinished: bool = False) -> Run:
    """Load a finished run from its folder, or from a zip archive of it.

    Parameters
    ----------
    unfinished : whether to take the folder of a run that is not finished too, as far as it is

    Raises
    ------
    InputError
        If the path holds no such run, one that has lost scores, or one of a later version.

    Examples
    --------
    A run of three made-up scores, written as a run's files are:

    >>> from inpaintbench.reports.made_up import write_example
    >>> run = load_run(write_example())
    >>> run.leaderboard()[["rank", "method", "mse", "coverage"]]
       rank method    mse  coverage
    0     1    fsr   20.0       1.0
    1     2  telea   35.0       1.0
    2     3   mean  120.0       1.0
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if unfinished and path.is_dir() and not (path / MARK).exists():
        return _load_unfinished(path)
    made = unpacked(path) if path.is_file() and zipfile.is_zipfile(path) else None
    folder = Path(made.name) if made else path
    environment = _read_environment(path, folder / MARK)
    _refuse_later(path, environment)
    try:
        tables = [pd.read_parquet(folder / f"{n}.parquet") for n in ("cases", "scores", "timings")]
    except (OSError, ValueError) as error:
        raise InputError(f"{path} holds no finished run: {error}") from error
    cases, scores, timings = tables
    _check_whole(path, folder, cases, scores)
    return Run(path, cases, scores, timings, environment, made)


def _check_whole(path: Path, folder: Path, cases: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Raise an `InputError` where scores were lost: every method has one for every case."""
    try:
        methods = json.loads((folder / "run.json").read_text(encoding="utf-8"))["methods"]
    except (OSError, ValueError, KeyError, TypeError):
        methods = []  # of an earlier version
    counts = scores["label"].value_counts().reindex(methods, fill_value=0)
    for label, count in counts[counts < len(cases)].items():
        raise InputError(f"{path} has lost scores: {label} has {count} of {len(cases)}")


def _load_unfinished(path: Path) -> Run:
    """Load what there is of a run that was begun; cases not yet restored have no score."""
    try:
        start = json.loads((path / "run.json").read_text(encoding="utf-8"))
        about = {"suite": start["suite"], "packages": {"inpaintbench": start["version"]}}
        about["metrics"] = start.get("metrics", [])  # none in those of earlier versions
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no run: {error}") from error
    try:
        cases, scores = (pd.read_parquet(path / f"{n}.parquet") for n in ("cases", "scores"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} is a run that was begun, and has no score yet; give the command that began it "
            "again, and it goes on"
        ) from error
    total = len(cases) * len(start["methods"])
    about["unfinished"] = (
        f"{len(scores):,} of {total:,} restorations are done. It goes on where it is when the "
        "command that began it is given again."
    )
    timings = pd.DataFrame(columns=["label", "kind", "seconds", "crops", "bytes"])
    return Run(path, cases, scores.drop_duplicates(["label", "case_id"]), timings, about)


def _read_environment(path: Path, file: Path) -> dict[str, Any]:
    """Read what a run was made with; only a finished run has it."""
    try:
        environment = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(environment, dict):
            raise ValueError(f"{MARK} is no JSON object")
        if not isinstance(environment.get("format", 1), int):
            raise ValueError(f"its format is {environment['format']!r}, not a number")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} holds no finished run: {error}") from error
    return environment


def _refuse_later(path: Path, environment: dict[str, Any]) -> None:
    """Refuse files that this version cannot know; those without a format are of the first."""
    found = environment.get("format", 1)
    if found > FORMAT:
        maker = environment.get("packages", {}).get("inpaintbench", "of an unknown version")
        raise InputError(
            f"{path} was made by inpaintbench {maker} with format {found}; this is inpaintbench "
            f"{_own_version()} and reads up to format {FORMAT}: upgrade it (pip install --upgrade)"
        )


def _own_version() -> str:
    try:
        return version("inpaintbench")
    except PackageNotFoundError:
        return "(not installed)"


def last_run(folder: str | Path, task: str) -> Path | None:
    """Find the run of a task in a folder of runs that was finished last, if there is one.

    Damaged ones are left out.
    """
    found = {}
    for file in sorted(Path(folder).glob(f"*/{MARK}")):
        with suppress(InputError, KeyError, TypeError):
            environment = _read_environment(file.parent, file)
            if environment["suite"]["task"] == task:
                found[str(environment["finished"])] = file.parent
    return found[max(found)] if found else None
