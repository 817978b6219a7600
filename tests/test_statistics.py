"""Intervals, tests, groups and plans, against scipy, statsmodels and definitions written out."""

import doctest
import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from test_reports import NAN, made_up

from inpaintbench.datasets import InputError
from inpaintbench.reports import statistics
from inpaintbench.reports.coverage import coverage
from inpaintbench.reports.intervals import BLOCKS, estimate, intervals, score_intervals

UNEVEN = np.repeat(list("abcdefgh"), [1, 2, 3, 4, 5, 6, 7, 8])


def column(values):
    return np.asarray(values, float)[:, None]


def test_intervals_are_those_of_the_definition():
    """The symmetric bootstrap-t, resample by resample, with photographs drawn by their names.

    For scores the same of the logarithm, whose error is the mean's by the mean.
    """
    rng = np.random.default_rng(0)
    values = rng.gamma(2, 100, len(UNEVEN))

    def mean_and_error(parts):
        sizes, sums = np.array([len(p) for p in parts]), np.array([p.sum() for p in parts])
        mean = sums.sum() / sizes.sum()
        squares = ((sums - mean * sizes) ** 2).sum() * len(parts) / (len(parts) - 1)
        return mean, np.sqrt(squares) / sizes.sum()

    parts = [values[p == UNEVEN] for p in "abcdefgh"]
    mean, error = mean_and_error(parts)
    distances, logarithms = [], []
    for _ in range(6000):
        drawn_mean, drawn_error = mean_and_error([parts[k] for k in rng.integers(0, 8, 8)])
        distances.append(abs(drawn_mean - mean) / drawn_error if drawn_error else 0)
        relative = drawn_error / drawn_mean
        logarithms.append(abs(np.log(drawn_mean / mean)) / relative if relative else 0)
    width = np.quantile(distances, 0.95) * error
    made = estimate(column(values), UNEVEN)
    assert made.mean[0] == pytest.approx(values.mean())
    assert made.high[0] - mean == pytest.approx(width, rel=0.08)
    assert mean - made.low[0] == pytest.approx(width, rel=0.08)
    log_width = np.quantile(logarithms, 0.95) * error / mean
    low, high = score_intervals(column(values), UNEVEN)
    assert np.log(high[0] / mean) == pytest.approx(log_width, rel=0.08)
    assert np.log(mean / low[0]) == pytest.approx(log_width, rel=0.08)


def test_standard_errors_are_statsmodels_clustered_ones():
    values = np.random.default_rng(1).gamma(2, 100, len(UNEVEN))
    numbers = np.unique(UNEVEN, return_inverse=True)[1]
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": numbers})
    assert estimate(column(values), UNEVEN).error[0] == pytest.approx(fit.bse[0])


def test_intervals_of_many_independent_cases_are_students_and_scipys_bootstrap():
    values = np.random.default_rng(2).gamma(2, 100, 400)
    low, high = intervals(column(values), np.arange(400))
    student = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    percentile = stats.bootstrap((values,), np.mean, rng=0).confidence_interval
    for other in (student, percentile):
        assert (low[0], high[0]) == pytest.approx(other, abs=0.15 * stats.sem(values))
    of_scores = [end[0] for end in score_intervals(column(values), np.arange(400))]
    assert of_scores == pytest.approx(student, abs=0.15 * stats.sem(values))


def test_p_values_of_means_belong_to_their_intervals():
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(12), 4)
    values = rng.normal(0.5, 1, (12, 300))[group] + rng.normal(0, 1, (48, 300))
    made = estimate(values, group)
    excluded = (made.low > 0) | (made.high < 0)
    clear = np.abs(made.p - 0.05) > 0.001
    assert 50 < excluded.sum() < 250
    assert np.array_equal(excluded[clear], made.p[clear] < 0.05)


@pytest.mark.parametrize(
    ("photographs", "spread", "paired"),
    [(count, 0.6, paired) for count in (5, 17, 60, 200) for paired in (False, True)]
    + [(200, 1.1, False), (200, 1.1, True)],
)
def test_intervals_hold_what_they_promise(photographs, spread, paired):
    assert 0.93 <= coverage(photographs, spread, paired) <= 0.97


