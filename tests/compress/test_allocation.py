"""Which weights go, once it is known how many of each layer."""

import pytest
import torch
from torch.nn.utils import parametrize

from tests.compress.layers import network, weights
from trimtab.compress import Allocation, global_counts, lamp_counts, prune, uniform_counts
from trimtab.compress.allocation import of_smallest

COUNTS = (uniform_counts, global_counts, lamp_counts)


def test_the_smallest_weights_go_and_of_equal_ones_the_first():
    model = network([3.0, -1.0, 2.0], [2.0, -2.0, 2.0, 4.0])
    prune(model, Allocation(("0.weight", "1.weight"), (3, 4), (1, 2)))
    assert weights(model) == [[3, 0, 2], [0, 0, 2, 4]]
    assert parametrize.is_parametrized(model[0], "weight")


def test_of_equal_scores_those_of_the_first_layers_are_taken():
    scores = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([1.0, 1.0, 0.5])}
    counts = [of_smallest(scores, count).counts for count in range(6)]
    assert counts == [(0, 0), (0, 1), (1, 1), (1, 2), (1, 3), (2, 3)]


def test_what_was_pruned_before_goes_first():
    model = network([5.0, 1.0, 4.0], [2.0, 3.0])
    prune(model, Allocation(("0.weight", "1.weight"), (3, 2), (1, 0)))
    prune(model, Allocation(("0.weight", "1.weight"), (3, 2), (2, 1)))
    assert weights(model) == [[5, 0, 0], [0, 3]]


def test_an_allocation_of_another_network_is_refused():
    with pytest.raises(ValueError, match=r"another network: here is no 0\.weight of 4 elements"):
        prune(network([1.0, 2.0]), Allocation(("0.weight",), (4,), (1,)))


@pytest.mark.parametrize("counts", COUNTS)
def test_without_sparsity_nothing_goes(counts):
    found = counts(network([1.0, 2.0], [3.0]), 0.0)
    assert found == Allocation(("0.weight", "1.weight"), (2, 1), (0, 0))
    assert found.sparsity == 0


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("sparsity", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_with_one_layer_all_are_alike(counts, sparsity):
    model = network([3.0, -1.0, 2.0, 0.5, 8.0, -7.0, 0.0, 1.5])
    expected = {0.1: 1, 0.25: 2, 0.5: 4, 0.75: 6, 0.9: 8}[sparsity]
    assert counts(model, sparsity).counts == (expected,)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("sparsity", [0.07, 0.3, 0.61, 0.9, 0.997])
def test_exactly_as_many_go_as_were_asked_for(counts, sparsity):
    torch.manual_seed(0)
    model = network(*(torch.randn(size).tolist() for size in (7, 31, 250, 12)))
    found = counts(model, sparsity)
    assert sum(found.counts) == {0.07: 21, 0.3: 90, 0.61: 183, 0.9: 270, 0.997: 300}[sparsity]
    prune(model, found)
    assert [layer.count(0) for layer in weights(model)] == list(found.counts)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("sparsity", [-0.5, 1.0, float("nan")])
def test_what_is_no_sparsity_is_refused(counts, sparsity):
    with pytest.raises(ValueError, match="sparsity="):
        counts(network([1.0]), sparsity)
