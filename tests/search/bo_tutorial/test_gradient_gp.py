"""A Gaussian process of values and gradients: covariances by differentiation, and a process of values alone."""

import math

import pytest
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.acquisition.objective import ScalarizedPosteriorTransform
from botorch.exceptions import UnsupportedError
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim.utils import sample_all_priors
from botorch.utils.sampling import manual_seed
from gpytorch.kernels import Matern52KernelGrad, RBFKernel, RBFKernelGrad, ScaleKernel
from gpytorch.mlls import ExactMarginalLogLikelihood

from tests.search.bo_tutorial.known import some
from trimtab.search import GradientObservationGP, PosteriorMeanImprovement
from trimtab.search.bo_tutorial.joint_posterior import _Asked

LENGTHS = torch.tensor([[0.3, 0.5]], dtype=torch.float64)


def data(n=6, seed=0):
    """Points, values and gradients of sin(3 x) + y^2."""
    X = some(n, 2, seed=seed)[0]
    Y = (3 * X[:, :1]).sin() + X[:, 1:].square()
    return X, Y, torch.cat([3 * (3 * X[:, :1]).cos(), 2 * X[:, 1:]], -1)


def kernel(kind=RBFKernelGrad):
    made = kind(ard_num_dims=2).double()
    made.lengthscale = LENGTHS
    return made


def variances(value, gradient, n=6):
    return {
        "train_Yvar": torch.full((n, 1), value, dtype=torch.float64),
        "train_dYvar": torch.full((n, 2), gradient, dtype=torch.float64),
    }


def by_differentiation(X, Y, dY, new, value_noise, gradient_noise):
    """Means and covariances of the values at new points, from derivatives of the kernel that autograd computes."""

    def k(both):
        return torch.exp(-((both[:2] - both[2:]) / LENGTHS[0]).square().sum() / 2)

    def block(x, y):
        both = torch.cat([x, y])
        slopes = torch.autograd.functional.jacobian(k, both)
        mixed = torch.autograd.functional.hessian(k, both)[:2, 2:]
        value = k(both)[None, None]
        return torch.cat([torch.cat([value, slopes[None, 2:]], 1), torch.cat([slopes[:2, None], mixed], 1)])

    def blocks(A, B):
        return torch.cat([torch.cat([block(x, y) for y in B], 1) for x in A])

    scale, offset = Y.std(), Y.mean()
    targets = torch.cat([(Y - offset) / scale, dY / scale], -1).flatten()
    noise = torch.tensor([value_noise, gradient_noise, gradient_noise], dtype=torch.float64).repeat(len(X)) / scale**2
    solve = torch.linalg.inv(blocks(X, X) + noise.diag())
    cross = blocks(new, X)[::3]
    covariance = blocks(new, new)[::3, ::3] - cross @ solve @ cross.T
    return offset + scale * cross @ solve @ targets, scale**2 * covariance


def test_its_posterior_follows_from_derivatives_of_the_kernel():
    X, Y, dY = data(3)
    new = some(3, 2, seed=3)[0]
    model = GradientObservationGP(X, Y, dY, covar_module=kernel(), **variances(0.02, 0.3, n=3))
    posterior = model.posterior(new)
    mean, covariance = by_differentiation(X, Y, dY, new, 0.02, 0.3)
    assert torch.allclose(posterior.mean[:, 0], mean, rtol=1e-9, atol=1e-10)
    assert torch.allclose(posterior.distribution.covariance_matrix, covariance, rtol=1e-8, atol=1e-10)
    assert model.num_outputs == 1
    batches = model.posterior(new.reshape(3, 1, 2))
    assert torch.allclose(batches.mean[:, 0, 0], mean, rtol=1e-9, atol=1e-10)
    assert torch.allclose(batches.variance[:, 0, 0], covariance.diagonal(), rtol=1e-8, atol=1e-10)


