"""The bar distribution: values worked out by hand, by integration and by draws, and thin bars."""

import math

import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.utils.testing import MockModel, MockPosterior
from torch.distributions import Normal

from trimtab.search.pfn.bar_distribution import BarDistribution
from trimtab.study.errors import InputError

BORDERS = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
LOGITS = torch.tensor([0.1, 0.2, 0.4, 0.3], dtype=torch.float64).log()
UNEVEN = BarDistribution(torch.tensor([-3.0, -1.0, -0.5, 0.25, 1.0, 1.5], dtype=torch.float64))
NODES, WEIGHTS = map(torch.tensor, np.polynomial.legendre.leggauss(100))
BOTH = pytest.mark.parametrize("tails", [False, True])


def random_logits(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("value", "improvement"), [(-2.0, 2.4), (0.0, 0.65), (0.5, 0.35), (2.0, 0.0)])
def test_improvement_without_tails_by_hand(value, improvement):
    assert BarDistribution(BORDERS, tails=False).ei(LOGITS, value).item() == pytest.approx(improvement, abs=1e-14)


def test_moments_and_improvement_with_tails_by_hand():
    bars = BarDistribution(BORDERS)
    scale = 1.482602218505602
    tail = scale * math.sqrt(2 / math.pi)
    assert bars.mean(LOGITS).item() == pytest.approx(0.1 * (-1 - tail) - 0.1 + 0.2 + 0.3 * (1 + tail), abs=1e-12)
    assert bars.mean(LOGITS).item() == pytest.approx(0.5365891, abs=1e-7)
    assert bars.ei(LOGITS, 0.5).item() == pytest.approx(0.5548836, abs=1e-7)
    # the last bucket's improvement over what lies below it is its mean's; with t for it alone it would be .4049
    assert bars.ei(LOGITS, 0.5).item() == pytest.approx(0.4 * 0.125 + 0.3 * (0.5 + tail), abs=1e-12)


def test_draws_have_the_moments_and_the_improvement():
    bars = BarDistribution(BORDERS)
    draws = bars.sample(LOGITS.expand(200_000, 4), torch.Generator().manual_seed(0))
    assert draws.mean().item() == pytest.approx(bars.mean(LOGITS).item(), abs=0.01)
    assert draws.var().item() == pytest.approx(bars.variance(LOGITS).item(), rel=0.01)
    for value in (-3.0, -1.5, 0.5, 1.5, 3.0):
        assert (draws - value).clamp(min=0).mean().item() == pytest.approx(bars.ei(LOGITS, value).item(), abs=0.01)
        assert (draws > value).double().mean().item() == pytest.approx(bars.prob_above(LOGITS, value).item(), abs=4e-3)


@BOTH
def test_all_agree_with_integrals_of_the_density(tails):
    bars = BarDistribution(UNEVEN.borders, tails=tails)
    logits = random_logits(5)
    low, high = (-40.0, 40.0) if tails else (-3.0, 1.5)

    def integral(function, start=low, end=high):
        breaks = [start, *[b for b in bars.borders.tolist() if start < b < end], end]
        edges = torch.tensor(breaks, dtype=torch.float64)
        middle, half = (edges[1:] + edges[:-1]) / 2, edges.diff() / 2
        y = middle[:, None] + half[:, None] * NODES  # Gauss and Legendre's rule, piece by piece
        return (half[:, None] * WEIGHTS * bars.log_prob(logits, y).exp() * function(y)).sum().item()

    mean = integral(lambda y: y)
    assert integral(torch.ones_like) == pytest.approx(1, abs=1e-9)
    assert bars.mean(logits).item() == pytest.approx(mean, abs=1e-9)
    assert bars.variance(logits).item() == pytest.approx(integral(lambda y: (y - mean) ** 2), abs=1e-8)
    for value in (-2.9, -0.7, 0.1, 1.2):
        assert bars.cdf(logits, value).item() == pytest.approx(integral(torch.ones_like, low, value), abs=1e-9)
        assert bars.prob_above(logits, value).item() == pytest.approx(integral(torch.ones_like, value), abs=1e-9)
        improvement = integral(lambda y, f=value: y - f, value)
        assert bars.ei(logits, value).item() == pytest.approx(improvement, abs=1e-8)


