import itertools
import math
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import squareform

from trimtab.lab.statistics import (
    PairedDifference,
    decades_within,
    first_reaching,
    holm,
    mean_interval,
    paired_difference,
    ranks,
    verdict,
)

INF, NAN = math.inf, math.nan

probabilities = st.floats(0, 1)
moderate = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
samples = st.lists(moderate, min_size=2, max_size=12)


def standard_sample(n):
    """Numbers with mean 0 and standard deviation 1."""
    values = np.arange(n) - (n - 1) / 2
    return values / values.std(ddof=1)


def smallest_detectable(n, confidence=0.95):
    return paired_difference(standard_sample(n), np.zeros(n), confidence).smallest_detectable


# paired_difference


def test_a_paired_difference_worked_by_hand():
    # differences 1, 2, 3: mean 2, deviation 1, t = 2 sqrt(3); with 2 degrees of freedom the t distribution has the
    # closed form P(T > t) = (1 - t / sqrt(2 + t^2)) / 2, and its 97.5 % quantile is 0.95 sqrt(2 / (1 - 0.95^2))
    d = paired_difference([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    margin = 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3)
    assert d.mean == 2.0
    assert d.low == pytest.approx(2 - margin, rel=1e-8)
    assert d.high == pytest.approx(2 + margin, rel=1e-8)
    assert d.p_value == pytest.approx(1 - math.sqrt(12 / 14), rel=1e-12)
    assert (d.n, d.confidence) == (3, 0.95)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 200])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_it_agrees_with_scipy(n, confidence):
    generator = np.random.default_rng(n)
    first, second = generator.normal(3, 2, n), generator.normal(2.5, 1, n)
    expected = stats.ttest_rel(first, second)
    interval = expected.confidence_interval(confidence)
    d = paired_difference(first, second, confidence)
    assert d.mean == pytest.approx(np.mean(first - second), rel=1e-12)
    assert (d.low, d.high) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert d.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_swapping_the_two_turns_the_signs_only():
    first, second = [0.31, 0.28, 0.35, 0.30], [0.29, 0.29, 0.31, 0.25]
    d, turned = paired_difference(first, second), paired_difference(second, first)
    assert (turned.mean, turned.low, turned.high) == (-d.mean, -d.high, -d.low)
    assert (turned.p_value, turned.smallest_detectable) == (d.p_value, d.smallest_detectable)


def test_the_interval_excludes_zero_where_the_test_is_significant():
    generator = np.random.default_rng(0)
    for shift in generator.uniform(-3, 3, 200):
        d = paired_difference(generator.normal(shift, 1, 4), np.zeros(4), 0.9)
        assert (d.low > 0 or d.high < 0) == (d.p_value < 0.1)


@pytest.mark.parametrize(("shift", "p_value"), [(0.1, 0.0), (-0.1, 0.0), (0.0, 1.0)])
def test_equal_differences_leave_no_doubt(shift, p_value):
    d = paired_difference([shift] * 7, [0.0] * 7)
    assert (d.mean, d.low, d.high) == (shift, shift, shift)
    assert (d.p_value, d.smallest_detectable) == (p_value, 0.0)


@pytest.mark.parametrize("exponent", [-900, -200, 200, 900])
def test_scale_does_not_matter(exponent):
    # the squares of these leave the range of floats
    first, second, scale = np.array([1.5, 2.5, 2.25]), np.array([1.0, 1.75, 2.5]), 2.0**exponent
    d, scaled = paired_difference(first, second), paired_difference(first * scale, second * scale)
    assert (scaled.mean, scaled.low, scaled.high) == (d.mean * scale, d.low * scale, d.high * scale)
    assert (scaled.p_value, scaled.smallest_detectable) == (d.p_value, d.smallest_detectable * scale)


@settings(deadline=None)  # the first smallest effect for a number of pairs takes a moment, the next are remembered
@given(samples, st.data())
def test_any_sample_gives_an_ordered_interval_and_a_probability(first, data):
    second = data.draw(st.lists(moderate, min_size=len(first), max_size=len(first)))
    d = paired_difference(first, second)
    assert d.low <= d.mean <= d.high
    assert 0 <= d.p_value <= 1
    assert d.smallest_detectable >= 0


