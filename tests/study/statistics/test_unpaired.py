import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trimtab.study.statistics import unpaired_estimates
from trimtab.study.statistics.unpaired import unpaired_estimate
from trimtab.study.statistics.variances import moderated

moderate = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
some = st.lists(moderate, min_size=2, max_size=6).map(np.array)


def family(seed=0, sizes=(4, 4, 4, 4, 4, 4), shift=0.0):
    generator = np.random.default_rng(seed)
    return [shift * place + generator.normal(size=size) for place, size in enumerate(sizes)]


def p_values(samples):
    return np.array([each.p_value for each in unpaired_estimates(samples)])


# two candidates


@pytest.mark.parametrize("sizes", [(2, 2), (3, 8), (10, 2), (5, 5)])
@pytest.mark.parametrize("spread", [1.0, 20.0])
def test_two_candidates_are_compared_by_welchs_test(sizes, spread):
    first, second = family(seed=sum(sizes), sizes=sizes, shift=-0.5)
    second *= spread
    expected = stats.ttest_ind(first, second, equal_var=False)
    (found,) = unpaired_estimates([first, second])
    interval, theirs = found.at(0.95), expected.confidence_interval(0.95)
    assert found.mean == pytest.approx(first.mean() - second.mean())
    assert (found.p_value, found.freedom) == pytest.approx((expected.pvalue, expected.df), rel=1e-9)
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)
    assert (found.n, found.pairing) == (min(sizes), 1.0)


def test_scores_that_were_rounded_lack_the_variance_that_rounding_took():
    first, second = [0.901, 0.903, 0.902], [0.89, 0.892]
    found = unpaired_estimate(first, second)
    variances = np.array([np.var(first, ddof=1), np.var(second, ddof=1)]) + 0.001**2 / 12
    assert found.error == pytest.approx(math.sqrt(variances[0] / 3 + variances[1] / 2))


@pytest.mark.parametrize(("first", "second"), [(2, 2), (3, 3), (3, 8), (5, 4)])
def test_scores_that_never_change_say_no_more_than_how_they_could_have_been_dealt(first, second):
    ways = len(list(itertools.combinations(range(first + second), first)))
    found = unpaired_estimate([0.3] * first, [0.2] * second)
    assert found.p_value == pytest.approx(2 / ways)
    assert found.equal
    interval = found.at(0.95)
    assert (interval.low > 0) == (found.p_value < 0.05)


def test_one_that_never_changes_is_a_number_beside_a_sample():
    sample = np.array([0.31, 0.3437, 0.3266, 0.3549])
    found = unpaired_estimate(sample, [0.2] * 6)
    assert found.p_value == pytest.approx(stats.ttest_1samp(sample, 0.2).pvalue, rel=1e-5)


def test_no_difference_at_all():
    for values in ([0.85, 0.85], [0.0, 0.0]):
        found = unpaired_estimate(values, [*values, values[0]])
        assert (found.mean, found.p_value) == (0.0, 1.0)
    assert unpaired_estimate([0.1, 0.2, 0.3], [0.3, 0.1, 0.2]).p_value == pytest.approx(1.0)


@pytest.mark.parametrize("n", [2, 5, 10, 30])
def test_a_difference_as_small_as_a_number_can_be_has_an_error(n):
    for first in ([5e-324] * n, [5e-324, *[0.0] * (n - 1)]):
        assert 0 < unpaired_estimate(first, [0.0] * n).p_value <= 1


@pytest.mark.parametrize(
    ("first", "second", "span", "message"),
    [
        ([1.0], [1.0, 2.0], None, "first has shape"),
        ([1.0, 2.0], [1.0, math.inf], None, "second holds inf"),
        ([1e308, 1e308], [-1e308, 0.0], None, "first - second holds inf"),
        ([0.1, 0.9], [0.1, 0.2], 0.5, "span="),
    ],
)
def test_what_cannot_be_compared_is_refused(first, second, span, message):
    with pytest.raises(ValueError, match=message):
        unpaired_estimate(first, second, span=span)


# several


def test_several_lend_each_other_what_their_spreads_have_in_common():
    samples = family(seed=3, sizes=(3, 8, 5, 2, 6))
    counts = np.array([len(sample) for sample in samples])
    common = moderated(np.array([sample.var(ddof=1) for sample in samples]), counts - 1.0)
    freedoms = counts - 1 + common.borrowed
    for (a, b), each in zip(itertools.combinations(range(5), 2), unpaired_estimates(samples), strict=True):
        parts = [common.variances[place] / counts[place] for place in (a, b)]
        error = math.sqrt(sum(parts))
        own = error**4 / (parts[0] ** 2 / (counts[a] - 1) + parts[1] ** 2 / (counts[b] - 1))
        assert (each.error, each.freedom) == pytest.approx((error, max(own, min(freedoms[a], freedoms[b]))))
        assert each.p_value == pytest.approx(2 * stats.t.sf(abs(each.mean) / error, each.freedom))
        assert each.n == min(counts[a], counts[b])


