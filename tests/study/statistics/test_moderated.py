import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from trimtab.study.statistics import moderated_estimates
from trimtab.study.statistics.paired import estimate
from trimtab.study.statistics.variances import moderated

moderate = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


def family(seed=0, candidates=6, seeds=4, shift=0.0):
    generator = np.random.default_rng(seed)
    return [shift * place + generator.normal(size=seeds) for place in range(candidates)]


def p_values(samples):
    return np.array([each.p_value for each in moderated_estimates(samples)])


# what it becomes where it must be something known


def test_two_candidates_are_compared_by_the_paired_t_test():
    first, second = family(candidates=2, seeds=5)
    (found,) = moderated_estimates([first, second])
    assert found.p_value == pytest.approx(stats.ttest_rel(first, second).pvalue)
    assert found.freedom == 4
    variance = np.var(first - second, ddof=1)
    assert found.pairing == pytest.approx((np.var(first, ddof=1) + np.var(second, ddof=1)) / variance)


def test_candidates_that_agree_in_all_by_hand():
    # three candidates with variances of 1, differences with variances of 2: nothing differs by more than chance, so
    # that each borrows the six degrees of freedom that the two others have. The common variance is exp(log 1 + b),
    # where b is the bias of logarithms of chi-square variables, and the pair borrows as many degrees of freedom
    orthogonal = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) * math.sqrt(3) / 2
    means = np.array([[0.0], [math.pi / 3], [2.718]])
    common = 1.5 / math.exp(float(special.digamma(1.5)))
    of_each = (6 * common + 3 * 1) / 9
    error = math.sqrt((3 * 2 + 6 * 2 * of_each) / 9 / 4)
    for pair, each in zip(
        itertools.combinations(means[:, 0], 2), moderated_estimates([*(orthogonal + means)]), strict=True
    ):
        assert each.mean == pytest.approx(pair[0] - pair[1])
        assert each.freedom == pytest.approx(9)
        assert each.error == pytest.approx(error)
        assert each.p_value == pytest.approx(2 * stats.t.sf(abs(pair[0] - pair[1]) / error, 9))
        assert each.pairing == pytest.approx(2 * of_each / (4 * error**2))


def test_without_anything_shared_it_is_the_moderated_test_of_each_two():
    # many candidates, so that pairs differ by no more than chance: then their own variances hardly count
    samples = family(seed=8, candidates=40, seeds=3)
    common = moderated(np.array([sample.var(ddof=1) for sample in samples]), np.full(40, 2.0))
    found = moderated_estimates(samples)
    places = list(itertools.combinations(range(40), 2))
    errors = np.array([math.sqrt((common.variances[a] + common.variances[b]) / 3) for a, b in places])
    assert np.median([each.error for each in found] / errors) == pytest.approx(1.0, abs=0.05)
    assert min(each.freedom for each in found) > 10


def test_where_pairs_follow_each_other_more_and_less_it_is_the_paired_test():
    # two groups of candidates with a course of their own: within one, differences are a hundred times as small
    generator = np.random.default_rng(4)
    courses = generator.normal(size=(2, 12))
    samples = [courses[place % 2] + 0.01 * generator.normal(size=12) for place in range(8)]
    for (first, second), each in zip(itertools.combinations(samples, 2), moderated_estimates(samples), strict=True):
        alone = estimate(first, second)
        assert each.freedom == 11
        assert each.error == pytest.approx(alone.error)


def test_what_a_seed_does_to_all_counts_for_nobody():
    # one course for all, as the folds of a cross-validation have it
    generator = np.random.default_rng(6)
    course = 10 * generator.normal(size=3)
    samples = [0.1 * generator.normal(size=3) for _ in range(10)]
    found = moderated_estimates([course + sample for sample in samples])
    assert all(0.03 < each.error < 0.2 and each.freedom > 8 and each.pairing > 1000 for each in found)


def test_nothing_is_certain_where_the_seed_changes_nothing():
    # each candidate's scores are all the same: n equal differences say no more than n coins
    found = moderated_estimates([np.full(4, value) for value in (0.31, 0.27, 0.5, 0.11)])
    assert [each.p_value for each in found] == pytest.approx([2.0**-3] * 6)


def test_one_that_never_changes_borrows_the_others_spread():
    samples = [*family(candidates=5, seeds=3), np.zeros(3)]
    found = moderated_estimates(samples)[-1]
    assert found.error > 0.2
    assert p_values(samples)[-5:] == pytest.approx(p_values([*samples[:-1], np.full(3, 1e-12)])[-5:], rel=0.05)


def test_candidates_that_ended_alike_are_equal():
    samples = family(candidates=4)
    found = moderated_estimates([*samples, samples[0]])[3]
    assert (found.mean, found.p_value) == (0.0, 1.0)


# runs that are missing


