import math

import pytest
import torch
from torch import nn

from trimtab.optim import AGVM, Lion, Muon, groups_by_role, parameter_groups


def names(model, groups):
    known = {param: name for name, param in model.named_parameters()}
    return [[known[param] for param in group["params"]] for group in groups]


class LlamaRMSNorm(nn.Module):
    """As model libraries write it: not a subclass of torch's."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.recurrent = nn.LSTM(4, 4)
        self.norm = nn.LayerNorm(4)
        self.other_norm = LlamaRMSNorm()
        self.relative_position_bias_table = nn.Parameter(torch.zeros(3))
        self.head = nn.Linear(4, 10)
        self.head.weight = self.embedding.weight


def test_biases_and_norms_are_not_decayed():
    model = Network()
    decayed, undecayed = parameter_groups(model, 0.1, no_decay_for_biases_and_norms=True)
    assert names(model, [decayed, undecayed]) == [
        [
            "relative_position_bias_table",
            "embedding.weight",
            "attention.in_proj_weight",
            "attention.out_proj.weight",
            "recurrent.weight_ih_l0",
            "recurrent.weight_hh_l0",
        ],
        [
            "attention.in_proj_bias",
            "attention.out_proj.bias",
            "recurrent.bias_ih_l0",
            "recurrent.bias_hh_l0",
            "norm.weight",
            "norm.bias",
            "other_norm.weight",
            "head.bias",
        ],
    ]
    assert (decayed["weight_decay"], undecayed["weight_decay"]) == (0.1, 0.0)


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm1d(3),
        nn.BatchNorm2d(3),
        nn.SyncBatchNorm(3),
        nn.InstanceNorm2d(3, affine=True),
        nn.GroupNorm(1, 3),
        nn.LayerNorm(3),
        nn.RMSNorm(3),
    ],
    ids=lambda norm: type(norm).__name__,
)
def test_all_norms_of_torch(norm):
    model = nn.Sequential(nn.Linear(3, 3, bias=False), norm)
    decayed, undecayed = parameter_groups(model, 0.1)
    assert names(model, [decayed]) == [["0.weight"]]
    assert set(undecayed["params"]) == set(norm.parameters())


def test_every_parameter_is_taken_exactly_once():
    model = Network()
    for flag in (True, False):
        groups = parameter_groups(model, 0.1, no_decay_for_biases_and_norms=flag)
        taken = [param for group in groups for param in group["params"]]
        assert len(taken) == len(set(taken))
        assert set(taken) == set(model.parameters())


def test_without_the_split_all_decay():
    (group,) = parameter_groups(Network(), 0.1, no_decay_for_biases_and_norms=False)
    assert group["weight_decay"] == 0.1
    assert len(group["params"]) == 14


def test_a_tied_parameter_goes_without_decay_if_one_of_its_uses_does():
    model = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Linear(1, 3, bias=True))
    model[1].bias = nn.Parameter(torch.zeros(3))
    model[0].scale = model[1].bias
    groups = parameter_groups(model, 0.1)
    assert names(model, groups) == [["0.weight", "1.weight"], ["0.scale"]]


@pytest.mark.parametrize("frozen", [0, 1, slice(None)])
def test_frozen_parameters_are_among_them(frozen):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    nn.Sequential(*model[frozen] if isinstance(frozen, slice) else [model[frozen]]).requires_grad_(False)
    assert names(model, parameter_groups(model, 0.1)) == [["0.weight", "1.weight"], ["0.bias", "1.bias"]]


def test_an_empty_group_is_left_out():
    for model, expected in ((nn.Linear(2, 2, bias=False), [["weight"]]), (nn.LayerNorm(2), [["weight", "bias"]])):
        assert names(model, parameter_groups(model, 0.1)) == expected


@pytest.mark.parametrize("optimizer_class", [Lion, torch.optim.AdamW, torch.optim.SGD])
def test_optimizers_take_the_groups_and_plain_ones_after_them(optimizer_class):
    optimizer = optimizer_class(parameter_groups(nn.Linear(2, 2), 0.1))
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))], "weight_decay": 0.2})
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0, 0.2]


def test_messages_name_the_parameters_all_the_same():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = Lion(parameter_groups(model), check_finite=True)
    for param in model.parameters():
        param.grad = torch.ones_like(param)
    model[1].bias.grad[0] = math.nan
    with pytest.raises(RuntimeError, match=r"the gradient of parameter '1\.bias' is not finite"):
        optimizer.step()


def test_the_optimizers_own_weight_decay_may_stand():
    optimizer = torch.optim.AdamW(parameter_groups(nn.Linear(2, 2)), weight_decay=0.3)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]


@pytest.mark.parametrize("weight_decay", [-0.1, math.nan, math.inf])
def test_bad_weight_decay_is_named(weight_decay):
    with pytest.raises(ValueError, match=rf"weight_decay={weight_decay} must lie in \[0, inf\)"):
        parameter_groups(nn.Linear(2, 2), weight_decay)


def test_what_has_no_parameters_is_refused():
    with pytest.raises(ValueError, match="model has no parameters"):
        parameter_groups(nn.ReLU(), 0.1)
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, not list"):
        parameter_groups([nn.Parameter(torch.ones(1))], 0.1)


@pytest.mark.parametrize("split", [parameter_groups, groups_by_role])
def test_groups_may_hold_names(split):
    model = Network()
    plain, named = split(model, 0.1), split(model, 0.1, named=True)
    assert [[name for name, _ in group["params"]] for group in named] == names(model, plain)
    assert [[param for _, param in group["params"]] for group in named] == [group["params"] for group in plain]
    assert [{**group, "params": 0} for group in named] == [{**group, "params": 0} for group in plain]
    with pytest.raises(TypeError, match="named='yes' must be True or False"):
        split(model, named="yes")


def test_groups_with_names_are_divided_into_modules():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2))
    optimizer = AGVM(Muon(groups_by_role(model, named=True)), "children")
    assert set(optimizer.scales) == {"0", "1", "2"}
