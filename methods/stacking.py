"""Finding the weights of an ensemble on held-out photographs, and what they are worth there."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import make_folder
from inpaintbench.methods.fitted import described_fit
from inpaintbench.methods.method import Method, highest_value
from inpaintbench.methods.photographs import HELD_OUT_SEED, announced_split, draw_observations
from inpaintbench.methods.registry import parse_method
from inpaintbench.methods.training_pictures import write_training_pictures
from inpaintbench.methods.weights import write_weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Others earned nothing: see EXPERIMENTS.md.
MEMBERS = ("cnn", "cnn:size=small", "fsr:quality=true", "gaussian-mixture")
FOLDS = 10
RIDGE = 1e-6  # of the members' mean squared error: those that answer alike share their weight


def fit_ensemble(images: Sequence[str], folder: Path, seed: int = 0) -> dict[str, Any]:
    """Fit the weights of `MEMBERS`, and write them with a model card.

    One crop of each held-out photograph is restored by every member; the other photographs are
    not used, since the members were fitted or trained on them.

    Parameters
    ----------
    images : folders or zip archives of photographs, those that the members were fitted on
    folder : receives `ensemble.safetensors`, its card `ensemble.toml`, and
        `ensemble-pictures.safetensors`
    seed : of how the crops are divided for cross-fitting; the crops are those of all validations

    Returns
    -------
    dict
        The model card. `validation_mse` is cross-fitted: each photograph is scored by weights that
        were fitted on others alone. `gain` is how far that is below the best member, and
        `gain_error` the standard error of this difference over photographs.

    Raises
    ------
    InputError
        If fewer than two photographs are held out, or as `fit_method`.
    """
    import safetensors.numpy

    make_folder(folder)
    members = [parse_method(label) for label in MEMBERS]
    hashes = [member.weights_sha256() for member in members]  # finds bad weights before the work
    split = announced_split(images, "leave to the members")
    if len(split[1]) < 2:
        raise InputError("an ensemble is fitted on 2 held-out photographs or more: give more")
    start = time.monotonic()
    grams = error_products(members, *draw_observations(split[1], HELD_OUT_SEED))
    weights = best_weights(grams.mean(axis=0))
    seconds = time.monotonic() - start
    arrays = {"weights": weights.astype(np.float32)}
    card = described_fit("ensemble", images, split, arrays, seconds, seed) | {
        "photographs_fitted_on": len(split[1]),
        "members": list(MEMBERS),
        "members_sha256": hashes,
        **_validation(grams, seed),
        "weights": weights.round(3).tolist(),
    }
    path = folder / "ensemble.safetensors"
    card |= write_training_pictures(split[1], path)
    write_weights(safetensors.numpy.save(arrays), path, card)
    return card


def _validation(grams: Floats, seed: int) -> dict[str, Any]:
    """Say what the ensemble and its members score, for the card."""
    own = np.diagonal(grams, axis1=1, axis2=2)
    means = own.mean(axis=0)
    cross_fitted = cross_fitted_errors(grams, seed)
    gain = own[:, int(means.argmin())] - cross_fitted
    return {
        "members_mse": means.round(1).tolist(),
        "validation_mse": round(float(cross_fitted.mean()), 1),
        "validation": f"challenge MSE of the same crops, cross-fitted in {FOLDS} parts",
        "gain": round(float(gain.mean()), 1),
        "gain_error": round(float(gain.std(ddof=1) / np.sqrt(len(gain))), 1),
    }


def error_products(
    members: Sequence[Method], observations: Sequence[Observation], truths: Sequence[Array]
) -> Floats:
    """Multiply the errors that members make on each crop.

    Returns
    -------
    (crops, members, members) array
        Mean over a crop's hidden pixels of the product of two members' errors, in grey levels of
        0..255. Weights `w` that add up to 1 score `w @ gram @ w` on the crop.
    """
    errors: list[list[Floats]] = [[] for _ in observations]
    for member in members:
        for crop, o, truth, answer in zip(
            errors, observations, truths, member.predict_batch(observations), strict=True
        ):
            highest = highest_value(o)
            difference = np.clip(answer, 0, highest) - truth[o.mask]
            crop.append(difference.astype(np.float64).ravel() * (255 / highest))
        score = np.mean([np.square(crop[-1]).mean() for crop in errors])
        print(f"{member.label}: challenge MSE {score:.1f}", flush=True)
    stacks = [np.stack(crop) for crop in errors]
    return np.stack([stack @ stack.T / stack.shape[1] for stack in stacks])


def best_weights(gram: Floats) -> Floats:
    """Find the weights that add up to 1 of the least `w @ gram @ w`: `(members,)`."""
    count = len(gram)
    ridge = RIDGE * np.trace(gram) / count or 1.0
    weights = linalg.solve(gram + ridge * np.eye(count), np.ones(count), assume_a="pos")
    return np.asarray(weights / weights.sum())


def cross_fitted_errors(grams: Floats, seed: int) -> Floats:
    """Score every crop by weights that were fitted without its part of the crops."""
    part = folds(len(grams), seed)
    errors = np.empty(len(grams))
    for number in range(part.max() + 1):
        weights = best_weights(grams[part != number].mean(axis=0))
        out = part == number
        errors[out] = np.einsum("i,nij,j->n", weights, grams[out], weights)
    return errors


def folds(count: int, seed: int) -> Ints:
    """Divide crops into parts at random, of sizes as equal as can be: the part of each."""
    parts = np.arange(count) % min(FOLDS, count)
    return np.asarray(np.random.default_rng(seed).permutation(parts), np.int64)
