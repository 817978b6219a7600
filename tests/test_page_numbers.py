"""Every number on the page, read back in a browser and computed anew from the run's files.

Only intervals, which are random draws, are compared with the tables beside the page.
"""

import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import SIZES, part_of, replace_table
from PIL import Image
from scipy import ndimage, stats
from test_run import carried_out, small

from inpaintbench.datasets.files import safe_name
from inpaintbench.methods import parse_method
from inpaintbench.reports import load_run
from inpaintbench.reports.page import write_report

COMPLETE = ("mean", "telea", "telea:radius=9.0", "harmonic", "hopeful")  # of every case a score
FAILING = "misbehaves:way=raise"  # on pictures of an odd height

READ = """() => {
  figures.forEach((figure) => draw(figure));
  const cells = (row) => [...row.cells].map((cell) => cell.textContent.trim());
  const isList = (v) => v?.length && typeof v !== "string";
  const list = (values) => values && Array.from(values, (v) => (isList(v) ? Array.from(v) : v));
  const tables = {};
  for (const table of document.querySelectorAll("table")) {
    tables[table.id] = [cells(table.tHead.rows[0]), ...[...table.tBodies[0].rows].map(cells)];
  }
  const drawn = {};
  for (const figure of document.querySelectorAll("figure.plot")) {
    const box = figure.querySelector(".drawing");
    Plotly.restyle(box, { visible: true });  // plotly has no data of traces that are not shown
    const traces = box._fullData;
    drawn[figure.dataset.name] = traces.map((t) => ({
      name: t.name, mode: t.mode, x: list(t.x), y: list(t.y), z: list(t.z), xaxis: t.xaxis,
      text: list(t.text), about: list(t.customdata),
      up: list(t.error_y?.array), down: list(t.error_y?.arrayminus),
      right: list(t.error_x?.array), left: list(t.error_x?.arrayminus),
    }));
  }
  const texts = {};
  for (const part of document.querySelectorAll("main p, main summary, header p, h3, dd")) {
    const place = part.closest("section")?.id ?? "";
    texts[place] = `${texts[place] ?? ""} ${part.textContent.replace(/\\s+/g, " ")}`;
  }
  return { tables, drawn, texts, data: read("data") };
}"""


@pytest.fixture(scope="module")
def folder(whole_run, tmp_path_factory):
    """A run with a method that fails on some cases, two sources, and what was scored before."""
    target = tmp_path_factory.mktemp("runs") / "first"
    folder = part_of(whole_run, (*COMPLETE, FAILING), target)
    cases = pd.read_parquet(folder / "cases.parquet")
    cases.loc[cases["image_id"] < "d", "source"] = "elsewhere"
    replace_table(folder / "cases.parquet", cases)
    write_report(load_run(folder))
    board = pd.read_csv(folder / "report" / "leaderboard.csv")
    known = json.loads((folder / "environment.json").read_text())
    before = {"finished": "2026-01-01", "commit": "", "dirty": False, "version": "0", "suite": "x"}
    past = board.assign(**before, cases_sha256=known["cases_sha256"], mse=board["mse"] * 1.5)
    past.to_parquet(folder / "history.parquet")
    write_report(load_run(folder))
    return folder


def read_page(tab, folder):
    tab.set_viewport_size(SIZES["desktop"])
    tab.goto((folder / "report" / "index.html").as_uri())
    return tab.evaluate(READ)


@pytest.fixture(scope="module")
def page(window, folder):
    return read_page(window, folder)


@pytest.fixture(scope="module")
def cases(folder):
    table = pd.read_parquet(folder / "cases.parquet").set_index("case_id")
    area = table["hidden_height"] * table["hidden_width"]
    return table.assign(area=area, photograph=table["source"] + "/" + table["image_id"])


@pytest.fixture(scope="module")
def scores(folder):
    return pd.read_parquet(folder / "scores.parquet")