def test_a_result_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        paired_difference([1, 2], [0, 0]).mean = 3.0


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([], [], "first has shape"),
        ([1.0], [2.0], "first has shape .* at least 2"),
        ([1.0, 2.0], [2.0], "second has shape"),
        ([1.0, 2.0, 3.0], [2.0, 1.0], "first has 3 values and second has 2"),
        ([[1.0, 2.0]], [[1.0, 2.0]], "first has shape"),
        ([1.0, NAN], [1.0, 2.0], "first holds nan"),
        ([1.0, 2.0], [INF, 2.0], "second holds inf"),
        ([1e308, 2.0], [-1e308, 2.0], "first - second holds inf"),
    ],
)
def test_what_cannot_be_paired_is_named(first, second, message):
    with pytest.raises(ValueError, match=message):
        paired_difference(first, second)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95, NAN])
def test_confidence_is_a_fraction(confidence):
    with pytest.raises(ValueError, match="confidence="):
        paired_difference([1.0, 2.0], [0.0, 0.0], confidence)
    with pytest.raises(ValueError, match="confidence="):
        mean_interval([1.0], confidence)


# the smallest detectable effect


@pytest.mark.parametrize("n", [3, 4, 5, 6, 10, 30, 100])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_the_noncentral_t_gives_the_smallest_detectable_effect_80_percent_power(n, confidence):
    critical = stats.t.ppf((1 + confidence) / 2, n - 1)
    noncentrality = smallest_detectable(n, confidence) * math.sqrt(n)
    power = stats.nct.sf(critical, n - 1, noncentrality) + stats.nct.cdf(-critical, n - 1, noncentrality)
    assert power == pytest.approx(0.8, abs=1e-7)


def test_its_limits():
    # many pairs: the normal approximation, z_0.975 + z_0.8
    assert smallest_detectable(100_000) * math.sqrt(100_000) == pytest.approx(
        stats.norm.ppf(0.975) + stats.norm.ppf(0.8), rel=1e-4
    )
    # two pairs, strict test: found where S = |N(0, 1)| in the denominator is small, P(S < delta / critical) = 0.8
    critical = stats.t.ppf(0.9995, 1)
    assert smallest_detectable(2, 0.999) * math.sqrt(2) == pytest.approx(critical * stats.norm.ppf(0.9), rel=1e-4)
    # so lax a test finds "something" 80 % of the time where there is nothing
    assert smallest_detectable(5, 0.15) == 0.0
    # R's pwr.t.test(d = 0.5, power = 0.8, type = "paired") asks for n = 33.37
    assert smallest_detectable(34) < 0.5 < smallest_detectable(33)


def test_more_pairs_or_less_confidence_detect_smaller_effects():
    by_pairs = [smallest_detectable(n) for n in (2, 3, 4, 5, 10, 50)]
    by_confidence = [smallest_detectable(5, c) for c in (0.99, 0.95, 0.9, 0.5, 0.3)]
    assert by_pairs == sorted(by_pairs, reverse=True)
    assert by_confidence == sorted(by_confidence, reverse=True)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_by_simulation_the_power_is_80_percent(n):
    # 100,000 experiments: a standard error of 0.13 points, of which 3 are allowed
    runs = np.random.default_rng(n).normal(smallest_detectable(n), 1, (100_000, n))
    assert np.mean(stats.ttest_1samp(runs, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.004)


# error rates


@pytest.mark.parametrize("n", [3, 5, 10])
def test_by_simulation_the_interval_misses_no_difference_5_percent_of_the_time(n):
    # 6,000 experiments: a standard error of 0.28 points, of which 3 are allowed
    generator = np.random.default_rng(100 + n)
    seeds, first, second = generator.normal(size=(3, 6_000, n))
    found = [paired_difference(5 * s + a, 5 * s + b) for s, a, b in zip(seeds, first, second, strict=True)]
    assert np.mean([d.low > 0 or d.high < 0 for d in found]) == pytest.approx(0.05, abs=0.0084)
    assert np.mean([d.p_value < 0.05 for d in found]) == np.mean([d.low > 0 or d.high < 0 for d in found])


@pytest.mark.parametrize("better", [0, 2])
def test_by_simulation_holm_keeps_the_family_wise_error_at_5_percent(better):
    # all pairs of five candidates over five seeds, none or two of them much better than the others: 3,000 experiments
    generator = np.random.default_rng(7 + better)
    losses = generator.normal(size=(3_000, 5, 5))
    losses[:, :better] -= 100.0
    pairs = list(itertools.combinations(range(5), 2))
    raw = np.stack([stats.ttest_rel(losses[:, i], losses[:, j], axis=1).pvalue for i, j in pairs], axis=1)
    equal = np.array([(i < better) == (j < better) for i, j in pairs])
    adjusted = np.array([holm(p) for p in raw])
    assert np.mean((adjusted[:, equal] < 0.05).any(axis=1)) <= 0.05
    assert np.mean((raw[:, equal] < 0.05).any(axis=1)) > 0.1
    assert (adjusted[:, ~equal] < 0.05).all()


# mean_interval


def test_a_mean_and_its_interval():
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    margin = 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3)
    assert mean == 2.0
    assert (low, high) == pytest.approx((2 - margin, 2 + margin), rel=1e-8)
    values = [0.3, 0.1, 0.7, 0.2]
    expected = stats.t.interval(0.9, 3, loc=np.mean(values), scale=stats.sem(values))
    assert mean_interval(values, 0.9)[1:] == pytest.approx(expected, rel=1e-9)


