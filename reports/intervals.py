"""Confidence intervals that respect that crops of one photograph are not independent."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

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


def expanded_tail(photographs: int) -> float:
    """Share of resamples to leave out at either end, for so many photographs.

    The plain percentile interval is too narrow for few samples; this widens it as Student's
    interval is wider than the normal one (the expanded percentile interval of Hesterberg, "What
    teachers should know about the bootstrap", The American Statistician 69(4), 2015).
    """
    quantile = stats.t.ppf(0.5 + LEVEL / 2, photographs - 1)
    return float(stats.norm.cdf(-quantile * np.sqrt(photographs / (photographs - 1))))


def intervals(values: Floats, groups: NDArray[np.generic]) -> tuple[Floats, Floats]:
    """Compute 95 % intervals of the mean of each column, by resampling photographs.

    Both ends are NaN for a column without scores, and where there is one photograph alone. With
    few and unlike photographs the true level is below 95 %, since a sample says little of the
    extremes that it missed: see `tests/test_reports.py` for measured levels.
    """
    ends = np.full((2, values.shape[1]), np.nan)
    scored = ~np.isnan(values).all(axis=0)
    count = len(np.unique(groups))
    if scored.any() and count > 1:
        tail = expanded_tail(count)
        means = resampled_means(values[:, scored], groups)
        ends[:, scored] = np.nanquantile(means, [tail, 1 - tail], axis=0)
    return ends[0], ends[1]