@pytest.fixture(scope="module")
def mse(scores, cases):
    """Cases by methods, the best first and the failing one last."""
    table = scores.pivot(index="case_id", columns="label", values="mse").loc[cases.index]
    order = table[list(COMPLETE)].mean().sort_values().index
    assert table[FAILING].isna().any()
    return table[[*order, FAILING]]


@pytest.fixture(scope="module")
def timings(folder):
    return pd.read_parquet(folder / "timings.parquet")


def shown(page, name):
    """A table of the page, its first column as the index."""
    head, *rows = page["tables"][f"table-{name}"]
    table = pd.DataFrame(rows, columns=head)
    return table.set_index(head[0])


def stored(folder, name):
    table = pd.read_csv(folder / "report" / f"{name}.csv")
    return table.set_index(table.columns[0])


def same(texts, numbers, digits):
    """Whether texts, or one, are numbers rounded to so many digits, "-" where none is known."""
    texts, numbers = np.atleast_1d(texts).astype(str), np.atleast_1d(numbers).astype(float)
    assert texts.shape == numbers.shape
    for text, number in zip(texts.ravel(), numbers.ravel(), strict=True):
        found = np.nan if text == "-" else float(re.sub("[%+,]", "", text))
        close = pytest.approx(number, abs=0.5001 * 10.0**-digits, nan_ok=True)
        assert found == close, (text, number)


def same_ends(texts, table, digits=1):
    ends = [text.split(" to ") if " to " in text else ("-", "-") for text in texts]
    same(np.array(ends), table[["low", "high"]].to_numpy(), digits)


def test_every_table_of_the_page_is_read_back(page):
    tested = {
        *("leaderboard", "cases-table", "scores"),  # here, and in test_page.py
        *("table-differences", "table-needed", "table-ranks", "table-win-matrix", "table-cost"),
        *("table-ceilings", "table-failures", "table-by-hole-size", "table-by-content"),
        "table-by-surroundings",
    }
    assert set(page["tables"]) == tested
    figures = {
        *("quality", "hole", "content", "surroundings", "distance", "ranks", "wins"),
        *("calibration", "growth", "history"),
    }
    assert set(page["drawn"]) == figures


def test_the_leaderboard(page, folder, mse, scores, timings):
    head, *rows = page["tables"]["leaderboard"]
    table = pd.DataFrame(rows, columns=[name.strip(" ▲▼") for name in head]).set_index("method")
    assert list(table.index) == list(mse.columns)
    same(table["challenge MSE"], mse.mean(), 1)
    same_ends(table["95 % interval"], stored(folder, "leaderboard").set_index("method"))
    same(table["median"], mse.median(), 1)
    psnr = scores.groupby("label")["psnr"].mean()
    same(table["PSNR dB"], psnr[table.index], 2)
    best = mse.eq(mse.min(axis=1), axis=0)
    same(table["won"], 100 * best.div(best.sum(axis=1), axis=0).mean(), 0)
    same(table["coverage"], 100 * mse.notna().mean(), 0)
    same(table["#"], np.arange(1, 7), 0)
    for column, kind in (("ms a crop", "single"), ("in batches", "batch")):
        milliseconds = timings[timings["kind"] == kind].groupby("label")["seconds"].median() * 1e3
        milliseconds = milliseconds.reindex(table.index)
        same(table[column], milliseconds, 2)
    families = scores.groupby("label")["family"].first()
    assert table["family"].to_dict() == families.to_dict()


def photograph_differences(mse, cases, first, second):
    means = (mse[first] - mse[second]).groupby(cases["photograph"]).mean()
    return means.dropna()


def holm(p):
    """Adjust a series of p-values, as Holm does."""
    falling = p.sort_values()
    return (falling * np.arange(len(p), 0, -1)).cummax().clip(upper=1)[p.index]


