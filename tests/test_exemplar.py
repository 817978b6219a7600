"""Filling with patches, against brute force, periodic textures and twin pictures."""

import itertools
import tracemalloc

import numpy as np
import pytest
from conftest import observe
from scipy import ndimage
from skimage import data

from inpaintbench.datasets.cases import Observation
from inpaintbench.methods import parse_method
from inpaintbench.methods.criminisi import FLOOR, priorities
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.neighbours import windows_alike
from inpaintbench.methods.patches import known_patches, search, search_all, targets_of
from inpaintbench.methods.quilting import cheapest_path

SEARCHING = ["patchmatch", "exact-nearest-patch", "non-local-mean", "criminisi"]
EXEMPLAR = [*SEARCHING, "efros-leung", "quilting"]
AVERAGING = SEARCHING[:3]


def error(name, observation, truth):
    restored = parse_method(name).restore(observation)
    return np.abs(restored - truth)[observation.mask].mean()


@pytest.fixture(scope="module")
def texture():
    tile = np.random.default_rng(1).integers(0, 256, (7, 9))
    return np.tile(tile, (12, 10)).astype(np.uint8)


@pytest.mark.parametrize("name", EXEMPLAR)
def test_a_periodic_texture_is_continued(name, texture):
    hidden = observe(texture, (slice(30, 39), slice(40, 51)))
    assert error(name, hidden, texture) < 1
    assert error("harmonic", hidden, texture) > 30


@pytest.mark.parametrize("name", EXEMPLAR)
def test_a_texture_in_colour_and_16_bit_is_continued_too(name, texture):
    deep = np.stack([texture, texture[::-1], 255 - texture], axis=-1).astype(np.uint16) * 257
    hidden = observe(deep, (slice(30, 35), slice(40, 47)))
    assert error(name, hidden, deep) < 257


@pytest.mark.parametrize("name", EXEMPLAR)
def test_nothing_leaves_the_range_of_the_known_pixels(name, observation):
    known = observation.image[~observation.mask]
    restored = parse_method(name).restore(observation)[observation.mask]
    assert known.min() <= restored.min() <= restored.max() <= known.max()


@pytest.mark.parametrize("name", EXEMPLAR)
def test_a_picture_of_two_greys_gets_none_beyond_them(name):
    stripes = np.where(np.indices((60, 60)).sum(axis=0) // 5 % 2, 100, 160).astype(np.uint8)
    hidden = observe(stripes, (slice(24, 35), slice(25, 38)))
    restored = parse_method(name).restore(hidden)[hidden.mask]
    assert 100 <= restored.min() <= restored.max() <= 160


@pytest.mark.parametrize("name", ["criminisi", "efros-leung", "quilting"])
def test_a_copying_method_gives_only_values_that_there_are(name, observation):
    restored = parse_method(name).restore(observation)[observation.mask]
    assert np.isin(restored, observation.image[~observation.mask]).all()


@pytest.mark.parametrize("name", ["criminisi", "efros-leung", "quilting"])
def test_a_copying_method_gives_only_colours_that_there_are(name):
    colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40]], np.uint8)
    blocks = np.random.default_rng(0).integers(0, 4, (20, 20)).repeat(4, 0).repeat(4, 1)
    hidden = observe(colours[blocks], (slice(33, 46), slice(33, 46)))
    restored = parse_method(name).restore(hidden)[hidden.mask]
    assert (restored[:, None] == colours).all(axis=2).any(axis=1).all()


@pytest.mark.parametrize("name", EXEMPLAR)
@pytest.mark.parametrize("shape", [(1, 5), (4, 4), (8, 30), (12, 12)])
def test_a_picture_smaller_than_a_patch_is_filled_between_its_values(name, shape):
    image = np.random.default_rng(0).integers(100, 200, shape).astype(np.uint8)
    hidden = observe(image, (slice(0, 2), slice(1, 3)))
    restored = parse_method(name).restore(hidden)[hidden.mask]
    assert (restored >= 100).all()
    assert (restored < 200).all()


@pytest.mark.parametrize("name", EXEMPLAR)
def test_a_texture_is_continued_into_the_corner(name, texture):
    hidden = observe(texture, (slice(0, 6), slice(84, 90)))
    assert error(name, hidden, texture) < 0.5 * error("harmonic", hidden, texture)


@pytest.mark.parametrize("name", AVERAGING)
def test_the_answer_scales_with_the_picture(name):
    observation = observe(data.camera()[100:150, 200:260], (slice(20, 27), slice(25, 34)))
    deep = Observation(observation.image.astype(np.uint16) * 257, observation.mask)
    method = parse_method(name)
    difference = method.restore(deep) / 257 - method.restore(observation)
    assert np.abs(difference).mean() < 0.05


@pytest.mark.parametrize("name", ["patchmatch", "efros-leung", "quilting"])
def test_the_seed_is_all_the_chance_there_is(name, observation):
    restored = [parse_method(f"{name}:seed={s}").restore(observation) for s in (1, 1, 2)]
    assert np.array_equal(restored[0], restored[1])
    assert not np.array_equal(restored[0], restored[2])


