"""What Muon says of where parameters go."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from torch import nn

import trimtab
from tests.optim.every_role import Block
from trimtab.optim import Muon, groups_by_role


def test_routing_says_how_many_parameters_each_rule_has():
    optimizer = trimtab.create("muon", Block())
    assert optimizer.routing().splitlines() == [
        "matrix           1 tensors             48 parameters  Muon",
        "convolution      1 tensors             96 parameters  Muon",
        "experts          1 tensors             60 parameters  Muon",
        "embedding        1 tensors             66 parameters  AdamW",
        "head             1 tensors             55 parameters  AdamW",
        "vector           5 tensors             33 parameters  AdamW",
    ]


def test_frozen_parameters_have_a_line_of_their_own():
    model = Block()
    optimizer = trimtab.create("muon", model)
    whole = optimizer.routing().splitlines()
    list(model.parameters())[-1].requires_grad_(False)
    lines = optimizer.routing().splitlines()
    assert len(lines) == len(whole) + 1
    assert lines[-1].startswith("frozen           1 tensors ")
    assert lines[-1].endswith(" parameters  nothing moves them")
    assert lines[-2].startswith("vector           4 tensors ")


def test_routing_names_parameters_on_request():
    model = Block()
    optimizer = trimtab.create("muon", model)
    lines = optimizer.routing(names=True).splitlines()
    assert [line for line in lines if not line.startswith(" ")] == optimizer.routing().splitlines()
    assert sorted(line.strip() for line in lines if line.startswith("    ")) == sorted(dict(model.named_parameters()))


def names_in(optimizer):
    return [line.strip() for line in optimizer.routing(names=True).splitlines() if line.startswith("    ")]


@pytest.mark.parametrize(
    "make",
    [
        lambda model: trimtab.create("muon", model),
        lambda model: trimtab.create("ema(muon)", model).inner,
        lambda model: Muon(groups_by_role(model)),
        lambda model: Muon(groups_by_role(model, named=True)),
    ],
)
def test_routing_knows_names_when_the_model_is_gone(make):
    model = Block()
    names, watched = sorted(dict(model.named_parameters())), weakref.ref(model)
    optimizer = make(model)
    whole = optimizer.routing(names=True)
    del model
    gc.collect()
    assert watched() is None
    assert optimizer.routing(names=True) == whole
    assert sorted(names_in(optimizer)) == names


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_copy_knows_the_names(copied):
    optimizer = trimtab.create("muon", Block())
    twin = copied(optimizer)
    assert "hidden.weight" in names_in(twin)
    assert twin.routing(names=True) == optimizer.routing(names=True)
    twin.load_state_dict(optimizer.state_dict())
    assert twin.routing(names=True) == optimizer.routing(names=True)
    assert "hidden.weight" not in str(optimizer.state_dict())


def test_names_hold_no_parameters():
    """Whoever divides a model over processes puts pieces in the place of whole parameters, which have to go."""
    optimizer = trimtab.create("muon", Block())
    names = names_in(optimizer)
    whole = [weakref.ref(param) for group in optimizer.param_groups for param in group["params"]]
    for group in optimizer.param_groups:
        group["params"] = [nn.Parameter(param.detach().clone()) for param in group["params"]]
    gc.collect()
    assert not any(each() is not None for each in whole)
    assert names_in(optimizer) == names


@pytest.mark.parametrize("change", [lambda groups: groups.pop(0), lambda groups: groups[0]["params"].clear()])
def test_names_that_were_kept_of_other_groups_name_nothing(change):
    optimizer = trimtab.create("muon", Block())
    kept = {name: param.shape for name, param in Block().named_parameters()}
    change(optimizer.param_groups)
    shapes = [tuple(param.shape) for group in optimizer.param_groups for param in group["params"]]
    for name, shape in zip(names_in(optimizer), shapes, strict=True):
        assert name == f"{shape}, without a name" or kept[name] == shape


def test_what_has_no_name_is_named_by_its_shape():
    alone = Muon([{"params": [nn.Parameter(torch.zeros(3, 2))], "role": "matrix"}])
    assert names_in(alone) == ["(3, 2), without a name"]
    optimizer = trimtab.create("muon", Block())
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(16, 32)), nn.UninitializedParameter()]})
    assert names_in(optimizer)[:3] == ["hidden.weight", "(16, 32), without a name", "no shape yet, without a name"]
    assert len(names_in(optimizer)) == sum(len(group["params"]) for group in optimizer.param_groups)


def test_routing_knows_names_that_were_given():
    given = Muon([("one", nn.Parameter(torch.zeros(3, 2))), ("two", nn.Parameter(torch.zeros(2, 2)))])
    assert names_in(given) == ["one", "two"]
    optimizer = trimtab.create("muon", Block())
    more = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    for group in groups_by_role(more):
        optimizer.add_param_group(group)
    del more
    gc.collect()
    assert {"0.weight", "1.weight", "0.bias", "1.bias"} < set(names_in(optimizer))
