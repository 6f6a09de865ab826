"""A model means all of its parameters, as in torch.optim: frozen ones stay, and move once they are unfrozen."""

import contextlib
import copy
import io
import pickle

import pytest
import torch
from schedulefree import RAdamScheduleFree
from torch import nn

from tests.catalog.loops import RESTS
from tests.lab.toy import Toy
from trimtab import Session, create
from trimtab.catalog.compositions import COMPOSITIONS
from trimtab.catalog.entries import of_slot
from trimtab.catalog.expressions import example
from trimtab.catalog.parsing import parse_expression
from trimtab.optim import groups_by_role

ALONE = [example(entry).label for entry in of_slot("optimizer").values()]
EVERYTHING = sorted({*ALONE, *(composition.expression for composition in COMPOSITIONS)})
CREATED = [text for text in EVERYTHING if "+" not in text]

BY_ROLE = ("muon",)
"""What is given groups that say what their parameters are for, and a model of course; its own tests add some."""

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


def test_a_snapshot_loads_without_pickled_code_unless_the_entry_says_so():
    refused = set()
    for entry in of_slot("optimizer").values():
        run = session(example(entry).label, lambda model: nn.Module())
        run.step()
        buffer = io.BytesIO()
        torch.save(run.snapshot(), buffer)
        buffer.seek(0)
        try:
            torch.load(buffer, weights_only=True)
        except pickle.UnpicklingError:
            refused.add(entry.id)
    assert refused == {"scalable_shampoo"}  # which Session.snapshot names as well
    assert refused == {entry.id for entry in of_slot("optimizer").values() if "weights_only" in entry.when_not}


def first(model):
    return model[0]


def copies(module):
    return [param.detach().clone() for param in module.parameters()]


def equal(module, values):
    return [torch.equal(param, value) for param, value in zip(module.parameters(), values, strict=True)]


def take(run, steps):
    for _ in range(steps + (RESTS["schedulefree_radam"] if isinstance(run.optimizer, RAdamScheduleFree) else 0)):
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


def plain(text, model):
    """Parameters without names; of what treats them by what they are for, in groups that say so."""
    return groups_by_role(model) if text in BY_ROLE else model.parameters()


@each
def test_it_is_the_same_as_with_the_parameters(text):
    named = "agvm" in text
    one = session(text, first)
    other = session(text, first, lambda model: model.named_parameters() if named else plain(text, model))
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
    with pytest.raises(AssertionError) if text in ONE_VECTOR else contextlib.nullcontext():
        assert all(equal(run.model[0], before))
    assert not any(equal(run.model[2:], others))


@pytest.mark.parametrize("text", CREATED)
def test_a_model_that_is_frozen_as_a_whole_waits(text):
    model = Layers().model(None).requires_grad_(False)
    model[0].table = nn.Parameter(torch.ones(16, 16, dtype=torch.int8), requires_grad=False)
    model[0].rotation = nn.Parameter(torch.ones(16, 16, dtype=torch.complex64), requires_grad=False)
    optimizer = create(text, model)
    held = [param for group in optimizer.param_groups for param in group["params"]]
    assert {id(param) for param in held} == {id(param) for param in model.parameters()}
    assert not any("param_names" in group for group in optimizer.param_groups)


ONE_VECTOR = ("lbfgs",)
"""What takes all parameters for one vector, in one group, and remembers where those that are frozen were going."""

ONE_RATE = ("adamw+autolrs", "prodigy", "sgd+rmt_scaling", "sso")
"""What has one learning rate for all groups."""


def grown(text, params=lambda *modules: [p for m in modules for p in m.parameters()], **settings):
    """A session whose optimizer is made of two layers, and given the third one later."""
    run = session(text, lambda model: model[4], lambda model: params(model[0], model[2]))
    take(run, 3)
    run.model[4].requires_grad_(True)
    run.optimizer.add_param_group({"params": params(run.model[4]), **settings})
    return run


def of_model(*modules):
    """The model itself, or the plain parameters of what is added to it."""
    return (
        nn.ModuleDict({f"part{i}": m for i, m in enumerate(modules)}) if len(modules) > 1 else modules[0].parameters()
    )


def with_names(*modules):
    return [(f"part{id(m)}.{name}", param) for m in modules for name, param in m.named_parameters()]


@pytest.mark.parametrize("text", [text for text in EVERYTHING if text not in ("adamw+autolrs", *BY_ROLE, *ONE_VECTOR)])
@pytest.mark.parametrize("params", [of_model, with_names])
def test_groups_are_added_as_torch_takes_them(text, params):
    run = grown(text, params)
    before = copies(run.model[4])
    take(run, 3)
    assert not any(equal(run.model[4], before))
    resumed = grown(text, params)
    resumed.restore(copy.deepcopy(run.snapshot()), refund=True)
    take(run, 4)
    take(resumed, 4)
    assert all(equal(run.model, copies(resumed.model)))
    wrong = with_names(nn.Linear(2, 2)) if params is of_model else nn.Linear(2, 2).parameters()
    with pytest.raises(ValueError, match="with/without names"):
        run.optimizer.add_param_group({"params": wrong})


@pytest.mark.parametrize("text", [text for text in EVERYTHING if text not in (*ONE_RATE, *BY_ROLE, *ONE_VECTOR)])
def test_added_groups_may_have_a_rate_of_their_own(text):
    run = grown(text, of_model, lr=0.0)
    before, others = copies(run.model[4]), copies(run.model[:4])
    assert run.optimizer.param_groups[-1]["lr"] == 0.0
    take(run, 2)
    assert all(equal(run.model[4], before))
    assert not any(equal(run.model[:4], others))


def test_searched_rates_are_those_of_the_groups_that_there_were():
    with pytest.raises(ValueError, match=r"the optimizer has 2 parameter groups, and had 1 when .*: add groups before"):
        grown("adamw+autolrs").step()