def told_apart(mse, cases):
    """Pairs of complete methods that Wilcoxon's test with Holm's correction tells apart."""
    pairs = [(a, b) for k, b in enumerate(COMPLETE) for a in COMPLETE[:k]]
    differences = [photograph_differences(mse, cases, *pair) for pair in pairs]
    p = holm(pd.Series([stats.wilcoxon(d).pvalue for d in differences]))
    found = set()
    for pair, level, d in zip(pairs, p, differences, strict=True):
        upwards = stats.wilcoxon(d, alternative="greater").pvalue < 0.5
        if level < 0.05 and upwards == (mse[pair[0]].mean() > mse[pair[1]].mean()):
            found |= {pair, pair[::-1]}
    return found


def letters(text):
    first, last = text[0], text[-1]
    return set(map(chr, range(ord(first), ord(last) + 1)))


def test_groups_are_runs_of_methods_that_cannot_be_told_apart(page, mse, cases):
    head, *rows = page["tables"]["leaderboard"]
    groups = {row[1]: row[head.index("group")] for row in rows}
    assert groups.pop(FAILING) == "-"
    apart, ranked = told_apart(mse, cases), list(mse.columns[:-1])
    assert 0 < len(apart) < 20  # or the test would say nothing
    for k, last in enumerate(ranked):
        for j, first in enumerate(ranked[:k]):
            between = ranked[j : k + 1]
            joined = not any((a, b) in apart for a in between for b in between)
            assert bool(letters(groups[first]) & letters(groups[last])) == joined, (first, last)


def test_differences(page, folder, mse, cases):
    table, best = shown(page, "differences"), mse.columns[0]
    assert list(table.index) == list(mse.columns[1:])
    same(table["MSE above the best"], mse[table.index].sub(mse[best], axis=0).mean(), 1)
    kept = stored(folder, "differences").loc[table.index]
    same_ends(table["95 % interval"], kept)
    beyond = (kept["low"] > 0) | (kept["high"] < 0)
    assert (table["beyond chance"] == np.where(beyond, "yes", "no")).all()
    tests = [photograph_differences(mse, cases, label, best) for label in table.index]
    p = pd.Series([stats.wilcoxon(d).pvalue for d in tests], table.index)
    for column, values in (("Wilcoxon p", p), ("p by Holm", holm(p))):
        small = values < 0.0001
        assert (table.loc[small, column] == "< 0.0001").all()
        same(table.loc[~small, column], values[~small], 4)


def power(effect, count):
    limit, centre = stats.t.ppf(0.975, count - 1), effect * np.sqrt(count)
    return stats.nct.sf(limit, count - 1, centre) + stats.nct.cdf(-limit, count - 1, centre)


def enough(text, effect):
    """Whether so many find an effect with a chance of 80 %, and one fewer do not."""
    count = int(text)
    return power(effect, count) >= 0.8 and (count == 2 or power(effect, count - 1) < 0.8)


def test_what_would_tell_methods_apart(page, mse, cases):
    table, best = shown(page, "needed"), mse.columns[0]
    for label, row in table.iterrows():
        paired = (mse[label] - mse[best]).dropna()
        by = paired.groupby(cases["photograph"])
        sums, sizes = by.sum(), by.size()
        residual = sums - paired.mean() * sizes
        count = len(sums)
        spread = np.sqrt(count**2 / (count - 1) * (residual**2).sum()) / sizes.sum()
        assert enough(row["photographs needed"], abs(paired.mean()) / spread)
        cases_on_them = np.ceil(int(row["photographs needed"]) * sizes.mean())
        assert int(row["cases on them"]) == cases_on_them
        assert enough(row["or one case each of"], abs(paired.mean()) / paired.std())


