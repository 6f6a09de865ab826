import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trimtab.study.statistics import mean_interval, paired_difference

INF, NAN = math.inf, math.nan


def test_a_mean_and_its_interval():
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    margin = 0.95 * math.sqrt(2 / (1 - 0.95**2)) / math.sqrt(3)
    assert mean == 2.0
    assert (low, high) == pytest.approx((2 - margin, 2 + margin), rel=1e-8)
    values = [0.3, 0.1, 0.7, 0.2]
    expected = stats.t.interval(0.9, 3, loc=np.mean(values), scale=stats.sem(values))
    assert mean_interval(values, 0.9)[1:] == pytest.approx(expected, rel=1e-9)


def test_it_is_the_interval_of_a_difference_from_zero():
    values = [0.3012, 0.1473, 0.7339, 0.2291]
    d = paired_difference(values, [0.0] * 4)
    assert mean_interval(values) == pytest.approx((d.mean, d.low, d.high), rel=1e-6)


@pytest.mark.parametrize("values", [[0.3], [0.3] * 3, [0.3, 0.3 + 1e-8]])
def test_one_value_and_equal_ones_say_nothing_about_their_spread(values):
    assert mean_interval(values) == (pytest.approx(0.3), -INF, INF)
    assert mean_interval(values, bounds=(0, None)) == (pytest.approx(0.3), 0, INF)
    assert mean_interval(values, bounds=(0, 1)) == (pytest.approx(0.3), 0, 1)


def test_accuracies_have_an_interval_within_zero_and_one():
    # mean 0.9633 and deviation 0.0551, so that the t interval ends at 1.1001. With the odds 26.27 and
    # m = 4.3027 * 0.05508 / sqrt(3) = 0.13681, the logit's margin is m / (0.96333 * 0.03667) = 3.8733
    mean, low, high = mean_interval([0.9, 0.99, 1.0], bounds=(0, 1))
    odds, factor = 0.963333 / 0.036667, math.exp(3.8733)
    assert mean == pytest.approx(0.963333, abs=1e-6)
    assert low == pytest.approx(odds / factor / (1 + odds / factor), abs=1e-4)
    assert high == pytest.approx(odds * factor / (1 + odds * factor), abs=1e-4)
    assert mean_interval([0.9, 0.99, 1.0])[2] == pytest.approx(1.1001, abs=1e-4)
    # in percent it is the same, and of errors the same seen from the other end
    assert mean_interval([90, 99, 100], bounds=(0, 100)) == pytest.approx((100 * mean, 100 * low, 100 * high))
    assert mean_interval([0.1, 0.01, 0.0], bounds=(0, 1)) == pytest.approx((1 - mean, 1 - high, 1 - low))


def test_a_bound_on_one_side():
    # mean 2 and m = 4.3027 / sqrt(3) * sqrt(3) = 4.3027: exp(m / 2) = 8.598
    values = [2 - math.sqrt(1.5), 2 - math.sqrt(1.5), 2 + 2 * math.sqrt(1.5)]
    margin = 4.302653 * 3 / math.sqrt(2) / math.sqrt(3)
    assert mean_interval(values) == pytest.approx((2, 2 - margin, 2 + margin), rel=1e-6)
    expected = (2, 2 * math.exp(-margin / 2), 2 * math.exp(margin / 2))
    assert mean_interval(values, bounds=(0, None)) == pytest.approx(expected, rel=1e-6)
    mean, low, high = mean_interval([-value for value in values], bounds=(None, 0))
    assert (-mean, -high, -low) == pytest.approx(expected, rel=1e-6)


def test_far_from_a_bound_it_is_the_t_interval():
    values = [0.5012, 0.5003, 0.4991]
    assert mean_interval(values, bounds=(0, 1)) == pytest.approx(mean_interval(values), rel=1e-4)
    assert mean_interval(values, bounds=(0, None)) == pytest.approx(mean_interval(values), rel=1e-4)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.sampled_from([0.5, 0.95, 0.9999]))
def test_it_stays_within_its_bounds_around_the_mean(values, confidence):
    mean, low, high = mean_interval(values, confidence, bounds=(0, 1))
    assert 0 <= low <= mean * (1 + 1e-12)
    assert mean * (1 - 1e-12) <= high <= 1


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((0, 0.5), "not within"),
        ((0.5, None), "not within"),
        ((1, 0), "in order"),
        ((NAN, 1), "bounds"),
        ((INF, 1), "b"),
    ],
)
def test_bounds_hold_the_values(bounds, message):
    with pytest.raises(ValueError, match=message):
        mean_interval([0.4, 0.6], bounds=bounds)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95, NAN])
def test_confidence_is_a_fraction(confidence):
    with pytest.raises(ValueError, match="confidence="):
        mean_interval([1.0], confidence)


@pytest.mark.parametrize(("values", "message"), [([], "shape"), ([1.0, NAN], "nan"), ([INF], "inf"), (3.0, "shape")])
def test_bad_values_are_named(values, message):
    with pytest.raises(ValueError, match=f"values .*{message}"):
        mean_interval(values)
