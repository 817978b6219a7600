"""The report's page in a real browser: what it shows, and what one can do with it."""

import base64
import csv
import io
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import in_both_sizes, inpaintbench, inpaintbench_here, part_of, replace_table
from PIL import Image

from inpaintbench.datasets import InputError
from inpaintbench.reports import figures, load_run
from inpaintbench.reports.cases import picture_data
from inpaintbench.reports.method_page import page_address
from inpaintbench.reports.page import write_report
from inpaintbench.reports.sample import (
    KeptCase,
    busyness,
    by_surroundings,
    error_by_distance,
    kept_cases,
)
from inpaintbench.reports.tables import HOLE_AREAS
from inpaintbench.reports.tiles import Shades, error_scale, shades_of
from inpaintbench.reports.views import filters, views

LABELS = ("mean", "telea", "telea:radius=9.0", "harmonic", "hopeful")


@pytest.fixture(scope="module")
def finished(whole_run, tmp_path_factory):
    """A run of 34 cases said to come from two sources, and its page."""
    folder = part_of(whole_run, LABELS, tmp_path_factory.mktemp("runs") / "first")
    cases = pd.read_parquet(folder / "cases.parquet")
    cases.loc[cases["image_id"] < "d", "source"] = "elsewhere"
    replace_table(folder / "cases.parquet", cases)
    run = load_run(folder)
    write_report(run)
    return run


def address_of(run, state=""):
    return (run.report_folder / "index.html").as_uri() + state


def go_to(tab, run, words):
    """Open a page, then what an address says: for each address chromium compiles the script."""
    tab.goto(address_of(run))
    tab.evaluate("(words) => { location.hash = words; follow(); return showCase(wanted); }", words)


def texts_of(tab, selector):
    return [text.strip() for text in tab.locator(selector).all_text_contents()]


def test_an_address_past_the_last_page_of_cases_is_left_by_one_click(finished, tab):
    go_to(tab, finished, "page=999")
    last, pages = tab.inner_text("#page").split(" of ")
    assert last == pages
    tab.click("#previous")
    assert tab.inner_text("#page") == f"{int(pages) - 1} of {pages}"


def test_nothing_leaves_the_file_and_nothing_serious_is_wrong(finished, tab, no_serious_faults):
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(address_of(finished))
    tab.evaluate("figures.forEach((figure) => draw(figure))")
    tab.wait_for_function("document.querySelectorAll('.main-svg').length >= 10")
    for group in tab.locator("details").all():
        group.locator("summary").click()
    no_serious_faults(tab)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    outside = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    assert outside == []
    assert len([url for url in asked if url.startswith("file:")]) == 1


BOARD = """() => {
  const text = (cell) => cell.innerText.trim();
  const numbers = (row) => [...row.querySelectorAll("td[data-key]")].map((cell) => [
    cell.dataset.key, text(cell),
  ]);
  const rows = [...$("leaderboard").tBodies[0].rows].filter((row) => row.checkVisibility());
  return Object.fromEntries(rows.map((row) => [
    text(row.querySelector("td.name")), Object.fromEntries(numbers(row)),
  ]));
}"""  # numbers by method and column


@pytest.mark.parametrize(
    "choice",
    [{}, {"size": "82-169"}, {"source": "elsewhere"}, {"source": "skimage", "size": "25-81"}],
)
def test_the_leaderboard_is_what_the_files_say_whatever_is_filtered(finished, tab, choice):
    tab.goto(address_of(finished))
    for name, value in choice.items():
        tab.select_option(f"#by-{name}", value)
    cases = pd.read_parquet(finished.path / "cases.parquet")
    area = cases["hidden_height"] * cases["hidden_width"]
    low, high = map(int, choice.get("size", "0-1000").split("-"))
    chosen = cases[
        area.between(low, high) & (cases["source"] == choice.get("source", cases["source"]))
    ]
    scores = pd.read_parquet(finished.path / "scores.parquet")
    scores = scores[scores["case_id"].isin(chosen["case_id"])]
    shown = tab.evaluate(BOARD)
    assert set(shown) == set(LABELS)
    best = scores.pivot(index="case_id", columns="label", values="mse")
    best = best.eq(best.min(axis=1), axis=0)
    won = best.div(best.sum(axis=1), axis=0).mean()
    order = scores.groupby("label")["mse"].mean().sort_values().index.tolist()
    for label, part in scores.groupby("label"):
        row = shown[label]
        assert float(row["mse"]) == pytest.approx(part["mse"].mean(), abs=0.051)
        assert float(row["median"]) == pytest.approx(part["mse"].median(), abs=0.051)
        assert float(row["psnr"]) == pytest.approx(part["psnr"].mean(), abs=0.0051)
        assert float(row["won"].strip("%")) == pytest.approx(100 * won[label], abs=0.51)
        assert int(row["rank"]) == order.index(label) + 1
        assert row["coverage"] == "100%"
    count = len(chosen), chosen["image_id"].nunique()
    assert "{} cases of {} photographs, 5 of 5".format(*count) in tab.inner_text("#chosen")


