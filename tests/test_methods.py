"""Each classical method against an independent source: a library, a brute force, a known answer."""

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from conftest import observe
from hypothesis import given
from skimage import data
from skimage.restoration import inpaint_biharmonic

from inpaintbench.datasets.cases import Observation
from inpaintbench.methods import parse_method
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.method import Method

BOX = st.tuples(st.integers(0, 10), st.integers(1, 6), st.integers(0, 10), st.integers(1, 6))


@pytest.mark.parametrize(
    ("name", "flag"), [("telea", cv2.INPAINT_TELEA), ("navier-stokes", cv2.INPAINT_NS)]
)
@pytest.mark.parametrize("radius", [1.0, 3.0])
def test_opencvs_methods_are_opencvs_own(observation, name, flag, radius):
    expected = cv2.inpaint(observation.image, observation.mask.astype(np.uint8), radius, flag)
    restored = parse_method(f"{name}:radius={radius}").restore(observation)
    assert np.array_equal(restored, expected)


def test_biharmonic_skimage_is_scikit_images_own(observation):
    expected = inpaint_biharmonic(observation.image / 255, observation.mask) * 255
    restored = parse_method("biharmonic-skimage").restore(observation)
    np.testing.assert_allclose(restored, expected, atol=1e-9)


def test_mean_is_over_the_known_pixels_alone(observation):
    known = [
        float(v)
        for v, m in zip(observation.image.flat, observation.mask.flat, strict=True)
        if not m
    ]
    restored = parse_method("mean").restore(observation)
    assert restored[observation.mask] == pytest.approx(sum(known) / len(known))


def test_ring_mean_is_over_the_pixels_that_touch_the_hole(observation):
    image, (rows, columns) = observation.image.astype(float), observation.hidden_box
    around = image[rows.start - 1 : rows.stop + 1, columns.start - 1 : columns.stop + 1]
    hole = (rows.stop - rows.start) * (columns.stop - columns.start)
    expected = around.sum() / (around.size - hole)  # the hole itself holds zeros
    restored = parse_method("ring-mean").restore(observation)
    assert restored[observation.mask] == pytest.approx(expected)


def test_ring_mean_gives_every_hole_its_own_mean():
    image = np.zeros((40, 60), np.uint8)
    image[:, 30:] = 100
    mask = np.zeros(image.shape, bool)
    mask[10:15, 5:10] = mask[10:15, 45:50] = True
    restored = parse_method("ring-mean").restore(
        Observation(np.where(mask, 0, image).astype(np.uint8), mask)
    )
    assert np.array_equal(restored, image)


def brute_force_harmonic(image, mask):
    """Solve Laplace's equation by a dense system, written straight from its definition."""
    places = [tuple(p) for p in np.argwhere(mask)]
    system, right = np.zeros((len(places), len(places))), np.zeros(len(places))
    for k, (y, x) in enumerate(places):
        for p in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= p[0] < mask.shape[0] and 0 <= p[1] < mask.shape[1]:
                system[k, k] += 1
                if mask[p]:
                    system[k, places.index(p)] -= 1
                else:
                    right[k] += image[p]
    filled = image.astype(float)
    filled[mask] = np.linalg.solve(system, right)
    return filled


@given(BOX, st.booleans(), st.integers(0, 100))
def test_harmonic_solves_laplaces_equation_for_any_mask(box, speckled, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (16, 17)).astype(np.uint8)
    mask = np.zeros(image.shape, bool)
    mask[box[0] : box[0] + box[1], box[2] : box[2] + box[3]] = True
    if speckled:
        mask |= rng.random(mask.shape) < 0.2
    np.testing.assert_allclose(
        harmonic_fill(image, mask), brute_force_harmonic(image, mask), atol=1e-8
    )


def test_harmonic_restores_a_plane_exactly():
    y, x = np.mgrid[:70, :90]
    plane = 2.0 * y + x + 3
    mask = observe(data.camera()[:70, :90], (slice(20, 41), slice(30, 51))).mask
    np.testing.assert_allclose(harmonic_fill(np.where(mask, 0, plane), mask), plane, atol=1e-9)


def test_patchmatch_continues_a_periodic_texture():
    tile = np.random.default_rng(1).integers(0, 256, (7, 9))
    texture = np.tile(tile, (12, 10)).astype(np.uint8)
    hidden = observe(texture, (slice(30, 39), slice(40, 51)))
    restored = parse_method("patchmatch").restore(hidden)
    harmonic = parse_method("harmonic").restore(hidden)
    error, rival = (np.abs(r - texture)[hidden.mask].mean() for r in (restored, harmonic))
    assert error < 1
    assert rival > 30


def test_patchmatch_copies_only_what_is_known(observation):
    known = observation.image[~observation.mask]
    restored = parse_method("patchmatch").restore(observation)[observation.mask]
    assert known.min() <= restored.min() <= restored.max() <= known.max()


def test_patchmatch_finds_nearly_what_exhaustive_search_finds():
    from inpaintbench.methods.patchmatch import _distance, _known_patches, _search

    hidden = observe(data.camera()[200:270, 150:240], (slice(30, 41), slice(40, 51)))
    image, patch = harmonic_fill(hidden.image, hidden.mask), 7
    sources = _known_patches(hidden.mask, patch)
    places, rng = np.argwhere(sources), np.random.default_rng(0)
    match = places[rng.integers(len(places), size=(17, 17))]
    cost = np.full((17, 17), np.inf)
    for i in range(17):
        for j in range(17):
            cost[i, j] = _distance(image, 24 + i, 34 + j, *match[i, j], patch, np.inf)
    start = cost.sum()
    for sweep in range(6):
        _search(image, sources, match, cost, 24, 34, patch, sweep % 2 == 1)
    views = np.lib.stride_tricks.sliding_window_view(image, (patch, patch))
    candidates = views[sources].reshape(len(places), -1)
    exact = [
        np.square(candidates - views[24 + i, 34 + j].ravel()).sum(1).min()
        for i in range(17)
        for j in range(17)
    ]
    assert sum(exact) <= cost.sum() * (1 + 1e-9)  # nothing is better than the best
    assert cost.sum() - sum(exact) < 0.02 * (start - sum(exact))


def test_patchmatchs_seed_is_all_its_chance(observation):
    restored = [parse_method(f"patchmatch:seed={s}").restore(observation) for s in (1, 1, 2)]
    assert np.array_equal(restored[0], restored[1])
    assert not np.array_equal(restored[0], restored[2])


def test_a_method_needs_restore_and_takes_only_its_parameters():
    class Unfinished(Method):
        name, family = "unfinished", "test"

    with pytest.raises(TypeError, match="restore"):
        Unfinished()
    with pytest.raises(TypeError, match="size"):
        parse_method("telea").__class__(size=3)
