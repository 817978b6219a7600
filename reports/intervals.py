"""Confidence intervals that respect that crops of one photograph are not independent."""

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 4000
LEVEL = 0.95

Floats = NDArray[np.float64]


def resampled_means(values: Floats, groups: NDArray[np.generic]) -> Floats:
    """Means over resampled photographs: the cluster bootstrap (Efron and Tibshirani 1993).

    Whole photographs are drawn with replacement, each with all of its cases; the mean is over the
    cases so drawn. The generator has a fixed seed: the same scores give the same interval.

    Parameters
    ----------
    values : (cases, methods) array
        Scores; NaN where a method has none.
    groups : (cases,) array
        The photograph of each case.

    Returns
    -------
    (RESAMPLES, methods) array
    """
    _, number = np.unique(groups, return_inverse=True)
    count = number.max() + 1
    member = np.zeros((count, len(values)))
    member[number, np.arange(len(values))] = 1
    sums = member @ np.nan_to_num(values)
    sizes = member @ (~np.isnan(values)).astype(np.float64)
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    with np.errstate(invalid="ignore"):  # a resample may hold none of a method's cases
        means: Floats = (draws @ sums) / (draws @ sizes)
    return means


def intervals(values: Floats, groups: NDArray[np.generic]) -> tuple[Floats, Floats]:
    """Compute 95 % percentile intervals of the mean of each column.

    Both ends are NaN for a column without scores, and where there is one photograph alone.
    """
    ends = np.full((2, values.shape[1]), np.nan)
    scored = ~np.isnan(values).all(axis=0)
    if scored.any() and len(np.unique(groups)) > 1:
        tail = (1 - LEVEL) / 2
        means = resampled_means(values[:, scored], groups)
        ends[:, scored] = np.nanquantile(means, [tail, 1 - tail], axis=0)
    return ends[0], ends[1]
