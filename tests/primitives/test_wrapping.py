import copy
import io
import pickle

import pytest
import torch
from torch import nn

from trimtab.optim import EMA, CoordinateClip, GaLore, Lamb, Lion
from trimtab.primitives.hyperparameters import POSITIVE
from trimtab.primitives.wrapping import OptimizerWrapper, evaluated, lent_gradients


class Scaled(OptimizerWrapper):
    """Multiplies gradients."""

    prefix = "scaled"
    hyperparameters = {"by": POSITIVE}  # noqa: RUF012

    def __init__(self, optimizer, by=2.0):
        super().__init__(optimizer, by=by)

    def step(self, closure=None):
        loss = evaluated(closure)
        params = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        with lent_gradients([p for _, p in params], [self._own(g)["by"] * p.grad for g, p in params]):
            self.inner.step()
        return loss


class Wide(Scaled):
    """The same under another prefix, so that both can be around one optimizer."""

    prefix = "wide"


class Hungry(torch.optim.SGD):
    """Asks for more than gradients."""

    def step_on(self, session):
        raise NotImplementedError


def parameter(*values):
    return nn.Parameter(torch.tensor(values))


def test_groups_state_and_defaults_are_the_inner_optimizers():
    inner = torch.optim.SGD([parameter(1.0)], lr=0.5, momentum=0.9)
    outer = Scaled(inner)
    assert outer.param_groups is inner.param_groups
    assert outer.state is inner.state
    assert outer.defaults["scaled_by"] == 2.0
    assert isinstance(outer, torch.optim.Optimizer)
    assert repr(outer).startswith("Scaled around SGD (")


def test_a_group_that_has_the_setting_keeps_it():
    one, other = parameter(1.0), parameter(1.0)
    outer = Scaled(torch.optim.SGD([{"params": [one], "scaled_by": 3.0}, {"params": [other]}], lr=0.5))
    one.grad, other.grad = torch.ones(1), torch.ones(1)
    outer.step()
    assert (one.item(), other.item()) == (-0.5, 0.0)
    outer.add_param_group({"params": [parameter(1.0)]})
    assert outer.param_groups[2]["scaled_by"] == 2.0


def test_settings_are_checked_before_anything_is_written():
    inner = torch.optim.SGD([{"params": [parameter(1.0)]}, {"params": [parameter(1.0)], "scaled_by": -1.0}], lr=0.5)
    with pytest.raises(ValueError, match=r"scaled_by=-1.0 must lie in"):
        Scaled(inner)
    assert "scaled_by" not in inner.defaults
    assert "scaled_by" not in inner.param_groups[0]
    with pytest.raises(ValueError, match="by=0"):
        Scaled(torch.optim.SGD([parameter(1.0)], lr=0.5), by=0)
    outer = Scaled(torch.optim.SGD([parameter(1.0)], lr=0.5))
    with pytest.raises(ValueError, match="scaled_by=-2"):
        outer.add_param_group({"params": [parameter(1.0)], "scaled_by": -2})
    assert len(outer.param_groups) == 1


@pytest.mark.parametrize(
    ("inner", "error", "message"),
    [
        (torch.optim.SGD, TypeError, r"Scaled goes around a torch.optim.Optimizer, not .*; give Scaled an instance"),
        ([parameter(1.0)], TypeError, "goes around a torch.optim.Optimizer"),
        (Scaled(torch.optim.SGD([parameter(1.0)])), ValueError, "Scaled is around this optimizer already"),
        (Hungry([parameter(1.0)]), TypeError, "Hungry steps from more than these: Scaled has to stand inside of it"),
        (
            torch.optim.LBFGS([parameter(1.0)]),
            TypeError,
            "LBFGS computes its own, several times a step, by a closure: Scaled has to be left out",
        ),
        (EMA(torch.optim.LBFGS([parameter(1.0)])), TypeError, "and LBFGS computes its own"),
    ],
)
def test_what_it_does_not_go_around(inner, error, message):
    with pytest.raises(error, match=message):
        Scaled(inner)


