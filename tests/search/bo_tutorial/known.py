"""Gaussian processes whose hyper-parameters are known, for tests."""

import torch
from botorch.models import SingleTaskGP
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import RBFKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.means import ZeroMean

CARD_X = torch.tensor([[0.0], [0.5], [1.0]], dtype=torch.float64)
CARD_Y = torch.tensor([[0.2], [0.9], [-0.3]], dtype=torch.float64)


def known(X=CARD_X, Y=CARD_Y, *, length=0.3, noise=0.25, **options):
    """A model with mean zero, unit variance and a Gaussian kernel."""
    kernel = RBFKernel().double()
    kernel.lengthscale = torch.tensor(length, dtype=torch.float64)  # a number would go by way of float32
    likelihood = None
    if noise is not None:
        likelihood = GaussianLikelihood(noise_constraint=GreaterThan(1e-30)).double()
        likelihood.noise = torch.tensor(noise, dtype=torch.float64)
    settings = {"mean_module": ZeroMean(), "outcome_transform": None, "likelihood": likelihood, **options}
    return SingleTaskGP(X, Y, covar_module=kernel, **settings).eval()


def some(n, d, seed=0):
    """Points in the unit cube, and noisy values."""
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(n, d, generator=generator, dtype=torch.float64)
    noise = torch.randn(n, 1, generator=generator, dtype=torch.float64)
    return X, (6 * X).sin().sum(-1, keepdim=True) + 0.3 * noise
