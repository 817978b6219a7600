"""Finding the weights of an ensemble on held-out photographs, and what they are worth there."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import make_folder
from inpaintbench.methods.ensemble import area_bins
from inpaintbench.methods.fitted import described_fit
from inpaintbench.methods.method import Method, highest_value
from inpaintbench.methods.photographs import HELD_OUT_SEED, announced_split, draw_observations
from inpaintbench.methods.registry import parse_method
from inpaintbench.methods.training_pictures import write_training_pictures
from inpaintbench.methods.weights import write_weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MEMBERS = ("cnn", "fsr:quality=true")  # others earned nothing: see EXPERIMENTS.md
AREAS = (81, 169, 289)  # largest hidden area of every bin but the last
FOLDS = 10
PRIOR = 100  # crops of any area that count in every bin: two draws of crops differ by as much


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
    grams, areas = error_products(members, *draw_observations(split[1], HELD_OUT_SEED))
    bins = area_bins(areas, np.array(AREAS, np.float64))
    weights = fit_weights(grams, bins, len(AREAS) + 1)
    seconds = time.monotonic() - start
    arrays = {"areas": np.array(AREAS, np.float32), "weights": weights.astype(np.float32)}
    card = described_fit("ensemble", images, split, arrays, seconds, seed) | {
        "photographs_fitted_on": len(split[1]),
        "members": list(MEMBERS),
        "members_sha256": hashes,
        **_validation(grams, bins, seed),
        "areas": list(AREAS),
        "weights": weights.round(3).tolist(),
    }
    path = folder / "ensemble.safetensors"
    card |= write_training_pictures(split[1], path)
    write_weights(safetensors.numpy.save(arrays), path, card)
    return card


def _validation(grams: Floats, bins: NDArray[np.intp], seed: int) -> dict[str, Any]:
    """Say what the ensemble and its members score, for the card."""
    own = np.diagonal(grams, axis1=1, axis2=2)
    means = own.mean(axis=0)
    cross_fitted = cross_fitted_errors(grams, bins, len(AREAS) + 1, seed)
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
) -> tuple[Floats, Ints]:
    """Multiply the errors that members make on each crop.

    Returns
    -------
    grams : (crops, members, members) array
        Mean over a crop's hidden pixels of the product of two members' errors, in grey levels of
        0..255. Weights `w` score `w @ gram @ w` on the crop.
    areas : (crops,) array
        Hidden pixels of each crop.
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
    areas = np.array([int(o.mask.sum()) for o in observations], np.int64)
    return np.stack([stack @ stack.T / stack.shape[1] for stack in stacks]), areas


def simplex_weights(gram: Floats) -> Floats:
    """Find the weights, none negative and adding up to 1, of the least `w @ gram @ w`.

    By non-negative least squares (C. Lawson and R. Hanson 1974) of a root of `gram` and one more
    row that pulls the sum towards 1: whatever sum it leaves, the proportions are exact, as the
    least of `s^2 q + c (1 - s)^2` over the sum `s` grows with what they score, `q`.
    """
    values, vectors = linalg.eigh(gram)
    root = (vectors * np.sqrt(np.maximum(values, 0))).T
    scale = np.sqrt(np.trace(gram) / len(gram)) or 1.0
    system = np.vstack([root / scale, np.ones(len(gram))])
    weights, _ = optimize.nnls(system, np.append(np.zeros(len(gram)), 1.0))
    return np.asarray(weights / weights.sum())


def fit_weights(grams: Floats, bins: NDArray[np.intp], count: int) -> Floats:
    """Fit weights for each bin of areas: `(count, members)`."""
    overall = PRIOR * grams.mean(axis=0)
    return np.stack([simplex_weights(overall + grams[bins == b].sum(axis=0)) for b in range(count)])


def cross_fitted_errors(grams: Floats, bins: NDArray[np.intp], count: int, seed: int) -> Floats:
    """Score every crop by weights that were fitted without its part of the crops."""
    part = folds(len(grams), seed)
    errors = np.empty(len(grams))
    for number in range(part.max() + 1):
        left, out = part != number, part == number
        weights = fit_weights(grams[left], bins[left], count)[bins[out]]
        errors[out] = np.einsum("ni,nij,nj->n", weights, grams[out], weights)
    return errors


def folds(count: int, seed: int) -> Ints:
    """Divide crops into parts at random, of sizes as equal as can be: the part of each."""
    parts = np.arange(count) % min(FOLDS, count)
    return np.asarray(np.random.default_rng(seed).permutation(parts), np.int64)
