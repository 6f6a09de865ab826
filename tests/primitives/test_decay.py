import pytest
import torch
from torch import nn

from trimtab.optim import AdaBelief, DiffGrad, Lion
from trimtab.primitives.decay import weight_decay_of


class Own(torch.optim.SGD):
    """Whatever it does."""


RULES = [
    (torch.optim.SGD, {"momentum": 0.9}, "coupled"),
    (torch.optim.Adam, {}, "coupled"),
    (torch.optim.Adam, {"decoupled_weight_decay": True}, "decoupled"),
    (torch.optim.AdamW, {}, "decoupled"),
    (torch.optim.NAdam, {}, "coupled"),
    (torch.optim.NAdam, {"decoupled_weight_decay": True}, "decoupled"),
    (torch.optim.RAdam, {}, "coupled"),
    (torch.optim.RMSprop, {}, "coupled"),
    (torch.optim.Adamax, {}, "coupled"),
    (torch.optim.Adadelta, {}, "coupled"),
    (Lion, {"compile": False}, "decoupled"),
    (AdaBelief, {"compile": False}, "decoupled"),
    (AdaBelief, {"compile": False, "fixed_decay": True}, "fixed"),
    (DiffGrad, {"compile": False}, "coupled"),
]


def moved(rule, settings, decay, kind=None):
    """Takes two steps; with a kind, the decay is made by hand."""
    param = nn.Parameter(torch.tensor([4.0, -2.0], dtype=torch.float64))
    optimizer = rule([param], lr=0.125, weight_decay=decay if kind is None else 0.0, **settings)
    for grad in (1e-3, 2e-3):
        param.grad = torch.full((2,), grad, dtype=torch.float64)
        with torch.no_grad():
            if kind == "coupled":
                param.grad += decay * param
            elif kind is not None:
                param.mul_(1 - decay * {"decoupled": 0.125, "fixed": 1.0}[kind])
        optimizer.step()
    return param.detach()


@pytest.mark.parametrize(("rule", "settings", "kind"), RULES)
def test_the_kinds_are_what_the_rules_do(rule, settings, kind):
    optimizer = rule([nn.Parameter(torch.ones(2))], **settings)
    assert weight_decay_of(optimizer, optimizer.param_groups[0]) == kind
    for each in ("coupled", "decoupled", "fixed"):
        same = torch.allclose(moved(rule, settings, 0.5), moved(rule, settings, 0.5, each), rtol=1e-9)
        assert same == (each == kind)


def test_what_is_not_known():
    optimizer = Own([nn.Parameter(torch.ones(2))], lr=0.1)
    assert weight_decay_of(optimizer, optimizer.param_groups[0]) is None