def test_mean_ranks(page, folder, mse):
    ranks = mse.rank(axis=1, na_option="bottom").mean()
    table = shown(page, "ranks")
    same(table["mean rank"], ranks[table.index], 2)
    kept = stored(folder, "ranks").loc[table.index]
    same_ends(table["95 % interval"], kept, 2)
    (dots, *bars) = page["drawn"]["ranks"]
    assert dots["y"] == list(ranks[list(COMPLETE)].sort_values().index)
    assert dots["x"] == pytest.approx(ranks[dots["y"]].tolist())
    ends = kept.loc[dots["y"]]
    assert np.add(dots["x"], dots["right"]) == pytest.approx(ends["high"].to_numpy())
    assert np.subtract(dots["x"], dots["left"]) == pytest.approx(ends["low"].to_numpy())
    assert all(bar["mode"] == "lines" for bar in bars)


def test_bars_join_ranks_that_cannot_be_told_apart(page, mse, cases):
    dots, *bars = page["drawn"]["ranks"]
    apart, order = told_apart(mse, cases), dots["y"]
    joined = {(a, b) for bar in bars for a in bar["y"] for b in bar["y"]}
    for k, last in enumerate(order):
        for j, first in enumerate(order[:k]):
            between = order[j : k + 1]
            expected = not any((a, b) in apart for a in between for b in between)
            assert ((first, last) in joined) == expected


def test_who_beats_whom(page, mse):
    table, labels = shown(page, "win-matrix"), list(mse.columns)
    (drawn,) = page["drawn"]["wins"]
    for row, a in enumerate(labels):
        for column, b in enumerate(labels):
            both = mse[[a, b]].dropna()
            share = (both[a] < both[b]).mean() + (both[a] == both[b]).mean() / 2
            share = np.nan if a == b else share
            same(table.loc[a, str(column + 1)], 100 * share, 0)
            found = drawn["z"][row][column]
            assert (np.nan if found is None else found) == pytest.approx(share, nan_ok=True)
            assert drawn["text"][row][column] == ("" if a == b else f"{np.round(100 * share):.0f}")
    assert list(table["#"]) == [str(number) for number in range(1, 7)]
    assert drawn["y"] == [f"{label} {number}" for number, label in enumerate(labels, 1)]


def test_means_by_area_and_content_of_the_hole(page, mse, cases):
    by_area, by_content = shown(page, "by-hole-size"), shown(page, "by-content")
    for heading in by_area.columns:
        low, high = map(int, heading.removesuffix(" px").split("-"))
        part = cases["area"].between(low, high).to_numpy()
        same(by_area[heading], mse[part].mean()[by_area.index], 1)
    dots = {trace["name"]: trace for trace in page["drawn"]["content"]}
    for heading in by_content.columns:
        content, count = re.fullmatch(r"(\w+) \((\d+) cases\)", heading).groups()
        part = (cases["content"] == content).to_numpy()
        means = mse[part].mean()
        assert int(count) == part.sum()
        same(by_content[heading], means[by_content.index], 1)
        assert dots[content]["y"] == list(mse.columns)
        assert dots[content]["x"] == pytest.approx(means.tolist(), nan_ok=True)
    assert len(by_area.columns) > 1
    assert len(by_content.columns) == len(dots) == cases["content"].nunique()


def gradient(folder, case_id):
    """How busy the known pixels up to 8 pixels from a hole are."""
    hidden = picture(folder, "pictures/mask", case_id) > 0
    observed = picture(folder, "pictures/observed", case_id).astype(float)
    rows, columns = np.nonzero(hidden)
    near = np.zeros_like(hidden)
    near[max(rows.min() - 8, 0) : rows.max() + 9, max(columns.min() - 8, 0) : columns.max() + 9] = (
        True
    )
    squares = []
    for axis in (0, 1):
        counted = near & ~hidden
        both = counted & np.roll(counted, -1, axis)
        both[(-1, slice(None)) if axis == 0 else (slice(None), -1)] = False
        squares.append(((np.roll(observed, -1, axis) - observed)[both] ** 2).mean())
    return np.sqrt(sum(squares))


def picture(folder, room, case_id):
    return np.asarray(Image.open(folder / room / f"{case_id}.png"))


