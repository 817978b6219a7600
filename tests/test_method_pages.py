"""A method's own page: what a run recorded of it, and how it did, in a real browser."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import part_of, replace_table

from inpaintbench.benchmarks.cards import describe_methods
from inpaintbench.methods import Method, method_classes, parse_method
from inpaintbench.methods.weights import SHIPPED, read_card
from inpaintbench.reports import load_run
from inpaintbench.reports.method_page import (
    page_address,
    read_descriptions,
    standings,
    telling_cases,
    write_method_pages,
)
from inpaintbench.reports.page import write_report
from inpaintbench.reports.tiles import error_scale

LABELS = ("mean", "telea", "telea:radius=9.0", "gaussian")


@pytest.fixture(scope="module")
def finished(whole_run, tmp_path_factory):
    return load_run(part_of(whole_run, LABELS, tmp_path_factory.mktemp("runs") / "first"))


@pytest.fixture(scope="module")
def report(whole_run, tmp_path_factory):
    folder = part_of(whole_run, LABELS[1:3], tmp_path_factory.mktemp("runs") / "few")
    return write_report(load_run(folder))


def page_of(run, label):
    write_method_pages(run, run.report_folder, error_scale([], run.levels, "grey levels"))
    return run.report_folder / page_address(label)


def test_a_run_records_what_its_methods_are(finished):
    recorded = read_descriptions(finished)
    assert tuple(recorded) == LABELS
    (radius,) = recorded["telea:radius=9.0"]["parameters"]
    assert (radius["name"], radius["value"], radius["default"]) == ("radius", 9.0, False)
    assert recorded["mean"]["card"] is None
    assert recorded["gaussian"]["card"]["sha256"] == read_card(SHIPPED / "gaussian.toml")["sha256"]
    assert recorded["telea"]["class"] == "inpaintbench.methods.telea.Telea"
    assert "Telea 2004" in recorded["telea"]["documentation"]


def test_parameters_are_explained_by_the_class_or_what_it_is_made_of():
    (described,) = describe_methods([parse_method("cnn:size=small")]).values()
    meanings = {p["name"]: p["meaning"] for p in described["parameters"]}
    assert meanings["size"].startswith('"large" (weights of')
    assert meanings["symmetries"].startswith("Average over the 8 flips")
    assert meanings["weights"].startswith("Path of a safetensors file")


def test_every_method_can_be_described():
    ready = [kind() for kind in method_classes().values() if not kind.needs_file]
    described = describe_methods(ready)
    assert all(d["documentation"] for d in described.values())


class Bare(Method):
    name = "bare"
    family = "test"
    level: float = 1.0

    def restore(self, observation):
        return observation.image


def test_a_class_without_docstring_has_no_documentation():
    (described,) = describe_methods([Bare()]).values()
    assert described["documentation"] == ""


def test_standings_are_what_the_scores_say(finished):
    table = standings(finished, "telea").set_index("where")
    scores = finished.scores.merge(finished.cases, on="case_id")
    scores["area"] = scores["hidden_height"] * scores["hidden_width"]
    kinds = {
        f"what is hidden is {c}": scores[scores["content"] == c] for c in set(scores["content"])
    }
    sizes = {"25-81": (25, 81), "82-169": (82, 169), "170-289": (170, 289), "290-441": (290, 441)}
    for name, ends in sizes.items():
        part = scores[scores["area"].between(*ends)]
        if len(part):
            kinds[f"the hole has {name} pixels"] = part
    assert set(table.index) == set(kinds)
    for name, part in kinds.items():
        means = part.groupby("label")["mse"].mean()
        others = means.drop("telea")
        row = table.loc[name]
        assert row["cases"] == len(part) / len(LABELS)
        assert row["mse"] == pytest.approx(means["telea"])
        assert row["rank"] == list(means.sort_values().index).index("telea") + 1
        assert row["other"] == others.idxmin()
        assert row["ratio"] == pytest.approx(means["telea"] / others.min())
    assert table["ratio"].is_monotonic_increasing


def test_telling_cases_are_the_extremes_on_different_photographs(finished):
    good, bad = telling_cases(finished, "telea", "gaussian")
    ahead = np.sqrt(finished.mse["telea"]) - np.sqrt(finished.mse["gaussian"])
    assert good[0] == ahead.idxmin()
    assert bad[0] == ahead.idxmax()
    image_of = finished.cases.set_index("case_id")["image_id"]
    assert len(set(image_of[good])) == len(set(image_of[bad])) == 3
    assert ahead[good].is_monotonic_increasing
    assert ahead[bad].is_monotonic_decreasing
    assert not set(good) & set(bad)


def test_the_page_says_what_it_is_and_how_it_did(finished):
    text = page_of(finished, "gaussian").read_text()
    board = finished.leaderboard().set_index("method")
    assert f"Rank {board.loc['gaussian', 'rank']} of 4" in " ".join(text.split())
    assert f"challenge MSE {board.loc['gaussian', 'mse']:.1f}" in text
    assert "kriging" in text
    assert read_card(SHIPPED / "gaussian.toml")["sha256"] in text
    assert text.count("<section>") == 6
    assert text.count("<img ") == 6 * 6  # observed, truth, two answers with their errors
    assert not re.findall(r'(?:src|href)="(?!data:|\.\./index\.html)', text)


def test_only_cases_whose_pictures_were_kept_are_shown(finished, tmp_path):
    copy = shutil.copytree(finished.path, tmp_path / "copy")
    kept = sorted((copy / "restorations" / "telea").iterdir())[:2]
    for path in (copy / "restorations").glob("*/*.png"):
        if path.name not in {k.name for k in kept}:
            path.unlink()
    good, bad = telling_cases(load_run(copy), "telea", "gaussian")
    assert {*good, *bad} <= {k.stem for k in kept}
    shutil.rmtree(copy / "restorations")
    assert telling_cases(load_run(copy), "telea", "gaussian") == ([], [])


def test_a_run_of_an_earlier_version_has_pages_too(finished, tmp_path):
    copy = shutil.copytree(finished.path, tmp_path / "copy")
    (copy / "methods.json").unlink()
    assert "recorded nothing of it" in page_of(load_run(copy), "mean").read_text()


def test_a_method_alone_or_without_a_score_has_a_page(finished, tmp_path):
    copy = shutil.copytree(finished.path, tmp_path / "copy")
    scores = pd.read_parquet(copy / "scores.parquet")
    timings = pd.read_parquet(copy / "timings.parquet")
    replace_table(copy / "scores.parquet", scores[scores["label"] == "mean"])
    timings[timings["label"] == "mean"].to_parquet(copy / "timings.parquet")
    text = page_of(load_run(copy), "mean").read_text()
    assert "Rank 1 of 1" in text
    failed = scores[scores["label"].isin(["mean", "telea"])].copy()
    bad = failed["label"] == "telea"
    failed.loc[bad, "status"] = "error"
    failed.loc[bad, "message"] = "<b>why</b>"
    failed.loc[bad, ["mse", "mae", "psnr", "ssim", "edge_mse"]] = np.nan
    replace_table(copy / "scores.parquet", failed)
    text = page_of(load_run(copy), "telea").read_text()
    assert "error on 34 cases: &lt;b&gt;why&lt;/b&gt;" in text
    assert "The run kept no pictures" in text


def test_from_the_report_to_a_method_and_back(report, tab, no_serious_faults):
    tab.goto(report.as_uri())
    no_serious_faults(tab)
    tab.get_by_role("link", name="telea:radius=9.0").click()
    assert tab.inner_text("h1") == "telea:radius=9.0"
    no_serious_faults(tab)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/index.html")


def test_hostile_names_and_messages_are_text(hostile_run, hostile_names, tab, no_serious_faults):
    report = hostile_run.path / "report"
    assert len(list((report / "methods").iterdir())) == 5
    assert {p.name for p in hostile_run.path.parent.iterdir()} == {"run"}  # none got out
    tab.goto((report / "index.html").as_uri())
    assert tab.evaluate("window.pwned") is None
    assert tab.locator("img[src=x]").count() == 0
    for name in hostile_names:
        tab.goto((report / page_address(name)).as_uri())
        assert tab.evaluate("window.pwned") is None
        assert tab.text_content("h1") == name
        assert tab.locator("script, img[src=x]").count() == 0
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        no_serious_faults(tab)
    tab.goto((report / page_address(hostile_names[0])).as_uri())
    assert "<script>window.pwned = 1</script>" in tab.inner_text("main")
