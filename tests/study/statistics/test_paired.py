import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trimtab.study.statistics import paired_difference

INF, NAN = math.inf, math.nan

moderate = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
samples = st.lists(moderate, min_size=2, max_size=12)


def test_a_paired_difference_worked_by_hand():
    # differences 1, 2, 3: mean 2, variance 1, t = 2 sqrt(3); with 2 degrees of freedom the t distribution has the
    # closed form P(T > t) = (1 - t / sqrt(2 + t^2)) / 2, and its 97.5 % quantile is 0.95 sqrt(2 / (1 - 0.95^2))
    shared = np.array([math.pi, math.e, math.sqrt(2)])
    d = paired_difference(shared + np.arange(1, 4), shared)
    margin = 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3)
    assert d.mean == pytest.approx(2.0, rel=1e-12)
    assert (d.low, d.high) == pytest.approx((2 - margin, 2 + margin), rel=1e-8)
    assert d.p_value == pytest.approx(1 - math.sqrt(12 / 14), rel=1e-9)
    assert (d.n, d.confidence) == (3, 0.95)


def test_whole_numbers_lack_the_variance_that_rounding_took():
    # the same differences of multiples of 1 have the variance 1 + 1/6
    d = paired_difference([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    error = math.sqrt((1 + 1 / 6) / 3)
    t = 2 / error
    assert d.mean == 2.0
    assert d.p_value == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-9)
    assert d.high - d.mean == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)) * error, rel=1e-8)


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


@pytest.mark.parametrize("n", [2, 3, 5, 10, 60, 1100])
@pytest.mark.parametrize("shift", [0.1, -0.1])
def test_n_equal_differences_say_no_more_than_n_equal_signs(n, shift):
    d = paired_difference([0.3 + shift] * n, [0.3] * n)
    assert d.mean == pytest.approx(shift)
    assert d.p_value == pytest.approx(2.0 ** (1 - n), rel=1e-9)
    assert d.p_value >= 2.0 ** (1 - n)
    assert (d.low > 0 or d.high < 0) == (d.p_value < 0.05)
    if n < 1000:
        assert d.low < d.mean < d.high
        assert d.smallest_detectable > d.high - d.mean


def test_five_equal_differences_worked_by_hand():
    # t such that P(|T| > t) = 1/16 with 4 degrees of freedom is 2.5622: the error is 1 / 2.5622 of the mean
    d = paired_difference([0.31, 0.32, 0.33, 0.34, 0.36], [0.21, 0.22, 0.23, 0.24, 0.26])
    assert (d.low, d.high) == pytest.approx((0.1 - 2.7764 / 2.5622 / 10, 0.1 + 2.7764 / 2.5622 / 10), abs=1e-5)
    assert d.smallest_detectable == pytest.approx(0.1468, abs=1e-4)


@pytest.mark.parametrize("number", [np.float64, np.float32])
def test_differences_that_only_rounding_tells_apart_are_equal(number):
    # 0.11 - 0.1 and 0.54 - 0.53 differ by 1e-17, in single precision by 5e-8
    first, second = np.array([0.11, 0.54], number).astype(float), np.array([0.1, 0.53], number).astype(float)
    assert first[0] - second[0] != first[1] - second[1]
    d = paired_difference(first, second)
    assert d.p_value == pytest.approx(0.5)
    assert d.low < 0 < d.high


def test_no_difference_at_all():
    d = paired_difference([0.85, 0.86, 0.9], [0.85, 0.86, 0.9])
    assert (d.mean, d.p_value) == (0.0, 1.0)
    assert d.low < 0 < d.high
    assert paired_difference([0.0] * 3, [0.0] * 3).p_value == 1.0


@pytest.mark.parametrize("n", [2, 5, 10, 30])
@pytest.mark.parametrize("smallest", [5e-324, 1e-323])
def test_a_difference_as_small_as_a_number_can_be_has_an_error(n, smallest):
    for first in ([smallest] * n, [smallest, *[0.0] * (n - 1)]):
        found = paired_difference(first, [0.0] * n)
        assert 0.05 < found.p_value <= 1


def test_two_nearly_equal_differences_of_accuracies_are_not_certain():
    # multiples of 1/1000: 0.030 and 0.031 have t = 61 and p = 0.01 by the plain test; with the step's variance
    # (0.001^2 / 2 + 0.001^2 / 6), t = 52.8
    d = paired_difference([0.9, 0.912], [0.87, 0.881])
    assert d.p_value == pytest.approx(2 * stats.t.sf(0.0305 * math.sqrt(2) / (0.001 * math.sqrt(2 / 3)), 1), rel=1e-6)


def test_a_constant_however_large_hides_no_spread():
    # a penalty of 1e30 against losses near 0.3: their spread would be lost in the difference
    d = paired_difference([1e30] * 5, [0.3, 0.31, 0.32, 0.29, 0.33])
    assert d.p_value < 1e-100
    assert d.mean == pytest.approx(1e30)


def test_differences_of_bounded_scores_stay_within_their_span():
    # 0.3 +- 0.9: on the scale artanh(d), 0.3095 +- 0.9 * 0.3095 / 0.3
    first, second = np.array([0.9, 0.8 + 1e-4]), np.array([0.5 + 2e-5, 0.6])
    plain, bounded = (paired_difference(first, second, 0.95, span=span) for span in (None, 1.0))
    margin = plain.high - plain.mean
    assert plain.high > 1
    assert bounded.p_value == plain.p_value
    scale = math.atanh(plain.mean)
    expected = [math.tanh(scale * (1 + sign * margin / plain.mean)) for sign in (-1, 1)]
    assert (bounded.low, bounded.high) == pytest.approx(expected, rel=1e-9)
    assert -1 < bounded.low < bounded.high < 1


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=12), st.sampled_from([0.8, 0.95, 0.999]))
def test_an_interval_within_a_span_excludes_zero_in_the_same_cases(values, confidence):
    half = len(values) // 2
    first, second = values[:half], values[half : 2 * half]
    plain, bounded = (paired_difference(first, second, confidence, span=span) for span in (None, 1.0))
    assert -1 <= bounded.low <= bounded.high <= 1
    assert (plain.low > 1e-12, plain.high < -1e-12) == (bounded.low > 1e-12, bounded.high < -1e-12)


@pytest.mark.parametrize("span", [0.0, -1.0, NAN, 0.05])
def test_a_span_holds_the_differences(span):
    with pytest.raises(ValueError, match="span="):
        paired_difference([0.1, 0.2], [0.0, 0.0], span=span)


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


@pytest.mark.parametrize("n", [3, 5, 10])
def test_by_simulation_the_interval_misses_no_difference_5_percent_of_the_time(n):
    # 6,000 experiments: a standard error of 0.28 points, of which 3 are allowed
    generator = np.random.default_rng(100 + n)
    seeds, first, second = generator.normal(size=(3, 6_000, n))
    found = [paired_difference(5 * s + a, 5 * s + b) for s, a, b in zip(seeds, first, second, strict=True)]
    assert np.mean([d.low > 0 or d.high < 0 for d in found]) == pytest.approx(0.05, abs=0.0084)
    assert np.mean([d.p_value < 0.05 for d in found]) == np.mean([d.low > 0 or d.high < 0 for d in found])
