"""The timing pass: what is measured, in which process, and what the report makes of it."""

import os
import sys
import tomllib
from pathlib import Path

import costly
import numpy as np
import pandas as pd
import plugins
import pytest

from inpaintbench.benchmarks.environment import describe_environment
from inpaintbench.benchmarks.suite import read_suite
from inpaintbench.benchmarks.timing import (
    BATCH,
    COLUMNS,
    GROWTH,
    REPEATS,
    time_methods,
    timed_places,
)
from inpaintbench.benchmarks.timing import _rounds as rounds
from inpaintbench.methods import parse_method
from inpaintbench.methods.weights import SHIPPED, fit_seconds
from inpaintbench.reports import Run
from inpaintbench.reports.texts import cost_text

MIB = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="read from Linux's /proc")


def of_kind(table, kind, label=None):
    chosen = table[table["kind"] == kind]
    return chosen if label is None else chosen[chosen["label"] == label]


def test_every_kind_is_measured_and_described(observation):
    table = time_methods([parse_method("telea:radius=2")], [observation] * 4, [], 60)
    assert tuple(table.columns) == COLUMNS
    assert set(table["method"]) == {"telea"}
    assert set(table["label"]) == {"telea:radius=2.0"}
    counts = table["kind"].value_counts().to_dict()
    memory = {"memory-before": 1, "memory": 1}
    rounds = {"single": 4 * REPEATS, "batch": REPEATS, "growth": len(GROWTH)}
    assert counts == {"load": 1, "first": 1, **rounds, **memory}
    of_bytes = table["kind"].isin(memory)
    assert table.loc[of_bytes, "seconds"].isna().all()
    assert (table.loc[~of_bytes, "seconds"] > 0).all()
    assert table.loc[~of_bytes, "bytes"].isna().all()
    assert (of_kind(table, "batch")["crops"] == BATCH).all()
    assert (of_kind(table, "single")["crops"] == 1).all()
    growth = of_kind(table, "growth")
    sizes = zip(growth["picture_pixels"], growth["hidden_pixels"], strict=True)
    assert set(sizes) == {(side**2, hole**2) for side, hole in GROWTH}


def test_a_slow_methods_batch_is_smaller_and_its_cost_is_still_that_of_a_crop(
    observation, monkeypatch
):
    monkeypatch.setattr("inpaintbench.benchmarks.timing.BATCH_SECONDS", 0.1)
    rows = rounds(plugins.Slow(seconds=0.02), [observation], [observation] * BATCH)
    batches, singles = ([r for r in rows if r["kind"] == kind] for kind in ("batch", "single"))
    assert len(batches) == len(singles) == REPEATS
    assert all(1 <= row["crops"] <= 5 for row in batches)  # 0.1 s, or as many as fit into it
    assert min(row["seconds"] for row in (*batches, *singles)) >= 0.02


@linux
def test_memory_is_what_restoring_takes(observation):
    methods = [costly.Greedy(), costly.Greedy(loading=300), costly.Greedy(restoring=100)]
    table = time_methods(methods, [observation], [], 60)
    most = of_kind(table, "memory").set_index("label")["bytes"]
    before = of_kind(table, "memory-before").set_index("label")["bytes"]
    taken = (most - before) / MIB
    assert taken["greedy:restoring=100"] >= 100
    assert taken["greedy:restoring=100"] - taken["greedy"] == pytest.approx(100, abs=20)
    if os.access("/proc/self/clear_refs", os.W_OK):
        assert taken["greedy:loading=300"] < 100
    # A parent that holds much does not make its children look as if they did.
    held = np.ones(500 << 20, np.uint8)
    (again,) = of_kind(time_methods(methods[:1], [observation], [], 60), "memory")["bytes"]
    assert held.nbytes == 500 * MIB
    assert again / MIB == pytest.approx(most["greedy"] / MIB, abs=100)


def test_each_method_has_a_process_of_its_own_with_one_thread(observation, tmp_path):
    file = tmp_path / "diary"
    methods = [costly.Diary(file=str(file), number=n) for n in (1, 2)]
    time_methods(methods, [observation], [], 60)
    notes = [line.split() for line in file.read_text().splitlines()]
    assert [what for what, *_ in notes].count("load") == 2
    processes = list(dict.fromkeys(process for _, process, _ in notes))
    assert len(processes) == 2
    assert str(os.getpid()) not in processes
    for process in processes:  # loaded before anything is restored
        assert next(what for what, p, _ in notes if p == process) == "load"
    assert {threads for *_, threads in notes} == {"1"}


