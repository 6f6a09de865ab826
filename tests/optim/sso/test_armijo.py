"""Gradient descent with Armijo's line search against what can be computed by hand."""

import inspect
import io
import math
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from tests.lab.toy import session
from trimtab.optim import ArmijoGradientDescent
from trimtab.testing import OptimizerConformance


def parabola(theta, curvature=1.0, offset=0.0):
    """Returns a closure of curvature * |theta|^2 / 2, and how it was called."""
    calls = []

    def closure(backward=True):
        calls.append((backward, torch.is_grad_enabled()))
        loss = curvature * theta.square().sum() / 2 + offset
        if backward:
            theta.grad = None
            loss.backward()
        return loss

    return closure, calls


def start(*values):
    return nn.Parameter(torch.tensor(values or (3.0, -4.0), dtype=torch.float64))


def test_the_first_trial_that_descends_enough_is_taken():
    # along the gradient h(a) = (1 - a)^2/2 |theta|^2: with c = 1/2 a step is accepted up to a = 1
    theta = start()
    closure, calls = parabola(theta)
    optimizer = ArmijoGradientDescent([theta])
    loss = optimizer.step(closure)
    trials = math.ceil(math.log(1 / 10) / math.log(0.9))
    step = 10 * 0.9**trials
    assert loss.item() == 12.5
    assert optimizer.last.step == pytest.approx(step, rel=1e-12)
    assert optimizer.last.trials == trials + 1
    assert optimizer.last.value == pytest.approx(12.5 * (1 - step) ** 2, rel=1e-9)
    assert theta.tolist() == pytest.approx([3 * (1 - step), -4 * (1 - step)], rel=1e-9)
    assert calls == [(True, True), *[(False, False)] * (trials + 1)]


def test_the_next_search_begins_with_the_last_step_expanded():
    theta = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def closure(backward=True):
        loss = theta @ torch.tensor([1.0, 2.0], dtype=torch.float64)
        if backward:
            theta.grad = None
            loss.backward()
        return loss

    optimizer = ArmijoGradientDescent([theta], lr=0.25, expand=2.0)
    steps = []
    for _ in range(4):
        optimizer.step(closure)
        steps.append(optimizer.last.step)
    assert steps == [0.25, 0.5, 1.0, 2.0]
    assert theta.tolist() == [-3.75, -7.5]


def test_it_never_climbs():
    theta = start(1.5, -0.7)
    optimizer = ArmijoGradientDescent([theta])
    values = []

    def closure(backward=True):
        loss = (1 - theta[0]) ** 2 + 100 * (theta[1] - theta[0] ** 2) ** 2
        if backward:
            theta.grad = None
            loss.backward()
        return loss

    for _ in range(200):
        values.append(optimizer.step(closure).item())
        assert optimizer.last.value <= values[-1]
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] / 100


def test_where_no_trial_descends_nothing_moves():
    theta = start()
    closure, _ = parabola(theta, curvature=1e9)
    optimizer = ArmijoGradientDescent([theta], trials=5)
    optimizer.step(closure)
    assert (optimizer.last.step, optimizer.last.trials, optimizer.last.value) == (0.0, 5, 12.5e9)
    assert theta.tolist() == [3.0, -4.0]
    optimizer = ArmijoGradientDescent([theta], minimum=1.0)
    optimizer.step(closure)
    assert optimizer.last.step == 0
    assert optimizer.last.trials == math.floor(math.log(1 / 10) / math.log(0.9)) + 1


@pytest.mark.parametrize("unit", [1e10, 1e6, 1.0, 1e-6, 1e-12])
def test_a_step_is_found_in_every_unit_of_the_loss(unit):
    theta = start()
    closure, _ = parabola(theta, curvature=unit)
    optimizer = ArmijoGradientDescent([theta])
    for _ in range(60):
        optimizer.step(closure)
    assert float(theta.detach().norm()) < 0.1


def test_where_trials_are_used_up_the_next_search_goes_on():
    theta = start()
    optimizer = ArmijoGradientDescent([theta], lr=8.0, shrink=0.5, trials=2)
    closure, _ = parabola(theta, curvature=1.0)
    optimizer.step(closure)
    assert (optimizer.last.step, optimizer.last.trials) == (0.0, 2)  # 8 and 4; at most 1 descends enough
    optimizer.step(closure)
    assert optimizer.last.step == 1.0
    assert theta.tolist() == [0.0, 0.0]


def test_trials_may_leave_the_finite_numbers():
    theta = start(1.0)

    def closure(backward=True):
        loss = -theta.log().sum() + 3 * theta.sum()  # not a number for what is negative
        if backward:
            theta.grad = None
            loss.backward()
        return loss

    ArmijoGradientDescent([theta]).step(closure)
    assert 0 < theta.item() < 1


def test_a_schedule_scales_the_steps_found():
    theta, twin = start(), start()
    closure, _ = parabola(theta)
    optimizer = ArmijoGradientDescent([theta])
    pace = LambdaLR(optimizer, lambda t: 0.5**t)
    optimizer.step(closure)
    ArmijoGradientDescent([twin]).step(parabola(twin)[0])
    assert torch.equal(theta, twin)
    pace.step()
    before = theta.detach().clone()
    optimizer.step(closure)
    torch.testing.assert_close(theta.detach(), before * (1 - 0.5 * optimizer.last.step))