def test_where_intervals_hold_less_than_they_promise_is_as_documented():
    """Few photographs of very unequal difficulty: a sample says little of what it missed."""
    assert 0.87 <= coverage(17, 1.1, paired=False) < 0.93
    assert 0.90 <= coverage(17, 1.1, paired=True) < 0.94


def test_failures_are_left_out_and_do_not_touch_other_methods():
    values = np.random.default_rng(4).gamma(2, 100, (len(UNEVEN), 3))
    whole = estimate(values, UNEVEN)
    values[::3, 1] = NAN
    values[:, 2] = NAN
    made = estimate(values, UNEVEN)
    kept = ~np.isnan(values[:, 1])
    alone = estimate(values[kept, 1:2], UNEVEN[kept])
    assert [m[0] for m in made] == [m[0] for m in whole]
    assert made.mean[1] == pytest.approx(alone.mean[0])
    assert made.error[1] == pytest.approx(alone.error[0])
    assert np.isnan([m[2] for m in made]).all()


@pytest.mark.parametrize("photographs", [2, 3, 4])
def test_two_or_three_photographs_give_a_wide_interval_and_one_none(photographs):
    values = np.arange(3.0 * photographs)
    group = np.repeat(np.arange(photographs), 3)
    low, high = intervals(column(values), group)
    means = values.reshape(photographs, 3).mean(axis=1)
    student = stats.t.interval(0.95, photographs - 1, means.mean(), stats.sem(means))
    assert low[0] <= student[0] + 1e-9
    assert high[0] >= student[1] - 1e-9
    assert np.isfinite([low, high]).all()
    low, high = score_intervals(column(values), group)
    relative = (student[1] - student[0]) / 2 / means.mean()
    assert np.log(high[0] / low[0]) >= 2 * relative - 1e-9
    assert np.isfinite([low, high]).all()
    assert np.isnan(intervals(column(values), np.zeros(len(values)))).all()
    assert np.isnan(intervals(column([5]), np.array(["one"]))).all()


def test_resamples_widen_an_interval_of_scores_to_twice_students_at_the_most():
    """Four of five photographs alike, of one case each: resamples of these four alone err by 0."""
    scores = np.array([10.0, 10.1, 9.9, 10.0, 90.0])
    relative = scores.std(ddof=1) / np.sqrt(5) / scores.mean()
    widest = 2 * stats.t.ppf(0.975, 4) * relative
    low, high = score_intervals(scores[:, None], np.arange(5))
    assert np.log(high[0] / scores.mean()) == pytest.approx(widest)
    assert np.log(scores.mean() / low[0]) == pytest.approx(widest)


def test_what_never_differs_has_an_interval_of_no_width():
    group = np.repeat(np.arange(5), 3)
    same, more = estimate(column(np.zeros(15)), group), estimate(column(np.full(15, 0.1)), group)
    assert (same.low[0], same.high[0], same.p[0]) == (0, 0, 1)
    assert (more.low[0], more.high[0]) == pytest.approx((0.1, 0.1))
    assert more.p[0] < 0.001
    assert score_intervals(column(np.zeros(15)), group) == (0, 0)
    assert score_intervals(column(np.full(15, 0.1)), group) == (
        pytest.approx([0.1]),
        pytest.approx([0.1]),
    )


def test_many_photographs_in_blocks_say_what_they_say_alone():
    values = np.random.default_rng(5).gamma(1, 100, 20 * BLOCKS)
    low, high = intervals(column(values), np.arange(len(values)))
    student = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    assert (low[0], high[0]) == pytest.approx(student, abs=0.2 * stats.sem(values))


def test_holm_is_statsmodels_and_ignores_what_is_no_test():
    p = np.random.default_rng(6).uniform(0, 0.2, 40) ** 2
    assert statistics.holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    with_gaps = np.insert(p, [0, 7, 40], NAN)
    adjusted = statistics.holm(with_gaps)
    assert np.array_equal(np.isnan(adjusted), np.isnan(with_gaps))
    assert adjusted[~np.isnan(with_gaps)] == pytest.approx(statistics.holm(p))
    assert len(statistics.holm(np.array([]))) == 0


