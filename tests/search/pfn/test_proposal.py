"""A proposal: which scale outputs and thresholds are on, what is improved on, and that the maximum is found."""

import numpy as np
import pytest
import torch

from trimtab.search.pfn.penalized import PenalizedObjective
from trimtab.search.pfn.proposal import Observations, Proposal
from trimtab.search.pfn.transforms import OutputTransform
from trimtab.study.errors import InputError


def seen(n=9, constraints=2, seed=0, pending=None):
    generator = np.random.default_rng(seed)
    return Observations(
        generator.random((n, 2)), generator.normal(size=n), generator.normal(size=(n, constraints)), pending
    )


def test_outputs_are_transformed_each_by_itself_and_zero_with_them(untrained):
    data = seen()
    function = Proposal().function(data, untrained)
    objective, first, second = (OutputTransform(each) for each in (data.objective, *-data.constraints.T))
    y = function.model.train_targets
    assert y[:, 0].numpy() == pytest.approx(objective(data.objective))
    assert y[:, 2].numpy() == pytest.approx(second(-data.constraints[:, 1]))
    assert function.thresholds.tolist() == pytest.approx([first(np.zeros(1))[0], second(np.zeros(1))[0]])
    feasible = (data.constraints <= 0).all(1)
    assert 0 < feasible.sum() < 9
    assert function.best_f.item() == pytest.approx(objective(data.objective[feasible]).max())
    # what is feasible is above the thresholds, and nothing else is
    assert ((y[:, 1:] >= function.thresholds).all(1).numpy() == feasible).all()


def test_one_extreme_value_of_a_constraint_does_not_hide_where_it_begins_to_hold(untrained):
    data = seen()
    data.constraints[0, 1] = data.objective[0] = 1e5
    function = Proposal().function(data, untrained)
    y, middle = function.model.train_targets[1:, 2], function.thresholds[1]
    assert (y[y >= middle].min() - middle).item() > 0.01
    assert (y[y < middle].max() - middle).item() < -0.01
    # an objective has no such point
    assert np.ptp(function.model.train_targets[1:, 0].numpy()) < 1e-2


def test_the_papers_incumbent_need_not_be_feasible(untrained):
    data = seen()
    function = Proposal(incumbent="all").function(data, untrained)
    assert function.best_f.item() == pytest.approx(function.model.train_targets[:, 0].max().item())


def test_without_a_feasible_observation_there_is_no_incumbent(untrained):
    data = seen()
    infeasible = Observations(data.x, data.objective, abs(data.constraints))
    assert Proposal().function(infeasible, untrained).best_f is None
    assert Proposal("cei+").function(seen(constraints=0), untrained).best_f is not None


def test_the_penalised_objective_is_the_only_output(untrained):
    data, penalty = seen(), PenalizedObjective(rho=3.0, patience=1)
    function = Proposal("pen", penalty=penalty).function(data, untrained, initial=4)
    expected = penalty(data.objective, data.constraints, initial=4)
    assert function.model.num_outputs == 1
    assert function.model.train_targets[:, 0].numpy() == pytest.approx(OutputTransform(expected)(expected))
    assert function.best_f.item() == pytest.approx(function.model.train_targets.max().item())


def test_points_that_are_pending_count_as_what_is_predicted_of_them(untrained):
    pending = np.array([[0.2, 0.3], [0.7, 0.1]])
    plain = Proposal().function(seen(), untrained).model
    model = Proposal().function(seen(pending=pending), untrained).model
    assert model.train_inputs[0][-2:].numpy() == pytest.approx(pending)
    believed = plain.posterior(torch.from_numpy(pending).unsqueeze(1)).mean.squeeze(1)
    assert torch.allclose(model.train_targets[-2:], believed)
    assert torch.equal(model.train_targets[:-2], plain.train_targets)


def test_the_point_is_in_the_cube_and_better_than_a_thousand_others(untrained):
    proposal, data, state = Proposal(), seen(), torch.get_rng_state()
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 1, 2)]
    one, other, third = (proposal.next_point(data, untrained, generator) for generator in generators)
    assert (one == other).all()
    assert (one != third).any()
    assert torch.equal(torch.get_rng_state(), state)
    assert ((one >= 0) & (one <= 1)).all()
    function = proposal.function(data, untrained)
    grid = torch.rand(1000, 1, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert function(torch.from_numpy(one)[None, None]).item() > function(grid).max().item()
    unrefined = Proposal(refined=0, candidates=30).next_point(data, untrained, torch.Generator().manual_seed(1))
    few = torch.rand(30, 1, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert (unrefined == few[function(few).argmax(), 0].numpy()).all()


@pytest.mark.parametrize(
    "settings",
    [{"acquisition": "ei"}, {"incumbent": "best"}, {"candidates": 0}, {"refined": 1001}, {"iterations": 0}],
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        Proposal(**settings)


def test_no_observation_is_refused(untrained):
    with pytest.raises(InputError, match="at least one observation"):
        Proposal().function(seen(0), untrained)