@BOTH
def test_the_slope_of_the_improvement_is_minus_the_probability_above(tails):
    bars = BarDistribution(UNEVEN.borders, tails=tails)
    logits = random_logits(7, 1, 5)
    value = torch.linspace(-2.97, 1.47, 40, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(bars.ei(logits, value).sum(), value)
    assert torch.allclose(slope, -bars.prob_above(logits, value).sum(0), atol=1e-10)


@BOTH
def test_quantiles_turn_the_distribution_function_round(tails):
    bars = BarDistribution(UNEVEN.borders, tails=tails)
    logits = random_logits(6, 1, 5)
    shares = torch.linspace(0.001, 0.999, 101, dtype=torch.float64)
    quantiles = bars.icdf(logits, shares)
    assert quantiles.shape == (6, 101)
    assert (quantiles.diff(dim=-1) > 0).all()
    assert torch.allclose(bars.cdf(logits, quantiles), shares.expand(6, -1), atol=1e-12)
    assert torch.allclose(bars.prob_above(logits, quantiles), 1 - shares.expand(6, -1), atol=1e-12)


def test_thin_bars_come_to_the_normal_distribution():
    mean, scale = 0.3, 0.8
    borders = torch.linspace(-6, 6, 2401, dtype=torch.float64)
    normal = Normal(torch.tensor(mean, dtype=torch.float64), scale)
    logits = normal.cdf(borders).diff().clamp(min=1e-300).log()
    bars = BarDistribution(borders)
    assert bars.mean(logits).item() == pytest.approx(mean, abs=1e-4)
    assert bars.variance(logits).item() == pytest.approx(scale**2, abs=1e-4)

    one = torch.ones(1, 1, dtype=torch.float64)
    model = MockModel(MockPosterior(mean=mean * one, variance=scale**2 * one))
    for best in (-1.0, 0.0, 0.31, 1.7):
        closed = LogExpectedImprovement(model, best)(torch.zeros(1, 1, 1, dtype=torch.float64))
        assert bars.ei(logits, best).item() == pytest.approx(closed.exp().item(), abs=1e-4)
        assert bars.prob_above(logits, best).item() == pytest.approx(
            1 - normal.cdf(torch.tensor(best)).item(), abs=1e-4
        )


def test_far_out_the_logarithms_are_finite_and_have_slopes():
    logits = random_logits(3, 5).requires_grad_()
    for value in (-50.0, 30.0):
        for found in (UNEVEN.log_ei(logits, value), UNEVEN.log_prob_above(logits, value)):
            assert torch.isfinite(found).all()
            (slope,) = torch.autograd.grad(found.sum(), logits)
            assert torch.isfinite(slope).all()
    assert UNEVEN.prob_above(logits, 1e4).max() == 0
    assert torch.allclose(UNEVEN.ei(logits, -50.0), UNEVEN.mean(logits) + 50)


def test_a_far_tail_is_that_of_the_half_normal_distribution():
    bars, t, scale = BarDistribution(BORDERS), 20.0, 1.482602218505602
    above = 0.3 * math.erfc((t - 1) / scale / math.sqrt(2))
    assert bars.prob_above(LOGITS, t).item() == pytest.approx(above, rel=1e-9)
    density = bars.log_prob(LOGITS, t).item()
    assert density == pytest.approx(math.log(0.3 * 2 / scale / math.sqrt(2 * math.pi)) - ((t - 1) / scale) ** 2 / 2)


def test_without_tails_there_is_nothing_outside():
    bars = BarDistribution(BORDERS, tails=False)
    outside = torch.tensor([-2.1, 2.1], dtype=torch.float64)
    assert bars.log_prob(LOGITS, outside).tolist() == [-math.inf] * 2
    assert bars.cdf(LOGITS, outside).tolist() == pytest.approx([0, 1])
    assert bars.log_prob(LOGITS, BORDERS[[0, -1]]).exp().tolist() == pytest.approx([0.1, 0.3])


@pytest.mark.parametrize(
    "borders",
    [[0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 2.0, 1.0], [0.0, 1.0, math.inf], [0.0, math.nan, 1.0], [[0.0, 1.0, 2.0]]],
)
def test_borders_that_cannot_be_are_refused(borders):
    with pytest.raises(InputError, match="borders"):
        BarDistribution(torch.tensor(borders))


def test_values_that_cannot_be_are_refused():
    bars = BarDistribution(BORDERS)
    for method in (bars.ei, bars.cdf, bars.log_prob, bars.prob_above, bars.icdf):
        with pytest.raises(InputError, match="value"):
            method(LOGITS, math.nan)
    for share in (-0.1, 1.1):
        with pytest.raises(InputError, match="probability"):
            bars.icdf(LOGITS, share)


def test_draws_are_the_generators():
    logits, state = LOGITS.expand(5, 4), torch.get_rng_state()
    one, other, third = (BarDistribution(BORDERS).sample(logits, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)
    assert torch.equal(torch.get_rng_state(), state)