def test_intervals_of_a_part_are_those_of_a_run_of_that_part(finished):
    boards = views(finished)["boards"]
    chosen = finished.cases["source"].eq("elsewhere").to_numpy()
    alone = finished.leaderboard_of(chosen).set_index("method")
    order = finished.leaderboard()["method"]
    columns = views(finished)["columns"]
    rows = pd.DataFrame(boards["elsewhere\n"]["rows"], index=order, columns=columns)
    assert rows["low"].astype(float).to_numpy() == pytest.approx(alone.loc[order, "low"])
    assert rows["high"].astype(float).to_numpy() == pytest.approx(alone.loc[order, "high"])


def test_only_what_parts_the_cases_is_a_filter(finished):
    found = filters(finished)
    assert set(found) == {"source", "size"}
    assert found["source"] == ["elsewhere", "skimage"]
    assert found["size"] == [size for size in HOLE_AREAS if size in found["size"]]


def test_a_filter_leaves_no_case_open_that_it_excludes(finished, tab):
    tab.goto(address_of(finished))
    first = tab.locator("#cases-table tbody tr button").first.inner_text()
    tab.locator("#cases-table tbody tr button").first.click()
    areas = finished.cases.set_index("case_id").eval("hidden_height * hidden_width")
    ranges = {size: tuple(map(int, size.split("-"))) for size in filters(finished)["size"]}
    other = next(s for s, (low, high) in ranges.items() if not low <= areas[first] <= high)
    tab.select_option("#by-size", other)
    chosen = texts_of(tab, "#cases-table tr.chosen button")
    assert len(chosen) == 1
    assert ranges[other][0] <= areas[chosen[0]] <= ranges[other][1]


def test_headings_sort_by_mouse_and_keyboard_and_the_address_remembers(finished, tab):
    tab.goto(address_of(finished))
    tab.click("#leaderboard th[data-key=psnr] button")
    by_psnr = texts_of(tab, "#leaderboard td[data-key=psnr]")
    assert by_psnr == sorted(by_psnr, key=float)
    tab.focus("#leaderboard th[data-key=psnr] button")
    tab.keyboard.press("Enter")
    assert texts_of(tab, "#leaderboard td[data-key=psnr]") == by_psnr[::-1]
    assert tab.get_attribute("#leaderboard th[data-key=psnr]", "aria-sort") == "descending"
    tab.select_option("#by-family", "diffusion")
    names = texts_of(tab, "#leaderboard tbody tr:visible td.name")
    assert set(names) == {"telea", "telea:radius=9.0", "harmonic"}
    tab.goto("about:blank")
    tab.go_back()
    assert texts_of(tab, "#leaderboard tbody tr:visible td.name") == names
    tab.click("#reset")
    assert tab.locator("#leaderboard tbody tr:visible").count() == 5


def test_all_can_be_reached_by_keyboard(finished, tab):
    tab.goto(address_of(finished))
    wanted = {"by-size", "by-family", "reset", "PSNR dB", "list", "a", "b", "slider", "next"}
    for _ in range(150):
        tab.keyboard.press("Tab")
        wanted.discard(
            tab.evaluate("document.activeElement.id || document.activeElement.innerText")
        )
        if not wanted:
            break
    assert not wanted


