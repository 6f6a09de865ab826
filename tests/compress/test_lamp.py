"""LAMP's scores and what follows from them."""

import pytest
import torch

from tests.compress.layers import network
from trimtab.compress import lamp_counts
from trimtab.compress.lamp import lamp_scores


def by_definition(weights):
    """The square of each weight over the squares of all that are not smaller, the later of equal ones being larger."""
    order = sorted(range(len(weights)), key=lambda index: abs(weights[index]))
    scores = [0.0] * len(weights)
    for place, index in enumerate(order):
        rest = sum(weights[other] ** 2 for other in order[place:])
        scores[index] = weights[index] ** 2 / rest if weights[index] else 0.0
    return scores


def test_hand_computed_scores():
    scores = lamp_scores(torch.tensor([[2.0, -1.0], [0.0, 2.0]]))
    # squares 0, 1, 4, 4 with sums of what is left of 9, 9, 8, 4
    torch.testing.assert_close(scores, torch.tensor([[4 / 8, 1 / 9], [0.0, 1.0]], dtype=torch.float64))


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_the_definition(seed):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(40, generator=generator).mul(10).round().div(4)  # with ties and zeros
    expected = torch.tensor(by_definition(weights.tolist()), dtype=torch.float64)
    torch.testing.assert_close(lamp_scores(weights), expected, rtol=1e-12, atol=0)


def test_scores_order_a_layer_as_magnitudes_do():
    weights = torch.randn(100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(lamp_scores(weights).argsort(), weights.abs().argsort())


def test_hand_computed_counts():
    # scores: first layer 1/10 and 1; second 4/24, 4/20 and 1
    model = network([1.0, -3.0], [2.0, -2.0, 4.0])
    assert [lamp_counts(model, k / 5).counts for k in range(5)] == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 2)]


def test_a_layer_of_small_weights_is_not_emptied():
    model = network([2.0**-10, 2.0**-9, 3 * 2.0**-10], [1.0, 2.0, 3.0])
    assert lamp_counts(model, 0.5).counts == (2, 1)  # three of six: equal scores, the first layer's go first
    assert lamp_counts(model, 4 / 6).counts == (2, 2)


def test_scaling_a_layer_changes_nothing():
    generator = torch.Generator().manual_seed(2)
    one, other = torch.randn(30, generator=generator), torch.randn(50, generator=generator)
    counts = lamp_counts(network(one.tolist(), other.tolist()), 0.7).counts
    assert counts == lamp_counts(network((one * 1024).tolist(), other.tolist()), 0.7).counts


def test_a_layer_of_zeros_goes_first():
    assert lamp_counts(network([0.0, 0.0], [1.0, 2.0]), 0.5).counts == (2, 0)