def test_wilcoxon_is_exact_over_all_signs():
    differences = np.array([1.0, -2, 3, 4, -5, 6, 7, 8, 9])
    ranks = stats.rankdata(np.abs(differences))
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product([0, 1], repeat=9)])
    mine = ranks[differences > 0].sum()
    expected = 2 * min((sums >= mine).mean(), (sums <= mine).mean())
    assert statistics.wilcoxon(np.append(differences, NAN)) == pytest.approx(expected)


def test_wilcoxon_of_nothing():
    assert statistics.wilcoxon(np.zeros(5)) == 1
    assert np.isnan(statistics.wilcoxon(np.array([NAN])))


def test_differences_test_photographs_and_not_crops():
    rng = np.random.default_rng(7)
    photographs = np.repeat(np.arange(9), 20).astype(str)
    base = rng.gamma(2, 100, 180)
    shift = np.repeat(rng.normal(3, 5, 9), 20)
    run = made_up({"a": base, "b": base + shift, "c": base + 50 + shift}, photographs)
    table = run.differences().set_index("method")
    for label in table.index:
        paired = (run.mse[label] - run.mse[run.leaderboard()["method"][0]]).to_numpy()
        means = pd.Series(paired).groupby(photographs).mean()
        assert table.loc[label, "p"] == pytest.approx(stats.wilcoxon(means).pvalue)
    assert table["p_holm"].tolist() == pytest.approx(multipletests(table["p"], method="holm")[1])


def test_groups_are_the_longest_runs_without_a_difference():
    """Against every run of ranks, tried out."""
    rng = np.random.default_rng(8)
    for share in (0, 0.05, 0.2, 0.6, 1):
        upper = np.triu(rng.random((9, 9)) < share, 1)
        apart = upper | upper.T
        runs = [(i, j) for i in range(9) for j in range(i, 9)]
        free = [(i, j) for i, j in runs if not apart[i : j + 1, i : j + 1].any()]
        longest = [(i, j) for i, j in free if not {(i - 1, j), (i, j + 1)} & set(free)]
        letters = [
            ["abcdefghi"[k] for k, (i, j) in enumerate(longest) if i <= m <= j] for m in range(9)
        ]
        expected = [x[0] if len(x) == 1 else f"{x[0]}-{x[-1]}" for x in letters]
        assert statistics.groups(apart) == expected


def test_there_are_letters_for_any_number_of_groups():
    names = statistics.groups(~np.eye(60, dtype=bool))
    assert names[:2] + names[25:28] + names[52:54] == ["a", "b", "z", "aa", "ab", "ba", "bb"]


def test_a_method_usually_better_but_worse_on_average_is_not_told_apart():
    rng = np.random.default_rng(9)
    base = rng.gamma(2, 100, 40)
    risky = base - 5
    risky[0] += 2000
    clear = base - 5 + rng.normal(0, 1, 40)
    values = np.column_stack([base, risky, clear])
    assert stats.wilcoxon(base - risky).pvalue < 0.001
    apart = statistics.told_apart(values, np.arange(40))
    assert not apart[0, 1]
    assert apart[0, 2]
    assert np.array_equal(apart, apart.T)


def test_equal_methods_are_rarely_told_apart():
    """Of 100 boards of 6 equal methods, about 5 at the most find a difference."""
    rng = np.random.default_rng(10)
    photographs = np.repeat(np.arange(15), 3)
    found = 0
    for _ in range(100):
        hard = rng.gamma(1, 100, 45)[:, None]
        noise = rng.normal(0, 10, (15, 6))[photographs] + rng.normal(0, 10, (45, 6))
        found += statistics.told_apart(hard + noise, photographs).any()
    assert found <= 10