def test_means_by_surroundings(page, folder, mse):
    busy = pd.Series({case_id: gradient(folder, case_id) for case_id in mse.index})
    places = np.ceil((busy.rank() - 1) * 5 / (len(busy) - 1)).clip(1)
    table = shown(page, "by-surroundings")
    names = ["calmest", "calm", "middling", "busy", "busiest"]
    assert list(table.columns) == names
    for place, (name, dots) in enumerate(zip(names, page["drawn"]["surroundings"], strict=True), 1):
        means = mse[(places == place).to_numpy()].mean()
        same(table[name], means[table.index], 1)
        assert dots["name"] == name
        assert dots["x"] == pytest.approx(means[dots["y"]].tolist(), nan_ok=True)


def test_errors_by_height_and_width_and_by_distance(page, folder, mse, cases):
    heat = page["drawn"]["hole"]
    assert len(heat) == len(mse.columns)
    for trace, label in zip(heat, mse.columns, strict=True):
        means = mse[label].groupby([cases["hidden_height"], cases["hidden_width"]]).mean()
        counts = cases.groupby(["hidden_height", "hidden_width"]).size()
        for row, height in enumerate(map(int, trace["y"])):
            for column, width in enumerate(map(int, trace["x"])):
                mean, number = trace["about"][row][column]
                expected = means.get((height, width), np.nan)
                found = np.nan if mean is None else mean
                assert found == pytest.approx(expected, nan_ok=True)
                assert number == counts.get((height, width), 0)
                colour = trace["z"][row][column]
                colour = np.nan if colour is None else colour
                assert colour == pytest.approx(np.log10(max(expected, 0.1)), nan_ok=True)
                text = "" if np.isnan(expected) else f"{expected:.0f}"
                assert trace["text"][row][column] == text
    for trace in page["drawn"]["distance"]:
        found = {}
        for case_id in mse.index[mse[trace["name"]].notna()]:
            hidden = picture(folder, "pictures/mask", case_id) > 0
            truth = picture(folder, "pictures/truth", case_id).astype(float)
            painted = picture(folder, f"restorations/{safe_name(trace['name'])}", case_id)
            for step in range(1, 12):
                inner = ndimage.binary_erosion(hidden, np.ones((3, 3)))
                found.setdefault(step, []).extend(((painted - truth) ** 2)[hidden & ~inner])
                hidden = inner
        expected = {step: np.mean(values) for step, values in found.items() if values}
        assert trace["x"] == list(expected)
        assert trace["y"] == pytest.approx(list(expected.values()))
        assert trace["about"] == [len(found[step]) for step in expected]


def test_ceilings(page, folder, mse, cases):
    table = shown(page, "ceilings")
    expected = {"oracle": mse.min(axis=1).mean(), "constant-oracle": cases["constant_mse"].mean()}
    assert list(table.index) == list(expected)
    same(table["challenge MSE"], list(expected.values()), 1)
    same_ends(table["95 % interval"], stored(folder, "ceilings"))


COST = {  # by heading: kind, column, quantile, what to multiply by, and digits
    "load s": ("load", "seconds", 0.5, 1, 2),
    "first ms": ("first", "seconds", 0.5, 1000, 1),
    "ms a crop": ("single", "seconds", 0.5, 1000, 2),
    "in batches of": ("batch", "crops", 0.5, 1, 0),
    "peak MiB": ("memory", "bytes", 0.5, 2**-20, 0),
    "before it MiB": ("memory-before", "bytes", 0.5, 2**-20, 0),
}


def test_cost(page, mse, timings):
    table = shown(page, "cost")
    assert set(table.columns) == {*COST, "quartiles", "crops a second"}
    assert list(table.index) == list(mse.columns)

    def measured(kind, column, quantile):
        part = timings[timings["kind"] == kind].groupby("label")[column]
        return part.quantile(quantile).reindex(table.index)

    for heading, (kind, column, quantile, factor, digits) in COST.items():
        same(table[heading], measured(kind, column, quantile) * factor, digits)
    same(table["crops a second"], 1 / measured("batch", "seconds", 0.5), 0)
    quartiles = [1000 * measured("single", "seconds", q) for q in (0.25, 0.75)]
    same_ends(table["quartiles"], pd.DataFrame(quartiles, ["low", "high"]).T, 2)


