import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

from trimtab.primitives.idle import is_idle, step_idly


def param(grad=0.0):
    made = nn.Parameter(torch.ones(2))
    made.grad = None if grad is None else torch.full((2,), grad)
    return made


@pytest.mark.parametrize("lr", [0.0, torch.tensor(0.0)], ids=["number", "tensor"])
def test_a_step_with_nothing_to_go_by_is_idle(lr):
    assert is_idle(SGD([param()], lr=lr))
    meta = nn.Parameter(torch.ones(2, device="meta"))
    meta.grad = torch.zeros_like(meta)
    assert is_idle(SGD([meta, param()], lr=lr))


def test_what_is_not_idle():
    assert not is_idle(SGD([param()], lr=0.1))
    assert not is_idle(SGD([{"params": [param()]}, {"params": [param()], "lr": 0.1}], lr=0.0))
    assert not is_idle(SGD([param(), param(1e-30)], lr=0.0))  # the first step of a warm-up
    assert not is_idle(SGD([param(None)], lr=0.0))
    started = AdamW([param()], lr=0.0)
    started.step()
    assert not is_idle(started)


@pytest.mark.parametrize("lr", [0.5, torch.tensor(0.5)], ids=["number", "tensor"])
def test_an_idle_step_makes_the_state_and_keeps_the_rate(lr):
    only = param()
    optimizer = AdamW([only], lr=lr, weight_decay=0.1)
    step_idly(optimizer)
    assert only.tolist() == [1, 1]
    assert optimizer.param_groups[0]["lr"] is lr
    assert float(lr) == 0.5
    assert optimizer.state[only].keys() == {"step", "exp_avg", "exp_avg_sq"}


def test_a_rate_comes_back_where_the_step_fails():
    optimizer = torch.optim.LBFGS([param()], lr=0.5)
    with pytest.raises(TypeError):
        step_idly(optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.5
