import math

import pytest
import torch
from torch import nn

from tests import evidence
from trimtab.optim import AdaBelief, DiffGrad, EXAdam, Lion
from trimtab.optim.baselines import (
    ADADELTA,
    ADAFACTOR,
    ADAGRAD,
    ADAM,
    ADAMAX,
    ADAMW,
    NADAM,
    RADAM,
    RMSPROP,
    SGD,
    SIGNUM,
)
from trimtab.schedule.baselines import SCHEDULE_FREE
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
            assert tunable.high / tunable.low == pytest.approx(other.high / other.low, rel=0.02)
            assert math.log10(tunable.high / tunable.low) == pytest.approx({"lr": 3.52}.get(name, 3), abs=0.01)


PUBLISHED = {
    "adamw": (ADAMW, (3.954e-5, 7.461e-4), (1.343e-2, 4.095)),
    "nadamw": (NADAM, (3.005e-5, 8.349e-4), (7.417e-2, 4.708)),
    "radam": (RADAM, (3.250e-5, 5.379e-4), (6.576e-2, 4.974)),
    "adabelief": (AdaBelief.tunables, (3.311e-5, 9.825e-4), (7.598e-3, 4.775)),
    "adopt": (ADAMW, (3.032e-5, 7.688e-4), (2.697e-2, 4.962)),
    "ademamix": (ADAMW, (4.420e-5, 9.925e-4), (5.989e-3, 4.576)),
    "adan": (ADAMW, (1.011e-4, 5.891e-3), (5.976e-3, 3.047)),
    "soap": (ADAMW, (5.039e-5, 9.369e-4), (5.800e-3, 1.672)),
    "schedulefree": (SCHEDULE_FREE, (1.027e-4, 1.814e-2), (1.333e-2, 3.271)),
    "lion": (Lion.tunables, (1.156e-5, 7.990e-4), (1.492e-2, 4.995)),
    "signum": (SIGNUM, (1.000e-5, 8.791e-4), (1.274e-1, 4.954)),
}
"""The smallest and the largest tuned learning rate and weight decay on 17 data sets of a table, rounded outwards."""

OURS = {
    "adamw": (ADAMW, (1.7e-3, 3e-3, 1.4e-2, 1.4e-2)),
    "lion": (Lion.tunables, (5.6e-4, 1.8e-3, 1e-2, 1e-2)),
    "sgd": (SGD, (1.8e-3, 1.7e-2, 1.2e-1, 5.5e-2)),
    "adagrad": (ADAGRAD, (5.6e-3, 1.7e-2)),
    "exadam": (EXAdam.tunables, (1.7e-4, 5.4e-4, 2.8e-3, 1.3e-3)),
    "diffgrad": (DiffGrad.tunables, (3.2e-3, 5.6e-3)),
}
"""The best learning rates on diabetes, breast-cancer, and, of those that were tried there, digits and mnist5k."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_ranges_hold_the_optima_that_others_have_published(name):
    tunables, *ends = PUBLISHED[name]
    for setting, (least, most) in zip(("lr", "weight_decay"), ends, strict=True):
        tunables[setting].check(setting, least)
        tunables[setting].check(setting, most)


@evidence.needs("tabular_optimizers.csv.gz")
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_optima_are_those_of_the_file(name):
    rows = [row for row in evidence.rows("tabular_optimizers.csv.gz") if row["optimizer"] == name]
    for column, (least, most) in zip(("learning_rate", "weight_decay"), PUBLISHED[name][1:], strict=True):
        found = [float(row[column]) for row in rows]
        assert min(found) == pytest.approx(least, rel=1e-3)
        assert max(found) == pytest.approx(most, rel=1e-3)
        assert least <= min(found) <= max(found) <= most


@pytest.mark.parametrize("name", OURS)
def test_ranges_hold_the_optima_of_our_own_tasks_a_factor_of_three_from_their_ends(name):
    tunables, best = OURS[name]
    for rate in best:
        tunables["lr"].check("lr", 3 * rate)
        tunables["lr"].check("lr", rate / 3)


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
