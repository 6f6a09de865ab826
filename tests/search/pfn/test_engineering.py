"""Engineering designs as BoTorch's test problems, beside BoTorch's own problems of the same kind."""

import pytest
import torch
from botorch.test_functions.synthetic import (
    KeaneBumpFunction,
    PressureVessel,
    SpeedReducer,
    TensionCompressionString,
    WeldedBeamSO,
)

from trimtab.lab.blackbox.engineering import ENGINEERING_DESIGNS
from trimtab.search.pfn.engineering import engineering_problem
from trimtab.study.errors import InputError


def inside(*problems, count=50):
    """Points that are within the bounds of all problems."""
    low = torch.stack([problem.bounds[0] for problem in problems]).amax(0)
    high = torch.stack([problem.bounds[1] for problem in problems]).amin(0)
    generator = torch.Generator().manual_seed(0)
    return low + (high - low) * torch.rand(count, len(low), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", ENGINEERING_DESIGNS)
def test_the_optimum_is_feasible_and_has_the_optimal_value(name):
    problem = engineering_problem(name)
    assert problem.is_minimization_problem
    assert problem(problem.optimizers).item() == pytest.approx(problem.optimal_value, rel=1e-6, abs=1e-12)
    assert problem.is_feasible(problem.optimizers).all()
    assert problem.evaluate_slack(problem.optimizers).shape == (1, problem.num_constraints)
    other = engineering_problem(name, "official")
    assert (other.optimal_value is not None) if name != "cantilever_beam" else (other._optimizers is None)


def test_negated_and_noisy():
    design = ENGINEERING_DESIGNS["jlh1"]
    problem = type(engineering_problem("jlh1"))(design, negate=True)
    assert problem.optimal_value == -design.optimal_value
    x = inside(problem)
    assert torch.equal(problem(x), -engineering_problem("jlh1")(x))
    assert not problem.is_minimization_problem


def test_gradients_reach_the_settings():
    problem = engineering_problem("welded_beam")
    x = inside(problem).requires_grad_()
    (gradient,) = torch.autograd.grad(problem(x).sum() + problem.evaluate_slack(x).sum(), x)
    assert torch.isfinite(gradient).all()
    assert (gradient != 0).any(0).all()


def test_the_spring_is_botorchs():
    ours, theirs = engineering_problem("compression_spring"), TensionCompressionString()
    x = inside(ours, theirs)
    assert torch.allclose(ours(x), theirs(x), rtol=1e-12)
    assert torch.allclose(ours.evaluate_slack(x).clamp(min=-100), theirs.evaluate_slack(x), rtol=1e-9)  # as it has them


def test_the_pressure_vessel_is_botorchs_where_that_does_not_round():
    ours, theirs = engineering_problem("pressure_vessel"), PressureVessel()
    x = inside(ours, theirs)
    assert torch.allclose(ours.evaluate_slack(x), theirs.evaluate_slack(x), rtol=1e-12)
    x[:, :2] = (x[:, :2] * 16).round() / 16
    assert torch.allclose(ours(x), theirs(x), rtol=1e-12)


def test_the_speed_reducer_is_botorchs_but_for_two_constraints():
    ours, theirs = engineering_problem("speed_reducer"), SpeedReducer()
    x = inside(ours, theirs)
    assert torch.allclose(ours(x), theirs(x), rtol=1e-12)
    slack = theirs.evaluate_slack(x)[:, :9]
    for j, limit in ((4, 1100), (5, 850), (6, 40)):  # ours are shares of what is allowed
        slack[:, j] = slack[:, j] / limit
    slack[:, 7], slack[:, 8] = slack[:, 7] * x[:, 1] / x[:, 0], slack[:, 8] / 12
    assert torch.allclose(ours.evaluate_slack(x), slack, rtol=1e-9, atol=1e-12)


def test_the_bump_is_botorchs():
    ours, theirs = engineering_problem("keane_bump"), KeaneBumpFunction(18)
    x = inside(ours, theirs)
    assert torch.allclose(ours(x), theirs(x), rtol=1e-12)
    assert torch.allclose(ours.evaluate_slack(x), theirs.evaluate_slack(x), rtol=1e-12)


def test_the_welded_beam_is_botorchs_where_formulas_agree():
    """The objective, bending stress and thickness of the weld; BoTorch's other constraints are another variant's."""
    ours, theirs = engineering_problem("welded_beam"), WeldedBeamSO()
    x = inside(ours, theirs)
    assert torch.allclose(ours(x), theirs(x), rtol=1e-12)
    assert torch.allclose(ours.evaluate_slack(x)[:, 1:3], theirs.evaluate_slack(x)[:, 1:3], rtol=1e-9)


@pytest.mark.parametrize(("name", "variant"), [("spring", "literature"), ("jlh1", "other")])
def test_an_unknown_problem_is_refused(name, variant):
    with pytest.raises(InputError, match=r"name='spring'|variant='other'"):
        engineering_problem(name, variant)
