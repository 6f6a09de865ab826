import itertools
import math

import numpy as np
import pytest
from scipy import special

from trimtab.study.errors import InputError
from trimtab.study.statistics import moderated_estimates
from trimtab.study.statistics.sequential import boundaries, corrected_looks, looked, looks, predictive_power


def estimates(samples):
    return moderated_estimates(list(np.asarray(samples, float)))


def pair(n, shift, scale=1.0, seed=0):
    """A difference of two candidates with n seeds, whose t has a known value."""
    noise = np.random.default_rng(seed).standard_normal(n)
    noise = scale * (noise - noise.mean()) / noise.std(ddof=1)
    return estimates([noise + shift, np.zeros(n)])[0]


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [(3, (2, 3)), (5, (2, 3, 4, 5)), (12, (2, 3, 4, 5, 6, 7, 8, 9, 10, 12)), (20, (*range(2, 11), 12, 14, 16, 18, 20))],
)
def test_every_seed_is_looked_at_at_first_and_fewer_later(seeds, expected):
    assert looks(seeds) == expected


def test_two_seeds_are_no_race():
    for seeds in (0, 2, 2.5, True):
        with pytest.raises(InputError, match="seeds="):
            looks(seeds)


@pytest.mark.parametrize("seeds", [3, 10])
def test_levels_and_sequential_p_values_are_inverse(seeds):
    bounds = boundaries(seeds)
    for look, alpha in itertools.product(range(len(bounds.looks)), (0.5, 0.05, 0.05 / 45, 1e-7, 1e-12)):
        level = bounds.level(look, alpha)
        assert 0 < level < alpha * 1.01
        assert bounds.p_value(look, level) == pytest.approx(alpha, rel=0.02)
    assert bounds.p_value(0, 0.0) == 0.0
    assert bounds.p_value(0, 1.0) == 1.0


def test_levels_grow_from_look_to_look_and_with_the_level_of_all():
    bounds = boundaries(10)
    levels = np.array([[bounds.level(look, alpha) for look in range(9)] for alpha in (0.001, 0.01, 0.05)])
    assert (np.diff(levels, axis=0) > 0).all()
    assert (np.diff(levels, axis=1) > 0).all()
    assert levels[-1, 0] == pytest.approx(0.05 * 0.2**3)


@pytest.mark.parametrize(("seeds", "alpha"), [(3, 0.05), (5, 0.01), (10, 0.05)])
def test_equals_are_told_apart_as_rarely_as_that_says(seeds, alpha):
    bounds = boundaries(seeds)
    samples = np.random.default_rng(seeds).standard_normal((200_000, seeds))
    shown = np.zeros(len(samples), bool)
    for look, n in enumerate(bounds.looks):
        t = samples[:, :n].mean(axis=1) / samples[:, :n].std(axis=1, ddof=1) * math.sqrt(n)
        shown |= 2 * special.stdtr(n - 1, -abs(t)) < bounds.level(look, alpha)
    assert shown.mean() == pytest.approx(alpha, rel=0.02, abs=4 * math.sqrt(alpha / len(samples)))


def test_a_difference_that_was_shown_stays_shown():
    bounds = boundaries(5)
    shown = looked(2, pair(4, 6.0), bounds)
    assert shown.p_value < 0.05
    later = shown.then(3, pair(5, 0.1), bounds)
    assert later == shown


def test_a_difference_that_was_not_shown_is_as_it_was_last():
    bounds = boundaries(5)
    first = looked(0, pair(2, 0.5), bounds)
    last = first.then(1, pair(3, 0.4), bounds)
    assert (last.look, last.estimate.n) == (1, 3)
    assert last.p_value == min(first.p_value, bounds.p_value(1, pair(3, 0.4).p_value))


def test_the_predictive_power_is_how_often_all_seeds_show_a_difference():
    """Drawn: a variance and a difference as nine seeds leave them open, and the seeds to come."""
    bounds, generator = boundaries(12), np.random.default_rng(1)
    found, shift = pair(9, 0.8), 0.8
    variances = 8 / generator.chisquare(8, 40_000)
    means = generator.normal(shift, np.sqrt(variances / 9))
    to_come = generator.normal(means[:, None], np.sqrt(variances)[:, None], (40_000, 3))
    sums, squares = 9 * shift + to_come.sum(axis=1), 8 + 9 * shift**2 + (to_come**2).sum(axis=1)
    t = sums / 12 / np.sqrt((squares - sums**2 / 12) / 11 / 12)
    limit = -special.stdtrit(11, bounds.level(len(bounds.looks) - 1, 0.05) / 2)
    expected = (abs(t) > limit).mean()
    assert 0.2 < expected < 0.8
    assert predictive_power(bounds.looks.index(9), found, bounds, 0.05) == pytest.approx(expected, abs=0.03)


def test_at_the_end_there_is_nothing_to_predict():
    bounds = boundaries(4)
    assert predictive_power(2, pair(4, 9.0), bounds, 0.05) == 1.0
    assert predictive_power(2, pair(4, 0.1), bounds, 0.05) == 0.0


def test_the_chance_falls_with_the_difference_and_with_the_level():
    bounds = boundaries(10)
    chances = [predictive_power(1, pair(3, shift), bounds, 0.05) for shift in (3.0, 1.0, 0.0)]
    assert chances == sorted(chances, reverse=True)
    assert predictive_power(1, pair(3, 1.0), bounds, 0.001) < chances[1]
    assert predictive_power(1, pair(3, -1.0), bounds, 0.05) == pytest.approx(chances[1])


def test_intervals_leave_out_zero_exactly_where_a_difference_is_shown():
    bounds = boundaries(6)
    generator = np.random.default_rng(2)
    for _ in range(20):
        scores = generator.standard_normal((4, 6)) + np.array([[0.0], [0.0], [2.5], [4.0]])
        look = int(generator.integers(1, len(bounds.looks)))
        tests = [looked(look, each, bounds) for each in estimates(scores[:, : bounds.looks[look]])]
        for each in corrected_looks(tests, bounds):
            assert (each.p_value < 0.05) == (each.low >= 0 or each.high <= 0)
            assert each.low <= each.alone.low <= each.alone.mean <= each.alone.high <= each.high


def test_early_intervals_are_wider_and_what_is_detectable_is_of_all_seeds():
    bounds = boundaries(10)
    early, late = (corrected_looks([looked(look, pair(n, 1.0), bounds)], bounds)[0] for look, n in ((1, 3), (8, 10)))
    assert early.high - early.low > 5 * (late.high - late.low)
    assert early.smallest_detectable == pytest.approx(late.smallest_detectable, rel=0.5)