def test_the_order_of_runs_and_of_candidates_does_not_matter():
    samples = family(seed=5, sizes=(3, 5, 4), shift=1.0)
    found = dict(zip(itertools.combinations(range(3), 2), p_values(samples), strict=True))
    order = [2, 0, 1]
    shuffled = [samples[place][::-1] for place in order]
    for (a, b), p_value in zip(itertools.combinations(order, 2), p_values(shuffled), strict=True):
        assert p_value == pytest.approx(found[min(a, b), max(a, b)], rel=1e-9)


def test_who_borrows_nothing_is_compared_as_if_alone():
    # spreads that have nothing in common: Welch's degrees of freedom, which are more than those of the calmer one
    generator = np.random.default_rng(2)
    samples = [10.0**place * generator.normal(size=5) for place in range(4)]
    for (a, b), each in zip(itertools.combinations(range(4), 2), unpaired_estimates(samples), strict=True):
        alone = unpaired_estimate(samples[a], samples[b])
        assert each.p_value == pytest.approx(alone.p_value, rel=0.3)
        assert 4 <= each.freedom < 6


def test_a_run_that_is_missing_is_no_run():
    samples = family(sizes=(3, 4, 5))
    padded = [np.append(sample, [math.nan] * (7 - len(sample))) for sample in samples]
    assert unpaired_estimates(padded) == unpaired_estimates(samples)


def test_where_most_never_change_nothing_is_lent():
    samples = [np.full(4, 0.3), np.full(4, 0.2), np.array([0.1, 0.12, 0.1437, 0.11])]
    places = itertools.combinations(range(3), 2)
    assert unpaired_estimates(samples) == [unpaired_estimate(samples[a], samples[b]) for a, b in places]


def test_fewer_than_two_are_no_pairs():
    assert unpaired_estimates([]) == unpaired_estimates([[1.0, 2.0]]) == []


@pytest.mark.parametrize("exponent", [-900, -200, 200, 900])
def test_scale_does_not_matter(exponent):
    samples = family(sizes=(3, 4, 5, 3))
    scaled = unpaired_estimates([np.ldexp(sample, exponent) for sample in samples])
    for each, other in zip(unpaired_estimates(samples), scaled, strict=True):
        assert other.error == pytest.approx(math.ldexp(each.error, exponent), rel=1e-12)
        assert (other.p_value, other.freedom) == pytest.approx((each.p_value, each.freedom), rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.lists(some, min_size=2, max_size=5))
def test_any_scores_give_an_ordered_interval_and_a_probability(samples):
    whole = sum(len(sample) for sample in samples) - len(samples)
    for each in unpaired_estimates(samples):
        assert 0 <= each.p_value <= 1
        assert 1 - 1e-9 <= each.freedom <= whole + 1e-9
        interval = each.at(0.95)
        assert interval.low <= interval.mean <= interval.high


def test_bounded_differences_stay_within_their_span():
    samples = [np.array(values) for values in ([0.9, 0.81, 0.7], [0.2, 0.43], [0.5, 0.1, 0.33])]
    for each in unpaired_estimates(samples, span=1.0):
        interval = each.at(0.999)
        assert -1 < interval.low < interval.mean < interval.high < 1


# how often it errs, and what it finds


@pytest.mark.parametrize("sizes", [(3,) * 6, (2,) * 12, (3, 8) * 3, (5,) * 3])
def test_by_simulation_equals_are_told_apart_as_rarely_as_promised(sizes):
    generator = np.random.default_rng(sum(sizes))
    found = np.array([p_values([generator.normal(size=size) for size in sizes]) for _ in range(300)])
    assert 0.02 < np.mean(found < 0.05) < 0.065
    assert np.mean(found.min(axis=1) * found.shape[1] < 0.05) < 0.065


def test_three_runs_of_many_find_what_they_find_of_nobody_else():
    generator = np.random.default_rng(13)
    alone = together = 0
    for _ in range(60):
        samples = list(generator.normal(size=(12, 3)))
        samples[0] -= 3.5
        together += np.sum(p_values(samples)[:11] * 66 < 0.05)
        alone += sum(unpaired_estimate(samples[0], other).p_value * 66 < 0.05 for other in samples[1:])
    assert alone < 0.1 * 660
    assert together > 0.4 * 660