def test_it_is_the_interval_of_a_difference_from_zero():
    values = [0.3, 0.1, 0.7, 0.2]
    d = paired_difference(values, [0.0] * 4)
    assert mean_interval(values) == (d.mean, d.low, d.high)


def test_one_value_says_nothing_about_its_spread_and_equal_values_have_none():
    assert mean_interval([0.3]) == (0.3, -INF, INF)
    assert mean_interval([0.1] * 3) == (0.1, 0.1, 0.1)


@pytest.mark.parametrize(("values", "message"), [([], "shape"), ([1.0, NAN], "nan"), ([INF], "inf"), (3.0, "shape")])
def test_bad_values_are_named(values, message):
    with pytest.raises(ValueError, match=f"values .*{message}"):
        mean_interval(values)


# holm


def test_holm_worked_by_hand():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 is 0.02, 0.03, 0.06, 0.04; the last may not be below its neighbour
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], rel=1e-12)


def test_holm_agrees_with_published_software():
    # raw p-values and their adjustment by the R package multtest, as in statsmodels' tests
    raw = [0.838541367553, 0.642193923795, 0.680845947633, 0.967833824309, 0.71626938238]
    raw += [0.177096952723, 5.23656777208e-005, 0.0202732688798, 0.00028140506198, 0.0149877310796]
    expected = [1, 1, 1, 1, 1, 1, 5.2365677720800005e-04, 1.4191288215860001e-01]
    expected += [2.5326455578199999e-03, 1.1990184863680001e-01]
    assert holm(raw) == pytest.approx(expected, rel=1e-12)


def test_holm_of_none_one_and_equal_p_values():
    assert holm([]).shape == (0,)
    assert holm([0.3]).tolist() == [0.3]
    assert holm([0.02, 0.02, 0.02]) == pytest.approx([0.06] * 3)


@given(st.lists(probabilities, max_size=12))
def test_holm_is_monotone_and_between_the_raw_value_and_bonferroni(raw):
    adjusted = holm(raw)
    assert all(p <= a <= min(1, len(raw) * p) for p, a in zip(raw, adjusted, strict=True))
    for (p, a), (q, b) in itertools.combinations(zip(raw, adjusted, strict=True), 2):
        assert (a <= b) if p < q else (a >= b)
        assert p != q or a == b


@given(st.lists(probabilities, min_size=1, max_size=8), st.randoms())
def test_holm_keeps_the_order_of_its_input(raw, random):
    order = list(range(len(raw)))
    random.shuffle(order)
    assert holm([raw[i] for i in order]).tolist() == [holm(raw)[i] for i in order]


@pytest.mark.parametrize("raw", [[0.5, -0.1], [1.01], [NAN, 0.5], [INF], [[0.1, 0.2]], 0.3])
def test_holm_refuses_what_is_not_a_list_of_p_values(raw):
    with pytest.raises(ValueError, match="p_values"):
        holm(raw)


# ranks


def test_a_rank_counts_those_that_are_significantly_better():
    assert ranks([0.3, 0.1, 0.2], squareform([0.01, 0.01, 0.01])) == [3, 1, 2]
    assert ranks([0.3, 0.1, 0.2], squareform([0.9, 0.9, 0.9])) == [1, 1, 1]
    assert ranks([0.3], [[0.0]]) == [1]
    # two leaders that cannot be told apart, and two that lose to both
    assert ranks([1, 2, 3, 4], squareform([0.5, 0.01, 0.01, 0.01, 0.01, 0.5])) == [1, 1, 3, 3]


