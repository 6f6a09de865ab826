"""The Gaussian process over learning rates: its posterior by hand, and where it asks next."""

import math

import numpy as np
import pytest
import torch
from sklearn.gaussian_process.kernels import Matern

from trimtab.schedule.autolrs.rate_search import GRID, JITTER, next_rate, posterior

LOW, HIGH = 1e-4, 1.0
RATES, LOSSES = [1e-3, 1e-2, 0.3], [1.0, 0.4, 0.9]
FIXED = Matern(0.3, "fixed", nu=2.5)


def matern(first, second, length):
    distance = math.sqrt(5) * np.abs(first[:, None] - second[None, :]) / length
    return (1 + distance + distance**2 / 3) * np.exp(-distance)


def by_hand(length=0.3):
    places = np.log(np.array(RATES) / LOW) / math.log(HIGH / LOW)
    grid = np.linspace(0, 1, GRID)
    values = np.array(LOSSES)
    scale = values.std()
    covariance = matern(places, places, length) + JITTER * np.eye(3)
    across = matern(grid, places, length)
    mean = values.mean() + across @ np.linalg.solve(covariance, values - values.mean())
    variance = 1 - np.einsum("ij,ji->i", across, np.linalg.solve(covariance, across.T))
    return places, grid, mean, scale * np.sqrt(np.maximum(variance, 0))


def test_the_posterior_is_the_textbooks():
    places, grid, mean, deviation = by_hand()
    found = posterior(places, np.array(LOSSES), grid, FIXED)
    np.testing.assert_allclose(found[0], mean, atol=1e-6)
    np.testing.assert_allclose(found[1], deviation, atol=1e-6)


@pytest.mark.parametrize("kappa", [0.0, 2.0, 1e6])
def test_the_next_rate_has_the_lowest_bound(kappa):
    _, grid, mean, deviation = by_hand()
    best = grid[np.argmin(mean - kappa * deviation)]
    found = next_rate(RATES, LOSSES, (LOW, HIGH), kappa=kappa, generator=torch.Generator(), kernel=FIXED)
    assert math.log(found / LOW) / math.log(HIGH / LOW) == pytest.approx(best, abs=1 / GRID)


def test_nothing_is_tried_twice_and_much_uncertainty_spreads_rates_out():
    generator, rates = torch.Generator().manual_seed(0), []
    for _ in range(10):
        rates.append(next_rate(rates, [0.5] * len(rates), (LOW, HIGH), kappa=1e6, generator=generator))
    places = np.sort(np.log10(rates))
    assert LOW <= min(rates) < 2e-4
    assert 0.5 < max(rates) <= HIGH
    assert np.diff(places).min() > 0.1
    assert np.diff(places).max() < 1.0


def test_the_same_place_is_avoided_when_it_is_the_best():
    rates = [1e-2]
    for _ in range(5):
        losses = [abs(math.log10(rate) + 2) for rate in rates]
        rates.append(next_rate(rates, losses, (LOW, HIGH), kappa=0.0, generator=torch.Generator()))
    assert len(set(rates)) == 6


@pytest.mark.parametrize("kappa", [0.0, 2.0, 1e6])
def test_the_unit_and_the_origin_of_the_losses_do_not_matter(kappa):
    def asked(losses):
        return next_rate(RATES, losses, (LOW, HIGH), kappa=kappa, generator=torch.Generator())

    for losses in (LOSSES, [0.7] * 3, [1.0, math.inf, 0.5], [math.inf] * 3):
        for exponent in (40, -40, 900, -900):
            assert asked([math.ldexp(loss, exponent) for loss in losses]) == asked(losses)
        for factor, shift in ((1e-12, 0), (1e6, 0), (1e300, 0), (1, -5), (1, 1e3)):
            assert asked([factor * loss + shift for loss in losses]) == pytest.approx(asked(losses), rel=1e-2)


def test_a_rate_that_diverged_counts_as_worse_than_all_others():
    def asked(worst):
        return next_rate([1e-3, 1e-2, 1e-1], [1.0, 0.9, worst], (LOW, HIGH), kappa=0.0, generator=torch.Generator())

    assert asked(math.inf) == asked(1.1)
    assert 1e-3 < asked(math.inf) < 3e-2
