"""Methods fitted on photographs: against brute force and known models; fitting by command."""

import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
from conftest import inpaintbench_here, observe
from PIL import Image
from scipy.fft import idctn
from scipy.ndimage import gaussian_filter
from skimage import data

from inpaintbench.benchmarks.answers import finish_prediction, picture_of
from inpaintbench.benchmarks.scoring import score_picture
from inpaintbench.datasets import Case, InputError
from inpaintbench.datasets.cases import Observation
from inpaintbench.datasets.images import Skipped
from inpaintbench.datasets.tasks import crop, upscale
from inpaintbench.datasets.tasks.drawing import draw_cases
from inpaintbench.methods import Method, gaussian, gaussian_mixture, parse_method, pca
from inpaintbench.methods.fitted import _mean_mse as validation_score
from inpaintbench.methods.gaussian import (
    MARGIN,
    kriging_fill,
    kriging_weights,
    mean_variogram,
    rectangle_weights,
)
from inpaintbench.methods.gaussian_mixture import GaussianMixture, autocorrelation
from inpaintbench.methods.mixtures import fit_mixture
from inpaintbench.methods.photographs import draw_observations, draw_windows
from inpaintbench.methods.rectangles import folded
from inpaintbench.methods.weights import SHIPPED, read_card, write_weights

FITTED = ["gaussian", "gaussian-mixture", "pca"]
ARRAYS = {"gaussian": 3, "gaussian-mixture": 5, "pca": 3}


def brute_force(image, mask, area, variogram):
    """Kriging by the textbook's block system, one pixel pair at a time."""
    window, hidden = image[area].astype(float), mask[area]
    known, unknown = np.argwhere(~hidden).tolist(), np.argwhere(hidden).tolist()
    by_lag = variogram.tolist()

    def between(first, second):
        return [[by_lag[abs(a - c)][abs(b - d)] for c, d in second] for a, b in first]

    n = len(known)
    system = np.zeros((n + 1, n + 1))
    system[:n, :n] = -np.array(between(known, known)) + gaussian.NUGGET * np.eye(n)
    system[n, :n] = system[:n, n] = 1
    right = np.vstack([-np.array(between(known, unknown)), np.ones(len(unknown))])
    weights = np.linalg.solve(system, right)[:n]
    low, high = image[~mask].min(), image[~mask].max()
    return np.clip(weights.T @ window[~hidden], low, high)


@pytest.mark.parametrize(
    ("top", "left", "height", "width"), [(30, 40, 5, 7), (12, 12, 1, 4), (20, 50, 9, 5)]
)
def test_gaussian_is_the_textbooks_kriging(top, left, height, width):
    picture = data.camera()[100:170, 200:293]
    observation = observe(picture, (slice(top, top + height), slice(left, left + width)))
    area = (
        slice(top - MARGIN, top + height + MARGIN),
        slice(left - MARGIN, left + width + MARGIN),
    )
    method = parse_method("gaussian")
    variogram = variogram_around(observation, area, method.fitted())
    expected = brute_force(observation.image, observation.mask, area, variogram)
    restored = method.restore(observation)[observation.mask]
    np.testing.assert_allclose(restored, expected, atol=1e-3)


def test_gaussian_restores_a_ragged_hole_at_the_border_by_the_same_rule():
    picture = data.camera()[100:140, 200:240]
    mask = np.zeros(picture.shape, bool)
    mask[0:3, 5:9] = mask[2:5, 8:10] = True
    observation = Observation(np.where(mask, 0, picture).astype(np.uint8), mask)
    method = parse_method("gaussian")
    area = (slice(0, 5 + MARGIN), slice(0, 10 + MARGIN))
    variogram = variogram_around(observation, area, method.fitted())
    expected = brute_force(observation.image, mask, area, variogram)
    np.testing.assert_allclose(method.restore(observation)[mask], expected, atol=1e-3)