def test_a_method_that_fails_is_left_out_and_costs_the_others_nothing(observation):
    methods = [costly.FailsInBatches(), parse_method("mean")]
    table = time_methods(methods, [observation], [], 60)
    assert set(table["label"]) == {"mean"}


def test_timed_cases_lie_evenly():
    assert timed_places(250) == [round(k * 249 / 9) for k in range(10)]
    assert timed_places(3) == [0, 1, 2]
    assert timed_places(1) == [0]


def test_fitting_costs_what_the_cards_say(observation):
    def card(name):
        return tomllib.loads((SHIPPED / f"{name}.toml").read_text())

    def minutes(name):
        return card(name)["minutes"] + card(name).get("minutes_before", 0)

    assert fit_seconds(parse_method("cnn")) == pytest.approx(60 * minutes("cnn"))
    assert fit_seconds(parse_method("gaussian")) == card("gaussian")["seconds"]
    seconds = card("ensemble")["seconds"] + card("gaussian-mixture")["seconds"]
    whole = seconds + 60 * (minutes("cnn") + minutes("cnn-small"))  # fsr needs no fitting
    assert fit_seconds(parse_method("ensemble")) == pytest.approx(whole)
    assert np.isnan(fit_seconds(parse_method("telea")))
    table = time_methods([parse_method("gaussian")], [observation], [], 60)
    assert of_kind(table, "fit")["seconds"].tolist() == [card("gaussian")["seconds"]]


def made_up_run(rows):
    cases = pd.DataFrame(
        {"case_id": ["c", "d"], "image_id": ["p", "q"], "source": "x", "sha256": ["1", "2"]}
    )
    scores = pd.DataFrame(
        {"label": label, "family": "test", "case_id": case, "mse": mse, "psnr": 1.0}
        for label, mse in (("a", 5.0), ("b", 7.0))
        for case in "cd"
    )
    return Run(Path("run"), cases, scores, pd.DataFrame(rows), {})


def test_the_cost_table_is_what_the_timings_say():
    rows = [{"label": "b", "kind": "load", "seconds": 0.5}]
    rows += [{"label": "b", "kind": "first", "seconds": 0.25}]
    rows += [{"label": "b", "kind": "single", "seconds": s, "crops": 1} for s in (1, 2, 3, 4, 90)]
    rows += [{"label": "b", "kind": "batch", "seconds": s, "crops": 30} for s in (0.5, 0.25, 0.2)]
    rows += [{"label": "b", "kind": "memory", "bytes": 300.0 * MIB}]
    rows += [{"label": "b", "kind": "memory-before", "bytes": 100.0 * MIB}]
    rows += [{"label": "b", "kind": "fit", "seconds": 90.0}]
    run = made_up_run(rows)
    cost = run.cost()
    assert cost["method"].tolist() == ["a", "b"]  # as they are ranked
    assert cost.iloc[0].drop("method").isna().all()
    assert cost.iloc[1].drop("gpu_memory").to_dict() == {
        "method": "b",
        "load": 0.5,
        "first": 250,
        "ms": 3000,
        "ms_low": 2000,
        "ms_high": 4000,
        "crops_per_second": 4,
        "batch": 30,
        "memory": 300 * MIB,
        "memory_before": 100 * MIB,
        "fit": 90,
    }
    text = cost_text(run).set_index("method").loc["b"].to_dict()
    assert text["quartiles"] == "2000.00 to 4000.00"
    assert text["peak MiB"] == "300"
    assert text["fitted in min"] == "1.5"
    assert "GPU MiB" not in text  # nothing to show


def test_a_run_without_memory_has_a_cost_all_the_same():
    cost = made_up_run([{"label": "a", "kind": "single", "seconds": 0.002}]).cost()
    assert cost["ms"].tolist()[0] == pytest.approx(2)
    assert cost["memory"].isna().all()


@linux
def test_the_machine_is_described():
    psutil = pytest.importorskip("psutil")
    told = describe_environment(read_suite("crop"), [])
    assert told["memory_bytes"] == psutil.virtual_memory().total
    assert told["cores_allowed"] == psutil.Process().cpu_affinity()
    assert told["cores"] == psutil.cpu_count()
    assert told["cpu"]
    assert set(told["cpu_flags"]) <= set(Path("/proc/cpuinfo").read_text().split())
