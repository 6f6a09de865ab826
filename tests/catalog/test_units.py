"""What adapts does the same in every unit of the loss, once settings that are in that unit go with it."""

import functools
import math

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from trimtab import Metric, Session, Task
from trimtab.catalog.entries import entries
from trimtab.catalog.parsing import parse_expression

STEPS = 110
SMALL = "candidates=3, trial_fraction=0.2"

IN_UNITS = {
    "lr": lambda unit: 0.05 / unit,
    "autolrs.min_lr": lambda unit: 1e-3 / unit,
    "autolrs.max_lr": lambda unit: 0.2 / unit,
    "eps": lambda unit: 1e-8 * unit,
    "weight_decay": lambda unit: 1e-3 * unit,
    "initial_accumulator_value": lambda unit: 1e-2 * unit**2,
}
"""Settings that go with the unit: rates of gradient descent, and what is added to gradients or to their squares."""

PLAIN = ("lr", "weight_decay")
BOUNDS = ("autolrs.min_lr", "autolrs.max_lr", "weight_decay")
CASES = {
    "sgd+cosine": PLAIN,
    "adamw+cosine": ("eps",),
    "sgd+linear(warmup=0.2)": PLAIN,
    "sgd+constant(warmup=0.2)": PLAIN,
    "sgd+inverse_sqrt(warmup=0.2)": PLAIN,
    "sgd+onecycle": PLAIN,
    "adamw+wsd(warmup=0.2)": ("eps",),
    "sgd+refined": PLAIN,
    "adamw+refined": ("eps",),
    "adamw+refined(norm='adam_weighted', cap=0.9)": ("eps",),
    f"sgd+autolrs({SMALL})": BOUNDS,
    f"sgd+autolrs({SMALL}, validation=True)": BOUNDS,
    f"adamw+autolrs({SMALL})": ("eps",),
    f"adamw+autolrs({SMALL}, kappa=1.0, published_forecast=True)": ("eps",),
    "sgd+adadagrad(eta=0.5)": PLAIN,
    "sgd+adadagrad(eta=0.5, debias=True)": PLAIN,
    "sgd+adadagrad(test='augmented')": PLAIN,
    "sgd+adadagrad(eta=0.5, test='coordinate', quantile=0.5)": PLAIN,
    "adagradnorm+adadagrad(eta=0.5)": ("initial_accumulator_value", "weight_decay"),
    "sgd+rmt_scaling(every=5, steps=4)": ("weight_decay",),
    "sgd+rmt_scaling(every=5, steps=4, matrix='ggn', curvature_batch=20)": ("weight_decay",),
    "agvm(sgd, modules='children', interval=2, momentum=0.5)": PLAIN,
    "agvm(adamw, modules='children', interval=2, momentum=0.5)": ("eps",),
    "clip(sgd)": PLAIN,
    "clip(adamw, where='update')": ("eps",),
    "sso": ("lr",),
}
"""Expressions, and which of their settings go with the unit."""


class Regression(Task):
    """A small regression in double precision, so that no square leaves the range of numbers."""

    name = "regression"
    metric = Metric("error", "min")
    batch_size = 10
    steps = STEPS
    seeds = 1

    def __init__(self, unit, offset=0.0):
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(120, 6, generator=generator, dtype=torch.float64)
        noise = 0.3 * torch.randn(120, 1, generator=generator, dtype=torch.float64)
        targets = (inputs @ torch.randn(6, 1, generator=generator, dtype=torch.float64)).tanh() + noise
        self.train = TensorDataset(inputs[:64], targets[:64])
        self.validation = TensorDataset(inputs[64:90], targets[64:90])
        self.test = TensorDataset(inputs[90:], targets[90:])
        self.unit, self.offset = unit, offset

    def model(self, generator):
        layers = {"body": nn.Linear(6, 16), "bend": nn.Tanh(), "head": nn.Linear(16, 1)}
        model = nn.Sequential()
        for name, layer in layers.items():
            model.add_module(name, layer)
        return model.double()

    def losses(self, outputs, batch):
        return self.unit * (0.5 * (outputs - batch[1]).square().mean(1) + self.offset)

    def score(self, outputs, batch):
        return (outputs - batch[1]).abs().mean()


@functools.cache
def run(text, unit, offset=0.0):
    """Returns the pace of each step, rates of gradient descent in their unit, and where the weights end."""
    expression = parse_expression(text)
    middle = {name: tunable.at(0.5) for name, tunable in expression.tunables.items()}
    settings = {**middle, **{name: IN_UNITS[name](unit) for name in CASES[text]}}
    session = Session(Regression(unit, offset), lambda model: expression.build(model, settings), seed=0)
    scale = 1.0 if {"eps", "initial_accumulator_value"} & {*CASES[text]} else unit
    pace = []
    while not session.meter.exhausted:
        session.step()
        group = session.optimizer.param_groups[0]
        pace.append((scale * float(group["lr"]), group.get("momentum", 0.0), session.batch_size, session.meter.used))
    return pace, torch.cat([param.detach().flatten() for param in session.model.parameters()])


def test_every_controller_is_tried():
    controllers = {name for name, entry in entries().items() if entry.kind == "controller"}
    tried = {node.entry.id for text in CASES for node in parse_expression(text).nodes()}
    assert tried >= controllers >= {"autolrs", "adadagrad", "rmt_scaling"}


@pytest.mark.parametrize("text", CASES)
def test_powers_of_two_change_nothing_at_all(text):
    pace, weights = run(text, 1.0)
    assert len({point[:3] for point in pace}) > 1 or "+" not in text  # it does adapt something
    for exponent in (40, -40):
        found, ends = run(text, math.ldexp(1.0, exponent))
        assert found == pace
        assert torch.equal(ends, weights)


@pytest.mark.parametrize("text", CASES)
def test_other_units_change_nothing_but_rounding(text):
    pace, weights = run(text, 1.0)
    for unit in (1e-12, 1e6):
        found, ends = run(text, unit)
        assert [point[2:] for point in found] == [point[2:] for point in pace]
        for place in (0, 1):
            assert [point[place] for point in found] == pytest.approx([point[place] for point in pace], rel=1e-5)
        torch.testing.assert_close(ends, weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("text", [text for text in CASES if "autolrs" in text])
def test_losses_below_zero_are_losses(text):
    pace, _ = run(text, 1.0, offset=1000.0)
    below, _ = run(text, 1.0, offset=-1000.0)
    assert [point[0] for point in below] == pytest.approx([point[0] for point in pace], rel=1e-5)
