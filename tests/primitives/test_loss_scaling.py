import pytest
import torch
from torch import nn

from trimtab.primitives.loss_scaling import overflows, refuse_scaler, scaling_of


class Told(torch.optim.SGD):
    """Notes what a scaler tells it, and unscales by itself."""

    _step_supports_amp_scaling = True
    fails = False

    def step(self, closure=None):
        with scaling_of(self) as told:
            self.told = told, overflows(self)
            if self.fails:
                raise ArithmeticError
            if told is not None:
                told.unscale_([param.grad for group in self.param_groups for param in group["params"]])


def made():
    param = nn.Parameter(torch.tensor([1.0, 2.0]))
    return param, Told([param], lr=0.1), torch.amp.GradScaler("cpu", init_scale=1024.0)


def scaled(scaler, param, grad=(3.0, 4.0)):
    param.grad = torch.tensor(grad) * scaler.scale(torch.ones(()))


def test_without_a_scaler_nothing_is_said():
    param, optimizer, _ = made()
    param.grad = torch.ones(2)
    optimizer.step()
    assert optimizer.told == (None, False)


def test_scaled_gradients_come_with_their_scale():
    param, optimizer, scaler = made()
    scaled(scaler, param)
    scaler.step(optimizer)
    told, overflowing = optimizer.told
    assert (told.scale.item(), told.overflows, overflowing) == (1024.0, False, False)
    assert param.grad.tolist() == [3.0, 4.0]


def test_gradients_that_were_unscaled_come_without():
    param, optimizer, scaler = made()
    scaled(scaler, param)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    told, _ = optimizer.told
    assert (told.scale, told.overflows) == (None, False)
    assert param.grad.tolist() == [3.0, 4.0]


def test_an_overflow_is_said():
    param, optimizer, scaler = made()
    scaled(scaler, param, (torch.inf, 1.0))
    scaler.step(optimizer)
    assert optimizer.told[0].overflows
    assert optimizer.told[1]


def test_after_a_step_that_failed_the_next_is_told_the_scale_once():
    param, optimizer, scaler = made()
    scaled(scaler, param)
    optimizer.fails = True
    with pytest.raises(ArithmeticError):
        scaler.step(optimizer)
    assert not hasattr(optimizer, "grad_scale")
    assert not hasattr(optimizer, "found_inf")
    optimizer.fails = False
    scaler.step(optimizer)
    assert optimizer.told[0].scale.item() == 1024.0


def test_one_that_needs_no_scaler_says_so_and_steps_without_it_afterwards():
    class Refusing(Told):
        def step(self, closure=None):
            refuse_scaler(self, "leave it out")
            return 7

    param = nn.Parameter(torch.ones(2))
    optimizer, scaler = Refusing([param], lr=0.1), torch.amp.GradScaler("cpu")
    scaled(scaler, param)
    with pytest.raises(RuntimeError, match="Refusing is not to be stepped by a gradient scaler: leave it out"):
        scaler.step(optimizer)
    assert optimizer.step() == 7