def test_missing_runs_leave_the_seeds_that_two_have_in_common():
    samples = family(candidates=4, seeds=5)
    samples[1][2] = samples[2][0] = math.nan
    found = dict(zip(itertools.combinations(range(4), 2), moderated_estimates(samples), strict=True))
    assert [found[pair].n for pair in ((0, 1), (0, 2), (0, 3), (1, 2))] == [4, 4, 5, 3]
    both = [0, 1, 3, 4]
    assert found[0, 1].mean == pytest.approx((samples[0][both] - samples[1][both]).mean())


def test_a_run_that_nobody_misses_changes_nothing():
    samples = family(candidates=3, seeds=4)
    padded = [np.append(sample, math.nan) for sample in samples]
    assert moderated_estimates(padded) == moderated_estimates(samples)


# what must not matter


@pytest.mark.parametrize("exponent", [-900, -200, 200, 900])
def test_scale_does_not_matter(exponent):
    samples = family(candidates=5)
    for each, scaled in zip(
        moderated_estimates(samples), moderated_estimates([np.ldexp(s, exponent) for s in samples]), strict=True
    ):
        assert scaled.error == math.ldexp(each.error, exponent)
        assert (scaled.p_value, scaled.freedom, scaled.pairing) == (each.p_value, each.freedom, each.pairing)


def test_the_order_does_not_matter():
    samples = family(candidates=5, shift=1.0)
    order = [3, 0, 4, 2, 1]
    found = dict(zip(itertools.combinations(range(5), 2), moderated_estimates(samples), strict=True))
    for (a, b), each in zip(
        itertools.combinations(order, 2), moderated_estimates([samples[i] for i in order]), strict=True
    ):
        other = found[min(a, b), max(a, b)]
        assert each.p_value == pytest.approx(other.p_value, rel=1e-9)
        assert each.mean == pytest.approx(other.mean if a < b else -other.mean)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 6), st.integers(2, 5), st.data())
def test_any_scores_give_an_ordered_interval_and_a_probability(candidates, seeds, data):
    samples = [np.array(data.draw(st.lists(moderate, min_size=seeds, max_size=seeds))) for _ in range(candidates)]
    for each in moderated_estimates(samples):
        assert 0 <= each.p_value <= 1
        assert seeds - 1 <= each.freedom <= candidates * (seeds - 1) * (1 + 1e-9)
        assert each.pairing > 0
        interval = each.at(0.95)
        assert interval.low <= interval.mean <= interval.high


def test_bounded_differences_stay_within_their_span():
    samples = [np.array(values) for values in ([0.9, 0.81, 0.7], [0.2, 0.43, 0.1], [0.5, 0.1, 0.33])]
    for each in moderated_estimates(samples, span=1.0):
        interval = each.at(0.999)
        assert -1 < interval.low < interval.mean < interval.high < 1


# how often it errs, and what it finds


def rates(samples_of, families, level=0.05):
    """Shares of pairs, and of families after Bonferroni's correction, that are told apart."""
    found = np.array([p_values(samples_of()) for _ in range(families)])
    return np.mean(found < level), np.mean(found.min(axis=1) * found.shape[1] < level)


@pytest.mark.parametrize(("candidates", "seeds"), [(3, 2), (3, 5), (6, 3), (12, 3)])
@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_by_simulation_equals_are_told_apart_as_rarely_as_promised(candidates, seeds, correlation):
    # of independent families, whose pairs are not: a standard error of 0.6 points, of families of 1.1
    generator = np.random.default_rng([candidates, seeds])

    def samples():
        shared = math.sqrt(correlation) * generator.normal(size=seeds)
        return list(shared + math.sqrt(1 - correlation) * generator.normal(size=(candidates, seeds)))

    pairs, families = rates(samples, 400)
    assert 0.02 < pairs < 0.07
    assert families < 0.07


def test_by_simulation_candidates_of_different_spread_are_told_apart_as_rarely():
    generator = np.random.default_rng(11)

    def samples():
        return [math.sqrt(4 / generator.chisquare(4)) * generator.normal(size=3) for _ in range(8)]

    pairs, families = rates(samples, 400)
    assert pairs < 0.07
    assert families < 0.07


def test_by_simulation_an_unstable_one_among_the_stable_is_not_trusted():
    generator = np.random.default_rng(12)
    spread = np.array([10.0, *[1.0] * 7])

    def samples():
        return list(spread[:, None] * generator.normal(size=(8, 5)))

    pairs, families = rates(samples, 400)
    assert pairs < 0.06
    assert families < 0.05


def test_three_seeds_of_many_find_what_they_find_of_nobody_else():
    # a difference of three standard deviations between one of twelve candidates and the others
    generator = np.random.default_rng(13)
    alone = together = 0
    for _ in range(60):
        samples = list(generator.normal(size=(12, 3)))
        samples[0] -= 3.5
        together += np.sum(p_values(samples)[:11] * 66 < 0.05)
        alone += sum(estimate(samples[0], other).p_value * 66 < 0.05 for other in samples[1:])
    assert alone < 0.03 * 660
    assert together > 0.4 * 660
