"""Masks hold while the rest is trained, and what can be pruned is found."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from trimtab.primitives.masks import (
    Mask,
    count_to_prune,
    prunable_weights,
    remove_masks,
    remove_parametrizations,
    set_masks,
)


@pytest.mark.parametrize(
    ("sparsity", "total", "count"),
    [
        (0.0, 10, 0), (0.07, 100, 7), (0.9, 80784, 72706), (0.95, 80784, 76745), (0.5, 3, 2), (1e-9, 10, 1),
        (0.1 + 0.2, 10, 3), (1 - 0.8**3, 1000, 488), (0.999999, 10, 10), (0.29, 100, 29),
        (0.57, 100_000_000, 57_000_000),
    ],
)  # fmt: skip
def test_the_number_that_was_meant_is_rounded_up(sparsity, total, count):
    assert count_to_prune(sparsity, total) == count


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 2, float("nan"), True, "0.5", None])
def test_what_is_no_sparsity_is_refused(sparsity):
    with pytest.raises(ValueError, match="sparsity="):
        count_to_prune(sparsity, 10)


def test_weights_of_convolutions_and_linear_layers_are_found():
    model = nn.Sequential(
        nn.Conv1d(1, 2, 3),
        nn.BatchNorm1d(2),
        nn.ConvTranspose1d(2, 2, 3),
        nn.Embedding(3, 4),
        nn.Sequential(nn.Linear(2, 2)),
    )
    assert list(prunable_weights(model)) == ["0.weight", "2.weight", "4.0.weight"]
    assert list(prunable_weights(nn.Linear(2, 2))) == ["weight"]


def test_what_cannot_be_pruned_is_refused():
    with pytest.raises(ValueError, match="Sequential has no convolution and no linear layer"):
        prunable_weights(nn.Sequential(nn.ReLU()))
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    with pytest.raises(ValueError, match=r"0\.weight and 1\.weight are one tensor"):
        prunable_weights(tied)
    language = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5))
    language[1].weight = language[0].weight
    with pytest.raises(ValueError, match=r"0\.weight and 1\.weight are one tensor"):
        prunable_weights(language)
    broken = nn.Linear(2, 2)
    with torch.no_grad():
        broken.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="weight has values that are not finite"):
        prunable_weights(broken)


def test_pruned_weights_stay_zero_while_the_others_move():
    model = nn.Linear(2, 2, bias=False)
    keep = torch.tensor([[True, False], [False, True]])
    set_masks(model, {"weight": keep})
    before = model.weight.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(1, 2)).square().sum().backward()
        optimizer.step()
    assert torch.equal(model.weight == 0, ~keep)
    assert not torch.isclose(model.weight[keep], before[keep]).any()
    remove_masks(model)
    assert not parametrize.is_parametrized(model)
    assert torch.equal(model.weight == 0, ~keep)
    assert list(model.state_dict()) == ["weight"]


def test_a_mask_is_replaced_by_the_next_one():
    model = nn.Sequential(nn.Linear(2, 1, bias=False))
    set_masks(model, {"0.weight": torch.tensor([[True, False]])})
    set_masks(model, {"0.weight": torch.tensor([[False, False]])})
    assert len(model[0].parametrizations["weight"]) == 1
    assert torch.equal(model[0].weight, torch.zeros(1, 2))


def test_a_nan_that_is_masked_is_gone():
    mask = Mask(torch.tensor([False, True]))
    assert torch.equal(mask(torch.tensor([float("nan"), 2.0])), torch.tensor([0.0, 2.0]))


def test_a_copy_loses_its_masks_and_the_original_keeps_them():
    model = nn.Linear(2, 1)
    set_masks(model, {"weight": torch.tensor([[True, False]])})
    twin = copy.deepcopy(model)
    remove_masks(twin)
    assert model.weight[0, 1] == 0
    assert parametrize.is_parametrized(model, "weight")
    assert torch.equal(model(torch.ones(1, 2)), twin(torch.ones(1, 2)))


def test_another_parametrization_is_refused_and_left_alone():
    model = weight_norm(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="weight has a parametrization already"):
        set_masks(model, {"weight": torch.ones(2, 2, dtype=torch.bool)})
    remove_masks(model)
    assert parametrize.is_parametrized(model, "weight")


def test_an_assigned_weight_is_masked():
    model = nn.Linear(2, 1)
    set_masks(model, {"weight": torch.tensor([[True, False]])})
    with torch.no_grad():
        model.weight = torch.tensor([[3.0, 4.0]])
    assert torch.equal(model.weight, torch.tensor([[3.0, 0.0]]))


def test_all_parametrizations_are_taken_off_and_what_they_compute_stays():
    model = nn.Sequential(weight_norm(nn.Linear(3, 2)), nn.Linear(2, 2))
    set_masks(model, {"1.weight": torch.tensor([[True, False], [False, True]])})
    both = nn.Sequential(model, copy.deepcopy(model))  # copies share the classes of parametrized layers
    expected = [layer.weight.detach().clone() for layer in (*both[0], *both[1])]
    remove_parametrizations(both)
    layers = [*both[0], *both[1]]
    assert all(type(layer) is nn.Linear for layer in layers)
    assert all(torch.equal(layer.weight, weight) for layer, weight in zip(layers, expected, strict=True))
    assert sorted(both[0].state_dict()) == ["0.bias", "0.weight", "1.bias", "1.weight"]
