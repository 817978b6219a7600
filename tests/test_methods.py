"""Each classical method against an independent source: a library, a brute force, a known answer."""

import tracemalloc

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


@pytest.mark.parametrize("name", ["ring-mean", "ring-median:width=3"])
def test_a_hole_looks_at_no_more_of_a_large_picture_than_its_ring(name):
    image = np.random.default_rng(0).integers(1, 256, (600, 800)).astype(np.uint8)
    mask = np.zeros(image.shape, bool)
    mask[0, 0] = mask[300:303, 400:402] = mask[-1, -1] = True
    image[mask] = 0
    tracemalloc.start()
    restored = parse_method(name).restore(Observation(image, mask))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    part = (slice(290, 310), slice(390, 410))
    alone = parse_method(name).restore(Observation(image[part], mask[part]))
    assert np.array_equal(restored[part], alone)
    assert peak < 14 * image.size  # bytes: the answer, the holes' numbers, and little else


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


def test_a_method_needs_restore_and_takes_only_its_parameters():
    class Unfinished(Method):
        name, family = "unfinished", "test"

    with pytest.raises(TypeError, match="restore"):
        Unfinished()
    with pytest.raises(TypeError, match="size"):
        parse_method("telea").__class__(size=3)
