"""Acquisition functions by name: each kind of space has its own, which reduce to known ones."""

import dataclasses

import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.knowledge_gradient import qKnowledgeGradient
from botorch.models import ModelListGP, SingleTaskMultiFidelityGP
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.sampling import manual_seed

from tests.search.bo_tutorial.known import known, some
from tests.search.bo_tutorial.test_space import made
from trimtab.search import DiscreteKnowledgeGradient, PosteriorMeanImprovement
from trimtab.search.bo_tutorial.acquisitions import (
    ACQUISITIONS,
    acquisition,
    check_acquisition,
    default_name,
    names,
)
from trimtab.search.bo_tutorial.case import Case, Effort

pytestmark = pytest.mark.filterwarnings("ignore:Data .outcome observations. is not standardized")  # as it is meant

EFFORT = Effort(num_restarts=2, raw_samples=16, draws=16, fantasies=4, max_steps=10)
NEW = some(5, 2, seed=1)[0][:, None]


def case(pending=None, *, model=None, limited=None, feasible=None, X=None, **space):
    points, Y = some(8, 2)
    X = points if X is None else X
    return Case(
        space=made([[0.0, 0.0], [1.0, 1.0]], **space),
        model=known(X, Y, noise=0.1) if model is None else model,
        X=X,
        Y=Y,
        feasible=torch.ones(8, dtype=torch.bool) if feasible is None else feasible,
        constraints=limited,
        pending=pending,
        effort=EFFORT,
        seed=3,
    )


def limits(level, noise=0.1):
    X, Y = some(8, 2)
    return ModelListGP(known(X, Y - level, noise=noise))


ONE_SHOT = {"knowledge_gradient"}


@pytest.mark.parametrize("pending", [None, some(2, 2, seed=7)[0]], ids=["none pending", "two pending"])
@pytest.mark.parametrize("name", names("plain"))
def test_each_can_be_had_by_name_for_a_plain_box(name, pending):
    new = torch.cat([NEW, some(5 * EFFORT.fantasies, 2, seed=2)[0].reshape(5, -1, 2)], 1) if name in ONE_SHOT else NEW
    with manual_seed(0):
        values = acquisition(name, case(pending))(new)
    assert values.shape == (5,)
    assert values.isfinite().all()
    assert len(set(values.tolist())) == 5


@pytest.mark.parametrize("name", ["noisy_ei", "ei", "gibbon"])
def test_next_to_what_is_pending_there_is_less_to_see(name):
    X, Y = some(8, 2)
    model, new = known(X, Y, noise=1e-3), some(200, 2, seed=4)[0][:, None]
    with manual_seed(0), torch.no_grad():
        first = new[acquisition(name, case(model=model))(new).argmax()]
        second = new[acquisition(name, case(first, model=model))(new).argmax()]
    assert (first - second).abs().max() > 0.1


def test_all_is_feasible_and_constraints_change_nothing():
    apart = limits(1000.0)
    plain, feasible = acquisition("noisy_ei", case()), acquisition("noisy_ei", case(limited=apart, constraints=1))
    assert torch.equal(plain(NEW), feasible(NEW))
    expected = acquisition("ei", case())(NEW)
    assert isinstance(acquisition("ei", case()), LogExpectedImprovement)
    constrained = acquisition("ei", case(limited=apart, constraints=1))
    found = constrained(NEW)
    assert torch.allclose(found, expected, rtol=1e-10)


def test_while_nothing_is_feasible_that_is_what_is_looked_for():
    models = limits(0.5)
    found = acquisition("noisy_ei", case(limited=models, constraints=1, feasible=torch.zeros(8, dtype=torch.bool)))(NEW)
    posterior = models.posterior(NEW[:, 0])
    expected = torch.special.log_ndtr(-posterior.mean / posterior.variance.sqrt())[:, 0]
    assert torch.allclose(found, expected, rtol=1e-8)


