"""The fast fit beside BoTorch's: the same likelihood and priors, and noise told from none."""

import math

import numpy as np
import pytest
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood

from tests.search.bo_tutorial.fast import HYPERPARAMETERS, botorch, observed, single
from trimtab.search.bo_tutorial.fast_fit import LEAST_NOISE, Data, Hyperparameters, fit, negative_log_posterior


@pytest.mark.parametrize("of_logarithms", [False, True])
def test_the_objective_is_botorchs_with_its_priors(of_logarithms):
    """The density of the logarithms has the lengthscales and the noise as a factor."""
    data = single(*observed())
    objective = negative_log_posterior(data.standardised(), of_logarithms=of_logarithms)
    differences = []
    for hyperparameters in (HYPERPARAMETERS, Hyperparameters(np.array([0.1, 0.8, 3.0]), 0.5)):
        model = botorch(data, hyperparameters).train()
        likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
        theirs = likelihood(model(*model.train_inputs), model.train_targets).item() * len(data.points)
        logs = np.log(np.append(hyperparameters.lengthscales, hyperparameters.noise))
        differences.append(objective(logs)[0] + theirs + of_logarithms * logs.sum())
    assert differences[0] == pytest.approx(differences[1], abs=1e-8)  # a constant of the priors is left out


@pytest.mark.parametrize("of_logarithms", [False, True])
@pytest.mark.parametrize("dimension", [0, 1, 4])
def test_the_gradient_is_that_of_the_objective(dimension, of_logarithms):
    generator = np.random.default_rng(2)
    points = generator.random((15, dimension)) if dimension else np.empty((1, 0))
    count = len(points)
    data = Data(points, generator.standard_normal(count), generator.integers(1, 4, count) + 0.0, 3.0)
    objective = negative_log_posterior(data, of_logarithms=of_logarithms)
    theta = generator.normal(-0.5, 0.3, dimension + 1)
    steps = 1e-5 * np.eye(dimension + 1)
    numeric = [(objective(theta + step)[0] - objective(theta - step)[0]) / 2e-5 for step in steps]
    np.testing.assert_allclose(objective(theta)[1], numeric, rtol=1e-6, atol=1e-8)


def test_the_fit_is_a_maximum_that_knows_much_noise_from_little():
    generator = np.random.default_rng(0)
    points = generator.random((60, 2))
    values = np.square(points - 0.4).sum(1)
    values /= values.std()
    for noise in (0.05, 0.8):
        data = single(points, values + noise * generator.standard_normal(60)).standardised()
        found = fit(data, of_logarithms=True)
        share = noise**2 / (1 + noise**2)
        assert share / 3 < found.noise < 3 * max(share, 0.01)
        assert (found.lengthscales > 0.2).all()
        logs = np.log(np.append(found.lengthscales, found.noise))
        objective = negative_log_posterior(data, of_logarithms=True)
        for step in 0.1 * np.vstack([np.eye(3), -np.eye(3)]):
            assert objective(logs + step)[0] > objective(logs)[0] - 0.01


@pytest.mark.parametrize("of_logarithms", [False, True])
def test_no_noise_is_told_from_little(of_logarithms):
    points = np.random.default_rng(0).random((30, 2))
    values = np.square(points - 0.4).sum(1)
    errors = np.random.default_rng(1).standard_normal(30)
    certain, noisy = (
        fit(single(points, values + noise * errors).standardised(), of_logarithms=of_logarithms)
        for noise in (0.0, 0.02)
    )
    assert certain.noise == pytest.approx(LEAST_NOISE)
    assert noisy.noise > 20 * LEAST_NOISE


def test_the_fit_is_botorchs_where_that_finds_the_best():
    data = single(*observed(40, noise=0.1))
    model = SingleTaskGP(torch.tensor(data.points), torch.tensor(data.means)[:, None])
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    found = fit(data.standardised())
    np.testing.assert_allclose(found.lengthscales, model.covar_module.lengthscale.detach().numpy()[0], rtol=0.05)
    assert found.noise == pytest.approx(model.likelihood.noise.item(), rel=0.05)


def test_thinning_keeps_the_share_of_the_scatter():
    points = np.arange(10.0)[:, None]
    data = Data(points, np.zeros(10), np.full(10, 3.0), 40.0)
    thinned = data.thinned(5)
    assert thinned.points[:, 0].tolist() == [0, 2, 4, 7, 9]
    assert thinned.scatter == pytest.approx(20.0)
    assert math.isclose(data.thinned(10).scatter, 40.0)


@pytest.mark.parametrize("unit", [1e-12, 1e-30, 1e12])
def test_the_unit_of_values_makes_no_difference(unit):
    points = np.random.default_rng(0).random((9, 1))
    means = np.sin(6 * points[:, 0])
    plain, other = (Data(points, factor * means, np.ones(9)) for factor in (1.0, unit))
    assert other.spread == pytest.approx(unit * plain.spread)
    np.testing.assert_allclose(other.standardised().means, plain.standardised().means, rtol=1e-10)
    assert Data(points, np.full(9, unit * 0.1), np.ones(9)).spread == 1.0
