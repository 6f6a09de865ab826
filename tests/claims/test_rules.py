"""The small optimizers and schedules that exist for claims only."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.lab.toy import Toy
from trimtab import Session
from trimtab.claims import adahessian, q_galore, schedules
from trimtab.claims import sso as sso_claim
from trimtab.claims.adabelief import FloorAdam, adam_with_floor
from trimtab.claims.claim import Run
from trimtab.claims.diffgrad import ObservedDiffGrad, RandomFriction, diffgrad, friction, placebo
from trimtab.claims.tasks import PlainDigits, RecurrentLM
from trimtab.lab.problem import Workplace
from trimtab.lab.task_check import check_task
from trimtab.optim import AdaHessian, DiffGrad

RUN = Run(steps=10, seed=1000)


def trajectory(make, steps=20):
    generator = torch.Generator().manual_seed(0)
    param = nn.Parameter(torch.randn(50, generator=generator, dtype=torch.float64))
    optimizer = make([param])
    for _ in range(steps):
        param.grad = param.detach() + torch.randn(50, generator=generator, dtype=torch.float64)
        optimizer.step()
    return param.detach()


FLOOR = {"betas": (0.9, 0.999), "weight_decay": 0.0, "maximize": False, "compile": False}


def test_the_floor_is_that_of_adam_when_it_is_small():
    ours = trajectory(lambda p: FloorAdam(p, lr=0.01, eps=1e-30, **FLOOR))
    adam = trajectory(lambda p: torch.optim.Adam(p, lr=0.01, eps=1e-30))
    torch.testing.assert_close(ours, adam, rtol=1e-12, atol=0)


def test_a_large_floor_makes_it_momentum():
    param = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = FloorAdam([param], lr=1.0, eps=1e9, **FLOOR)
    param.grad = torch.tensor([3.0, 0.5], dtype=torch.float64)
    optimizer.step()
    moved = torch.tensor([1.0, -2.0], dtype=torch.float64) - param.detach()
    torch.testing.assert_close(moved, param.grad / math.sqrt(1e12), rtol=1e-9, atol=0)


def test_the_floor_is_that_which_adabelief_settles_at():
    """With gradients that the momentum foresees exactly, AdaBelief's root is its floor; so is FloorAdam's at v = 0."""
    from trimtab.optim import AdaBelief

    belief = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = AdaBelief([belief], lr=1.0, eps=1e-4, betas=(0.0, 0.999), compile=False)  # m = g: no surprise at all
    belief.grad = torch.ones(1, dtype=torch.float64)
    optimizer.step()
    scalars = FloorAdam.scalars(1, betas=(0.9, 0.999), eps=1e-4)
    assert -belief.item() == pytest.approx(1 / (math.sqrt(scalars["floor"]) + 1e-4), rel=1e-9)


def test_random_friction_lies_between_half_of_adams_step_and_all_of_it():
    param, twin = (nn.Parameter(torch.ones(1000, dtype=torch.float64)) for _ in range(2))
    ours = RandomFriction([param], lr=0.1, generator=torch.Generator().manual_seed(0))
    adam = torch.optim.Adam([twin], lr=0.1)
    for step in range(3):
        before, before_twin = param.detach().clone(), twin.detach().clone()
        param.grad = twin.grad = torch.full((1000,), 1.0 + step, dtype=torch.float64)
        ours.step()
        adam.step()
        ratio = (before - param.detach()) / (before_twin - twin.detach())
        assert 0.5 <= ratio.min() < 0.51
        assert 0.99 < ratio.max() <= 1
        assert ratio.mean() == pytest.approx(0.75, abs=0.02)


def test_random_friction_depends_on_the_seed_of_the_run_alone():
    def weights(seed):
        torch.manual_seed(0)
        model = nn.Linear(3, 3)
        optimizer = placebo(model, {"lr": 0.1}, Run(steps=10, seed=seed))
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(3)).sum().backward()
            optimizer.step()
        return model.weight.detach().clone()

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_observed_diffgrad_is_diffgrad():
    plain = trajectory(lambda p: DiffGrad(p, lr=0.01, compile=False))
    assert torch.equal(trajectory(lambda p: ObservedDiffGrad(p, lr=0.01, compile=False)), plain)


def test_the_friction_is_measured_from_one_gradient_to_the_next():
    param = nn.Parameter(torch.zeros(3))
    optimizer = ObservedDiffGrad([param], lr=0.1, compile=False)
    for grad in ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]):
        param.grad = torch.tensor(grad)
        optimizer.step()
    changed, same = optimizer.frictions
    assert changed.tolist() == pytest.approx([1 / (1 + math.exp(-1))] * 2)
    assert same.tolist() == [0.5, 0.5]


def test_the_friction_of_a_session_is_its_mean_over_steps():
    session = Session(Toy(), lambda model: diffgrad(model, {"lr": 0.01}, RUN), seed=3)
    while not session.meter.exhausted:
        session.step()
    measured = friction(session)
    assert 0.5 <= measured["friction, median"] <= measured["friction, 95th percentile"] < 1
    other = Session(Toy(), lambda model: torch.optim.SGD(model.parameters()), seed=3)
    with pytest.raises(TypeError, match="SGD"):
        friction(other)


def rates(factor, steps):
    param = nn.Parameter(torch.zeros(1))
    optimizer = schedules.scheduled(torch.optim.SGD([param], lr=2.0), factor)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        param.grad = torch.ones(1)
        optimizer.step()
    return seen


def test_the_rate_rises_and_falls_linearly():
    assert rates(schedules.warm_up_then_linear(10, 0.2), 10) == pytest.approx(
        [1.0, 2.0, 2.0, 1.75, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25]
    )


def test_a_warm_up_of_less_than_a_step_is_none():
    assert rates(schedules.warm_up_then_linear(4, 0.05), 4) == pytest.approx([2.0, 2.0, 4 / 3, 2 / 3])


def test_the_cosine_starts_at_one_and_passes_the_middle():
    seen = rates(schedules.cosine(8), 8)
    assert seen[0] == 2.0
    assert seen[4] == pytest.approx(1.0)
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] > 0


def test_the_rate_reaches_our_own_rules():
    model = nn.Linear(2, 1)
    optimizer = schedules.scheduled(
        adam_with_floor(model, {"lr": 0.1, "eps": 1e-8}, RUN), schedules.warm_up_then_linear(4, 0.5)
    )
    before = model.weight.detach().clone()
    model.weight.grad = torch.ones(1, 2)
    optimizer.step()
    torch.testing.assert_close(before - model.weight.detach(), torch.full((1, 2), 0.05), rtol=1e-3, atol=0)


@pytest.mark.parametrize("make", [lambda: PlainDigits(8), RecurrentLM])
def test_tasks_of_claims_are_whole(make):
    check_task(make(), "a task")


def test_eight_epochs_are_160_steps_of_9802_parameters():
    task = PlainDigits(8)
    assert task.steps == 160
    assert sum(p.numel() for p in task.model(torch.Generator().manual_seed(0)).parameters()) == 9802


@pytest.mark.parametrize("regime", sso_claim.REGIMES)
@pytest.mark.parametrize("name", ["sso, 5 inner steps", "line search", "adam"])
def test_sso_and_its_baselines_pay_by_the_call_and_count_what_it_costs(regime, name):
    arm = sso_claim.CLAIM.arm(f"{name}, softmax regression, {regime}")
    task = arm.problem()
    settings = {setting: values[0] for setting, values in arm.grid.items()}
    session = task.start(
        lambda model: arm.fill(model, settings, RUN),
        seed=3,
        budget=3 * sso_claim.REGIMES[regime][0],
        place=Workplace(Path()),
    )
    while not session.meter.exhausted:
        session.step()
    measured = arm.probe(session)
    assert measured["gradients asked for"] == 3
    if name == "adam":
        assert measured["sample-gradients"] == session.meter.used
    else:
        assert measured["sample-gradients"] > session.meter.used + 3 * task.batch_size // 3
    assert measured["training loss"] == session.evaluate("train").loss


def test_the_improvements_of_ssos_claim():
    assert sso_claim.gain(0.3, 0.6, 0.5) == pytest.approx(0.4)
    assert sso_claim.smaller_gain(1.0, 0.5, 0.4) == pytest.approx(0.2)
    assert sso_claim.smaller_gain(1.0, 0.5, 0.6) < 0
    assert sso_claim.points_above_margin(0.9, 0.9, 0.92) == pytest.approx(0.0)


@pytest.mark.parametrize("place", sso_claim._places())
def test_ssos_tasks_are_whole(place):
    check_task(sso_claim._task(*place), "a task")


def test_the_length_of_a_step_is_measured_without_a_trace(monkeypatch):
    session = Session(adahessian.digits(4), lambda model: adahessian.adahessian(model, {"lr": 0.1}, RUN), seed=3)
    session.step()
    before = {name: value.clone() for name, value in session.model.state_dict().items()}
    # a clock that counts backward passes: each step of ours takes one through the gradients besides
    passes = []
    monkeypatch.setattr(adahessian.time, "thread_time", lambda: float(len(passes)))
    grad, backward = torch.autograd.grad, torch.Tensor.backward
    monkeypatch.setattr(torch.autograd, "grad", lambda *given, **named: passes.append(1) or grad(*given, **named))
    monkeypatch.setattr(torch.Tensor, "backward", lambda *given, **named: passes.append(1) or backward(*given, **named))
    assert adahessian.time_ratio(session) == {adahessian.RATIO: 2.0}
    assert (session.steps, session.meter.used) == (1, 100)
    assert all(torch.equal(before[name], value) for name, value in session.model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "steps"), [(adahessian.EQUAL_STEPS, 400), (adahessian.EQUAL_TIME, 167), ("adamw", 400)]
)
def test_adahessian_pays_for_its_products_and_its_rate_falls_to_zero(name, steps):
    arm = adahessian.CLAIM.arm(name)
    task = arm.problem()
    model = nn.Linear(1, 1)
    optimizer = arm.fill(model, {"lr": 1.0}, Run(task.steps, 1000))
    cost = adahessian.CHARGED if isinstance(optimizer, AdaHessian) else 1
    assert steps == task.steps // cost == task.steps / cost
    for _ in range(steps):
        assert optimizer.param_groups[0]["lr"] > 0
        optimizer.zero_grad()
        model(torch.ones(1)).square().sum().backward()
        optimizer.step(**({"hessian_diag": [torch.ones(1, 1), torch.ones(1)]} if cost > 1 else {}))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-12)


def test_adahessian_draws_other_signs_with_another_seed():
    seeds = [
        adahessian.adahessian(nn.Linear(1, 1), {"lr": 0.1}, Run(10, seed)).param_groups[0]["seed"] for seed in (1, 1, 2)
    ]
    assert seeds[0] == seeds[1] != seeds[2]


@pytest.mark.parametrize(
    ("arm", "decompositions", "share"),
    [("adamw", 0, 1.0), ("galore", 12, 0.57), ("q_galore", 12, 0.27), (q_galore.TO_NEAREST, 12, 0.27)],
)
def test_arms_of_q_galore_differ_in_what_they_keep_of_the_projected_layers(arm, decompositions, share):
    chosen = q_galore.CLAIM.arm(arm)
    task = chosen.problem()
    session = Session(task, lambda model: chosen.fill(model, {"lr": 0.01}, RUN), seed=0)
    for _ in range(2):
        session.step()
    measured = chosen.probe(session)
    assert measured["decompositions"] == decompositions
    whole = 12 * 2 * (4 * 64 * 64 + 2 * 64 * 128)
    assert measured["bytes"] / whole == pytest.approx(share, abs=0.01)


def test_small_steps_are_about_a_tenth_of_a_quantum():
    chosen = q_galore.CLAIM.arm(q_galore.AT_RANDOM)
    session = Session(chosen.problem(), lambda model: chosen.fill(model, chosen_settings(chosen), RUN), seed=0)
    weight = session.model.blocks[0].expansion.weight
    before, quantum = weight.dequantize(), weight.scale.mean().item()
    session.step()
    assert quantum == pytest.approx(0.0027, rel=0.2)
    # rounded at random, a tenth of a quantum is one for a tenth of the weights
    assert 0.05 < ((weight.dequantize() - before).abs() > quantum / 2).double().mean().item() < 0.1


def chosen_settings(arm):
    return {name: values[0] for name, values in arm.grid.items()}