def test_failures(page, scores):
    table = shown(page, "failures")
    failed = scores[scores["status"] != "ok"]
    assert set(failed["label"]) == {FAILING}
    assert table.index.tolist() == [FAILING]
    (row,) = table.to_dict("records")
    assert row == {
        "status": "error",
        "message": failed["message"].iloc[0],
        "cases": str(len(failed)),
    }
    assert (
        f"error on {len(failed)} cases, first {failed['case_id'].iloc[0]}"
        in (page["texts"]["failures"])
    )


def test_quality_against_time(page, folder, mse, timings):
    board = stored(folder, "leaderboard").set_index("method")
    seconds = timings.groupby(["kind", "label"])["seconds"].median()
    drawn = [trace for trace in page["drawn"]["quality"] if trace["mode"] != "lines"]
    labels = []
    for trace in drawn:
        for k, (label, place) in enumerate(trace["about"]):
            assert mse.columns[place] == label
            assert trace["text"][k] == str(place + 1)
            assert trace["y"][k] == pytest.approx(mse[label].mean())
            kind = "batch" if label in labels else "single"
            assert trace["x"][k] == pytest.approx(1000 * seconds[kind, label])
            ends = trace["y"][k] - trace["down"][k], trace["y"][k] + trace["up"][k]
            assert ends == pytest.approx(board.loc[label, ["low", "high"]].tolist())
            labels.append(label)
    assert sorted(labels) == sorted(2 * COMPLETE)  # what failed was not timed
    lines = [trace for trace in page["drawn"]["quality"] if trace["mode"] == "lines"]
    for kind, line in zip(("single", "batch"), lines, strict=True):
        fast = seconds[kind].sort_values()
        best = mse[fast.index].mean()
        kept = [label for label in fast.index if (best[:label].iloc[:-1] > best[label]).all()]
        assert line["y"] == pytest.approx(best[kept].tolist())
        assert line["x"] == pytest.approx((1000 * fast[kept]).tolist())
    first = seconds["single"].sort_values()
    means = mse[first.index].mean()
    frontier = [n for n in first.index if (means[:n].iloc[:-1] > means[n]).all()]
    assert f"from fast to slow: {', '.join(frontier)}." in page["texts"]["time"]


def test_growth(page, mse, timings):
    growth = timings[timings["kind"] == "growth"]
    picture_size = growth["picture_pixels"].mode()[0]
    hole_size = growth["hidden_pixels"].mode()[0]
    for trace in page["drawn"]["growth"]:
        part = growth[growth["label"] == trace["name"]]
        if trace["xaxis"] == "x":
            part = part[part["picture_pixels"] == picture_size].sort_values("hidden_pixels")
            assert trace["x"] == part["hidden_pixels"].tolist()
        else:
            part = part[part["hidden_pixels"] == hole_size].sort_values("picture_pixels")
            assert trace["x"] == part["picture_pixels"].tolist()
        assert trace["y"] == pytest.approx((1000 * part["seconds"]).tolist())
    assert len(page["drawn"]["growth"]) == 2 * len(COMPLETE)


def test_calibration(page, folder, scores):
    dotted, trace = page["drawn"]["calibration"]
    known = scores.dropna(subset=["expected_mse", "mse"]).sort_values("expected_mse", kind="stable")
    assert set(known["label"]) == {trace["name"]} == {"hopeful"}
    tenths = np.array_split(np.arange(len(known)), 10)
    means = [known[["expected_mse", "mse"]].iloc[places].mean() for places in tenths]
    assert trace["x"] == pytest.approx([m["expected_mse"] for m in means])
    assert dotted["x"] == dotted["y"]
    kept = stored(folder, "calibration")
    assert sorted(trace["y"]) == pytest.approx(sorted(kept["mse"]))
    # All expectations are 100: which case is in which group is a matter of their order alone.
    assert np.average(trace["y"], weights=kept["cases"]) == pytest.approx(known["mse"].mean())
    assert np.add(trace["y"], trace["up"]) == pytest.approx(kept["high"].to_numpy())
    told = f"hopeful expected an MSE of 100.0 and had {known['mse'].mean():.1f}."
    assert told in page["texts"]["calibration"]