def test_a_hole_kriges_from_no_more_of_a_large_picture_than_its_surroundings():
    image = np.random.default_rng(0).integers(1, 256, (1000, 1000)).astype(np.uint8)
    mask = np.zeros(image.shape, bool)
    mask[0, 0] = mask[0, -1] = mask[-1, 5] = True
    variogram = 1 - np.exp(-np.hypot(*np.mgrid[:61, :61]) / 5)
    tracemalloc.start()
    filled = kriging_fill(image, mask, lambda *_: variogram, NotImplemented)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for area in (np.s_[:20, :20], np.s_[:20, -20:], np.s_[-20:, :30]):
        alone = kriging_fill(image[area], mask[area], lambda *_: variogram, NotImplemented)
        np.testing.assert_allclose(filled[area], alone)
    assert peak < 16 * image.size  # bytes: the answer, numbers of holes, the known pixels


def variogram_around(observation, area, fitted):
    """The variogram of what surrounds a hole, told by pairs of known pixels one by one."""
    image, known = observation.image[area].astype(float), ~observation.mask[area]

    def mean_square(down, across):
        height, width = known.shape
        near, other = np.s_[: height - down, : width - across], np.s_[down:, across:]
        return np.square(image[near] - image[other])[known[near] & known[other]].mean()

    along, across = mean_square(0, 6), mean_square(6, 0)
    ratio = np.log((along + across) / (mean_square(0, 1) + mean_square(1, 0)))
    directed = fitted["variograms"][(ratio > fitted["roughness"]).sum()]
    if abs(np.log(along / across)) <= 0.3:
        return directed[0]
    return directed[1] if along > across else directed[1].T


@pytest.mark.parametrize("shape", [(5, 7), (6, 6), (1, 1), (4, 9), (1, 8)])
def test_a_rectangles_quarters_are_the_parts_of_its_whole_matrix(shape):
    lags = np.hypot(*(np.mgrid[:61, :61] * [[[0.5]], [[1.0]]]))  # smoother along columns
    variogram = 1 - np.exp(-lags / 8)
    hidden = np.pad(np.ones(shape, bool), MARGIN)
    expected = folded(kriging_weights(variogram, hidden, ~hidden), *shape, MARGIN)
    np.testing.assert_allclose(rectangle_weights(variogram, *shape), expected, atol=1e-10)


def test_surroundings_are_told_apart_whatever_their_brightness_contrast_and_side():
    roughness = parse_method("gaussian").fitted()["roughness"]
    noise = np.random.default_rng(0).normal(size=(45, 45))
    mask = np.pad(np.ones((21, 21), bool), 12)

    def kind(picture, hidden=mask):
        levels = np.clip(np.rint(20 * picture / picture.std() + 100), 0, 255).astype(np.uint8)
        found = gaussian.kind_of(levels, hidden, roughness)
        for same in (levels[::-1], levels[:, ::-1], levels.astype(np.uint16) * 257, levels + 7.0):
            assert gaussian.kind_of(same, hidden, roughness) == found
        turned = gaussian.kind_of(levels.T, hidden.T, roughness)
        assert turned == (found and (found[0], -found[1]))
        assert gaussian.kind_of(np.dstack([levels] * 3), hidden, roughness) == found
        return found

    assert kind(gaussian_filter(noise, (8, 1)))[1] == 1  # changes more along rows
    assert kind(gaussian_filter(noise, (1, 8)))[1] == -1
    assert kind(noise) == (0, 0)  # neighbours differ as much as any
    assert kind(gaussian_filter(noise, 6))[0] == len(roughness)
    alone = np.ones_like(mask)
    alone[::4, ::4] = False  # no known pixel has a known neighbour
    assert kind(noise, alone) is None
    assert gaussian.kind_of(np.full((45, 45), 9, np.uint8), mask, roughness) is None


def exponential(side):
    """A known variogram, 1 - exp(-distance / 8), and the covariance of a window's pixels."""
    lags = np.hypot(*np.mgrid[:side, :side])
    row, column = np.divmod(np.arange(side * side), side)
    distance = np.hypot(np.subtract.outer(row, row), np.subtract.outer(column, column))
    return 1 - np.exp(-lags / 8), np.exp(-distance / 8)


