"""The fast process beside BoTorch's: the same likelihood, the same posterior, repeats merged without loss."""

import math

import numpy as np
import pytest
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood

from trimtab.search.bo_tutorial.fast_gp import (
    LEAST_NOISE,
    Data,
    FastGP,
    Hyperparameters,
    bounded_model,
    fit,
    negative_log_posterior,
)


def observed(n=25, d=3, noise=0.3, seed=0):
    generator = np.random.default_rng(seed)
    points = generator.random((n, d))
    values = np.sin(5 * points).sum(1) + noise * generator.standard_normal(n)
    return points, 3 + 7 * values


def single(points, values):
    return Data(points, values, np.ones(len(points)))


def repeated(seed=0):
    """Repeats: all observations, and the same merged."""
    points, _ = observed(12, 2, seed=seed)
    generator = np.random.default_rng(seed)
    group = np.sort(np.append(np.arange(12), generator.integers(12, size=15)))
    values = np.sin(5 * points).sum(1)[group] + 0.3 * generator.standard_normal(len(group))
    counts = np.bincount(group).astype(float)
    means = np.bincount(group, values) / counts
    return single(points[group], values), Data(points, means, counts, float(np.square(values - means[group]).sum()))


def botorch(data, hyperparameters):
    model = SingleTaskGP(torch.tensor(data.points), torch.tensor(data.means)[:, None])
    model.covar_module.lengthscale = torch.tensor(hyperparameters.lengthscales)
    model.likelihood.noise = torch.tensor(hyperparameters.noise, dtype=torch.float64)
    model.mean_module.constant.data.fill_(FastGP(data, hyperparameters).constant)
    return model


HYPERPARAMETERS = Hyperparameters(np.array([0.4, 1.5, 0.2]), 0.07)


def test_the_posterior_is_botorchs():
    data = single(*observed())
    process = FastGP(data, HYPERPARAMETERS)
    points = np.random.default_rng(1).random((40, 3)) * 1.4 - 0.2
    expected = botorch(data, HYPERPARAMETERS).eval().posterior(torch.tensor(points))
    means, variances = process.predict(points)
    np.testing.assert_allclose(process.original(means), expected.mean.detach().numpy()[:, 0], rtol=1e-10)
    np.testing.assert_allclose(
        variances * data.spread**2, expected.variance.detach().numpy()[:, 0], rtol=1e-8, atol=1e-8
    )
    at_inputs, _ = process.predict(data.points)
    np.testing.assert_allclose(process.means, at_inputs, atol=1e-12)


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


def test_merged_repeats_say_the_same_as_all_observations():
    every, merged = repeated()
    assert (merged.centre, merged.spread) == pytest.approx((every.centre, every.spread))
    one, other = (negative_log_posterior(data.standardised()) for data in (every, merged))
    for theta in (np.array([-1.0, -0.5, -2.0]), np.array([0.3, -2.0, -0.4])):
        assert one(theta)[0] == pytest.approx(other(theta)[0], abs=1e-9)
        np.testing.assert_allclose(one(theta)[1], other(theta)[1], atol=1e-9)
    hyperparameters = Hyperparameters(np.array([0.3, 0.6]), 0.1)
    points = np.random.default_rng(1).random((20, 2))
    for ours, theirs in zip(
        FastGP(merged, hyperparameters).predict(points), FastGP(every, hyperparameters).predict(points), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


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


def test_the_fit_is_botorchs_where_that_finds_the_best():
    data = single(*observed(40, noise=0.1))
    model = SingleTaskGP(torch.tensor(data.points), torch.tensor(data.means)[:, None])
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    found = fit(data.standardised())
    np.testing.assert_allclose(found.lengthscales, model.covar_module.lengthscale.detach().numpy()[0], rtol=0.05)
    assert found.noise == pytest.approx(model.likelihood.noise.item(), rel=0.05)


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0], [1.0, 2.0], [1e140, -1e140, 0.0], [0.0] * 5])
def test_few_and_equal_values(values):
    points = np.random.default_rng(0).random((len(values), 2))
    process = FastGP(single(points, np.array(values)))
    assert np.isfinite(process.original(process.means)).all()
    assert process.hyperparameters.noise >= LEAST_NOISE


def test_pending_points_keep_the_means_and_take_the_variance():
    process = FastGP(single(*observed()))
    new = np.random.default_rng(3).random((2, 3))
    extended = process.with_pending(new)
    points = np.random.default_rng(4).random((30, 3))
    before, after = process.predict(points), extended.predict(points)
    np.testing.assert_allclose(before[0], after[0], atol=1e-9)
    assert (after[1] <= before[1] + 1e-9).all()
    assert extended.predict(new)[1].max() < process.hyperparameters.noise
    np.testing.assert_allclose(extended.means[-2:], process.predict(new)[0], atol=1e-9)
    assert process.with_pending(new[:0]) is process


def test_of_many_inputs_those_around_the_best_are_held():
    generator = np.random.default_rng(5)
    points = generator.random((400, 1))
    values = -np.square(points[:, 0] - 0.8) + 0.01 * generator.standard_normal(400)
    process, held = bounded_model(single(points, values), 100)
    assert held.sum() == len(process.means) == 100
    assert np.abs(points[held] - 0.8).max() < 0.25
    whole, every = bounded_model(single(points, values), 400)
    assert every.all()
    assert len(whole.means) == 400


def test_thinning_keeps_the_share_of_the_scatter():
    points = np.arange(10.0)[:, None]
    data = Data(points, np.zeros(10), np.full(10, 3.0), 40.0)
    thinned = data.thinned(5)
    assert thinned.points[:, 0].tolist() == [0, 2, 4, 7, 9]
    assert thinned.scatter == pytest.approx(20.0)
    assert math.isclose(data.thinned(10).scatter, 40.0)