def test_history(page, folder, mse):
    for trace in page["drawn"]["history"]:
        now = mse[trace["name"]].mean()
        assert trace["y"] == pytest.approx([1.5 * now, now])
        kept = stored(folder, "leaderboard").set_index("method").loc[trace["name"]]
        assert trace["about"] == [f"{kept['low']:.1f} to {kept['high']:.1f}"] * 2
    assert len(page["drawn"]["history"]) == len(mse.columns)
    assert "MSE in 2 runs" in page["texts"]["history"]


def test_sentences(page, folder, mse, cases, timings):
    best, second = mse.columns[:2]
    board = stored(folder, "leaderboard").set_index("method")
    gap = stored(folder, "differences").loc[second]
    intro = page["texts"][""]
    assert f"34 cases from {cases['photograph'].nunique()} photographs" in intro
    assert (
        f"{best} wins with a challenge MSE of {mse[best].mean():.1f} (95 % interval "
        f"{board['low'][best]:.1f} to {board['high'][best]:.1f}). The runner-up {second} is "
        f"{mse[second].mean() - mse[best].mean():.1f} higher "
        f"({gap['low']:.1f} to {gap['high']:.1f})"
    ) in intro
    seconds = timings.groupby(["kind", "label"])["seconds"].median()
    told = re.search(r"(\S+) takes ([\d.]+) ms a crop, ([\d.]+) ms in batches", intro).groups()
    assert told[0] == best
    same(told[1], 1000 * seconds["single", best], 2)
    same(told[2], 1000 * seconds["batch", best], 2)
    known = json.loads((folder / "environment.json").read_text())
    spent = known["worker_seconds"]
    shares = [round(100 * s / sum(spent.values())) for s in spent.values()]
    found = re.search("Of the time of the workers.*", page["texts"]["cost"]).group()
    assert sorted(map(int, re.findall(r"(\d+)%", found))) == sorted(shares)
    made = page["texts"]["made"]
    count = cases.groupby("source")["image_id"].nunique()
    for source, number in count.items():
        assert f"{source} ({number} photographs)" in made
    for text in (known["finished"], known["cases_sha256"], known["commit"], known["command"]):
        assert text in made
    assert all(f"{name} {number}" in made for name, number in known["packages"].items())
    assert "34 of 34 cases" in page["texts"]["cases"]
    assert "Fifths of the 34 cases" in page["texts"]["holes"]


def test_what_the_script_shows_of_cases_and_filters(page, mse, scores, cases):
    data = page["data"]
    ids, labels = [case["case_id"] for case in data["cases"]], data["methods"]
    assert (ids, labels) == (list(mse.index), list(mse.columns))
    for column, rows in data["scores"].items():
        values = scores.pivot(index="case_id", columns="label", values=column).loc[ids, labels]
        found = np.array(rows, float)  # null is NaN
        assert found == pytest.approx(values.to_numpy(float), rel=1e-8, nan_ok=True)
    for case in data["cases"]:
        row = cases.loc[case["case_id"]]
        assert case["hidden"] == row["area"]
        assert case["hole"] == f"{row['hidden_height']} x {row['hidden_width']}"
        assert case["content"] == row["content"]
        low, high = map(int, case["size"].split("-"))
        assert low <= row["area"] <= high
    columns = data["views"]["columns"]
    for choice, board in data["views"]["boards"].items():
        source, size = choice.split("\n") if choice else ("", "")
        low, high = map(int, (size or "0-1000").split("-"))
        part = cases["area"].between(low, high) & (cases["source"].eq(source) | (source == ""))
        assert (board["cases"], board["photographs"]) == (
            part.sum(),
            cases["photograph"][part].nunique(),
        )
        rows = pd.DataFrame(board["rows"], labels, columns)
        chosen = mse[part.to_numpy()]
        assert rows["mse"].astype(float).to_numpy() == pytest.approx(
            chosen.mean().to_numpy(), rel=1e-8, nan_ok=True
        )
        assert rows["median"].astype(float).to_numpy() == pytest.approx(
            chosen.median().to_numpy(), rel=1e-8, nan_ok=True
        )
    assert len(data["views"]["boards"]) > 5


