import math

import pytest
import torch
from torch import nn

from trimtab.optim import AdaBelief, DiffGrad, EXAdam, Lion
from trimtab.optim.baselines import ADADELTA, ADAFACTOR, ADAGRAD, ADAM, ADAMAX, ADAMW, NADAM, RADAM, RMSPROP, SGD
from trimtab.study.tunable import LogUniform

BASELINES = [
    pytest.param(torch.optim.SGD, SGD, {"momentum": 0.9, "nesterov": True}, id="sgd"),
    pytest.param(torch.optim.Adam, ADAM, {}, id="adam"),
    pytest.param(torch.optim.AdamW, ADAMW, {}, id="adamw"),
    pytest.param(torch.optim.NAdam, NADAM, {"decoupled_weight_decay": True}, id="nadam"),
    pytest.param(torch.optim.RAdam, RADAM, {"decoupled_weight_decay": True}, id="radam"),
    pytest.param(torch.optim.Adagrad, ADAGRAD, {}, id="adagrad"),
    pytest.param(torch.optim.RMSprop, RMSPROP, {}, id="rmsprop"),
    pytest.param(torch.optim.Adadelta, ADADELTA, {}, id="adadelta"),
    pytest.param(torch.optim.Adamax, ADAMAX, {}, id="adamax"),
    pytest.param(torch.optim.Adafactor, ADAFACTOR, {}, id="adafactor"),
]


@pytest.mark.parametrize(("optimizer_class", "tunables", "fixed"), BASELINES)
@pytest.mark.parametrize("unit", [0.0, 0.999])
def test_tunables_are_arguments_of_the_class(optimizer_class, tunables, fixed, unit):
    param = nn.Parameter(torch.ones(2))
    settings = {name: tunable.at(unit) for name, tunable in tunables.items()}
    optimizer = optimizer_class([param], **settings, **fixed)
    param.grad = torch.ones(2)
    optimizer.step()
    assert {name: optimizer.param_groups[0][name] for name in settings} == settings
    assert (param < 1).all()


@pytest.mark.parametrize(("optimizer_class", "tunables", "fixed"), BASELINES)
def test_every_range_is_as_wide_as_a_methods(optimizer_class, tunables, fixed):
    for method in (AdaBelief, DiffGrad, EXAdam, Lion):
        assert list(tunables) == list(method.tunables)
        for name, tunable in tunables.items():
            other = method.tunables[name]
            assert isinstance(tunable, LogUniform)
            assert tunable.high / tunable.low == pytest.approx(other.high / other.low)
            assert math.log10(tunable.high / tunable.low) == pytest.approx(3)


def test_defaults_of_torch_lie_in_the_ranges():
    for optimizer_class, tunables in (
        (torch.optim.SGD, SGD),
        (torch.optim.Adam, ADAM),
        (torch.optim.AdamW, ADAMW),
        (torch.optim.NAdam, NADAM),
        (torch.optim.Adagrad, ADAGRAD),
        (torch.optim.RMSprop, RMSPROP),
        (torch.optim.Adadelta, ADADELTA),
        (torch.optim.Adamax, ADAMAX),
        (torch.optim.Adafactor, ADAFACTOR),
    ):
        tunables["lr"].check("lr", optimizer_class([nn.Parameter(torch.ones(1))]).defaults["lr"])
    ADAMW["weight_decay"].check(
        "weight_decay", torch.optim.AdamW([nn.Parameter(torch.ones(1))]).defaults["weight_decay"]
    )