def test_a_field_drawn_from_the_model_is_restored_to_its_theoretical_error():
    side, count = 29, 4000
    variogram, covariance = exponential(side)
    mask = np.zeros((side, side), bool)
    mask[12:17, 11:18] = True
    known, hidden = np.flatnonzero(~mask), np.flatnonzero(mask)
    weights = kriging_weights(variogram, mask, ~mask)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-9)
    rng = np.random.default_rng(0)
    fields = rng.normal(size=(count, side * side)) @ np.linalg.cholesky(covariance).T
    errors = np.square(fields[:, known] @ weights.T - fields[:, hidden]).mean(axis=1)
    within, across = covariance[np.ix_(known, known)], covariance[np.ix_(hidden, known)]
    theory = np.trace(
        covariance[np.ix_(hidden, hidden)] - across @ np.linalg.solve(within, across.T)
    ) / len(hidden)
    # An unknown mean costs a little; the margin above sampling error allows for it.
    error = errors.std() / np.sqrt(count)
    assert theory - 3 * error < errors.mean() < 1.01 * theory + 3 * error


def test_the_variogram_is_the_mean_of_squared_differences():
    picture = data.camera()[:90, :100]
    drawn = np.concatenate(list(draw_windows([picture], 6, gaussian.SIDE, 0)))
    found = mean_variogram([picture], 0, 6)

    def half_squared(rows, columns):
        difference = drawn[:, rows:, columns:] - drawn[:, : 61 - rows, : 61 - columns]
        mirrored = drawn[:, columns:, rows:] - drawn[:, : 61 - columns, : 61 - rows]
        return (np.square(difference).mean() + np.square(mirrored).mean()) / 2

    for lag in ((0, 1), (3, 0), (5, 2), (40, 30)):
        assert found[lag] == pytest.approx(half_squared(*lag) / half_squared(0, 1), rel=1e-3)


def test_no_window_to_fit_on_is_drawn_twice(monkeypatch):
    """However many are drawn at a time; and fewer windows are the first of more."""
    pictures = [data.camera(), data.moon().astype(np.uint16) * 257]
    (whole,) = draw_windows(pictures, 50, 25, seed=3)
    assert len({window.tobytes() for window in whole}) == 50
    assert 0 <= whole.min() < 0.2
    assert 0.8 < whole.max() <= 1
    monkeypatch.setattr("inpaintbench.methods.photographs.BLOCK", 20)
    blocks = [*draw_windows(pictures, 45, 25, seed=3)]
    assert [len(block) for block in blocks] == [20, 20, 5]
    assert np.array_equal(np.concatenate(blocks), whole[:45])


def test_a_variogram_that_is_none_is_shrunk_until_it_is_one():
    valid = exponential(21)[0]
    np.testing.assert_array_equal(gaussian.shrunk(valid), valid)
    wrong = valid.copy()
    wrong[3:5, 3:5] *= 3
    mended = gaussian.shrunk(wrong)
    hidden = np.pad(np.ones((3, 3), bool), 9)
    weights = kriging_weights(mended, hidden, ~hidden)  # solves, and stays sensible
    assert np.abs(weights).sum(axis=1).max() < 3
    assert not np.array_equal(mended, wrong)


def rotated(angle, ratio):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([1, ratio]) @ turn.T


IDENTITY = [(np.arange(2), np.ones(2, np.float32))]
MIRRORED = [*IDENTITY, (np.arange(2), np.array([1, -1], np.float32))]


def squared_lengths(samples, covariance):
    return np.einsum("nd,nd->n", samples @ np.linalg.inv(covariance), samples)


def objective(samples, mixture, prior):
    """Half the likeliest components' log-likelihood of the directions, and the prior's, a sample.

    Without symmetries; `samples` have unit contrast.
    """
    dimensions = samples.shape[1]
    volumes = np.linalg.slogdet(mixture.covariances)[1]
    cost = [
        dimensions * np.log(squared_lengths(samples, covariance)) + volume - 2 * np.log(share)
        for covariance, volume, share in zip(
            mixture.covariances, volumes, mixture.shares, strict=True
        )
    ]
    overall = samples.T @ samples / len(samples)
    penalty = np.trace(np.linalg.inv(mixture.covariances) @ overall, axis1=1, axis2=2) + volumes
    return -(np.min(cost, axis=0).sum() + prior * penalty.sum()) / 2 / len(samples)


