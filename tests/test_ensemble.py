"""The ensemble: its weights against scipy's optimiser, its answers against sums by hand."""

import sys

import numpy as np
import pytest
import safetensors.numpy
from conftest import observe
from PIL import Image
from scipy import optimize
from scipy.ndimage import gaussian_filter
from skimage import data

from inpaintbench.datasets import InputError, Observation
from inpaintbench.methods import Method, parse_method, stacking
from inpaintbench.methods.ensemble import Ensemble
from inpaintbench.methods.photographs import HELD_OUT_SEED, announced_split, draw_observations
from inpaintbench.methods.stacking import (
    FOLDS,
    best_weights,
    cross_fitted_errors,
    error_products,
    folds,
)
from inpaintbench.methods.weights import SHIPPED, read_card, write_weights


def made(folder, weights, members):
    """An ensemble with these weights."""
    path = folder / "e.safetensors"
    arrays = {"weights": np.array(weights, np.float32)}
    write_weights(safetensors.numpy.save(arrays), path, {"members": list(members)})
    return Ensemble(weights=str(path))


def random_gram(seed, members=5, samples=7):
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(members, samples)) + rng.normal(size=samples) * rng.gamma(1)
    return errors @ errors.T


def best_by_slsqp(gram):
    """The least of a quadratic form whose weights add up to 1, by a general optimiser."""
    count, scale = len(gram), np.trace(gram)
    found = optimize.minimize(
        lambda w: w @ gram @ w / scale,
        np.full(count, 1 / count),
        jac=lambda w: 2 * gram @ w / scale,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    return found.x


@pytest.mark.parametrize("seed", range(20))
def test_weights_add_up_to_1_and_are_as_good_as_scipys(seed):
    gram = random_gram(seed)
    weights, scipys = best_weights(gram), best_by_slsqp(gram)
    assert weights.sum() == pytest.approx(1)
    assert weights @ gram @ weights <= scipys @ gram @ scipys + 1e-5 * np.trace(gram)
    np.testing.assert_allclose(weights, scipys, atol=1e-2)


@pytest.mark.parametrize(
    ("gram", "weights"),
    [
        ([[1, 0], [0, 4]], [0.8, 0.2]),  # independent errors: as the inverse of their variances
        ([[1, 1.5], [1.5, 4]], [1.25, -0.25]),  # the second errs alike and more: away from it
        ([[0, 0], [0, 0]], [0.5, 0.5]),  # both perfect
        ([[3, 3], [3, 3]], [0.5, 0.5]),  # both the same
        ([[0, 0], [0, 1]], [1, 0]),
    ],
)
def test_the_optimum_of_two_members_is_the_textbooks(gram, weights):
    np.testing.assert_allclose(best_weights(np.array(gram, float)), weights, atol=1e-5)


@pytest.mark.parametrize("count", [2, 9, 10, 57])
def test_the_parts_divide_the_photographs(count):
    sizes = np.bincount(folds(count, 3))
    assert sizes.sum() == count
    assert len(sizes) == min(count, FOLDS)
    assert sizes.max() - sizes.min() <= 1


def test_no_photograph_is_scored_by_weights_that_saw_it():
    grams = np.stack([random_gram(seed) for seed in range(35)])
    errors = cross_fitted_errors(grams, seed=1)
    part = folds(35, 1)
    for number in (0, 17, 34):
        weights = best_by_slsqp(grams[part != part[number]].mean(axis=0))
        assert errors[number] == pytest.approx(weights @ grams[number] @ weights, rel=1e-3)
        changed = grams.copy()
        changed[number] *= 1000
        again = cross_fitted_errors(changed, seed=1)
        assert again[number] == pytest.approx(1000 * errors[number])  # by the same weights
        same_part = (part == part[number]) & (np.arange(35) != number)
        np.testing.assert_allclose(again[same_part], errors[same_part])


def test_products_of_errors_score_a_mean_as_it_would_be_scored():
    cut = data.camera()
    truths = [cut[100:170, 200:293], (cut[:80, 300:375].astype(np.uint16) + 1) * 256 - 1]
    boxes = [(slice(30, 41), slice(40, 57)), (slice(40, 45), slice(20, 29))]
    observations = [observe(truth, box) for truth, box in zip(truths, boxes, strict=True)]
    members = [parse_method("harmonic"), parse_method("ring-mean")]
    grams = error_products(members, observations, truths)
    weights = np.array([1.7, -0.7])
    for observation, truth, gram in zip(observations, truths, grams, strict=True):
        answers = [member.restore(observation) for member in members]
        mean = weights[0] * answers[0] + weights[1] * answers[1]
        grey = 255 / np.iinfo(truth.dtype).max
        expected = np.square((mean - truth)[observation.mask] * grey).mean()
        assert weights @ gram @ weights == pytest.approx(expected)


class Beyond(Method):
    """Answers with more than there is."""

    name = "beyond"
    family = "test"

    def restore(self, observation):
        return np.full(observation.image.shape, 1.2 * np.iinfo(observation.image.dtype).max)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_leaves_the_range_is_clipped_before_its_errors_are_multiplied(dtype):
    """A member is charged with what it would be scored as alone."""
    highest = np.iinfo(dtype).max
    truth = (data.camera()[:70, :90] * (highest / 255)).astype(dtype)
    observation = observe(truth, (slice(30, 41), slice(40, 57)))
    (gram,) = error_products([Beyond(), parse_method("mean")], [observation], [truth])
    white = (highest - truth[observation.mask].astype(float)) * (255 / highest)
    assert gram[0, 0] == pytest.approx(np.mean(white**2))


def test_the_answer_is_the_mean_made_by_hand(tmp_path):
    """Two holes, in colour and 16 bits; weights far from 0 lead out of the range of values."""
    members, weights = ("harmonic", "telea:radius=5", "ring-mean"), [9.5, -4.0, -4.5]
    ensemble = made(tmp_path, weights, members)
    picture = data.astronaut()[:90, 200:300].astype(np.uint16) * 257
    mask = np.zeros((90, 100), bool)
    small, large = (slice(20, 25), slice(20, 26)), (slice(50, 61), slice(60, 71))
    mask[small] = mask[large] = True
    observation = Observation(np.where(mask[..., None], 0, picture).astype(np.uint16), mask)
    answers = [parse_method(member).restore(observation) for member in members]
    mean = sum(w * a for w, a in zip(weights, answers, strict=True))
    assert (mean < 0).any()
    restored = ensemble.restore(observation)
    np.testing.assert_allclose(restored[mask], mean[mask].clip(0, 65535), rtol=1e-6)
    assert np.array_equal(restored[~mask], picture[~mask])
    batch = ensemble.restore_batch([observation, observe(data.camera()[:70, :90], small)])
    np.testing.assert_allclose(batch[0], restored)
    assert batch[1].shape == (70, 90)


def test_it_expects_what_its_first_member_that_can_expects(tmp_path):
    observation = observe(data.camera()[:80, 200:290], (slice(30, 41), slice(40, 47)))
    members = ("harmonic", "cnn:size=small:symmetries=no")
    ensemble = made(tmp_path, [0.5, 0.5], members)
    ensemble.restore_batch([observation])
    (errors,) = ensemble.expected_errors([observation])
    (of_member,) = parse_method(members[1]).expected_errors([observation])
    np.testing.assert_allclose(errors, of_member)
    assert made(tmp_path, [1.0], members[:1]).expected_errors([observation]) is None


def test_the_hash_covers_the_members_weights(tmp_path):
    path = tmp_path / "g.safetensors"
    arrays = safetensors.numpy.load((SHIPPED / "gaussian.safetensors").read_bytes())
    hashes = []
    for factor in (1, 2):
        content = safetensors.numpy.save({"variogram": arrays["variogram"] * np.float32(factor)})
        write_weights(content, path, {})
        hashes.append(made(tmp_path, [1], [f"gaussian:weights={path}"]).weights_sha256())
    hashes.append(made(tmp_path, [1], ["gaussian"]).weights_sha256())
    hashes.append(made(tmp_path, [0.5], ["gaussian"]).weights_sha256())
    assert len(set(hashes)) == 4


@pytest.mark.parametrize(
    ("members", "weights", "words"),
    [
        ([], [1], "names no members"),
        (["harmonic"], [0.5, 0.5], "a weight for each of its members"),
        (["harmonicc"], [1], "did you mean harmonic"),
    ],
)
def test_a_card_and_weights_that_do_not_fit_are_input_errors(
    members, weights, words, tmp_path, observation
):
    with pytest.raises(InputError, match=words):
        made(tmp_path, weights, members).restore(observation)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Generated photographs: smooth random fields."""
    folder = tmp_path_factory.mktemp("generated")
    rng = np.random.default_rng(0)
    for number in range(60):
        field = gaussian_filter(rng.normal(size=(120, 140)), 2.0, mode="wrap")
        pixels = np.clip(128 + 45 * field / field.std(), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_fitting_through_the_command_line(folder, tmp_path, monkeypatch, capsys):
    from inpaintbench.benchmarks import app

    monkeypatch.setattr(stacking, "MEMBERS", ("harmonic", "fsr", "ring-mean"))
    weights = []
    for out in ("first", "second"):
        command = ["inpaintbench", "train", "ensemble", "--images", str(folder), "--out"]
        monkeypatch.setattr(sys, "argv", [*command, str(tmp_path / out), "--seed", "3"])
        with pytest.raises(SystemExit) as end:
            app.main()
        assert end.value.code == 0
        weights.append(tmp_path / out / "ensemble.safetensors")
    assert weights[0].read_bytes() == weights[1].read_bytes()
    card = read_card(weights[0])
    assert f"validation MSE {card['validation_mse']}" in capsys.readouterr().out
    assert card["members"] == ["harmonic", "fsr", "ring-mean"]
    assert card["gain"] == pytest.approx(min(card["members_mse"]) - card["validation_mse"], abs=0.2)
    assert sum(card["weights"]) == pytest.approx(1, abs=0.01)
    _, held_out = announced_split([str(folder)], "leave alone")  # fitted on these alone
    assert card["photographs_fitted_on"] == len(held_out) == card["photographs_held_out"]
    ensemble = parse_method(f"ensemble:weights={weights[0]}")
    scores = {}
    observations, truths = draw_observations(held_out, HELD_OUT_SEED)
    for method in (ensemble, *ensemble.members):
        answers = method.predict_batch(observations)
        scores[method.label] = np.mean(
            [
                np.square(a.clip(0, 255) - t[o.mask]).mean()
                for a, o, t in zip(answers, observations, truths, strict=True)
            ]
        )
    own, *members = scores.values()
    np.testing.assert_allclose(members, card["members_mse"], atol=0.1)
    assert own <= card["validation_mse"] + 0.1  # fitted on the crops itself: no worse


def test_one_photograph_to_fit_on_is_too_few(tmp_path, monkeypatch):
    monkeypatch.setattr(stacking, "MEMBERS", ("harmonic", "fsr"))
    for k in range(2):
        Image.fromarray(data.camera()[k * 100 : k * 100 + 120]).save(tmp_path / f"{k}.png")
    with pytest.raises(InputError, match="2 held-out photographs or more"):
        stacking.fit_ensemble([str(tmp_path)], tmp_path / "out")


def test_what_is_shipped_belongs_to_the_members_that_are_shipped():
    """Whoever replaces a member's weights has to fit the ensemble again."""
    card = read_card(SHIPPED / "ensemble.safetensors")
    ensemble = parse_method("ensemble")
    assert card["members_sha256"] == [member.weights_sha256() for member in ensemble.members]
    assert card["validation_mse"] <= min(card["members_mse"])
    described = " ".join((Ensemble.__doc__ or "").split())
    assert all(label in described for label in card["members"])