def test_gradients_that_are_all_noise_leave_the_process_of_values():
    X, Y, dY = data()
    new = some(5, 2, seed=3)[0]
    values = RBFKernel(ard_num_dims=2).double()
    values.lengthscale = LENGTHS
    alone = SingleTaskGP(X, Y, train_Yvar=torch.full_like(Y, 0.02), covar_module=values)
    model = GradientObservationGP(X, Y, 1000 * dY, covar_module=kernel(), **variances(0.02, 1e14))
    found, expected = model.posterior(new), alone.posterior(new)
    assert torch.allclose(found.mean, expected.mean, rtol=1e-6, atol=1e-7)
    assert torch.allclose(found.variance, expected.variance, rtol=1e-6, atol=1e-7)
    new = new[:, None]
    improvement = PosteriorMeanImprovement(alone, X)(new)
    assert torch.allclose(PosteriorMeanImprovement(model, X)(new), improvement, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("made", [kernel, lambda: kernel(Matern52KernelGrad), lambda: ScaleKernel(kernel()).double()])
def test_gradients_tell_more_than_values(made):
    X, Y, dY = data(8)
    new, expected, _ = data(50, seed=5)
    errors = []
    for noise in (1e-4, 1e10):
        model = GradientObservationGP(X, Y, dY, covar_module=made(), **variances(1e-4, noise, n=8))
        errors.append((model.posterior(new).mean - expected).abs().mean())
    assert errors[0] < 0.5 * errors[1]


def test_it_is_fitted_as_any_other():
    X, Y, dY = data(16)
    generator = torch.Generator().manual_seed(0)
    dY = dY + 0.5 * torch.randn(dY.shape, generator=generator, dtype=dY.dtype)
    model = GradientObservationGP(X, Y, dY)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    noises = model.noise_variances()[:3] * model.scale**2
    assert noises[0] < 0.01
    assert 0.1 < noises[1:].mean() < 0.5  # 0.25 was added
    new, expected, _ = data(50, seed=5)
    assert (model.posterior(new).mean - expected).abs().mean() < 0.1
    assert LogExpectedImprovement(model, best_f=Y.max())(new[:, None]).isfinite().all()


def test_its_hyper_parameters_can_be_drawn_to_begin_again():
    model = GradientObservationGP(*data(8))
    before = model.likelihood.task_noises.detach().clone(), model.covar_module.lengthscale.detach().clone()
    with manual_seed(0):
        sample_all_priors(model)
    assert not torch.equal(model.likelihood.task_noises, before[0])
    assert not torch.equal(model.covar_module.lengthscale, before[1])


def test_noise_is_that_of_values():
    X, Y, dY = data()
    model = GradientObservationGP(X, Y, dY, covar_module=kernel(), **variances(0.02, 0.3))
    new = some(5, 2, seed=3)[0]
    assert model.noise_of_values().item() == pytest.approx(0.02)
    latent, noisy = model.posterior(new), model.posterior(new, observation_noise=True)
    assert torch.allclose(noisy.variance - latent.variance, torch.full_like(latent.variance, 0.02))
    given = model.posterior(new, observation_noise=torch.full((5, 1), 0.5, dtype=torch.float64))
    assert torch.allclose(given.variance - latent.variance, torch.full_like(latent.variance, 0.5))
    doubled = ScalarizedPosteriorTransform(torch.tensor([2.0], dtype=torch.float64))
    assert torch.allclose(model.posterior(new, posterior_transform=doubled).mean, 2 * latent.mean)


@pytest.mark.parametrize("reported", ["all", "others"])
def test_both_ways_to_the_joint_posterior_agree(reported):
    X, Y, dY = data()
    model = GradientObservationGP(X, 10 + 5 * Y, 5 * dY, covar_module=kernel(), **variances(0.5, 5.0))
    points = X if reported == "all" else torch.cat([X, some(3, 2, seed=7)[0]])
    for new in (some(20, 2, seed=1)[0][:, None], some(8, 2, seed=2)[0].reshape(4, 2, 2)):
        acquisition = PosteriorMeanImprovement(model, points, log=False)
        found = acquisition(new)
        acquisition._posterior = _Asked(model, torch.unique(points, dim=0), None)
        assert torch.allclose(found, acquisition(new), rtol=1e-6, atol=1e-9)


def test_one_point_is_enough():
    X, Y, dY = data(1)
    posterior = GradientObservationGP(X, Y, dY, covar_module=kernel()).posterior(X)
    assert posterior.mean.item() == pytest.approx(Y.item(), abs=0.1)
    assert math.isfinite(posterior.variance.item())


def test_it_is_not_conditioned_further():
    X, Y, dY = data()
    with pytest.raises(UnsupportedError, match="build a new one"):
        GradientObservationGP(X, Y, dY).condition_on_observations(X, Y)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"train_X": torch.zeros(6, 2, dtype=torch.int64)}, TypeError, "train_X is of type torch.int64"),
        ({"train_Y": [1.0]}, TypeError, "train_Y is of type list"),
        ({"train_dY": torch.zeros(6, 1).double()}, ValueError, r"train_dY has the shape \(6, 1\): \(6, 2\) is needed"),
        ({"train_Y": torch.zeros(6).double()}, ValueError, r"train_Y has the shape \(6,\): \(6, 1\) is needed"),
        (
            {"train_dY": torch.full((6, 2), torch.nan).double()},
            ValueError,
            "train_dY holds a number that is not finite",
        ),
        ({"train_X": torch.zeros(0, 2).double()}, ValueError, "at least one point"),
        ({"train_Yvar": torch.zeros(6, 1).double()}, ValueError, "train_Yvar and train_dYvar: both are needed"),
        (variances(0.1, -0.1), ValueError, "train_dYvar holds -0.1: variances are >= 0"),
    ],
)
def test_bad_input_is_named(changed, error, message):
    X, Y, dY = data()
    with pytest.raises(error, match=message):
        GradientObservationGP(**{"train_X": X, "train_Y": Y, "train_dY": dY, **changed})


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_unit_of_values_makes_no_difference(unit):
    X = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
    Y, dY = (3 * X).sin(), 3 * (3 * X).cos()
    plain, other = (GradientObservationGP(X, factor * Y, factor * dY) for factor in (1.0, unit))
    assert torch.allclose(other.train_targets, plain.train_targets, rtol=1e-9)