def test_ranks_are_not_ties():
    # A beats C, B is told apart from neither
    assert ranks([1, 2, 3], squareform([0.5, 0.01, 0.5])) == [1, 1, 2]
    # C is not told apart from the noisy best, but loses to B
    assert ranks([1, 2, 3], squareform([0.5, 0.5, 0.01])) == [1, 1, 2]


def test_significant_is_below_alpha_and_equal_means_are_not_better():
    assert ranks([1, 2], squareform([0.05])) == [1, 1]
    assert ranks([1, 2], squareform([0.05]), alpha=0.1) == [1, 2]
    assert ranks([1, 1], squareform([0.0])) == [1, 1]


def test_the_diagonal_is_not_read_and_nothing_is_written():
    matrix = np.array([[NAN, 0.01], [0.01, 7.0]])
    before = matrix.copy()
    assert ranks([1, 2], matrix) == [1, 2]
    np.testing.assert_array_equal(matrix, before)


@given(st.integers(1, 7), st.data())
def test_ranks_start_at_one_and_do_not_depend_on_the_order(n, data):
    scores = data.draw(st.lists(moderate, min_size=n, max_size=n))
    p = data.draw(st.lists(probabilities, min_size=n * (n - 1) // 2, max_size=n * (n - 1) // 2))
    matrix = squareform(p) if p else np.zeros((1, 1))
    found = ranks(scores, matrix)
    assert found[int(np.argmin(scores))] == 1
    assert all(
        1 <= rank <= 1 + sum(other < score for other in scores) for rank, score in zip(found, scores, strict=True)
    )
    order = data.draw(st.permutations(range(n)))
    assert ranks([scores[i] for i in order], matrix[np.ix_(order, order)]) == [found[i] for i in order]


@pytest.mark.parametrize(
    ("scores", "matrix", "alpha", "message"),
    [
        ([], np.zeros((0, 0)), 0.05, "scores has shape"),
        ([1, NAN], squareform([0.5]), 0.05, "scores holds nan"),
        ([1, 2, 3], squareform([0.5]), 0.05, "p_adjusted has shape"),
        ([1, 2], [0.5], 0.05, "p_adjusted has shape"),
        ([1, 2], [[1, 0.5], [0.4, 1]], 0.05, "not symmetric"),
        ([1, 2], [[1, NAN], [NAN, 1]], 0.05, "p_adjusted holds nan"),
        ([1, 2], [[1, 1.5], [1.5, 1]], 0.05, "p_adjusted holds 1.5"),
        ([1, 2], squareform([0.5]), 0.0, "alpha="),
        ([1, 2], squareform([0.5]), 5, "alpha="),
    ],
)
def test_ranks_refuses_what_it_cannot_rank(scores, matrix, alpha, message):
    with pytest.raises(ValueError, match=message):
        ranks(scores, matrix, alpha)


# verdict


def difference(low, mean, high, smallest=1.0):
    return PairedDifference(mean, low, high, 0.5, smallest, 5, 0.95)


@pytest.mark.parametrize(
    ("low", "mean", "high", "smallest", "claimed", "expected"),
    [
        (0.5, 1.5, 2.5, 1.3, 1.0, "confirmed"),
        (0.5, 1.0, 1.5, 0.7, 1.0, "confirmed"),  # exactly as claimed
        (0.1, 0.5, 0.9, 0.5, 1.0, "refuted"),  # an improvement, but not that large
        (-2.0, -1.0, -0.1, 1.3, 1.0, "refuted"),
        (-0.4, 0.1, 0.6, 0.7, 1.0, "refuted"),
        (-1.0, 1.5, 4.0, 3.3, 1.0, "underpowered"),  # as large as claimed, if it is anything
        (-1.0, 0.5, 2.0, 2.0, 1.0, "underpowered"),
        (0.1, 0.8, 1.5, 1.1, 1.0, "underpowered"),  # an improvement, of unclear size
        (-0.1, 0.5, 1.1, 0.9, 1.0, "inconclusive"),
        (-0.1, 0.45, 1.0, 0.8, 1.0, "inconclusive"),  # the claim is the interval's end: not excluded
        (-0.1, 0.5, 1.1, 1.0, 1.0, "inconclusive"),  # the claim is just detectable
        (0.5, 1.5, 2.5, 1.3, 0.0, "confirmed"),
        (-2.5, -1.5, -0.5, 1.3, 0.0, "refuted"),
        (-1.0, 0.5, 2.0, 2.0, 0.0, "inconclusive"),
        (-1.0, -0.5, 0.0, 0.7, 0.0, "inconclusive"),
        (0.0, 0.0, 0.0, 0.0, 0.0, "inconclusive"),  # all differences exactly zero
        (0.0, 0.0, 0.0, 0.0, 1e-9, "refuted"),
        (1.0, 1.0, 1.0, 0.0, 1.0, "confirmed"),
    ],
)
def test_the_table_of_verdicts(low, mean, high, smallest, claimed, expected):
    assert verdict(difference(low, mean, high, smallest), claimed) == expected


def test_verdicts_from_runs():
    baseline = np.array([0.50, 0.52, 0.48, 0.51, 0.49])
    noise = 0.01 * standard_sample(5)
    assert verdict(paired_difference(baseline, baseline - 0.1 - noise), 0.05) == "confirmed"
    assert verdict(paired_difference(baseline, baseline - 0.02 - noise), 0.05) == "refuted"
    assert verdict(paired_difference(baseline, baseline - 0.02 - 10 * noise), 0.05) == "underpowered"
    assert verdict(paired_difference(baseline, baseline - 0.04 - noise), 0.05) == "inconclusive"


@settings(deadline=None)
@given(samples, st.floats(0.001, 1e6))
@example([1.0, 1.0], 1.0)
def test_a_claim_that_the_mean_reaches_is_confirmed_or_lacks_power(values, claimed):
    d = paired_difference(values, [0.0] * len(values))
    if d.mean >= claimed:
        assert verdict(d, claimed) == ("confirmed" if d.low > 0 else "underpowered")
    else:
        assert verdict(d, claimed) != "confirmed"
    assert (verdict(d, claimed) == "refuted") == (d.high < claimed)


@pytest.mark.parametrize("claimed", [-0.1, NAN, INF])
def test_a_claim_is_a_size(claimed):
    with pytest.raises(ValueError, match="claimed="):
        verdict(difference(0, 1, 2), claimed)


# decades_within


def test_the_width_worked_by_hand():
    # the best is 1.0, so up to 1.1 is within: half way to the 1.2 on the left, a quarter of the way to the 1.4
    assert decades_within([0.001, 0.01, 0.1, 1.0], [1.2, 1.0, 1.0, 1.4], 0.1) == pytest.approx(0.5 + 1 + 0.25)
    assert decades_within([1.0, 0.01, 0.001, 0.1], [1.4, 1.0, 1.2, 1.0], 0.1) == pytest.approx(0.5 + 1 + 0.25)


def test_the_range_ends_where_the_rates_do():
    assert decades_within([0.001, 0.01, 0.1], [1.0, 1.0, 1.0]) == pytest.approx(2.0)
    assert decades_within([0.001], [3.0]) == 0.0


def test_the_range_is_contiguous_around_the_best():
    # 1.0 is within the tolerance again, behind a rate that is not
    rates, losses = [1e-4, 1e-3, 1e-2, 1e-1], [1.0, 1.05, 3.0, 1.01]
    assert decades_within(rates, losses, 0.1) == pytest.approx(1 + 0.05 / 1.95)


@pytest.mark.parametrize("diverged", [NAN, INF])
def test_the_range_ends_at_the_last_rate_before_a_divergence(diverged):
    assert decades_within([1e-3, 1e-2, 1e-1, 1], [1.0, 1.0, diverged, 1.0]) == pytest.approx(1.0)
    assert decades_within([1e-3, 1e-2, 1e-1], [diverged, 1.0, diverged]) == 0.0
    # which is what a very large loss gives, too
    assert decades_within([1e-3, 1e-2, 1e-1], [1.0, 1.0, 1e300]) == pytest.approx(1.0)


def test_a_loss_of_minus_infinity_is_a_divergence_too():
    assert decades_within([1e-3, 1e-2, 1e-1], [1.0, 1.0, -INF]) == pytest.approx(1.0)


def test_negative_losses_are_relative_to_the_size_of_the_best():
    # within 10 % of -10 is up to -9: half way to -8
    assert decades_within([0.01, 0.1], [-10.0, -8.0], 0.1) == pytest.approx(0.5)


def test_a_best_loss_of_zero_leaves_no_room():
    assert decades_within([0.01, 0.1, 1.0], [0.0, 0.0, 1e-9], 0.5) == pytest.approx(1.0)


def test_of_runs_at_one_rate_the_best_counts_and_of_equal_ranges_the_widest():
    assert decades_within([0.01, 0.1, 0.1], [1.0, NAN, 1.0]) == pytest.approx(1.0)
    assert decades_within([1e-4, 1e-3, 1e-2, 1e-1], [1.0, INF, 1.0, 1.0]) == pytest.approx(1.0)
    assert decades_within([1e-4, 1e-3, 1e-2, 1e-1], [1.0, 1.0, INF, 1.0]) == pytest.approx(1.0)


@given(
    st.lists(st.tuples(st.integers(-6, 3), st.one_of(st.floats(0.01, 10), st.just(NAN))), min_size=1, max_size=8),
    st.floats(0, 1),
    st.randoms(),
)
def test_the_width_is_within_the_sweep_grows_with_tolerance_and_ignores_units_and_order(sweep, tolerance, random):
    if all(math.isnan(loss) for _, loss in sweep):
        return
    width = decades_within([10.0**e for e, _ in sweep], [loss for _, loss in sweep], tolerance)
    exponents = [e for e, _ in sweep]
    assert 0 <= width <= max(exponents) - min(exponents) + 1e-9
    assert decades_within([10.0**e for e, _ in sweep], [loss for _, loss in sweep], tolerance + 0.1) >= width - 1e-9
    random.shuffle(sweep)
    turned = decades_within([10.0 ** -(e + 2) for e, _ in sweep], [8 * loss for _, loss in sweep], tolerance)
    assert turned == pytest.approx(width, abs=1e-9)


@pytest.mark.parametrize(
    ("rates", "losses", "tolerance", "message"),
    [
        ([], [], 0.01, "rates has 0 values"),
        ([0.1], [1.0, 2.0], 0.01, "rates has 1 values and losses has 2"),
        ([0.1, 0.0], [1.0, 2.0], 0.01, "must be finite and > 0"),
        ([0.1, -0.1], [1.0, 2.0], 0.01, "must be finite and > 0"),
        ([0.1, NAN], [1.0, 2.0], 0.01, "must be finite and > 0"),
        ([0.1, 0.2], [NAN, INF], 0.01, "losses has no finite value"),
        ([0.1], [1.0], -0.01, "tolerance="),
        ([0.1], [1.0], INF, "tolerance="),
    ],
)
def test_a_sweep_that_has_no_width_is_refused(rates, losses, tolerance, message):
    with pytest.raises(ValueError, match=message):
        decades_within(rates, losses, tolerance)


# first_reaching


def test_the_first_cost_at_which_the_target_is_reached():
    costs, losses = [0, 10, 20, 30], [3.0, 2.0, 2.5, 1.0]
    assert first_reaching(costs, losses, 2.0, "min") == 10.0
    assert first_reaching(costs, losses, 1.9, "min") == 30.0
    assert first_reaching(costs, losses, 0.5, "min") is None
    assert first_reaching(costs, losses, 2.5, "max") == 0.0
    assert first_reaching(costs, losses, 3.5, "max") is None
    assert isinstance(first_reaching(costs, losses, 2.0, "min"), float)


def test_what_is_not_finite_reaches_nothing():
    assert first_reaching([0, 1, 2], [NAN, -INF, 1.0], 1.0, "min") == 2.0
    assert first_reaching([0, 1], [NAN, INF], 1.0, "max") is None


def test_an_empty_curve_reaches_nothing_and_the_order_of_a_curve_does_not_matter():
    assert first_reaching([], [], 1.0, "min") is None
    assert first_reaching([30, 10, 20], [0.0, 1.0, 0.0], 0.5, "min") == 20.0


@pytest.mark.parametrize(
    ("costs", "target", "direction", "message"),
    [
        ([0.0], 1.0, "min", "costs has 1 values and values has 2"),
        ([0.0, 1.0], NAN, "min", "target="),
        ([0.0, 1.0], -INF, "min", "target="),
        ([0.0, 1.0], 1.0, "down", "direction="),
    ],
)
def test_a_target_that_cannot_be_reached_is_refused(costs, target, direction, message):
    with pytest.raises(ValueError, match=message):
        first_reaching(costs, [2.0, 1.0], target, direction)


def test_statistics_do_not_wait_for_torch():
    code = "import sys, trimtab.lab.statistics; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
