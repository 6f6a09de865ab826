"""Noisy expected improvement with constraints."""

import pytest
import torch
from botorch.acquisition.analytic import LogConstrainedExpectedImprovement, LogExpectedImprovement
from botorch.models import ModelListGP

from tests.search.bo_tutorial.known import known, some
from trimtab.search import DiscreteKnowledgeGradient, PosteriorMeanImprovement
from trimtab.search.bo_tutorial.constrained import FeasiblePosteriorMeanImprovement, log_feasibility

pytestmark = pytest.mark.filterwarnings("ignore:Data .outcome observations. is not standardized")  # as it is meant


def constraint(X, level):
    """A model whose mean is near a level everywhere."""
    return ModelListGP(known(X, torch.full_like(X[:, :1], level), length=10.0, noise=1e-3))


def test_where_all_is_feasible_it_is_noisy_expected_improvement():
    X, Y = some(8, 2)
    model, new = known(X, Y, noise=0.1), some(10, 2, seed=1)[0][:, None]
    found = FeasiblePosteriorMeanImprovement(model, X, constraint(X, -1000.0))(new)
    assert torch.equal(found, PosteriorMeanImprovement(model, X)(new))


def test_where_nothing_new_is_feasible_only_what_it_tells_of_others_counts():
    X, Y = some(8, 2)
    model, new = known(X, Y, noise=0.1), some(10, 2, seed=1)[0][:, None]
    found = FeasiblePosteriorMeanImprovement(model, X, constraint(X, 1000.0))(new)
    assert torch.allclose(found, DiscreteKnowledgeGradient(model, X)(new), rtol=1e-12)


def test_it_is_the_mean_over_what_may_turn_out():
    X, Y = some(8, 2)
    model, new = known(X, Y, noise=0.1), some(10, 2, seed=1)[0][:, None]
    limits = ModelListGP(known(X, Y - 0.5, noise=0.1), known(X, 0.2 - Y, noise=0.1))
    p = log_feasibility(limits)(new).exp()
    assert 0.05 < p.max() < 0.95
    inside = PosteriorMeanImprovement(model, X[:4], log=False)(new)
    outside = DiscreteKnowledgeGradient(model, X[:4], log=False)(new)
    acquisition = FeasiblePosteriorMeanImprovement(model, X[:4], limits)
    assert torch.allclose(acquisition(new).exp(), p * inside + (1 - p) * outside, rtol=1e-10)
    pending = some(2, 2, seed=4)[0]
    acquisition.set_X_pending(pending)
    assert (acquisition(new) >= (p * inside + (1 - p) * outside).log()).all()
    assert torch.autograd.gradcheck(acquisition, (new[:2].clone().requires_grad_(),))


def test_without_noise_it_is_constrained_expected_improvement():
    X, Y = some(8, 2)
    model = known(X, Y, noise=1e-14)
    limits = ModelListGP(known(X, Y - 0.5, noise=1e-14))
    # away from points that were evaluated, where BoTorch has a least variance
    new = some(10, 2, seed=1)[0][:, None]
    feasible = Y[:, 0] <= 0.5
    expected = LogConstrainedExpectedImprovement(
        ModelListGP(model, *limits.models), Y[feasible].max(), 0, {1: (None, 0.0)}
    )
    found = FeasiblePosteriorMeanImprovement(model, X[feasible], limits)(new)
    assert torch.allclose(found, expected(new), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, LogExpectedImprovement(model, Y[feasible].max())(new), rtol=1e-2)