def test_a_fault_in_the_middle_leaves_the_parameters():
    theta, calls = start(), []

    def closure(backward=True):
        calls.append(1)
        if len(calls) == 3:
            raise OSError("gone")
        return parabola(theta)[0](backward)

    with pytest.raises(OSError, match="gone"):
        ArmijoGradientDescent([theta]).step(closure)
    assert theta.tolist() == [3.0, -4.0]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lr": -1.0}, ValueError, r"lr=-1.0 must lie in \[0, inf\)"),
        ({"sufficient_decrease": 0.0}, ValueError, r"sufficient_decrease=0.0 must lie in \(0, 1\)"),
        ({"shrink": 1.0}, ValueError, r"shrink=1.0 must lie in \(0, 1\)"),
        ({"expand": 0.9}, ValueError, r"expand=0.9 must lie in \[1, inf\)"),
        ({"trials": 0}, ValueError, "trials=0 must be a whole number >= 1"),
        ({"trials": True}, TypeError, "trials=True must be a whole number"),
        ({"minimum": -1e-6}, ValueError, "minimum=-1e-06"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        ArmijoGradientDescent([start()], **settings)


def test_a_closure_that_cannot_skip_gradients_is_refused():
    theta = start()
    optimizer = ArmijoGradientDescent([theta])
    for closure in (None, lambda: 1.0):
        with pytest.raises(TypeError, match="backward=True"):
            optimizer.step(closure)
    with pytest.raises(RuntimeError, match=r"the loss is inf .* nothing was written"):
        optimizer.step(parabola(theta, offset=math.inf)[0])
    assert theta.tolist() == [3.0, -4.0]


def test_a_saved_search_goes_on_bit_for_bit():
    def run(theta, optimizer, steps):
        closure, _ = parabola(theta, curvature=7.0)
        return [optimizer.step(closure).item() for _ in range(steps)]

    theta = start()
    optimizer = ArmijoGradientDescent([theta], expand=1.1)
    run(theta, optimizer, 3)
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    other = nn.Parameter(theta.detach().clone())
    resumed = ArmijoGradientDescent([other])
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    assert run(theta, optimizer, 3) == run(other, resumed, 3)
    assert optimizer.last == resumed.last


def test_in_a_session_the_masks_are_the_same_along_the_line_and_trials_cost_a_third():
    run = session(3, optimizer=lambda model: ArmijoGradientDescent(model.parameters()))
    used = 0
    for _ in range(4):
        loss = run.step()
        assert run.optimizer.last.value < loss
        used += 10 + 4 * run.optimizer.last.trials
        assert run.meter.used == used
    assert int(run.model[1].num_batches_tracked) == 4


class TestConformance(OptimizerConformance):
    """On the loss that is linear in the parameters, with the gradients that are given: the first trial is taken."""

    settings: ClassVar = {"lr": 0.25, "expand": 1.0}
    exceptions: ClassVar = {
        "closure": "the suite's closure has no argument backward, and is refused",
        "closure_gradients": "the suite's closure has no argument backward, and is refused",
        "added_group": "the step is one for all groups",
        "scheduler": "a schedule counts from initial_lr, which the check's twin without a scheduler does not have",
    }

    @staticmethod
    def optimizer(params, **settings):
        return OfGradients(params, **settings)

    def half_way(self, dtype=torch.float32):
        from trimtab.testing.resume import follow
        from trimtab.testing.support import gradients, parameters

        params = parameters(self.shapes, dtype)
        optimizer = self.make([{"params": params[:1]}, {"params": params[1:]}], lr=0.5)
        follow(optimizer, params, gradients(params, 2, without=[0]) + gradients(params, 1, 2))
        return params, optimizer, gradients(params, 3, 3)


class OfGradients(ArmijoGradientDescent):
    """Takes ``.grad`` for the gradient of a linear loss."""

    _step_supports_amp_scaling = False  # so that a scaler unscales it

    def step(self, closure=None):
        assert closure is None
        pairs = [(param, param.grad) for param in self.trained() if param.grad is not None]

        def linear(backward=True):
            return sum((param.double() * grad.double()).sum().detach() for param, grad in pairs)

        return inspect.unwrap(ArmijoGradientDescent.step)(self, linear) if pairs else None


def test_gradients_that_the_closure_clips_or_a_hook_changes_are_the_line():
    theta, other = start(), start(5.0)
    other.register_hook(lambda grad: grad * 0)

    def closure(backward=True):
        loss = theta.square().sum() / 2 + other.square().sum()
        if backward:
            optimizer.zero_grad()
            loss.backward()
            assert nn.utils.clip_grad_norm_([theta, other], 1.0).item() == pytest.approx(5.0)
        return loss

    optimizer = ArmijoGradientDescent([theta, other], lr=2.0)
    optimizer.step(closure)
    # along a direction of length 1, h(a) = (5 - a)^2/2 + 25 and half of a * 1 is asked for: the first trial will do
    assert optimizer.last.step == 2.0
    assert theta.tolist() == pytest.approx([3 - 2 * 0.6, -4 + 2 * 0.8])
    assert theta.grad.tolist() == pytest.approx([0.6, -0.8])
    assert other.item() == 5.0


def test_a_gradient_scaler_is_refused_by_name_and_without_it_all_is_well():
    theta = start()
    closure, _ = parabola(theta)
    optimizer, scaler = ArmijoGradientDescent([theta]), torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(()))
    with pytest.raises(RuntimeError, match=r"ArmijoGradientDescent is not to be stepped .* leave the scaler out"):
        scaler.step(optimizer, closure)
    assert theta.tolist() == [3.0, -4.0]
    optimizer.step(closure)
    assert theta.tolist() != [3.0, -4.0]