def test_two_wrappers_save_and_load_as_one_optimizer():
    def run(steps, saved=None, start=(1.0, -2.0)):
        param = parameter(*start)
        optimizer = Wide(Scaled(Lion([param], lr=0.1)), by=5.0)
        if saved is not None:
            optimizer.load_state_dict(saved)
        for step in range(steps):
            param.grad = torch.tensor([1.0, -1.0]) * (step + 1 if saved is None else step + 4)
            optimizer.step()
        return param, optimizer

    param, optimizer = run(3)
    buffer = io.BytesIO()
    optimizer.param_groups[0]["wide_by"] = 7.0
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    resumed, other = run(2, torch.load(buffer, weights_only=True), param.tolist())
    assert other.param_groups[0]["wide_by"] == 7.0
    for step in (4, 5):
        param.grad = torch.tensor([1.0, -1.0]) * step
        optimizer.step()
    assert torch.equal(param, resumed)


def test_a_state_from_before_the_wrapping_keeps_the_settings():
    param = parameter(1.0)
    plain = Lion([param], lr=0.1)
    param.grad = torch.ones(1)
    plain.step()
    outer = Scaled(Lion([parameter(1.0)]), by=3.0)
    outer.load_state_dict(plain.state_dict())
    assert outer.param_groups[0]["scaled_by"] == 3.0
    assert outer.param_groups[0]["lr"] == 0.1


def test_a_bad_saved_setting_changes_nothing():
    outer = Scaled(Lion([parameter(1.0)]))
    saved = copy.deepcopy(outer.state_dict())
    saved["param_groups"][0] |= {"scaled_by": -1.0, "lr": 0.7}
    with pytest.raises(ValueError, match="scaled_by=-1"):
        outer.load_state_dict(saved)
    assert outer.param_groups[0]["lr"] == 1e-4


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_hold_a_copy_of_the_inner_optimizer(copied):
    param = parameter(1.0)
    outer = Scaled(Lamb([param]))
    twin_param, twin = copied((param, outer))
    assert twin.param_groups[0]["params"][0] is twin_param
    twin_param.grad = torch.ones(1)
    twin.step()
    assert param.item() == 1.0
    assert twin_param.item() != 1.0


def test_gradients_come_back_also_after_an_error():
    param = parameter(1.0)
    own = param.grad = torch.ones(1)
    with lent_gradients([param], [torch.zeros(1)]):
        assert param.grad.item() == 0.0
    assert param.grad is own
    outer = Scaled(torch.optim.SGD([param]))
    outer.inner.register_step_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        outer.step()
    assert param.grad is own


class Moody(torch.optim.SGD):
    """Has modes, as schedule-free optimizers do."""

    mode = None

    def train(self):
        self.mode = "train"

    def eval(self):
        self.mode = "eval"


def test_a_wrapper_has_the_modes_of_what_is_inside_and_otherwise_none():
    inner = Moody([parameter(1.0)])
    outer = Wide(Scaled(inner))
    for mode in ("train", "eval"):
        getattr(outer, mode)()
        assert inner.mode == mode
    plain = Scaled(torch.optim.SGD([parameter(1.0)]))
    assert not hasattr(plain, "train")
    assert not hasattr(plain, "eval")
    with pytest.raises(AttributeError, match="'Scaled' object has no attribute 'eval'"):
        plain.eval()
    assert not hasattr(outer, "evaluate")
    assert not hasattr(Scaled.__new__(Scaled), "train")  # as copying and unpickling ask before there is anything inside


def test_averages_are_not_taken_in_subspaces():
    with pytest.raises(TypeError, match=r"GaLore moves matrices in subspaces, and Scaled .*: an average has to stand"):
        GaLore(Scaled(Moody([nn.Parameter(torch.ones(4, 4))])), rank=1)


def test_groups_and_state_may_be_replaced_as_those_of_any_optimizer():
    optimizer = CoordinateClip(torch.optim.SGD([param := torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.9))
    groups, state = [dict(optimizer.param_groups[0], lr=0.5)], {param: {"momentum_buffer": torch.zeros(2)}}
    optimizer.param_groups, optimizer.state = groups, state
    assert optimizer.inner.param_groups is groups
    assert optimizer.inner.state is state


def test_what_passes_closures_on_goes_around_what_needs_one():
    param = parameter(3.0)
    optimizer = EMA(torch.optim.LBFGS([param], lr=0.5))

    def closure():
        optimizer.zero_grad()
        loss = param.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert param.item() < 3.0