def test_at_the_target_and_for_the_cost_of_one_a_fidelity_is_none():
    X, Y = some(8, 2)
    X[:, 1] = 1.0
    model = SingleTaskMultiFidelityGP(X, Y, data_fidelities=[1]).eval()
    fidelity = {"dim": 1, "target": 1.0, "cost": (1.0, 0.0)}
    with manual_seed(0):
        ours = acquisition("knowledge_gradient", case(model=model, X=X, fidelity=fidelity))
        sampler = SobolQMCNormalSampler(torch.Size([4]), seed=3)
        other = qKnowledgeGradient(model, num_fantasies=4, sampler=sampler, current_value=ours.current_value)
    new = some(5 * 5, 2, seed=2)[0].reshape(5, 5, 2)
    new[..., 1] = 1.0
    with torch.no_grad():
        values, expected = ours(new), other(new)
    # BoTorch multiplies what is lost by the cost, and divides what is won: at a cost of one it is the same
    assert torch.allclose(values, expected, rtol=1e-10)
    halved = acquisition("knowledge_gradient", case(model=model, X=X, fidelity={**fidelity, "cost": (1.0, 1.0)}))
    new[..., 0] = 0.5
    with torch.no_grad():
        ratio = halved(new) / ours(new)
    assert (torch.isclose(ratio, torch.tensor(0.5).double()) | torch.isclose(ratio, torch.tensor(2.0).double())).all()


def test_an_information_source_is_worth_its_gain_by_its_cost():
    X, Y = some(8, 2)
    labelled = torch.cat([X, (torch.arange(8) % 2).double()[:, None]], -1)
    model = known(labelled, Y, noise=0.1)
    given = case(model=model, X=labelled, sources=[2.0, 0.5])
    found = acquisition("knowledge_gradient", given)
    new = torch.cat([NEW, torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0], dtype=torch.float64)[:, None, None]], -1)
    gain = found.raw_acqf
    assert isinstance(gain, DiscreteKnowledgeGradient)
    costs = torch.tensor([2.0, 0.5, 2.0, 0.5, 0.5], dtype=torch.float64)
    assert torch.allclose(found(new).exp(), gain(new).exp() / costs, rtol=1e-12)
    pending = labelled[:1] + 0.01
    pending[:, -1] = 0.0
    assert (acquisition("knowledge_gradient", dataclasses.replace(given, pending=pending))(new).isfinite()).all()


def test_of_one_environment_the_knowledge_gradient_is_the_one_over_its_designs():
    space = {"environment": {"dims": [1], "values": [[0.5]]}}
    X, _ = some(8, 2)
    X[:, 1] = 0.5
    given = case(X=X, **space)
    found = acquisition("knowledge_gradient", given)(NEW)
    designs = torch.cat([given.spread(64, 1), torch.unique(X[:, :1], dim=0)])
    candidates = torch.cat([designs, torch.full_like(designs, 0.5)], -1)
    assert torch.allclose(found, DiscreteKnowledgeGradient(given.model, candidates, seed=3)(NEW), rtol=1e-9)


def test_discrete_kg_is_over_designs_and_what_was_evaluated():
    given = case()
    expected = DiscreteKnowledgeGradient(given.model, torch.cat([given.spread(16, 2), given.X]))(NEW)
    assert torch.allclose(acquisition("discrete_kg", given)(NEW), expected, rtol=1e-9)


def test_defaults():
    kinds = ("plain", "constraints", "tasks", "fidelity", "sources", "environment")
    assert [default_name(kind) for kind in kinds] == 3 * ["noisy_ei"] + 3 * ["knowledge_gradient"]
    assert isinstance(acquisition("noisy_ei", case()), PosteriorMeanImprovement)
    assert set(ACQUISITIONS) == set(names("plain"))


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("best", "plain", "acquisition='best': one of discrete_kg, ei"),
        (None, "plain", "acquisition=None"),
        ("noisy_ei", "fidelity", "is not possible with fidelity: knowledge_gradient, max_value_entropy are"),
    ],
)
def test_bad_names_are_refused(name, kind, message):
    with pytest.raises(ValueError, match=message):
        check_acquisition(name, kind)
