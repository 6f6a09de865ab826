"""The model that belongs to each kind of space."""

import pytest
import torch
from botorch.models import MultiTaskGP, SingleTaskGP, SingleTaskMultiFidelityGP
from botorch.models.kernels.linear_truncated_fidelity import LinearTruncatedFidelityKernel
from gpytorch.kernels import MaternKernel

from tests.search.bo_tutorial.test_space import made
from trimtab.search import GradientObservationGP
from trimtab.search.bo_tutorial.models import fitted_constraints, fitted_model
from trimtab.search.bo_tutorial.observations import Observations
from trimtab.search.bo_tutorial.sources import AdditiveDiscrepancyKernel


def seen(space, n=8, **given):
    unit = torch.quasirandom.SobolEngine(2, scramble=True, seed=0).draw(n, dtype=torch.float64)
    observations = Observations(space)
    X = space.from_unit(unit)
    Y = 100 + 10 * (X[:, :1] - 1).square() + X[:, 1:]
    if space.labels:
        X = torch.cat([X, (torch.arange(n) % 2).double()[:, None]], -1)
    observations.tell(X, Y, **{"Yvar": None, "C": None, "dY": None, **given})
    return observations


def fitted(space, observations, **options):
    return fitted_model(space, observations, **{"sign": 1, "kernel": None, "seed": 0, **options})


@pytest.mark.parametrize(
    ("given", "kind", "sign"),
    [
        ({}, SingleTaskGP, 1),
        ({}, SingleTaskGP, -1),
        ({"fidelity": {"dim": 0}}, SingleTaskMultiFidelityGP, -1),
        ({"sources": [1.0, 0.5]}, SingleTaskGP, -1),
        ({"tasks": 2}, MultiTaskGP, -1),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled")  # of GPyTorch's task kernel
def test_values_come_back_in_their_units(given, kind, sign):
    space = made(**given)
    observations = seen(space)
    before = torch.get_rng_state()
    model = fitted(space, observations, sign=sign)
    assert torch.equal(torch.get_rng_state(), before)
    assert type(model) is kind
    assert model.num_outputs == 1
    chosen = observations.X[:, -1] == 0 if given.get("tasks") else slice(None)
    mean = model.posterior(space.to_unit(observations.X)[chosen]).mean
    assert torch.allclose(mean, sign * observations.Y[chosen], rtol=0.02)
    if "sources" in given:
        assert isinstance(model.covar_module, AdditiveDiscrepancyKernel)


def test_gradients_are_scaled_with_the_coordinates():
    space = made()
    X = space.from_unit(torch.quasirandom.SobolEngine(2, scramble=True, seed=0).draw(8, dtype=torch.float64))
    observations = seen(space, dY=torch.cat([20 * (X[:, :1] - 1), torch.ones_like(X[:, :1])], -1))
    model = fitted(space, observations, sign=-1)
    assert isinstance(model, GradientObservationGP)
    unit = torch.tensor([[0.3, 0.6]], dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(model.posterior(unit).mean.sum(), unit)
    assert slope[0].tolist() == pytest.approx([-2 * 20 * (0.6 - 1), -4 * 1.0], rel=0.1)


def test_given_variances_are_not_too_small_for_the_model():
    space = made()
    model = fitted(space, seen(space, Yvar=torch.zeros(8, 1, dtype=torch.float64)))
    assert (model.likelihood.noise > 0).all()
    kept = fitted(space, seen(space, Yvar=torch.ones(8, 1, dtype=torch.float64)))
    assert torch.allclose(kept.likelihood.noise * kept.outcome_transform.stdvs.square(), torch.ones(8).double())


def test_another_kernel_can_be_had():
    space = made()
    model = fitted(space, seen(space), kernel=lambda dimensions: MaternKernel(nu=2.5, ard_num_dims=dimensions))
    assert isinstance(model.covar_module, MaternKernel)


def test_constraints_have_a_model_each():
    space = made(constraints=2)
    C = torch.stack([torch.linspace(-1, 1, 8), torch.full((8,), -3.0)], -1).double()
    models = fitted_constraints(space, seen(space, C=C), 0)
    assert models.num_outputs == 2
    mean = models.posterior(torch.rand(3, 2, generator=torch.Generator().manual_seed(0)).double()).mean
    assert torch.allclose(mean[:, 1], torch.full((3,), -3.0, dtype=torch.float64), atol=0.01)  # always the same


def test_the_kernel_of_fidelities_is_positive_semidefinite():
    space = made([[0.0, 0.0], [1.0, 1.0]], fidelity={"dim": 1})
    kernel = fitted(space, seen(space)).covar_module
    (part,) = [each for each in kernel.modules() if isinstance(each, LinearTruncatedFidelityKernel)]
    X = torch.cartesian_prod(torch.linspace(0, 1, 3).double(), torch.linspace(0, 1, 12).double())

    def least():
        with torch.no_grad():
            eigenvalues = torch.linalg.eigvalsh(kernel(X).to_dense())
        return float(eigenvalues[0] / eigenvalues[-1])

    assert least() > -1e-14
    part.power = torch.full_like(part.power, 0.6)  # as it may be fitted otherwise
    assert least() < -1e-8