def test_em_increases_its_objective_and_recovers_a_known_mixture():
    rng = np.random.default_rng(1)
    truths = [rotated(0.0, 0.001), rotated(np.pi / 3, 0.001)]
    contrast = rng.lognormal(size=(6000, 1))
    samples = np.concatenate([rng.multivariate_normal([0, 0], t, 3000) for t in truths]) * contrast
    mixtures = [
        fit_mixture(samples.astype(np.float32), IDENTITY, 2, iterations, 1.0, seed=0)
        for iterations in range(1, 16)
    ]
    length = squared_lengths(samples, samples.T @ samples / len(samples))
    even = samples * np.sqrt(2 / np.maximum(length, 1e-4 * length.mean()))[:, None]
    history = [objective(even, mixture, 1.0) for mixture in mixtures]
    assert (np.diff(history) > -1e-6).all()
    alone = fit_mixture(samples.astype(np.float32), IDENTITY, 1, 15, 1.0, seed=0)
    assert history[-1] > objective(even, alone, 1.0) + 1.0
    assert history[-1] > history[0] + 0.4
    mixture = mixtures[-1]
    found = [c / np.trace(c) for c in mixture.covariances]
    found.sort(key=lambda c: -c[0, 0])
    for covariance, truth in zip(found, truths, strict=True):
        np.testing.assert_allclose(covariance, truth / np.trace(truth), atol=0.02)
    np.testing.assert_allclose(mixture.shares, 0.5, atol=0.02)


def test_a_tied_component_stands_for_its_mirror_image():
    rng = np.random.default_rng(2)
    truths = [rotated(np.pi / 5, 0.01), rotated(-np.pi / 5, 0.01)]
    samples = np.concatenate([rng.multivariate_normal([0, 0], t, 3000) for t in truths])
    mixture = fit_mixture(samples.astype(np.float32), MIRRORED, 1, 10, 1.0, seed=0)
    found = mixture.covariances[0] / np.trace(mixture.covariances[0])
    found[0, 1] = found[1, 0] = abs(found[0, 1])
    np.testing.assert_allclose(found, truths[0] / np.trace(truths[0]), atol=0.02)


def test_without_components_to_choose_from_the_mixture_is_a_gaussian(tmp_path):
    """One component, none of the picture's own statistics: a plain conditional mean."""
    side = gaussian_mixture.SIDE
    low = gaussian_mixture._frequencies()
    places = np.argwhere(low)
    high = gaussian_mixture._high(low)
    slope = 1.0 / np.maximum(np.hypot(*np.mgrid[:side, :side]), 0.5) ** 3
    slope = (slope + slope.T) / 2
    arrays = {
        "covariances": np.diag(slope[low])[None],
        "shares": np.ones(1),
        "scales": np.ones(1),
        "high": slope[high],
        "variogram": exponential(61)[0],
    }
    path = tmp_path / "one.safetensors"
    data_ = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
    write_weights(safetensors.numpy.save(data_), path, {})
    picture = data.camera()[100:170, 200:293]
    observation = observe(picture, (slice(30, 37), slice(40, 51)))
    restored = GaussianMixture(weights=str(path), local=0.0).restore(observation)
    unit = np.eye(side * side).reshape(-1, side, side)
    waves = idctn(unit, axes=(1, 2), norm="ortho").reshape(side * side, -1)
    powers = slope.copy()
    powers[0, 0] = 0
    covariance = (waves.T * powers.ravel()) @ waves
    covariance += slope[high].min() * np.eye(side * side)
    covariance += 1e-4 * np.trace(covariance) / side**2 * np.eye(side * side)
    area = (slice(33 - 14, 33 + 15), slice(45 - 14, 45 + 15))
    window, hidden = picture[area].astype(float).ravel(), observation.mask[area].ravel()
    n = int((~hidden).sum())
    system = np.ones((n + 1, n + 1))
    system[n, n] = 0
    system[:n, :n] = covariance[np.ix_(~hidden, ~hidden)]
    right = np.vstack([covariance[np.ix_(~hidden, hidden)], np.ones(hidden.sum())])
    expected = np.linalg.solve(system, right)[:n].T @ window[~hidden]
    np.testing.assert_allclose(restored[observation.mask], expected, atol=0.01)
    assert len(places) == low.sum()