@pytest.mark.parametrize(
    "text",
    [
        "patchmatch:patch=4",
        "patchmatch:sweeps=0",
        "patchmatch:search=world",
        "exact-nearest-patch:rounds=0",
        "non-local-mean:frame=0",
        "non-local-mean:penalty=-1",
        "criminisi:patch=8",
        "criminisi:search=sets",
        "efros-leung:window=2",
        "quilting:overlap=9",
        "quilting:tolerance=nan",
        "quilting:tolerance=inf",
        "efros-leung:tolerance=inf",
        "non-local-mean:penalty=inf",
        "quilting:seed=-1",
        "efros-leung:seed=-1",
        "patchmatch:seed=-1",
        "patchmatch:seed=99999999999999999999",
    ],
)
def test_wrong_parameters_are_refused(text):
    with pytest.raises(ValueError, match="must be"):
        parse_method(text)


@pytest.fixture(scope="module")
def matching_problem():
    """A harmonically filled crop, its matches at random, and the true least distances."""
    hidden = observe(data.camera()[200:270, 150:240], (slice(30, 41), slice(40, 51)))
    image, patch = harmonic_fill(hidden.image, hidden.mask), 7
    way = ndimage.distance_transform_cdt(hidden.mask, "chessboard")
    trust = 0.5 ** way.astype(float)
    sources, box = known_patches(hidden.mask, patch), targets_of(hidden.mask, patch)
    assert tuple(box) == (24, 41, 34, 51)
    views = np.lib.stride_tricks.sliding_window_view(image, (patch, patch))
    weights = np.lib.stride_tricks.sliding_window_view(trust, (patch, patch))
    exact = np.empty((17, 17))
    for i, j in np.ndindex(17, 17):
        difference = views[sources] - views[24 + i, 34 + j]
        w = weights[24 + i, 34 + j]
        means = (w * difference).sum((1, 2)) / w.sum()
        exact[i, j] = (w * np.square(difference - means[:, None, None])).sum((1, 2)).min()
    places = np.argwhere(sources)
    match = places[np.random.default_rng(0).integers(len(places), size=(17, 17))]
    return image, trust, sources, match, exact


def test_exhaustive_search_finds_the_nearest_patches_of_all(matching_problem):
    image, trust, sources, match, exact = matching_problem
    match = match.copy()
    cost = np.full((17, 17), np.inf)
    search_all(image, trust, sources, match, cost, 24, 34, 7)
    np.testing.assert_allclose(cost, exact, rtol=1e-4, atol=0.01)  # in single precision
    assert sources[match[..., 0], match[..., 1]].all()


def test_patchmatch_finds_nearly_the_nearest_patches(matching_problem):
    image, trust, sources, match, exact = matching_problem
    match = match.copy()
    cost = np.full((17, 17), np.inf)
    sums, state = [], np.full(1, 1, np.uint64)
    for sweep in range(6):
        search(image, trust, sources, match, cost, 24, 34, 7, sweep % 2 == 1, state)
        sums.append(cost.sum())
    assert sums == sorted(sums, reverse=True)
    assert (cost >= exact * (1 - 1e-4) - 0.01).all()
    assert sums[-1] < 1.2 * exact.sum()


def test_known_patches_are_those_without_a_hidden_pixel():
    mask = np.random.default_rng(3).random((30, 41)) < 0.03
    for height, width in ((1, 1), (5, 5), (3, 8)):
        views = np.lib.stride_tricks.sliding_window_view(mask, (height, width))
        assert np.array_equal(known_patches(mask, height, width), ~views.any((2, 3)))
    assert not known_patches(mask, 31).size


def test_the_cheapest_path_is_that_of_brute_force():
    rng = np.random.default_rng(4)
    for rows, columns in ((1, 3), (5, 3), (6, 4), (7, 2)):
        errors = rng.random((rows, columns))
        paths = [
            path
            for path in itertools.product(range(columns), repeat=rows)
            if all(abs(a - b) <= 1 for a, b in itertools.pairwise(path))
        ]
        costs = [sum(errors[row, column] for row, column in enumerate(path)) for path in paths]
        assert tuple(cheapest_path(errors)) == paths[int(np.argmin(costs))]


def direct_priorities(image, hidden, confidence, patch, highest):
    """Evaluate the paper's formulas pixel by pixel: C(p) times |isophote . normal| / alpha."""
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
    rim = np.argwhere(hidden & ndimage.binary_dilation(~hidden, cross))
    values = np.where(hidden, np.nan, image)
    gradient = np.stack(np.gradient(values))  # central; where a neighbour is hidden, one-sided:
    for axis in (0, 1):
        step = np.diff(values, axis=axis, append=np.nan)
        back = np.diff(values, axis=axis, prepend=np.nan)
        for one_sided in (step, back):
            gap = np.isnan(gradient[axis])
            gradient[axis][gap] = one_sided[gap]
    gradient = np.where(hidden, -1, np.nan_to_num(gradient, nan=0))
    normals = np.stack(np.gradient(hidden.astype(float)))
    half, found = patch // 2, []
    for y, x in rim:
        around = np.s_[y - half : y + half + 1, x - half : x + half + 1]
        length = np.square(gradient[(slice(None), *around)]).sum(0)
        length[hidden[around]] = -1
        i, j = np.unravel_index(length.argmax(), length.shape)
        gy, gx = gradient[:, y - half + i, x - half + j]
        isophote = np.array([-gx, gy])
        normal = normals[:, y, x] / max(np.linalg.norm(normals[:, y, x]), 1e-12)
        data_term = abs(isophote @ normal) / highest
        found.append(confidence[around].sum() / patch**2 * (data_term + FLOOR))
    return rim, np.array(found)