@pytest.mark.parametrize("number", [0, 7])
def test_the_slider_parts_two_restorations_pixel_by_pixel(finished, tab, number):
    case_id = finished.cases["case_id"][number]
    go_to(tab, finished, f"case={case_id}&a=telea&b=harmonic")
    kept = {c.case_id: c for c in kept_cases(finished, LABELS)}[case_id]
    for canvas, label in (("left", "telea"), ("right", "harmonic")):
        shown = tab.evaluate(f"document.getElementById('{canvas}').toDataURL()")
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.split(",")[1]))))[..., 0]
        whole = kept.truth.copy()
        whole[kept.box] = kept.restorations[label]
        window = tuple(slice(max(s.start - 24, 0), s.stop + 24) for s in kept.box)
        assert np.array_equal(pixels, whole[window])
    mse = finished.mse["telea"][case_id]
    assert f"telea: MSE {mse:.1f}" in tab.inner_text("#name-a")
    tab.focus("#slider")
    tab.keyboard.press("Home")
    assert "100%" in tab.evaluate("document.getElementById('left').style.clipPath")
    tab.keyboard.press("End")
    assert "inset(0" in tab.evaluate("document.getElementById('left').style.clipPath")
    assert "100%" not in tab.evaluate("document.getElementById('left').style.clipPath")


def test_a_case_has_a_row_for_each_method(finished, tab):
    case_id = finished.cases["case_id"][3]
    go_to(tab, finished, f"case={case_id}")
    scores = pd.read_parquet(finished.path / "scores.parquet")
    scores = scores[scores["case_id"] == case_id].set_index("label")
    rows = tab.locator("#scores tbody tr").all()
    assert len(rows) == len(LABELS)
    means = []
    for row in rows:
        label, _, mse, psnr, ssim, edge, expected, status = row.locator("td").all_inner_texts()
        stored = scores.loc[label.strip()]
        assert float(mse) == pytest.approx(stored["mse"], abs=0.051)
        assert float(psnr) == pytest.approx(stored["psnr"], abs=0.0051)
        assert float(ssim) == pytest.approx(stored["ssim"], abs=0.00051)
        assert float(edge) == pytest.approx(stored["edge_mse"], abs=0.051)
        assert expected == ("100.0" if label.strip() == "hopeful" else "-")
        assert status == "ok"
        means.append(float(mse))
    assert means == sorted(means)


def test_lists_start_from_what_is_worth_seeing(finished, tab):
    tab.goto(address_of(finished))
    first = "#cases-table tbody tr:first-child td:first-child"
    tab.select_option("#list", "hardest")
    assert tab.inner_text(first) == finished.mse.median(axis=1).idxmax()
    tab.select_option("#list", "disagreement")
    assert tab.inner_text(first) == np.sqrt(finished.mse).std(axis=1, ddof=0).idxmax()
    tab.select_option("#a", "harmonic")
    behind = np.sqrt(finished.mse["harmonic"]) - np.sqrt(finished.mse.median(axis=1))
    tab.select_option("#list", "worst")
    assert tab.inner_text(first) == behind.idxmax()
    tab.select_option("#list", "best")
    assert tab.inner_text(first) == behind.idxmin()
    tab.select_option("#list", "failures")
    assert tab.inner_text("#page") == "no case"
    tab.select_option("#list", "")
    tab.click("#next")
    assert tab.inner_text("#page") == "2 of 4"
    tab.select_option("#by-source", "elsewhere")
    sources = finished.cases.set_index("case_id")["source"]
    shown = texts_of(tab, "#cases-table tbody td:first-child")
    assert set(sources[shown]) == {"elsewhere"}


def read_download(tab, name):
    address = tab.get_attribute(f"a[download='{name}']", "href")
    return base64.b64decode(address.split(",", 1)[1])


def test_tables_can_be_taken_away_in_four_forms(finished, tab):
    tab.goto(address_of(finished))
    board = finished.leaderboard()
    stored = pd.read_parquet(io.BytesIO(read_download(tab, "leaderboard.parquet")))
    pd.testing.assert_frame_equal(stored, board)
    rows = list(csv.DictReader(io.StringIO(read_download(tab, "leaderboard.csv").decode())))
    assert [float(row["mse"]) for row in rows] == board["mse"].tolist()
    latex = read_download(tab, "leaderboard.tex").decode()
    assert latex.index("\\toprule") < latex.index("\\midrule") < latex.index("\\bottomrule")
    markdown = read_download(tab, "differences.md").decode()
    assert markdown.count("\n") == 2 + len(LABELS) - 1
    scores = pd.read_parquet(io.BytesIO(read_download(tab, "scores.parquet")))
    assert len(scores) == 34 * len(LABELS)
    with tab.expect_download() as download:
        tab.click("text=parquet >> nth=0")
    assert download.value.suggested_filename == "leaderboard.parquet"