def test_the_autocorrelation_is_a_covariance_and_knows_a_pattern():
    rows, columns = np.mgrid[:80, :90]
    stripes = np.sin(2 * np.pi * (rows + columns) / 8)
    mask = np.zeros(stripes.shape, bool)
    mask[35:46, 40:51] = True
    first = autocorrelation(stripes, mask, (40, 45), 16.0, 10.0)
    changed = np.where(mask, 9.0, stripes)
    np.testing.assert_allclose(autocorrelation(changed, mask, (40, 45), 16.0, 10.0), first)
    centre = gaussian_mixture.SIDE - 1
    assert first[centre, centre] == first.max()
    assert first[centre + 4, centre - 4] > 0.5 * first.max()  # along the stripes
    assert first[centre + 2, centre + 2] < -0.5 * first.max()  # half a period across
    row, column = np.divmod(np.arange(29 * 29), 29)
    pairs = first[np.subtract.outer(row, row) + centre, np.subtract.outer(column, column) + centre]
    assert np.linalg.eigvalsh(pairs)[0] > -1e-9 * first.max()


def test_stripes_are_continued_by_the_mixture():
    rows, columns = np.mgrid[:80, :90]
    picture = np.rint(128 + 60 * np.sin(2 * np.pi * (rows + columns) / 8)).astype(np.uint8)
    observation = observe(picture, (slice(35, 46), slice(40, 51)))
    restored = parse_method("gaussian-mixture").restore(observation)
    errors = (restored - picture)[observation.mask]
    assert np.square(errors).mean() < 0.1 * picture[observation.mask].var()


@pytest.mark.parametrize("name", FITTED)
def test_what_is_shipped_has_a_complete_card(name):
    card = read_card(SHIPPED / f"{name}.safetensors")
    assert {"photographs", "held_out", "validation_mse", "made", "command", "seed"} <= set(card)
    assert parse_method(name).weights_sha256() == card["sha256"]
    assert len(parse_method(name).fitted()) == ARRAYS[name]
    assert sum((SHIPPED / f"{fitted}.safetensors").stat().st_size for fitted in FITTED) < 30_000_000


def test_fitted_methods_on_photographs_they_never_saw():
    cases = draw_cases(crop, "skimage", 51, 98, Skipped())
    scores = {}
    for method in ("harmonic", *FITTED):
        restored = parse_method(method).restore_batch([case.observation for case in cases])
        errors = [
            np.square(r - c.truth)[c.mask].mean() for r, c in zip(restored, cases, strict=True)
        ]
        scores[method] = np.mean(errors)
    assert max(scores, key=scores.get) == "harmonic"


class Ramp(Method):
    """Fills with values from below the range to above it, none of them whole."""

    name = "ramp"
    family = "test"

    def restore(self, observation):
        steps = np.linspace(-0.21, 1.23, observation.image.size)
        return steps.reshape(observation.image.shape) * np.iinfo(observation.image.dtype).max


def test_a_fit_is_validated_as_a_run_scores():
    truths = [data.camera()[100:170, 200:293], data.moon()[:80, :75].astype(np.uint16) * 257]
    boxes = [(slice(3, 41), slice(40, 57)), (slice(60, 79), slice(31, 40))]
    truths.append(data.astronaut()[:90, 150:250])
    boxes.append((slice(35, 56), slice(40, 61)))
    cases = [
        Case(str(number), "crop", "i", "s", 0, truth, observe(truth, box).mask)
        for number, (truth, box) in enumerate(zip(truths, boxes, strict=True))
    ]
    expected = []
    for case in cases:
        answer = Ramp().restore(case.observation)[case.mask]
        picture = picture_of(finish_prediction(answer, case.observation), case.observation)
        expected.append(score_picture(picture, case)["mse"])
    score = validation_score(Ramp(), [case.observation for case in cases], truths)
    assert score == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("task", [crop, upscale])