def test_criminisis_priorities_are_the_papers():
    rng = np.random.default_rng(5)
    image = ndimage.gaussian_filter(rng.random((40, 45)), 2) * 255
    hidden = np.zeros(image.shape, bool)
    hidden[15:25, 12:30] = hidden[20:29, 20:26] = True
    confidence = np.where(hidden, 0, rng.random(image.shape))
    expected_rim, expected = direct_priorities(image, hidden, confidence, 9, 255)
    rim, priority = priorities(image[None], hidden, confidence, 9, 255.0)
    assert np.array_equal(rim, expected_rim)
    np.testing.assert_allclose(priority, expected, rtol=1e-9)


def test_criminisi_continues_an_edge_straight():
    image = np.full((70, 80), 40, np.uint8)
    image[:, 37:] = 200
    hidden = observe(image, (slice(25, 44), slice(28, 49)))
    assert np.array_equal(parse_method("criminisi").restore(hidden), image)


def views_of_one_wall():
    """A crop with a hole, another view of the same place, and unrelated pictures."""
    wall = data.camera()[90:290, 130:330]
    here, there = wall[20:95, 30:120], wall[31:110, 12:100]
    box = (slice(30, 39), slice(40, 51))
    others = [
        observe(data.brick()[k : k + 70, 200:293], (slice(25, 40), slice(30, 45)))
        for k in (0, 100, 200)
    ]
    twin = observe(there, (slice(50, 60), slice(22, 30)))
    return observe(here, box), here, [others[0], twin, *others[1:]]


def test_the_frame_is_found_where_it_was_taken_from():
    hidden, _, others = views_of_one_wall()
    best = windows_alike(hidden, others)[0]
    assert best.distance == pytest.approx(0, abs=1e-9)
    # The hole's place in the twin, 11 rows up and 18 columns right, with 12 pixels around it.
    assert np.array_equal(best.pixels, others[1].image[7:40, 46:81])
    assert np.array_equal(best.mask, others[1].mask[7:40, 46:81])


def test_many_specks_cost_no_mask_each_where_other_pictures_are_looked_at():
    hidden, _, others = views_of_one_wall()
    image = np.pad(hidden.image, ((0, 500), (0, 500)), mode="reflect")
    mask = np.zeros(image.shape, bool)
    mask[: hidden.mask.shape[0], : hidden.mask.shape[1]] = hidden.mask  # the largest hole
    mask[100::50, 100::50] = True
    tracemalloc.start()
    best = windows_alike(Observation(np.where(mask, 0, image), mask), others)[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert best.distance == pytest.approx(0, abs=1e-9)
    assert peak < 50 * mask.size  # bytes; there are 100 specks


@pytest.mark.parametrize("name", SEARCHING)
def test_another_view_shows_what_is_hidden(name):
    hidden, truth, others = views_of_one_wall()
    looking, alone = parse_method(f"{name}:search=set"), parse_method(name)
    before = looking.restore(hidden)
    assert np.array_equal(before, alone.restore(hidden))  # none known: the picture alone
    looking.look_around(others)
    alone.look_around(others)
    restored = looking.restore(hidden)
    assert restored.shape == truth.shape
    assert np.abs(restored - truth)[hidden.mask].mean() < 1
    assert np.abs(before - truth)[hidden.mask].mean() > 10
    assert np.array_equal(alone.restore(hidden), before)


@pytest.mark.parametrize("name", SEARCHING)
def test_others_of_another_kind_are_left_out(name):
    hidden, _, others = views_of_one_wall()
    looking = parse_method(f"{name}:search=set")
    before = looking.restore(hidden)
    deep = Observation(others[1].image.astype(np.uint16), others[1].mask)
    colour = Observation(np.stack([others[1].image] * 3, axis=-1), others[1].mask)
    small = Observation(others[1].image[:10, :10], others[1].mask[:10, :10])
    looking.look_around([deep, colour, small])
    assert np.array_equal(looking.restore(hidden), before)


def test_non_local_mean_is_harmonic_where_nothing_is_alike():
    image = np.random.default_rng(6).integers(0, 256, (24, 24)).astype(np.uint8)
    hidden = observe(image, (slice(4, 20), slice(4, 20)))  # no place for such a frame elsewhere
    restored = parse_method("non-local-mean").restore(hidden)
    assert np.array_equal(restored, harmonic_fill(hidden.image, hidden.mask))