def test_the_leaderboard_names_groups_of_complete_methods_alone():
    rng = np.random.default_rng(11)
    base = rng.gamma(2, 100, 30)
    near, far = base + rng.normal(0, 1, 30), base + 200
    run = made_up(
        {"a": base, "b": near, "far": far, "cut": [NAN, *base[1:]]}, np.arange(30).astype(str)
    )
    groups = run.leaderboard().set_index("method")["group"].to_dict()
    assert groups == {"a": "a", "b": "a", "far": "b", "cut": ""}


def test_mean_ranks_share_ties_and_put_failures_last():
    run = made_up({"a": [1, 2, 2], "b": [2, 2, 1], "c": [3, NAN, 3]}, list("pqr"))
    ranks = run.ranks().set_index("method")["mean_rank"].to_dict()
    assert ranks == {"a": pytest.approx(4.5 / 3), "b": pytest.approx(4.5 / 3), "c": 3}
    values = run.mse[["a", "b"]].to_numpy()
    expected = run.mse[["a", "b"]].rank(axis=1).to_numpy()  # pandas' own
    assert np.array_equal(statistics.ranks(values), expected)


def test_wins_are_counted_on_shared_cases_and_ties_are_half():
    run = made_up({"a": [1, 2, 3, 4], "b": [2, 2, 1, 5], "c": [0, NAN, NAN, NAN]}, list("pqrs"))
    wins = run.win_matrix()
    assert wins.loc["a", "b"] == 2.5 / 4
    assert wins.loc["b", "a"] == 1.5 / 4
    assert (wins.loc["c", "a"], wins.loc["a", "c"]) == (1, 0)
    assert np.isnan(np.diag(wins)).all()


@pytest.mark.parametrize("effect", [0.02, 0.2, 0.5, 1.5])
def test_photographs_needed_are_statsmodels(effect):
    expected = TTestPower().solve_power(effect, power=0.8, alpha=0.05)
    needed = statistics.photographs_needed(effect * 7, 7)
    assert needed == pytest.approx(np.ceil(expected), abs=0)


def test_what_is_needed_tells_the_methods_apart_four_times_in_five():
    """Plan with one run, then make many runs of that size."""
    rng = np.random.default_rng(12)

    def draw(photographs):
        group = np.repeat(np.arange(photographs), 4)
        return group, 2 + rng.normal(0, 5, photographs)[group] + rng.normal(0, 5, 4 * photographs)

    group, paired = draw(3000)
    run = made_up({"a": np.full(len(paired), 100.0), "b": 100 + paired}, group.astype(str))
    plan = run.needed().iloc[0]
    assert plan["cases"] == 4 * plan["photographs"]
    assert plan["photographs"] < plan["cases_apart"] < plan["cases"]
    found = 0
    for _ in range(300):
        group, paired = draw(int(plan["photographs"]))
        found += intervals(column(paired), group)[0][0] > 0
    assert 0.7 < found / 300 < 0.9


def test_needed_against_another_than_the_best():
    run = made_up({"a": [1, 2, 3], "b": [2, 2, 5], "c": [9, 7, 8]}, list("pqr"))
    assert run.needed("b")["method"].tolist() == ["a", "c"]
    assert np.isnan(made_up({"a": [1, 2], "b": [1, 2]}, list("pq")).needed().loc[0, "cases"])
    with pytest.raises(InputError, match="did not run d; it ran a, b, c"):
        run.needed("d")


@pytest.mark.parametrize(
    "scores",
    [
        {"a": [1.0]},
        {"a": [1.0], "b": [2.0]},
        {"a": [NAN], "b": [NAN]},
        {"a": [NAN, NAN], "b": [1.0, 2.0]},
    ],
)
def test_every_table_can_be_made_of_next_to_nothing(scores):
    count = len(scores["a"])
    for photographs in (["p"] * count, [f"p{k}" for k in range(count)]):
        run = made_up(scores, photographs)
        tables = [run.leaderboard(), run.ranks(), run.win_matrix(), run.differences(), run.needed()]
        rows = [len(table) for table in tables]
        assert rows == [len(scores)] * 3 + [len(scores) - 1] * 2


def test_the_examples_in_docstrings_hold():
    result = doctest.testmod(statistics)
    assert result.attempted > 0
    assert result.failed == 0
