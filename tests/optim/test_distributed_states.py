"""States through torch.distributed.checkpoint.state_dict into fresh objects: a run goes on bit for bit."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

from trimtab.catalog.compositions import COMPOSITIONS
from trimtab.catalog.parsing import parse_expression
from trimtab.optim import SSO

METHODS = ["adabelief", "adagradnorm", "clipped_adam", "diffgrad", "exadam", "lamb", "lars", "lion", "sgd", "adamw"]
EXPRESSIONS = [*METHODS, *(each.expression for each in COMPOSITIONS)]


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 10))


def built(text, model):
    expression = parse_expression(text)
    named = list(model.named_parameters())
    optimizer = expression.build(named, {name: each.at(0.5) for name, each in expression.tunables.items()})
    for group in optimizer.param_groups:
        group.update({name: 2 for name in group if name.endswith("_update_proj_gap")})
    return optimizer


def kept(_, model):
    return SSO(model.parameters(), inner=partial(torch.optim.Adam, lr=0.01), keep_inner_state=True)


def train(model, optimizer, steps):
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        inputs = torch.randn(20, 12, generator=generator)
        targets = torch.randn(20, 10, generator=generator)

        def loss(rows, inputs=inputs, targets=targets):
            optimizer.zero_grad()
            value = nn.functional.mse_loss(model(inputs[rows]), targets[rows])
            value.backward()
            return value

        if isinstance(optimizer, SSO):
            optimizer.step(lambda x=inputs: model(x), loss=lambda out, y=targets: (out - y).square().mean(1))
        elif getattr(optimizer, "compares", False):
            optimizer.step(partial(loss, slice(0, 10)), partial(loss, slice(10, 20)))
        else:
            optimizer.step(partial(loss, slice(None)))


@pytest.mark.parametrize("flat", [False, True], ids=["plain", "flattened"])
@pytest.mark.parametrize(("make", "text"), [*((built, each) for each in EXPRESSIONS), (built, "sso"), (kept, "kept")])
def test_a_run_goes_on(make, text, flat):
    options = StateDictOptions(flatten_optimizer_state_dict=flat)
    model, resumed = network(0), network(1)
    optimizer, other = make(text, model), make(text, resumed)
    train(model, optimizer, range(5))
    # a copy, for torch.optim shares its memory with what it saves
    weights, state = deepcopy(get_state_dict(model, optimizer, options=options))
    set_state_dict(resumed, other, model_state_dict=weights, optim_state_dict=state, options=options)
    train(model, optimizer, range(5, 10))
    train(resumed, other, range(5, 10))
    for one, two in zip(model.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("text", ["lion", "adabelief", "exadam", "lars", "adagradnorm", "galore(lion)", "clip(lion)"])
def test_asking_a_fresh_optimizer_for_its_state_changes_nothing(text):
    model, twin = network(0), network(0)
    optimizer, other = built(text, model), built(text, twin)
    get_state_dict(model, optimizer)
    train(model, optimizer, range(3))
    train(twin, other, range(3))
    for one, two in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, two)
