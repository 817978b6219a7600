"""The neighbours' median, bicubic, least squares on the patch, and kriging of large holes."""

import numpy as np
import pytest
from skimage import data

from inpaintbench.datasets.cases import Observation
from inpaintbench.methods import parse_method
from inpaintbench.methods.gaussian import MARGIN, NEAREST, NUGGET
from inpaintbench.methods.least_squares import NUGGET as RIDGE
from inpaintbench.methods.least_squares import LeastSquares


def hide(truth, mask):
    image = truth.copy()
    image[mask] = 0
    return Observation(image, mask)


def one_hidden(truth, y=15, x=15):
    mask = np.zeros(truth.shape, bool)
    mask[y, x] = True
    return hide(truth, mask)


def test_the_median_is_of_the_eight_neighbours():
    truth = data.camera()[100:131, 200:231]
    around = np.delete(truth[14:17, 14:17].ravel(), 4)
    assert parse_method("ring-median").restore(one_hidden(truth))[15, 15] == np.median(around)


def test_bicubic_restores_quadratic_pictures_exactly():
    y, x = np.mgrid[:31, :31]
    truth = (3 * (y - 12) ** 2 + 2 * (x - 20) ** 2 + y * x + 500).astype(np.uint16)
    mask = np.random.default_rng(0).random(truth.shape) < 0.1
    mask[:5] = mask[-5:] = mask[:, :5] = mask[:, -5:] = False
    restored = parse_method("bicubic").restore(hide(truth, mask))
    np.testing.assert_allclose(restored, truth, rtol=1e-9)


def test_bicubic_is_keys_convolution_on_a_grid():
    truth = data.camera()[100:161, 200:261]
    mask = np.ones(truth.shape, bool)
    mask[::2, ::2] = False
    restored = parse_method("bicubic").restore(hide(truth, mask))
    keys = np.array([-1, 0, 9, 16, 9, 0, -1]) / 16  # a = -1/2, between every second pixel
    planted = np.where(mask, 0, truth).astype(float)
    expected = np.apply_along_axis(np.convolve, 1, planted, keys, "same")
    expected = np.apply_along_axis(np.convolve, 0, expected, keys, "same")
    low, high = truth[~mask].min(), truth[~mask].max()
    inner = (slice(6, -6), slice(6, -6))
    np.testing.assert_allclose(restored[inner], expected[inner].clip(low, high), atol=1e-9)


def test_bicubic_goes_on_with_the_last_value_beyond_the_ends():
    truth = np.tile(np.array([10, 20, 30, 40, 50], np.uint8), (5, 1))
    mask = np.zeros(truth.shape, bool)
    mask[:, 3:] = True
    restored = parse_method("bicubic").restore(hide(truth, mask))
    assert (restored[:, 3:] == 30).all()


def regression_weights(patches):
    """Weights that add up to 1 and err least on flat patches, by numpy's least squares."""
    centre = patches.shape[1] // 2
    others = np.delete(patches, centre, axis=1)
    first = others[:, :1]
    system, right = (others - first)[:, 1:], (patches[:, centre, None] - first)[:, 0]
    solved = np.linalg.lstsq(system, right, rcond=None)[0]
    return np.concatenate([[1 - solved.sum()], solved])


def test_least_squares_is_linear_regression_on_the_patch(tmp_path, monkeypatch):
    monkeypatch.setattr("inpaintbench.methods.least_squares.WINDOWS", 2400)
    pictures = [data.camera()[::3, ::3], data.coins()]
    fitted = LeastSquares.fit(pictures, 0)["increments"].astype(float)
    assert fitted.shape == (121, 121)
    from inpaintbench.methods.photographs import draw_windows

    inner = np.concatenate(list(draw_windows(pictures, 2400, 11, 0)))[:, 3:8, 3:8]
    turned = [np.rot90(w, k, (1, 2)) for w in (inner, inner.swapaxes(1, 2)) for k in range(4)]
    expected = regression_weights(np.concatenate(turned).reshape(-1, 25).astype(float))
    own = np.arange(121).reshape(11, 11)[3:8, 3:8].ravel()
    own = np.delete(own, 12)
    solved = np.linalg.solve(fitted[np.ix_(own, own)], np.ones(24))
    np.testing.assert_allclose(solved / solved.sum(), expected, atol=1e-4)


@pytest.mark.parametrize("patch", [5, 7, 9, 11])
def test_least_squares_weighs_the_known_pixels_of_the_patch(patch):
    truth = data.camera()[100:131, 200:231]
    method = parse_method(f"least-squares:patch={patch}")
    observation = one_hidden(truth)
    observation.mask[15, 16] = True  # another hidden pixel in the patch
    increments = method.fitted()["increments"]
    reach = patch // 2
    places = [
        (y, x)
        for y in range(-reach, reach + 1)
        for x in range(-reach, reach + 1)
        if (y, x) not in ((0, 0), (0, 1))
    ]
    own = [(y + 5) * 11 + x + 5 for y, x in places]
    solved = np.linalg.solve(
        increments[np.ix_(own, own)] + RIDGE * np.eye(len(own)), [1] * len(own)
    )
    known = [float(truth[15 + y, 15 + x]) for y, x in places]
    expected = solved @ known / solved.sum()
    assert method.restore(observation)[15, 15] == pytest.approx(expected, abs=1e-6)


def test_a_patch_of_another_size_is_refused():
    with pytest.raises(ValueError, match="5, 7, 9, 11"):
        LeastSquares(patch=6)


def brute_force_kriging(image, mask, variogram, y, x):
    """Solve the textbook system with a Lagrange multiplier, over the nearest known pixels."""
    near = [(r, c) for r, c in np.argwhere(~mask) if abs(r - y) <= MARGIN and abs(c - x) <= MARGIN]
    distances = sorted((r - y) ** 2 + (c - x) ** 2 for r, c in near)
    cut = distances[min(NEAREST, len(near)) - 1]
    near = [(r, c) for r, c in near if (r - y) ** 2 + (c - x) ** 2 <= cut]
    count = len(near)
    system = np.ones((count + 1, count + 1))
    system[-1, -1] = 0
    right = np.ones(count + 1)
    for i, (r, c) in enumerate(near):
        right[i] = variogram[abs(r - y), abs(c - x)]
        for j, (s, d) in enumerate(near):
            system[i, j] = variogram[abs(r - s), abs(c - d)] - NUGGET * (i == j)
    weights = np.linalg.solve(system, right)[:-1]
    return weights @ [float(image[place]) for place in near]


def test_kriging_of_a_large_hole_is_kriging_from_the_nearest_pixels():
    truth = data.camera()[100:200, 200:300]
    mask = np.ones(truth.shape, bool)
    mask[3::5, 1::4] = False
    method = parse_method("gaussian")
    restored = method.restore(hide(truth, mask))
    variogram = method.fitted()["variogram"]
    known = truth[~mask]
    for y, x in ((0, 0), (50, 51), (99, 99), (4, 70), (52, 2)):
        expected = brute_force_kriging(truth, mask, variogram, y, x)
        expected = np.clip(expected, known.min(), known.max())
        assert restored[y, x] == pytest.approx(expected, abs=1e-6)
