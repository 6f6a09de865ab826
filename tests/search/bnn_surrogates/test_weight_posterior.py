"""The posterior of weights, and its maximum."""

import torch

from tests.search.bnn_surrogates import linear
from trimtab.search.bnn_surrogates.network import Network
from trimtab.search.bnn_surrogates.weight_posterior import WeightPosterior, maximised


def posterior(hidden=(6,), outputs=2):
    X, Y = linear.data(points=12, outputs=outputs)
    return WeightPosterior(Network(2, hidden, outputs, "tanh"), X, Y, prior_var=0.7, noise_var=0.3)


def draws(posterior, count=3):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, posterior.network.n_weights, generator=generator, dtype=torch.float64)


def test_the_density_is_prior_times_likelihood():
    target = posterior()
    weights = draws(target)
    noise = torch.distributions.Normal(target.network(weights, target.X), 0.3**0.5)
    prior = torch.distributions.Normal(torch.zeros_like(weights), 0.7**0.5)
    full = noise.log_prob(target.Y).sum((1, 2)) + prior.log_prob(weights).sum(1)
    values, _ = target.evaluate(weights)
    torch.testing.assert_close(values - values[0], full - full[0], rtol=1e-12, atol=1e-10)  # constants aside


def test_the_gradient_is_that_of_autograd():
    target = posterior()
    weights = draws(target).requires_grad_()
    values, gradient = target.evaluate(weights)
    (expected,) = torch.autograd.grad(values.sum(), weights)
    torch.testing.assert_close(gradient, expected, rtol=1e-11, atol=1e-11)
    assert torch.equal(target.gradient(weights), gradient)


def test_estimates_from_all_batches_average_to_the_gradient():
    target = posterior()
    weights = draws(target)
    batches = torch.randperm(12, generator=torch.Generator().manual_seed(0)).split(3)
    mean = torch.stack([target.estimated_gradient(weights, rows) for rows in batches]).mean(0)
    torch.testing.assert_close(mean, target.gradient(weights), rtol=1e-11, atol=1e-11)


def test_the_maximum_of_a_linear_model_is_the_mean_of_its_posterior():
    X, Y = linear.data()
    target = WeightPosterior(Network(2, (), 1, "tanh"), X, linear.standard(Y), linear.PRIOR_VAR, linear.NOISE_VAR)
    mean, _ = linear.closed_form(X, Y)
    start = torch.zeros(2, 3, dtype=torch.float64)
    found = maximised(target, start, steps=1000, lr=0.1, cosine=True)
    torch.testing.assert_close(found, mean.expand(2, 3), rtol=1e-9, atol=1e-9)
    assert torch.equal(start, torch.zeros_like(start))


def test_networks_are_trained_apart():
    target = posterior()
    weights = draws(target)
    together = maximised(target, weights, steps=20, lr=0.01)
    apart = torch.cat([maximised(target, row.unsqueeze(0), steps=20, lr=0.01) for row in weights])
    torch.testing.assert_close(together, apart, rtol=1e-9, atol=1e-12)
