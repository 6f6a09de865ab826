"""A model means all of its parameters, as in torch.optim: frozen ones stay, and move once they are unfrozen."""

import copy

import pytest
import torch
from torch import nn

from tests.lab.toy import Toy
from trimtab import Session, create
from trimtab.catalog import entries
from trimtab.catalog.compositions import COMPOSITIONS
from trimtab.catalog.expressions import example
from trimtab.catalog.parsing import parse_expression
from trimtab.primitives.wrapping import OptimizerWrapper

ALONE = [example(entry).label for entry in entries().values()]
EVERYTHING = sorted({*ALONE, *(composition.expression for composition in COMPOSITIONS), "sgd(momentum=0)+rmt_scaling"})
CREATED = [text for text in EVERYTHING if not any(n.entry.kind == "controller" for n in parse_expression(text).nodes())]

each = pytest.mark.parametrize("text", EVERYTHING)


class Layers(Toy):
    """Three layers, wide enough for subspaces."""

    batch_size = 8
    steps = 400

    def model(self, generator):
        return nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 3))


def session(text, frozen, params=None):
    """A session of a model that is frozen in part before its optimizer is made."""
    expression = parse_expression(text)
    settings = {name: tunable.at(0.5) for name, tunable in expression.tunables.items()}

    def optimizer(model):
        frozen(model).requires_grad_(False)
        return expression.build(model if params is None else params(model), settings)

    return Session(Layers(), optimizer, seed=2)


def first(model):
    return model[0]


def copies(module):
    return [param.detach().clone() for param in module.parameters()]


def equal(module, values):
    return [torch.equal(param, value) for param, value in zip(module.parameters(), values, strict=True)]


def take(run, steps):
    for _ in range(steps):
        run.step()


@each
def test_a_frozen_layer_stays_and_moves_once_it_is_unfrozen(text):
    run = session(text, first)
    before, others = copies(run.model[0]), copies(run.model[2:])
    take(run, 4)
    assert all(equal(run.model[0], before))
    assert not any(equal(run.model[2:], others))
    run.model[0].requires_grad_(True)
    take(run, 4)
    assert not any(equal(run.model[0], before))


@each
def test_it_is_the_same_as_with_the_parameters(text):
    named = "agvm" in text
    one = session(text, first)
    other = session(text, first, lambda model: model.named_parameters() if named else model.parameters())
    for run in (one, other):
        take(run, 3)
        run.model[0].requires_grad_(True)
        take(run, 3)
        run.model[2].requires_grad_(False)
        take(run, 2)
    assert all(equal(one.model, copies(other.model)))


@each
def test_what_is_frozen_after_some_steps_keeps_its_values_without_decay(text):
    run = session(text, lambda _: nn.Identity())
    take(run, 3)
    run.model[0].requires_grad_(False)
    before, others = copies(run.model[0]), copies(run.model[2:])
    take(run, 3)
    assert all(equal(run.model[0], before))
    assert not any(equal(run.model[2:], others))