@pytest.mark.parametrize("form", ["svg", "png"])
def test_figures_can_be_saved(finished, tab, form, tmp_path):
    tab.goto(address_of(finished))
    tab.locator("figure[data-name=quality]").scroll_into_view_if_needed()
    tab.wait_for_selector("figure[data-name=quality] .main-svg")  # drawing moves the buttons
    with tab.expect_download() as download:
        tab.click(f"figure[data-name=quality] button[data-format={form}]")
    assert download.value.suggested_filename == f"quality.{form}"
    content = download.value.path().read_bytes()
    assert content.startswith(b"<svg" if form == "svg" else b"\x89PNG")


def test_pointing_at_a_method_shows_what_it_made(finished, tab):
    tab.goto(address_of(finished))
    tab.locator("figure[data-name=quality]").scroll_into_view_if_needed()
    tab.wait_for_selector("figure[data-name=quality] .main-svg")
    tab.locator("figure[data-name=quality] .point >> nth=0").hover(force=True)
    tab.wait_for_selector("#tip", state="visible")
    label, told = tab.inner_text("#tip").split(" on ")
    case_id, mse = told.split(": MSE ")
    assert float(mse) == pytest.approx(finished.mse[label][case_id], abs=0.051)


def test_what_is_printed_is_dark_on_white(finished, tab):
    tab.emulate_media(color_scheme="dark")
    tab.goto(address_of(finished))
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    tab.wait_for_function("document.querySelectorAll('.main-svg').length >= 10")
    ink = "document.querySelector('.drawing')._fullLayout.font.color"
    assert tab.evaluate(ink) == "#1c1c1c"
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate(ink) == "#e8e8e8"
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.locator("nav").is_hidden()


def test_menus_of_figures_are_lists_and_in_the_address(finished, tab):
    tab.goto(address_of(finished, "#hole=1"))
    tab.locator("figure[data-name=hole]").scroll_into_view_if_needed()
    tab.wait_for_selector("figure[data-name=hole] .main-svg")
    visible = "document.querySelector('figure[data-name=hole] .drawing').data.map(t => t.visible)"
    assert tab.evaluate(visible) == [False, True, False, False, False]
    tab.select_option("figure[data-name=hole] select", "telea")
    number = finished.leaderboard()["method"].tolist().index("telea")
    assert tab.evaluate(visible) == [k == number for k in range(5)]
    tab.wait_for_function(f"location.hash.includes('hole={number}')")


def test_figures_show_what_the_files_say(finished):
    board = finished.leaderboard()
    drawn = figures.quality_against_time(finished)
    alone = [t for t in drawn.data if t.visible and t.customdata is not None]
    points = {
        row[0]: (x, y) for t in alone for row, x, y in zip(t.customdata, t.x, t.y, strict=True)
    }
    for row in board.to_dict("records"):
        assert points[row["method"]] == pytest.approx((row["ms"], row["mse"]))
    heat = figures.heat_maps(finished)
    sizes = finished.cases.set_index("case_id")[["hidden_height", "hidden_width"]]
    for trace, label in zip(heat.data, board["method"], strict=True):
        cells = finished.mse[label].groupby([sizes["hidden_height"], sizes["hidden_width"]]).mean()
        for (height, width), mean in cells.items():
            row, column = trace.y.index(str(height)), trace.x.index(str(width))
            assert trace.customdata[row][column][0] == pytest.approx(mean)
    wins = figures.wins(finished).data[0]
    assert np.allclose(wins.z.astype(float), finished.win_matrix(), equal_nan=True)
    ranks = figures.critical_difference(finished).data[0]
    table = finished.ranks().sort_values("mean_rank")
    assert list(ranks.x) == pytest.approx(table["mean_rank"].tolist())


