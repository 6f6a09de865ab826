"""Pruning in one go."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from tests.compress.layers import network, weights
from trimtab.compress import LampPruning, MagnitudePruning, UniformPruning

ALL = (UniformPruning(), MagnitudePruning(), LampPruning())


def never(model, steps=None):
    """Fine-tuning that does nothing."""


@pytest.mark.parametrize("transform", ALL)
def test_without_sparsity_the_network_is_trained_as_it_is(transform):
    model = network([1.0, -2.0], [3.0])
    seen = []
    found = transform(model, (), 0.0, finetune=lambda each: seen.append(weights(each)), generator=None)
    assert seen == [[[1, -2], [3]]]
    assert weights(found) == [[1, -2], [3]]
    assert found is not model


@pytest.mark.parametrize(
    ("transform", "left"),
    [
        (UniformPruning(), [[0, -3], [0, 0, 4]]),
        (MagnitudePruning(), [[0, -3], [0, 0, 4]]),
        (LampPruning(), [[0, -3], [0, 0, 4]]),
    ],
)
def test_what_is_left(transform, left):
    assert weights(transform(network([1.0, -3.0], [2.0, -2.0, 4.0]), (), 0.6, finetune=never, generator=None)) == left


def test_uniform_and_global_differ_where_layers_do():
    model = network([1.0, 2.0], [3.0, 4.0])
    assert weights(UniformPruning()(model, (), 0.5, finetune=never, generator=None)) == [[0, 2], [0, 4]]
    assert weights(MagnitudePruning()(model, (), 0.5, finetune=never, generator=None)) == [[0, 0], [3, 4]]
    model = network([1.0, 2.0], [3.0, 3.0, 4.0, 4.0])  # scores of 1/5 and 1, and of 9/50, 9/41, 16/32 and 1
    assert weights(LampPruning()(model, (), 0.5, finetune=never, generator=None)) == [[0, 2], [0, 0, 4, 4]]
    assert weights(MagnitudePruning()(model, (), 0.5, finetune=never, generator=None)) == [[0, 0], [0, 3, 4, 4]]


def test_masks_hold_while_it_is_trained_and_are_gone_in_the_end():
    def finetune(model):
        assert parametrize.is_parametrized(model[0], "weight")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            sum((layer.weight - 1).square().sum() for layer in model).backward()
            optimizer.step()

    model = network([1.0, -3.0], [2.0, -2.0, 4.0])
    before = copy.deepcopy(model.state_dict())
    found = LampPruning()(model, (), 0.6, finetune=finetune, generator=None)
    assert [layer.count(0) for layer in weights(found)] == [1, 2]
    assert weights(found)[0][1] == pytest.approx(1 - 4 * 0.8**3)
    assert list(found.state_dict()) == ["0.weight", "1.weight"]
    assert not any(parametrize.is_parametrized(layer) for layer in found)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    nn.Sequential(*(nn.Linear(size, 1, bias=False) for size in (2, 3))).load_state_dict(found.state_dict())