def test_a_held_out_case_depends_on_seed_and_place_alone(task):
    """So that all methods are validated by the same, and no two pictures alike give the same."""
    picture = data.camera()[:256, :256]
    observations, truths = draw_observations([picture] * 3, 5, task)
    for place, (o, truth) in enumerate(zip(observations, truths, strict=True)):
        drawn, mask, *given = task.draw(picture, np.random.default_rng((5, place)))
        assert np.array_equal(truth, drawn)
        assert np.array_equal(o.mask, mask)
        assert np.array_equal(o.image, given[0] if given else np.where(mask, 0, drawn))
    assert len({truth.tobytes() for truth in truths}) == 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A few generated photographs: smooth random fields."""
    folder = tmp_path_factory.mktemp("generated")
    rng = np.random.default_rng(0)
    for number in range(6):
        field = gaussian_filter(rng.normal(size=(120, 140)), 2.0, mode="wrap")
        pixels = np.clip(128 + 45 * field / field.std(), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("name", FITTED)
def test_fitting_through_the_command_line(name, folder, tmp_path, monkeypatch, observation):
    for module in (gaussian, gaussian_mixture, pca):
        monkeypatch.setattr(module, "WINDOWS", 600)
    monkeypatch.setattr(gaussian, "SIDE", 45)  # enough for the crop challenge's largest hole
    weights = []
    for out in ("first", "second"):
        command = ["train", name, "--images", folder, "--out", out, "--seed", "3"]
        done = inpaintbench_here(*command, cwd=tmp_path)
        assert done.returncode == 0
        weights.append(tmp_path / out / f"{name}.safetensors")
    assert weights[0].read_bytes() == weights[1].read_bytes()  # the same seed, the same numbers
    card = read_card(weights[0])
    assert card["photographs_fitted_on"] + card["photographs_held_out"] == 6
    assert f"validation MSE {card['validation_mse']}" in done.stdout
    fitted = parse_method(f"{name}:weights={weights[0]}")
    assert np.isfinite(fitted.restore(observation)).all()
    assert fitted.weights_sha256() == card["sha256"] != parse_method(name).weights_sha256()


def test_a_method_without_weights_has_nothing_to_train(tmp_path):
    done = inpaintbench_here("train", "harmonic", "--images", "skimage", "--out", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing to train" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_damaged_or_missing_weights_are_input_errors(tmp_path, observation):
    path = tmp_path / "gaussian.safetensors"
    method = parse_method(f"gaussian:weights={path}")
    with pytest.raises(InputError, match=r"gaussian\.safetensors does not exist"):
        method.restore(observation)
    for suffix in (".safetensors", ".toml"):
        shipped = SHIPPED / f"gaussian{suffix}"
        path.with_suffix(suffix).write_bytes(shipped.read_bytes())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="wrong hash"):
        method.restore(observation)
    other = parse_method(f"gaussian:weights={SHIPPED / 'pca.safetensors'}")
    with pytest.raises(InputError, match="holds components, noise, variances, not variogram"):
        other.restore(observation)


@pytest.mark.parametrize(
    "setting",
    [
        *("temper=0", "temper=1.5", "local=1", "spread=0", "taper=-1", "local=nan"),
        *("spread=1e-3", "spread=1e200", "taper=1e-200"),
    ],
)
def test_wrong_parameters_are_refused(setting):
    with pytest.raises(InputError, match="must be"):
        parse_method(f"gaussian-mixture:{setting}")


CHANGES = {
    "gaussian": lambda arrays: arrays | {"variograms": np.abs(arrays["variograms"]) ** 0.5},
    "pca": lambda arrays: arrays | {"noise": arrays["noise"] * 100},
    "gaussian-mixture": lambda arrays: arrays | {"scales": arrays["scales"] * 50},
}


@pytest.mark.parametrize("name", CHANGES)
def test_weights_that_are_replaced_take_effect_at_once(name, observation, tmp_path):
    arrays = safetensors.numpy.load((SHIPPED / f"{name}.safetensors").read_bytes())
    answers = []
    for content, file in (
        (arrays, "a"),
        (CHANGES[name](arrays), "a"),
        (CHANGES[name](arrays), "b"),
    ):
        path = tmp_path / f"{file}.safetensors"
        write_weights(safetensors.numpy.save(content), path, {})
        answers.append(parse_method(f"{name}:weights={path}").restore(observation))
    assert np.array_equal(answers[1], answers[2])
    assert np.abs(answers[0] - answers[1]).max() > 0.1
