"""Confidence intervals that respect that crops of one photograph are not independent.

Why this kind of interval and none of five others: `docs/statistics.md`, with what was measured.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy  # whose stats take long to import: only once they are used
from numpy.typing import NDArray
from scipy import sparse

RESAMPLES = 4000
LEVEL = 0.95
WIDEST = 2  # times Student's quantile: all that resamples may do to an interval of scores
BLOCKS = 1000  # more photographs than this are drawn in so many blocks of photographs

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]


class Totals(NamedTuple):
    """Sums over the cases of each photograph: all that a mean over photographs needs.

    Attributes
    ----------
    sums : (photographs, methods) array
        Of the scores.
    sizes : (photographs, methods) array
        How many cases have a score.
    """

    sums: Floats
    sizes: Floats


class Means(NamedTuple):
    """Means of columns and how far off they may be, each a `(methods,)` array.

    Attributes
    ----------
    mean, error : the mean over cases, and its standard error
    low, high : the 95 % interval
    p : probability of a mean so far from 0, if the true one were 0
    """

    mean: Floats
    error: Floats
    low: Floats
    high: Floats
    p: Floats


def totals(values: Floats, groups: NDArray[np.generic]) -> Totals:
    """Add up the scores of each photograph.

    Parameters
    ----------
    values : (cases, methods) array
        Scores; NaN where a method has none.
    groups : (cases,) array
        The photograph of each case.
    """
    _, number = np.unique(groups, return_inverse=True)
    places = (number, np.arange(len(number)))
    member = sparse.csr_array((np.ones(len(number)), places))
    return Totals(member @ np.nan_to_num(values), member @ (~np.isnan(values)).astype(np.float64))


def in_blocks(photographs: Totals) -> Totals:
    """Join photographs at random into `BLOCKS` blocks, where there are more.

    Blocks of photographs are as independent as photographs are, and a thousand of them say as much
    about the spread of a mean; so the cost of the bootstrap stays what it is, however many cases.
    """
    count = len(photographs.sums)
    if count <= BLOCKS:
        return photographs
    number = np.random.default_rng(0).permutation(count) % BLOCKS
    member = sparse.csr_array((np.ones(count), (number, np.arange(count))))
    return Totals(member @ photographs.sums, member @ photographs.sizes)


@lru_cache(maxsize=2)
def _draws(count: int) -> Floats:
    """How often each of `count` photographs is drawn: (RESAMPLES, count).

    The generator has a fixed seed, so that the same scores give the same interval.
    """
    chances = np.full(count, 1 / count)
    return np.random.default_rng(0).multinomial(count, chances, RESAMPLES).astype(np.float64)


def estimate(values: Floats, groups: NDArray[np.generic]) -> Means:
    """Estimate the mean of each column with a 95 % interval, by resampling photographs.

    The symmetric bootstrap-t interval (Hall, "On symmetric bootstrap confidence intervals", Journal
    of the Royal Statistical Society B 50(1), 1988; Efron and Tibshirani, "An Introduction to the
    Bootstrap", 1993, chapter 12) of a ratio of sums over photographs: whole photographs are drawn
    with replacement, each with all of its cases, and for every resample its mean's distance from
    the sample's mean is divided by its own standard error. Two departures: resamples without any
    spread are left out, and the interval is never narrower than Student's, so that two or three
    photographs give a wide interval and not none.

    Parameters
    ----------
    values : (cases, methods) array
        Scores; NaN where a method has none.
    groups : (cases,) array
        The photograph of each case.

    Returns
    -------
    Means
        The mean is NaN for a column without scores, all else also where there are scores of one
        photograph alone.
    """
    sample = _resample(values, groups)
    distances = np.abs(sample.moved) / sample.errors
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.abs(sample.mean) / sample.error
    width = np.maximum(_quantiles(distances), sample.students) * sample.error
    usable = np.isfinite(distances).sum(axis=0)
    exceeding = ((distances >= observed).sum(axis=0) + 1) / (usable + 1)
    p = np.maximum(exceeding, 2 * scipy.stats.t.sf(observed, sample.degrees))
    p[(sample.mean == 0) & (sample.error == 0)] = 1  # nothing differs anywhere
    return Means(sample.mean, sample.error, sample.mean - width, sample.mean + width, p)


def intervals(values: Floats, groups: NDArray[np.generic]) -> tuple[Floats, Floats]:
    """Compute 95 % intervals of the mean of each column, as `estimate` does.

    Both ends are NaN for a column without scores, and for one of one photograph alone.
    """
    made = estimate(values, groups)
    return made.low, made.high


def score_intervals(scores: Floats, groups: NDArray[np.generic]) -> tuple[Floats, Floats]:
    """Compute 95 % intervals of the mean of each column of scores, none of which is negative.

    As `intervals`, but for the logarithm of the mean, whose standard error is the mean's divided by
    the mean: scores have a long upper tail, so a mean may be too low by more than it may be too
    high. Resamples widen the interval to twice Student's at the most: those of five photographs may
    hold four alike, whose small error would make the interval endless.
    """
    sample = _resample(scores, groups)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        means = sample.mean + sample.moved
        distances = np.abs(np.log(means / sample.mean)) * means / sample.errors
        most = np.minimum(_quantiles(distances), WIDEST * sample.students)
        ratio = np.exp(np.maximum(most, sample.students) * sample.error / sample.mean)
    ratio[sample.mean == 0] = 1
    return sample.mean / ratio, sample.mean * ratio


class _Sample(NamedTuple):
    """Means of columns and of their resamples: `(methods,)` and `(RESAMPLES, methods)` arrays.

    Attributes
    ----------
    mean, error : the mean over cases, and its standard error
    degrees, students : of freedom, and the quantile of Student's distribution for an interval
    moved, errors : of each resample, how far its mean is from the sample's, and its standard error;
        NaN of a resample without any spread
    """

    mean: Floats
    error: Floats
    degrees: Floats
    students: Floats
    moved: Floats
    errors: Floats


def _resample(values: Floats, groups: NDArray[np.generic]) -> _Sample:
    """Draw photographs. The sums of squares are of residuals, not of scores: nothing cancels."""
    photographs = in_blocks(totals(values, groups))
    size, sums = photographs.sizes, photographs.sums
    count = (size > 0).sum(axis=0)
    draws = _draws(len(sums))
    with np.errstate(invalid="ignore", divide="ignore"):  # columns that say nothing become NaN
        mean = sums.sum(axis=0) / size.sum(axis=0)
        residual = sums - np.where(size > 0, mean * size, 0)
        factor = np.where(count > 1, count / (count - 1), np.nan)
        error = np.sqrt(factor * (residual**2).sum(axis=0)) / size.sum(axis=0)
        drawn = draws @ size
        moved = (draws @ residual) / drawn
        squares = draws @ residual**2 - 2 * moved * (draws @ (residual * size))
        squares += moved**2 * (draws @ size**2)
        errors = np.sqrt(np.maximum(factor * squares, 0)) / drawn
    # One photograph, drawn over and over:
    errors[squares <= 1e-12 * (draws @ residual**2)] = np.nan
    alike = (count > 1) & ~np.isfinite(errors).any(axis=0)  # one difference everywhere
    moved[:, alike], errors[:, alike] = 0, 1
    degrees = np.maximum(count - 1, 1).astype(np.float64)
    students = scipy.stats.t.ppf(0.5 + LEVEL / 2, degrees)
    return _Sample(mean, error, degrees, students, moved, errors)


def _quantiles(distances: Floats) -> Floats:
    """Quantile of each column's finite distances; NaN where there are none."""
    found = [column[np.isfinite(column)] for column in distances.T]
    return np.array([np.quantile(column, LEVEL) if len(column) else np.nan for column in found])
