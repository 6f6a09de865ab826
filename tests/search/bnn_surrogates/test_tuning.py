"""Variances from a grid."""

import math

import pytest
import torch

from tests.search.bnn_surrogates import linear
from trimtab.search import DeepEnsembleSurrogate
from trimtab.search.bnn_surrogates.tuning import GRID, RejectedChainError, log_likelihood, tuned_variances

X, Y = linear.data(points=11)


def test_the_likelihood_is_the_normal_one():
    generator = torch.Generator().manual_seed(0)
    mean, variance = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64).exp()
    outputs = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    expected = torch.distributions.Normal(mean, variance.sqrt()).log_prob(outputs).sum()
    assert log_likelihood(outputs, mean, variance) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("best", [(0.1, 0.1), (1.0, 10.0), (10.0, 1.0)])
def test_the_pair_that_predicts_the_last_points_wins(best):
    seen = []

    def predict(fitted_X, fitted_Y, held_out, prior_var, noise_var):
        seen.append((prior_var, noise_var))
        assert torch.equal(fitted_X, X[:8])  # the whole part of 0.8 times 11
        assert torch.equal(fitted_Y, Y[:8])
        assert torch.equal(held_out, X[8:])
        off = 0.0 if (prior_var, noise_var) == best else 50.0
        return Y[8:] + off, torch.zeros(3, 1, dtype=torch.float64)

    assert tuned_variances(predict, X, Y) == best
    assert seen == [(prior, noise) for prior in GRID for noise in GRID]


def test_the_noise_is_part_of_the_score():
    # errors of 3: of the noises 0.1, 1, 10 the last is likeliest, and with a variance of 9 already there the first
    for variance, noise in ((0.0, 10.0), (9.0, 0.1)):
        spread = torch.full((3, 1), variance, dtype=torch.float64)
        assert tuned_variances(lambda *_, spread=spread: (Y[8:] + 3, spread), X, Y)[1] == noise


def test_chains_that_do_not_move_lose():
    def predict(fitted_X, fitted_Y, held_out, prior_var, noise_var):
        if noise_var < 10:
            raise RejectedChainError
        return Y[8:] + prior_var, torch.ones(3, 1, dtype=torch.float64)

    assert tuned_variances(predict, X, Y) == (0.1, 10.0)

    def never(*_):
        raise RejectedChainError

    with pytest.raises(RuntimeError, match='tune="grid"'):
        tuned_variances(never, X, Y)


def test_numbers_that_are_none_lose():
    def predict(fitted_X, fitted_Y, held_out, prior_var, noise_var):
        value = math.nan if noise_var < 1 else prior_var
        return Y[8:] + value, torch.ones(3, 1, dtype=torch.float64)

    assert tuned_variances(predict, X, Y)[0] == 0.1


def test_two_points_are_enough():
    pair = tuned_variances(lambda x, y, new, *_: (y, torch.ones_like(y)), X[:2], Y[:2])
    assert set(pair) <= set(GRID)


def test_a_tuned_model_is_the_one_with_the_variances_found():
    settings = {"hidden": (4,), "members": 3, "steps": 30, "lr": 0.05, "seed": 0}
    tuned = DeepEnsembleSurrogate(X, Y, tune="grid", **settings).fit()
    prior_var, noise_var = float(tuned.prior_var), float(tuned.noise_var)
    assert {prior_var, noise_var} <= set(GRID)
    scores = {}
    for prior in GRID:
        for noise in GRID:
            inner = DeepEnsembleSurrogate(
                X[:8], linear.standard(Y)[:8], outcome_transform=None, prior_var=prior, noise_var=noise, **settings
            ).fit()
            held_out = inner.posterior(X[8:])
            total = held_out.variance + noise
            scores[prior, noise] = log_likelihood(linear.standard(Y)[8:], held_out.mean, total)
    assert max(scores, key=scores.get) == (prior_var, noise_var)
    plain = DeepEnsembleSurrogate(X, Y, prior_var=prior_var, noise_var=noise_var, **settings).fit()
    assert torch.equal(plain.weight_draws, tuned.weight_draws)