def test_lists_of_cases(one_tab, folder, mse):
    one_tab.set_viewport_size(SIZES["desktop"])
    one_tab.goto((folder / "report" / "index.html").as_uri())
    rows = []
    for _ in range(4):
        rows += one_tab.evaluate(
            "[...$('cases-table').tBodies[0].rows]"
            ".map((row) => [...row.cells].map((cell) => cell.innerText))"
        )
        if one_tab.locator("#next").is_enabled():
            one_tab.click("#next")
    table = pd.DataFrame(rows).set_index(0)
    assert list(table.index) == sorted(mse.index)
    chosen = mse.loc[table.index]
    same(table[4], chosen.median(axis=1), 1)
    same(table[5], np.sqrt(chosen).std(axis=1, ddof=0), 1)
    assert (table[6] == chosen.idxmin(axis=1)).all()
    same(table[7], chosen[mse.columns[0]], 1)
    same(table[8], chosen[mse.columns[1]], 1)


def test_counts_are_scored_and_shown_as_such(window, tmp_path):
    folder = tmp_path / "counts"
    methods = [parse_method("mean"), parse_method("telea")]
    carried_out(folder, methods, suite=small(34, task="center-pixel", seed=1))
    write_report(load_run(folder))
    page = read_page(window, folder)
    scores = pd.read_parquet(folder / "scores.parquet")
    table = shown(page, "task-scores")
    for label, part in scores.groupby("label"):
        same(table.loc[label, "MAE, counts"], part["mae"].mean(), 1)
        actual, predicted = part["actual"], part["predicted"]
        r2 = 1 - ((actual - predicted) ** 2).sum() / ((actual - actual.mean()) ** 2).sum()
        assert float(table.loc[label, "R2"]) == pytest.approx(r2, abs=1e-4)
        order = np.argsort(actual.to_numpy(), kind="stable")
        scatter, lift = (
            next(t for t in page["drawn"][name] if t["name"].startswith(label))
            for name in ("predicted", "lift")
        )
        assert scatter["name"] == f"{label}, R2 {r2:.4f}"
        assert scatter["x"] == actual.iloc[order].tolist()
        assert sorted(zip(scatter["x"], scatter["y"], strict=True)) == sorted(
            zip(actual, predicted, strict=True)
        )
        assert lift["y"] == scatter["y"]
        assert page["drawn"]["lift"][-1]["y"] == scatter["x"]
    known = []
    for case_id, stored_ in page["data"]["pictures"].items():
        values = picture(folder, "pictures/truth", case_id).copy()
        hidden = picture(folder, "pictures/mask", case_id) > 0
        low, high = int(values[~hidden].min()), int(values[~hidden].max())
        if high - low >= 255:
            told = f"16 bits shown from {low:,} (black) to {high:,} (white), clipped"
            assert stored_["shown"] == told
            known.append(high - low + 1)
    most = float(f"{max(known) / 4:.2g}")
    assert f"error in counts: 0 {most:,.0f} or more" in " ".join(page["texts"]["case"].split())
    assert "All holes have 1 x 1 pixel." in page["texts"]["holes"]
    assert not {"hole", "distance"} & set(page["drawn"])
    assert "no submission file" in page["texts"][""]
