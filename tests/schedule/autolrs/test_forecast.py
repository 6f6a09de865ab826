"""Forecasts of losses: closed forms, the released code's numbers, and what does not determine an exponential."""

import math

import numpy as np
import pytest

from trimtab.schedule import exponential_forecast
from trimtab.schedule.autolrs.forecast import fit_exponential

TIMES = np.arange(100)
SLOW, FAST = 2 * np.exp(-0.01 * TIMES) + 0.5, 1.5 * np.exp(-0.05 * TIMES) + 0.5
SPIKED = SLOW.copy()
SPIKED[[5, 20, 40]] += 5


@pytest.mark.parametrize(("losses", "true"), [(SLOW, 0.5000908), (SPIKED, 0.5000908), (FAST, 0.5)])
def test_exponentials_are_forecast_exactly(losses, true):
    assert exponential_forecast(losses, 1000) == pytest.approx(true, abs=1e-6)


@pytest.mark.parametrize(("losses", "theirs"), [(SLOW, 0.38460), (SPIKED, 0.38609), (FAST, 0.42493)])
def test_the_released_chain_gives_its_own_numbers(losses, theirs):
    assert exponential_forecast(losses, 1000, published=True) == pytest.approx(theirs, abs=2e-5)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize(
    ("losses", "horizon", "expected"),
    [([0.7] * 50, 1000, 0.7), ([0.9, 0.7, 0.5], 10, 0.7), ([0.3], 10, 0.3), ([1.0, math.nan, 1.0, 1.0], 9, math.nan)],
)
def test_too_little_to_fit(losses, horizon, expected, published):
    found = exponential_forecast(losses, horizon, published=published)
    assert found == pytest.approx(expected, nan_ok=True)


def test_gradient_descent_on_a_quadratic_is_an_exponential():
    curvature, start, steps = 2.0, 3.0, 40
    for rate in (0.01, 0.05, 0.2):
        losses = 0.5 * curvature * start**2 * (1 - rate * curvature) ** (2 * np.arange(steps, dtype=float))
        a, b, c = fit_exponential(np.arange(steps, dtype=float), losses)
        assert b == pytest.approx(2 * math.log(abs(1 - rate * curvature)), rel=1e-5)
        assert (a, c) == (pytest.approx(losses[0], rel=1e-5), pytest.approx(0, abs=1e-5))


def test_a_smaller_rate_that_looks_better_early_is_found_out():
    low = 1.0 * np.exp(-0.02 * TIMES[:50]) + 0.9
    high = 1.4 * np.exp(-0.01 * TIMES[:50]) + 0.5
    assert low[-1] < high[-1]
    assert exponential_forecast(low, 500) > exponential_forecast(high, 500)


def test_noise_stays_within_bounds():
    generator = np.random.default_rng(0)
    for _ in range(20):
        losses = SLOW + 0.01 * generator.normal(size=100)
        assert exponential_forecast(losses, 1000) == pytest.approx(0.5, abs=0.15)
        wild = 0.6 + 0.5 * generator.random(100)
        assert max(0, wild[-1] - 2 * np.ptp(wild)) <= exponential_forecast(wild, 1000) <= wild.max()


@pytest.mark.parametrize("published", [False, True])
def test_losses_that_are_not_negative_have_no_negative_forecast(published):
    assert exponential_forecast(1 - 0.009 * TIMES, 10_000, published=published) >= 0
    assert exponential_forecast(-1 - 0.009 * TIMES, 100, published=published) < -1


COURSES = [SLOW, SPIKED, FAST, 1 - 0.009 * TIMES, np.array([0.9, 0.7, 0.5]), np.full(50, 0.7), np.cos(TIMES) + 3]


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("kind", ["train", "validation"])
@pytest.mark.parametrize("losses", COURSES)
def test_a_forecast_has_the_unit_of_the_losses(losses, kind, published):
    one = exponential_forecast(losses, 1000, kind, published)
    for exponent in (40, -40, 900, -900):
        assert exponential_forecast(np.ldexp(losses, exponent), 1000, kind, published) == np.ldexp(one, exponent)
    for factor in (1e-12, 1e6, 1e300):
        assert exponential_forecast(factor * losses, 1000, kind, published) == pytest.approx(factor * one, rel=1e-6)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("losses", COURSES)
def test_a_forecast_has_the_origin_of_the_losses(losses, published):
    above = exponential_forecast(losses + 100, 1000, published=published)
    below = exponential_forecast(losses - 100, 1000, published=published)
    assert below + 200 == pytest.approx(above, abs=1e-5)
    assert exponential_forecast(losses, 1000, published=published) == pytest.approx(max(0, above - 100), abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], 10), ValueError, "losses=.* at least one number"),
        (([1.0], 0), ValueError, "horizon=0 must lie in"),
        (([1.0], "far"), TypeError, "horizon='far'"),
        (([1.0], 10, "test"), ValueError, "kind='test' must be 'train' or 'validation'"),
        (([1.0], 10, "train", 1), TypeError, "published=1 must be True or False"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        exponential_forecast(*arguments)
