"""How sure a ranking is: tests, groups, ranks, wins, and how many cases would be needed.

Everything works on a table of scores, (cases, methods) and lower is better, with NaN where a method
failed, and on the photograph of each case. Crops of one photograph are not independent, so every
test is one over photographs: of the mean differences within them.
"""

import numpy as np
import scipy  # whose stats take long to import: only once they are used
from numpy.typing import NDArray

from inpaintbench.reports.intervals import Floats, totals

LEVEL = 0.05  # of p-values, adjusted or not
POWER = 0.8  # chance to find a difference that is there
MOST = 10**9  # photographs: more than anyone has

Names = NDArray[np.generic]


def photograph_means(values: Floats, photographs: Names) -> Floats:
    """Mean score of each photograph: (photographs, methods), NaN where a method has none."""
    sums, sizes = totals(values, photographs)
    with np.errstate(invalid="ignore"):
        means: Floats = sums / sizes
    return means


def wilcoxon(differences: Floats) -> float:
    """Test by signed ranks whether differences lie around 0 (Wilcoxon 1945), two-sided.

    Parameters
    ----------
    differences : (photographs,) array
        Means within photographs; NaN ones are left out, and zeros, as Wilcoxon did.

    Returns
    -------
    float
        The p-value, exact for up to 50 photographs without ties; 1 where nothing differs, NaN
        where there is nothing to compare.
    """
    known = differences[~np.isnan(differences)]
    if not len(known):
        return float("nan")
    return float(scipy.stats.wilcoxon(known).pvalue) if known.any() else 1.0


def holm(p: Floats) -> Floats:
    """Adjust p-values for their number (Holm, Scandinavian Journal of Statistics 6(2), 1979).

    Those of all that stay below a level hold together at that level. NaN is not a test: it is not
    counted, and stays NaN.
    """
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return adjusted


def told_apart(values: Floats, photographs: Names) -> NDArray[np.bool_]:
    """Find the pairs of methods that differ beyond chance, of all pairs together.

    Pairs are tested by Wilcoxon's test on photographs with Holm's correction over all pairs, as
    Benavoli, Corani and Mangili advise over tests of mean ranks ("Should we really use post-hoc
    tests based on mean-ranks?", JMLR 17(5), 2016). The mean is what is scored: a method that is
    usually better, but worse on average, is not told apart.

    Returns
    -------
    (methods, methods) array
        True at [a, b] and [b, a] where a and b differ.
    """
    means = photograph_means(values, photographs)
    first, second = np.triu_indices(values.shape[1], 1)
    p, agree = np.ones(len(first)), np.zeros(len(first), bool)
    for k, (a, b) in enumerate(zip(first, second, strict=True)):
        paired = means[:, a] - means[:, b]
        p[k] = wilcoxon(paired)
        if p[k] < LEVEL:
            agree[k] = np.nansum(values[:, a] - values[:, b]) * _lean(paired) > 0
    found = np.zeros((values.shape[1],) * 2, bool)
    found[first, second] = (holm(p) < LEVEL) & agree
    return found | found.T


def _lean(differences: Floats) -> float:
    """Which way the signed ranks lean: positive if upwards."""
    known = differences[~np.isnan(differences) & (differences != 0)]
    return float(np.sign(known) @ scipy.stats.rankdata(np.abs(known))) if len(known) else 0.0


def groups(apart: NDArray[np.bool_]) -> list[str]:
    """Name the groups of neighbours in a ranking that cannot be told apart.

    A group is a longest run of ranks no two of which are told apart, as the bars of a critical
    difference diagram (Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets",
    JMLR 7, 2006) connect them. Groups overlap. Of two methods that share one it is not known
    whether they differ; of two that share none they do, or two that are ranked between them.

    Parameters
    ----------
    apart : (methods, methods) array
        As `told_apart` gives it, the methods in the order of their ranks.

    Returns
    -------
    list of str
        For each method the letter of its group, "a" with the best, or the first and last of
        several: "b-d".

    Examples
    --------
    >>> groups(np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool))  # only first and last differ
    ['a', 'a-b', 'b']
    """
    runs = runs_alike(apart)
    names = [[_letter(k) for k, run in enumerate(runs) if m in run] for m in range(len(apart))]
    return [own[0] if len(own) == 1 else f"{own[0]}-{own[-1]}" for own in names]


def runs_alike(apart: NDArray[np.bool_]) -> list[range]:
    """Find every longest run of ranks, also of one alone, no two of which are told apart.

    Examples
    --------
    >>> runs_alike(np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool))
    [range(0, 2), range(1, 3)]
    """
    runs = list[range]()
    for start in range(len(apart)):
        stop = start + 1
        while stop < len(apart) and not apart[start : stop + 1, start : stop + 1].any():
            stop += 1
        if not runs or stop > runs[-1].stop:
            runs.append(range(start, stop))
    return runs


def _letter(number: int) -> str:
    """A to z, then aa, ab, ..."""
    before, place = divmod(number, 26)
    return (_letter(before - 1) if before else "") + chr(ord("a") + place)


def ranks(values: Floats) -> Floats:
    """Rank the methods on each case, 1 the best: (cases, methods).

    Ties share their ranks' mean, and methods that failed come last.
    """
    ranked: Floats = scipy.stats.rankdata(np.where(np.isnan(values), np.inf, values), axis=1)
    return ranked


def win_matrix(values: Floats) -> Floats:
    """Share of cases on which the row's method beats the column's: (methods, methods).

    Of the cases that both restored; a tie is half a win. NaN on the diagonal, and for two methods
    that share no case.
    """
    count = values.shape[1]
    shares = np.full((count, count), np.nan)
    for a in range(count):
        less, more = values[:, [a]] < values, values[:, [a]] > values
        cases = (~np.isnan(values[:, [a]]) & ~np.isnan(values)).sum(axis=0)
        with np.errstate(invalid="ignore"):
            shares[a] = 0.5 + (less.sum(axis=0) - more.sum(axis=0)) / cases / 2
    np.fill_diagonal(shares, np.nan)
    return shares


def photographs_needed(difference: float, spread: float) -> float:
    """Count the photographs that would tell two methods apart, with a chance of 80 %.

    By Student's paired test at 5 %, two-sided, with the exact power (noncentral t).

    Parameters
    ----------
    difference : of the two means
    spread : standard deviation of the difference from one photograph to the next

    Returns
    -------
    float
        NaN where the difference is 0, or nothing is known of the spread; 2 at least.
    """
    if not difference or np.isnan(difference * spread):
        return float("nan")
    if not spread:
        return 2.0
    effect = abs(difference) / spread
    z = scipy.stats.norm.ppf(1 - LEVEL / 2) + scipy.stats.norm.ppf(POWER)
    count = max(2.0, np.floor((z / effect) ** 2))  # a little too few: Student's test needs more
    while count < MOST and _power(effect, count) < POWER:
        count += 1
    return float(count)


def _power(effect: float, count: float) -> float:
    """Chance that Student's test on `count` photographs finds an effect."""
    limit, centre = scipy.stats.t.ppf(1 - LEVEL / 2, count - 1), effect * np.sqrt(count)
    t = scipy.stats.nct
    found = t.sf(limit, count - 1, centre) + t.cdf(-limit, count - 1, centre)
    return float(found)
