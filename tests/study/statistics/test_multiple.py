import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import squareform

from trimtab.study.statistics import corrected, holm, paired_difference, ranks
from trimtab.study.statistics.paired import estimate

INF, NAN = math.inf, math.nan

probabilities = st.floats(0, 1)
moderate = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))

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


@settings(deadline=None)
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


# several pairs at once


def corrected_differences(pairs, confidence=0.95, *, span=None):
    return corrected([estimate(*pair, span=span) for pair in pairs], confidence)


def three_samples(n=6, seed=3):
    generator = np.random.default_rng(seed)
    return generator.normal(size=n), 1.5 + generator.normal(size=n), 8 + generator.normal(size=n)


def test_pairs_that_are_tested_together_have_holms_p_values_and_bonferronis_intervals():
    pairs = list(itertools.combinations(three_samples(), 2))
    found = corrected_differences(pairs)
    assert [d.p_value for d in found] == pytest.approx([*holm([stats.ttest_rel(*pair).pvalue for pair in pairs])])
    assert [d.alone for d in found] == [paired_difference(*pair) for pair in pairs]
    for d, pair in zip(found, pairs, strict=True):
        interval = stats.ttest_rel(*pair).confidence_interval(1 - 0.05 / 3)
        assert (d.low, d.high) == pytest.approx((interval.low, interval.high))
        assert d.smallest_detectable == pytest.approx(paired_difference(*pair, 1 - 0.05 / 3).smallest_detectable)
        assert d.smallest_detectable > d.alone.smallest_detectable


def test_what_only_the_later_steps_of_holm_show_ends_at_zero():
    # the first two are certain, and 0.05 / 3 < p < 0.05 for the third: shown at its step, but not by Bonferroni
    first, second, third = np.array([0.0, 1.0, 2.0, 3.0]), np.zeros(4), np.array([math.pi, 1.0, math.sqrt(2), 2.0])
    pairs = [(first, first + 100 + 0.01 * third), (first + 100 + 0.01 * third, first), (third + 0.1, second)]
    found = corrected_differences(pairs)[2]
    assert 0.05 / 3 < found.alone.p_value == found.p_value < 0.05
    wide = paired_difference(third + 0.1, second, 1 - 0.05 / 3)
    assert wide.low < 0
    assert (found.low, found.high) == (0.0, pytest.approx(wide.high))
    turned = corrected_differences([*pairs[:2], (second, third + 0.1)])[2]
    assert (turned.low, turned.high) == (pytest.approx(-wide.high), 0.0)


def test_an_interval_reaches_beyond_zero_on_both_sides_exactly_where_nothing_is_shown():
    generator = np.random.default_rng(1)
    seen = set()
    for _ in range(100):
        samples = generator.normal(size=(4, 4)) + generator.normal(0, 1.5, size=(4, 1))
        for d in corrected_differences(list(itertools.combinations(samples, 2))):
            shown = d.p_value < 0.05
            assert (d.low < 0 < d.high) != shown
            assert (d.low >= 0) == (shown and d.alone.mean > 0)
            seen.add((shown, d.low == 0 or d.high == 0))
    assert seen == {(True, True), (True, False), (False, False)}


@pytest.mark.parametrize("shifts", [(0, 0, 0, 0), (0, 1, 1, 4), (0, 3, 6, 9)])
def test_by_simulation_all_intervals_hold_together_95_percent_of_the_time(shifts):
    # all pairs of four candidates over five seeds, 600 experiments: a standard error of 0.9 points
    generator = np.random.default_rng(5)
    true = [second - first for first, second in itertools.combinations(shifts, 2)]
    missed = single = 0
    for _ in range(600):
        samples = generator.normal(size=(4, 5)) - np.array(shifts)[:, None]
        found = corrected_differences(list(itertools.combinations(samples, 2)))
        missed += any(not d.low <= value <= d.high for d, value in zip(found, true, strict=True))
        single += any(not d.alone.low <= value <= d.alone.high for d, value in zip(found, true, strict=True))
    assert missed / 600 < 0.05
    assert single / 600 > 0.12


def test_one_pair_needs_no_correction_and_none_give_nothing():
    (found,) = corrected_differences([three_samples()[:2]])
    assert (found.low, found.high, found.p_value) == (found.alone.low, found.alone.high, found.alone.p_value)
    assert corrected_differences([]) == []


def test_bounded_differences_stay_bounded_together():
    pairs = [([0.9, 0.81, 0.7], [0.2, 0.43, 0.1]), ([0.5, 0.1, 0.33], [0.2, 0.4, 0.1])]
    for d in corrected_differences(pairs, span=1.0):
        assert -1 <= d.low < d.alone.mean < d.high <= 1
    with pytest.raises(ValueError, match="confidence="):
        corrected_differences(pairs, 1.5)
