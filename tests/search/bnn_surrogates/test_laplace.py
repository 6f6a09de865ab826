"""Linearised Laplace."""

import math

import pytest
import torch
from botorch.acquisition.objective import ScalarizedPosteriorTransform
from scipy.optimize import minimize_scalar

from tests.search.bnn_surrogates import linear
from trimtab.search import LinearizedLaplace
from trimtab.search.bnn_surrogates.laplace import LARGEST_PRIOR_VAR, LEAST_PRIOR_VAR, likeliest_prior_var
from trimtab.study.errors import InputError

X, Y = linear.data()
TWO_X, TWO_Y = linear.data(outputs=2)
SMALL = {"hidden": (6, 5), "steps": 60, "seed": 0}
NEW = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def covariance_of(posterior):
    return posterior.distribution.covariance_matrix


def test_of_a_linear_network_it_is_linear_regression():
    model = LinearizedLaplace(X, Y, hidden=(), tune=None, jitter=0.0, seed=0).fit()
    mean, covariance = linear.closed_form(X, Y)
    phi = linear.features(NEW)
    posterior = model.posterior(NEW)
    torch.testing.assert_close(posterior.mean, Y.mean() + Y.std() * (phi @ mean).unsqueeze(-1), rtol=1e-9, atol=1e-9)
    expected = Y.var() * phi @ covariance @ phi.mT
    torch.testing.assert_close(covariance_of(posterior), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_it_is_the_gaussian_around_the_weights(activation):
    """With the covariance of all weights inverted as it stands."""
    model = LinearizedLaplace(TWO_X, TWO_Y, activation=activation, jitter=1e-3, **SMALL).fit()
    weights, prior_var, noise_var = model.weights[0], float(model.prior_var), float(model.noise_var)

    def jacobian(points):
        return torch.func.jacrev(lambda row: model.network(row.unsqueeze(0), points)[0])(weights).flatten(0, 1)

    data = jacobian(TWO_X)
    precision = data.T @ data / noise_var + torch.eye(len(weights), dtype=torch.float64) / prior_var
    scale = TWO_Y.std(0)
    for points, posterior in zip(NEW, [model.posterior(each) for each in NEW], strict=True):
        here = jacobian(points)
        expected = here @ precision.inverse() @ here.T + 1e-3 * torch.eye(6, dtype=torch.float64)
        expected = scale.repeat(3)[:, None] * expected * scale.repeat(3)
        torch.testing.assert_close(covariance_of(posterior), expected, rtol=1e-7, atol=1e-8)
    together = model.posterior(NEW)
    apart = torch.stack([covariance_of(model.posterior(each)) for each in NEW])
    torch.testing.assert_close(covariance_of(together), apart, rtol=1e-9, atol=1e-10)


def test_the_mean_is_the_network():
    model = LinearizedLaplace(TWO_X, TWO_Y, **SMALL).fit()
    outputs = model.network(model.weights, NEW.reshape(-1, 2)).view(4, 3, 2)
    expected = TWO_Y.mean(0) + TWO_Y.std(0) * outputs
    torch.testing.assert_close(model.posterior(NEW).mean, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("squared_norm", "noise_var"), [(3.0, 0.1), (0.02, 1.0), (500.0, 0.3)])
def test_the_prior_is_the_likeliest_one(squared_norm, noise_var):
    root = torch.randn(8, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    products = root @ root.T

    def negative(log_var):
        ratio = math.exp(log_var) / noise_var
        logdet = torch.logdet(torch.eye(8, dtype=torch.float64) + ratio * products)
        return float(logdet) / 2 + squared_norm / math.exp(log_var) / 2

    best = minimize_scalar(negative, bounds=(-13, 13), method="bounded", options={"xatol": 1e-9})
    found = likeliest_prior_var(products, squared_norm, noise_var)
    assert math.log(found) == pytest.approx(best.x, abs=1e-5)


def test_the_prior_stays_within_bounds():
    products = torch.eye(3, dtype=torch.float64)
    assert likeliest_prior_var(products, 0.0, 0.1) == LEAST_PRIOR_VAR
    assert likeliest_prior_var(products, 1e9, 0.1) == LARGEST_PRIOR_VAR


def test_three_ways_to_the_variances():
    fixed = LinearizedLaplace(X, Y, tune=None, prior_var=2.0, **SMALL).fit()
    assert (float(fixed.prior_var), float(fixed.noise_var)) == (2.0, 0.1)
    likely = LinearizedLaplace(X, Y, prior_var=2.0, **SMALL).fit()
    assert torch.equal(likely.weights, fixed.weights)  # the weights are those of the variance asked for
    assert float(likely.prior_var) != 2.0
    grid = LinearizedLaplace(X, Y, tune="grid", **SMALL).fit()
    assert {float(grid.prior_var), float(grid.noise_var)} <= {0.1, 1.0, 10.0}
    same = LinearizedLaplace(
        X, Y, tune=None, prior_var=float(grid.prior_var), noise_var=float(grid.noise_var), **SMALL
    ).fit()
    assert torch.equal(same.weights, grid.weights)


def test_a_choice_of_outputs_noise_and_weighted_sums():
    model = LinearizedLaplace(TWO_X, TWO_Y, **SMALL).fit()
    both = model.posterior(NEW)
    second = model.posterior(NEW, output_indices=[1])
    torch.testing.assert_close(second.mean, both.mean[..., 1:], rtol=1e-13, atol=1e-13)
    rows = torch.tensor([1, 3, 5])
    expected = covariance_of(both)[..., rows[:, None], rows]
    torch.testing.assert_close(covariance_of(second), expected, rtol=1e-12, atol=1e-12)
    swapped = model.posterior(NEW, output_indices=[1, 0])
    torch.testing.assert_close(swapped.mean, both.mean.flip(-1), rtol=1e-13, atol=1e-13)
    added = model.posterior(NEW, observation_noise=True).variance - both.variance
    torch.testing.assert_close(added, (0.1 * TWO_Y.var(0)).expand(4, 3, 2), rtol=1e-8, atol=1e-10)
    own = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    added = model.posterior(NEW, observation_noise=own).variance - both.variance
    torch.testing.assert_close(added, own * TWO_Y.var(0), rtol=1e-8, atol=1e-10)
    weights = torch.tensor([2.0, -1.0], dtype=torch.float64)
    total = model.posterior(NEW, posterior_transform=ScalarizedPosteriorTransform(weights))
    torch.testing.assert_close(total.mean.squeeze(-1), both.mean @ weights, rtol=1e-12, atol=1e-12)
    spread = torch.kron(torch.eye(3, dtype=torch.float64), weights)
    expected = (spread @ covariance_of(both) @ spread.mT).diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(total.variance.squeeze(-1), expected, rtol=1e-9, atol=1e-10)


def test_gradients_by_points_are_those_of_differences():
    model = LinearizedLaplace(X, Y, **SMALL).fit()
    points = NEW[0].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: covariance_of(model.posterior(each)), points, atol=1e-6)
    assert torch.autograd.gradcheck(lambda each: model.posterior(each).mean, points, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps=0"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"jitter": -1e-9}, "jitter=-1e-09: a number >= 0"),
        ({"tune": "likelihood"}, "tune='likelihood': one of 'marginal_likelihood', 'grid', None"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(InputError, match=words):
        LinearizedLaplace(X, Y, **(SMALL | settings))
