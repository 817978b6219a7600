"""Mixtures of Gaussian scale mixtures, tied over symmetries, fitted by expectation-maximisation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Symmetry = tuple[NDArray[np.int64], Floats32]  # an order of the dimensions, then their signs


@dataclass(frozen=True, eq=False)
class Mixture:
    """Zero-mean components of any contrast: each sample is a component's draw times a number.

    Attributes
    ----------
    covariances : (K, D, D) array
        Of samples scaled so that their squared Mahalanobis length is D.
    shares : (K,) array
        Of the samples, over all symmetries of a component.
    member, scale : (N,) arrays
        Each sample's component, and what it was multiplied by.
    """

    covariances: Floats
    shares: Floats
    member: NDArray[np.int64]
    scale: Floats


def fit_mixture(
    samples: Floats32,
    symmetries: Sequence[Symmetry],
    components: int,
    iterations: int,
    prior: float,
    seed: int,
) -> Mixture:
    """Fit a mixture by hard expectation-maximisation.

    A sample's direction alone counts (the angular central Gaussian distribution, D. Tyler,
    "Statistical analysis for the angular central Gaussian distribution on the sphere", Biometrika
    74, 1987), so that components tell structure and not contrast. Each component stands for its
    turned copies, too: a sample belongs to the component, and is turned by the symmetry, that make
    it likeliest (G. Celeux and G. Govaert, "A classification EM algorithm for clustering",
    Computational Statistics & Data Analysis 14, 1992).

    Parameters
    ----------
    samples : (N, D) array
    symmetries : the group under which the components are tied; the identity at least
    components : how many
    iterations : how many
    prior : samples that the overall covariance counts as, in each component's
    seed : of the samples that the components start from
    """
    count, dimensions = samples.shape
    overall = _overall(samples, symmetries)
    length = np.square(samples @ _whitener(overall)).sum(axis=1, dtype=np.float64)
    first = np.sqrt(dimensions / np.maximum(length, 1e-4 * length.mean()))
    even = (samples * first[:, None]).astype(np.float32)
    overall = _overall(even, symmetries)
    rng = np.random.default_rng(seed)
    starts = even[rng.choice(count, components, replace=components > count)].astype(np.float64)
    covariances = overall + (0 if components == 1 else 4) * starts[:, :, None] * starts[:, None, :]
    shares = np.full(components, 1 / components)
    for _ in range(iterations):
        member, turn, length = _assign(even, symmetries, covariances, shares)
        scale = np.sqrt(dimensions / np.maximum(length, 1e-6 * dimensions))
        turned = np.empty_like(even)
        for number, (order, signs) in enumerate(symmetries):
            of_it = turn == number
            turned[of_it] = even[of_it][:, order] * signs
        turned *= scale[:, None].astype(np.float32)
        sizes = np.bincount(member, minlength=components)
        sums = np.stack([turned[member == k].T @ turned[member == k] for k in range(components)])
        covariances = (sums + prior * overall) / (sizes + prior)[:, None, None]
        shares = (sizes + 1) / (count + components)
    return Mixture(covariances, shares, member, first * scale)


def _assign(
    samples: Floats32, symmetries: Sequence[Symmetry], covariances: Floats, shares: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Find each sample's component and symmetry, and its squared length under it."""
    count, dimensions = samples.shape
    cost = np.full(count, np.inf)
    length = np.zeros(count)
    member, turn = np.zeros(count, np.int64), np.zeros(count, np.int64)
    whiteners = [_whitener(covariance) for covariance in covariances]
    constants = np.linalg.slogdet(covariances)[1] - 2 * np.log(shares)
    for number, (order, signs) in enumerate(symmetries):
        turned = samples[:, order] * signs
        for k, whitener in enumerate(whiteners):
            white = turned @ whitener
            found = np.einsum("nd,nd->n", white, white).astype(np.float64)
            price = dimensions * np.log(np.maximum(found, 1e-30)) + constants[k]
            better = price < cost
            cost[better], length[better] = price[better], found[better]
            member[better], turn[better] = k, number
    return member, turn, length


def _overall(samples: Floats32, symmetries: Sequence[Symmetry]) -> Floats:
    """The samples' covariance, averaged over the symmetries."""
    plain = (samples.T @ samples).astype(np.float64) / len(samples)
    turned = [plain[np.ix_(o, o)] * np.outer(signs, signs) for o, signs in symmetries]
    return np.asarray(np.mean(turned, axis=0))


def _whitener(covariance: Floats) -> Floats32:
    """Matrix W with `(x @ W)` of unit covariance."""
    lower = np.linalg.cholesky(covariance)
    inverse = linalg.solve_triangular(lower, np.eye(len(lower)), lower=True)
    return np.ascontiguousarray(inverse.T.astype(np.float32))
