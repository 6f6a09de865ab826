"""Bayesian linear regression in closed form, to which all networks without hidden layers come down."""

import torch

PRIOR_VAR, NOISE_VAR = 1.0, 0.1


def data(points=20, inputs=2, outputs=1, seed=0):
    """Points in the unit cube with a linear trend and noise."""
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(points, inputs, generator=generator, dtype=torch.float64)
    slopes = 2 * (-0.75) ** torch.arange(inputs * outputs, dtype=torch.float64).view(inputs, outputs)
    return X, X @ slopes + 0.3 * torch.randn(points, outputs, generator=generator, dtype=torch.float64)


def standard(Y):
    return (Y - Y.mean(0)) / Y.std(0)


def features(X):
    """Inputs and a one, in the order of a network's weights and bias."""
    return torch.cat([X, torch.ones_like(X[..., :1])], dim=-1)


def closed_form(X, Y, prior_var=PRIOR_VAR, noise_var=NOISE_VAR):
    """Mean and covariance of the weights, for outputs that are standardised."""
    phi = features(X)
    precision = phi.mT @ phi / noise_var + torch.eye(phi.shape[1], dtype=X.dtype) / prior_var
    covariance = precision.inverse()
    return (covariance @ phi.mT @ standard(Y) / noise_var).squeeze(-1), covariance


def batch_errors(values, batches):
    """Monte-Carlo errors of the means of a chain's values, from means over batches of it."""
    means = values.reshape(batches, -1, values.shape[-1]).mean(1)
    return means.std(0) / batches**0.5


def second_moments(weights, mean):
    """The entries of a covariance around a known mean, one row for each draw."""
    away = weights - mean
    return (away.unsqueeze(-1) * away.unsqueeze(-2)).flatten(-2)