def test_errors_by_distance_add_up_to_those_of_whole_holes(finished):
    kept = kept_cases(finished, LABELS)
    table = error_by_distance(kept)
    area = (finished.cases["hidden_height"] * finished.cases["hidden_width"]).to_numpy()
    for label in LABELS:
        part = table[table["method"] == label]
        assert part["pixels"].sum() == area.sum()
        mean = np.average(finished.mse[label], weights=area)
        assert np.average(part["mse"], weights=part["pixels"]) == pytest.approx(mean)
    edges = table[table["distance"] == 1].set_index("method")["mse"]
    border = 2 * (finished.cases["hidden_height"] + finished.cases["hidden_width"]) - 4
    scores = finished.scores.pivot(index="case_id", columns="label", values="edge_mse")
    scores = scores.loc[finished.cases["case_id"]]
    for label in LABELS:
        assert edges[label] == pytest.approx(np.average(scores[label], weights=border))


def test_surroundings_are_sorted_by_what_can_be_seen_of_them(finished):
    def case(known, hidden=0):
        image = np.tile(np.asarray(known, np.uint8), (30, 30 // len(known)))
        mask = np.zeros(image.shape, bool)
        mask[10:20, 10:20] = True
        observed = np.where(mask, hidden, image).astype(np.uint8)
        return KeptCase("x", observed, image, mask, (slice(10, 20),) * 2, {})

    assert busyness(case([7] * 10)) == 0
    assert busyness(case([0, 10])) == pytest.approx(10)
    assert busyness(case([0, 10], hidden=255)) == pytest.approx(10)  # what is hidden plays no part
    kept = kept_cases(finished, LABELS)
    table = by_surroundings(finished, kept)
    order = sorted(kept, key=busyness)
    calm = [c.case_id for c in order[:7]]
    assert table.loc["telea", "calmest"] == pytest.approx(finished.mse["telea"][calm].mean())


def test_what_pictures_of_16_bits_tell_is_in_the_units_of_the_scores():
    """Of grey levels by default, and of counts where these are scored."""
    rng = np.random.default_rng(0)
    truth, painted = rng.integers(0, 256, (2, 30, 40)).astype(np.uint8)
    box = (slice(9, 16), slice(20, 33))
    mask = np.zeros(truth.shape, bool)
    mask[box] = True
    observed = np.where(mask, 0, truth).astype(np.uint8)
    case = KeptCase("x", observed, truth, mask, box, {"a": painted[box]})
    deep_truth, deep_painted, deep_observed = (
        pixels.astype(np.uint16) * 257 for pixels in (truth, painted[box], observed)
    )
    deep = KeptCase("x", deep_observed, deep_truth, mask, box, {"a": deep_painted})
    assert busyness(deep) == pytest.approx(busyness(case))
    table = error_by_distance([case])
    squared = (painted[box].astype(float) - truth[box]) ** 2
    inside = np.zeros((7, 13), bool)
    inside[1:-1, 1:-1] = True
    assert table["distance"].tolist() == [1, 2, 3, 4]
    assert table["pixels"].tolist() == [36, 28, 20, 7]
    assert table["mse"][0] == pytest.approx(squared[~inside].mean())
    assert table["mse"][3] == pytest.approx(squared[3, 3:-3].mean())
    pd.testing.assert_frame_equal(error_by_distance([deep]), table)
    counts = error_by_distance([deep], 65535)
    assert counts["mse"].tolist() == pytest.approx((table["mse"] * 257**2).tolist())


GREY = error_scale([], 255, "grey levels")


def deep_case(truth, painted):
    """A case of 16 bits with a hole at the picture's corner, and two methods' answers."""
    mask = np.zeros(truth.shape[:2], bool)
    mask[:9, 45:] = True
    box = (slice(0, 9), slice(45, 50))
    observed = truth.copy()
    observed[mask] = 0
    return KeptCase("x", observed, truth, mask, box, {"b": truth[box], "c": painted})


def stored_pixels(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_pictures_of_16_bits_and_colour_are_stored_too():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    case = deep_case(truth, truth[:9, 45:] // 2)
    stored = picture_data(case, ["a", "b", "c"], GREY)
    assert (stored["have"], stored["size"], stored["at"]) == ([1, 2], [9, 5], [0, 24])
    patches = stored_pixels(stored["patches"])
    assert patches.shape == (27, 5, 3)
    assert np.array_equal(patches[9:18], truth[:9, 45:] >> 8)
    assert (stored["shown"], stored["errors"]) == ("", "")


def test_16_bits_of_which_little_is_used_are_shown_from_the_least_to_the_greatest_known():
    rng = np.random.default_rng(0)
    truth = rng.integers(487, 2737, (40, 50)).astype(np.uint16)
    truth[20, 20:22] = 487, 2736  # known
    truth[0, 45:47] = 100, 9000  # hidden, so they are clipped
    painted = np.full((9, 5), 1000, np.uint16)
    scale = error_scale([deep_case(truth, painted).shades], 65535, "counts")
    stored = picture_data(deep_case(truth, painted), ["b", "c"], scale)
    assert stored["shown"] == "16 bits shown from 487 (black) to 2,736 (white), clipped"
    expected = np.floor((truth - 487.0) / 2250 * 256).clip(0, 255)
    assert np.array_equal(stored_pixels(stored["base"]), expected[:33, 21:])
    patches = stored_pixels(stored["patches"])
    assert np.array_equal(patches[9:18], expected[:9, 45:])
    assert set(patches[18:].ravel()) == {int((1000 - 487) / 2250 * 256)}
    assert scale.most == float(f"{2250 / 4:.2g}")
    errors = stored_pixels(stored["errors"])  # of what was painted, not of what is shown
    assert not errors[:9].any()
    assert errors[9, 0] == errors[9, 1] == 255
    exact = np.abs(1000.0 - truth[:9, 45:])
    assert np.array_equal(errors[9:], np.rint(np.minimum(exact / 560, 1) * 255))


def test_pictures_that_use_their_range_or_nearly_nothing_of_it():
    def shades(*values, dtype=np.uint16):
        return shades_of(np.array(values, dtype))

    assert shades(0, 255, dtype=np.uint8) == shades(3, 4, dtype=np.uint8) == Shades(0, 255, False)
    assert shades(0, 16383) == shades(30000, 65535) == Shades(0, 65535, False)
    assert shades(0, 16382) == Shades(0, 16382, True)  # of a camera with 14 bits, nearly
    assert shades() == Shades(0, 65535, False)
    for values in ((5,), (1000, 1001), (65535,)):
        flat = shades(*values)
        assert flat.white - flat.black == 255
        assert flat.black <= min(values) <= max(values) <= flat.white
    assert error_scale([], 255, "").most == error_scale([shades(0, 65535)], 255, "").most == 64


def test_hostile_names_and_messages_do_nothing(hostile_run, hostile_names, tab, no_serious_faults):
    assert set(hostile_run.timings["label"]) == {*hostile_names[1:3], "mean"}  # none that failed
    tab.goto(address_of(hostile_run, "#list=failures"))
    tab.evaluate("figures.forEach((figure) => draw(figure))")
    tab.wait_for_timeout(300)
    tab.evaluate("for (const group of document.querySelectorAll('details')) group.open = true")
    assert tab.evaluate("window.pwned") is None
    assert tab.locator("img").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    names = texts_of(tab, "#leaderboard td.name")
    assert set(names) == {*hostile_names, "mean"}
    assert "<script>window.pwned = 1</script>" in tab.inner_text("#failures")
    assert "RuntimeError" in tab.inner_text("#failures pre >> nth=0")
    for name in hostile_names:
        tab.select_option("#a", index=hostile_run.leaderboard()["method"].tolist().index(name))
        tab.wait_for_timeout(50)
    assert tab.evaluate("window.pwned") is None
    no_serious_faults(tab)


@pytest.fixture(scope="module")
def few(finished, tmp_path_factory):
    """The same run of three methods alone, to be changed in a copy."""
    labels = ("mean", "telea", "hopeful")
    return load_run(part_of(finished.path, labels, tmp_path_factory.mktemp("runs") / "few"))


@pytest.fixture
def target(tmp_path_factory):
    """Give the one folder of changed runs: chromium compiles the script for each address."""
    folder = tmp_path_factory.getbasetemp() / "changed-run"
    yield folder
    shutil.rmtree(folder)


def without(run, target, **changes):
    """Copy a run, with tables changed by functions of them."""
    shutil.copytree(run.path, target)
    shutil.rmtree(target / "report")
    for name, change in changes.items():
        replace = replace_table if (target / f"{name}.parquet").is_dir() else write_whole
        replace(target / f"{name}.parquet", change(pd.read_parquet(target / f"{name}.parquet")))
    return target


def write_whole(path, table):
    table.to_parquet(path)


SCORED = ["mse", "mae", "psnr", "ssim", "edge_mse"]


def only_one(table):
    return table[table["label"] == "telea"] if "label" in table else table[:1]


def all_failed(table):
    return table.assign(status="error", message="why", **dict.fromkeys(SCORED, np.nan))


def unscored(table):
    return table.assign(**dict.fromkeys(SCORED, np.nan))


def first_case(table):
    case = table["case_id"] == table["case_id"].min()
    return table[case]


ODD = {
    "one method": ({"scores": only_one, "timings": only_one}, "One method alone"),
    "one case": ({"cases": first_case, "scores": first_case}, "One case alone"),
    "failures only": ({"scores": all_failed}, "Not one case has a score"),
    "truth unknown": ({"scores": unscored}, "truth of these cases is not known"),
    "nothing timed": ({"timings": lambda table: table[:0]}, "Nothing was timed"),
}


@pytest.mark.parametrize(("changes", "words"), ODD.values(), ids=ODD)
def test_an_odd_run_has_a_page_that_says_so(few, one_tab, target, changes, words):
    folder = without(few, target, **changes)
    if "truth" in words:
        shutil.rmtree(folder / "pictures" / "truth")
    page = write_report(load_run(folder))
    for _ in in_both_sizes(one_tab, page.as_uri()):
        one_tab.evaluate("figures.forEach((figure) => draw(figure))")
        one_tab.wait_for_timeout(200)
        assert words in one_tab.inner_text("main")
        assert not re.search(r"\bnan\b", one_tab.inner_text("main"))


def all_hidden(folder):
    """Make a finished run's cases such as of low light: seen darkly, and all to be restored."""
    cases = pd.read_parquet(folder / "cases.parquet")
    sides = {f"hidden_{side}": cases[side] for side in ("height", "width")}
    replace_table(
        folder / "cases.parquet", cases.assign(task="low-light", hidden_fraction=1, **sides)
    )
    for path in (folder / "pictures" / "truth").iterdir():
        truth = np.asarray(Image.open(path))
        Image.fromarray(truth // 4).save(folder / "pictures" / "observed" / path.name)
        Image.fromarray(np.full_like(truth, 255)).save(folder / "pictures" / "mask" / path.name)


def test_cases_of_which_nothing_is_known_have_a_page(few, one_tab, target, no_serious_faults):
    folder, tab = without(few, target), one_tab
    all_hidden(folder)
    page = write_report(load_run(folder))
    case_id = few.cases["case_id"][0]
    truth = np.asarray(Image.open(folder / "pictures" / "truth" / f"{case_id}.png"))
    for _ in in_both_sizes(tab, page.as_uri() + f"#case={case_id}&a=mean"):
        tab.evaluate("figures.forEach((figure) => draw(figure))")
        tab.wait_for_function("document.getElementById('left').width > 1")
        shown = tab.evaluate("document.getElementById('observed').toDataURL()")
        assert np.array_equal(stored_pixels(shown.split(",")[1])[..., 0], truth // 4)
        assert "they have no holes" in tab.inner_text("#holes")
        drawn = tab.evaluate("figures.map((figure) => figure.dataset.name)")
        assert not {"hole", "surroundings", "distance"} & set(drawn)
        command = tab.inner_text("#command")
        assert command.startswith("inpaintbench restore INPUT -o OUTPUT --task low-light --method")
        assert "pasted back" not in tab.inner_text("main")
        no_serious_faults(tab)
    text = (folder / "report" / page_address("mean")).read_text()
    assert "is black" not in text
    rows = [int(height) for height in re.findall(r"hidden: (\d+) x", text)]
    assert min(rows) >= 70  # whole pictures


def test_what_is_no_rectangle_is_told_by_its_pixels(few, target):
    half = without(
        few,
        target,
        cases=lambda t: t.assign(hidden_fraction=t["hidden_fraction"] / 2),
    )
    run = load_run(half)
    area = few.cases["hidden_height"] * few.cases["hidden_width"]
    assert np.abs(run.hidden_pixels - area / 2).max() <= 0.5
    assert {"under 25", "25-81"} <= set(run.by_hole_size().columns)
    assert not figures.heat_maps(run).data
    text = write_report(run).read_text()
    assert "no rectangle" in text
    height, width = few.cases.loc[0, ["hidden_height", "hidden_width"]]
    assert f'"hole":"{run.hidden_pixels[0]} of {height} x {width}"' in text


def test_missing_pictures_are_told(few, one_tab, target):
    folder = without(few, target)
    shutil.rmtree(folder / "restorations" / "telea")
    case_id = few.cases["case_id"][0]
    address = write_report(load_run(folder)).as_uri() + f"#case={case_id}&a=telea&b=mean"
    for _ in in_both_sizes(one_tab, address):
        one_tab.wait_for_function("document.getElementById('left').width > 1")
        assert "telea: no picture" in one_tab.inner_text("#name-a")
    shutil.rmtree(folder / "pictures")
    write_report(load_run(folder))
    for _ in in_both_sizes(one_tab, address):
        assert "has no pictures of its cases" in one_tab.inner_text("main")
        assert one_tab.locator("#no-pictures").is_visible()


def test_pictures_of_another_size_are_as_missing(few, one_tab, target):
    folder = without(few, target)
    for path in (folder / "restorations" / "telea").glob("*.png"):
        Image.new("L", (5, 5)).save(path)
    case_id = few.cases["case_id"][0]
    address = write_report(load_run(folder)).as_uri() + f"#case={case_id}&a=telea&b=mean"
    one_tab.goto(address)
    one_tab.wait_for_function("document.getElementById('left').width > 1")
    assert "telea: no picture" in one_tab.inner_text("#name-a")


def test_a_run_of_the_first_version_has_a_page(few, one_tab, target):
    added = ["expected_mse", "traceback"]
    folder = without(few, target, scores=lambda t: t.drop(columns=added))
    (folder / "environment.json").write_text(json.dumps({"finished": "2026-01-01"}))
    (folder / "methods.json").unlink()
    for _ in in_both_sizes(one_tab, write_report(load_run(folder)).as_uri()):
        assert "not recorded" in one_tab.inner_text("#made")


def test_a_run_half_done_has_a_page_but_nothing_to_submit(few, one_tab, target, tmp_path):
    folder = without(few, target)
    for name in ("environment.json", "timings.parquet"):
        (folder / name).unlink()
    shutil.rmtree(folder / "pictures")
    shutil.rmtree(folder / "scores.parquet" / "telea")
    with pytest.raises(InputError, match="no finished run"):
        load_run(folder)
    made = inpaintbench_here("report", folder, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "68 of 102 restorations are done" in made.stderr
    for _ in in_both_sizes(one_tab, (folder / "report" / "index.html").as_uri()):
        assert "68 of 102 restorations are done" in one_tab.inner_text("main")
    shutil.rmtree(folder / "scores.parquet")
    refused = inpaintbench_here("report", folder, cwd=tmp_path)
    assert refused.returncode == 2
    assert "has no score yet" in refused.stderr


def test_report_prints_json_or_only_the_verdict(few, target, tmp_path):
    folder = without(few, target)
    for room in ("pictures", "restorations"):
        shutil.rmtree(folder / room)
    made = inpaintbench_here("report", folder, "--json", cwd=tmp_path)
    told = json.loads(made.stdout)
    board = few.leaderboard()
    assert told["verdict"] == few.verdict()
    assert told["submit"] == board["method"][0]
    assert told["page"] == str(folder / "report" / "index.html")
    assert [row["mse"] for row in told["leaderboard"]] == board["mse"].tolist()
    quiet = inpaintbench_here("report", folder, "--quiet", cwd=tmp_path)
    assert quiet.stdout.splitlines() == [few.verdict(), f"Report: {told['page']}"]


def test_run_prints_nothing_but_json(tmp_path):
    made = inpaintbench("run", "--methods=mean", "--cases=2", "--json", "--out=r", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["submit"] == "mean"
