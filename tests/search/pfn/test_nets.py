"""The networks that ship."""

import pytest
import torch

from trimtab.search.pfn.network import PFN
from trimtab.search.pfn.prior import GaussianProcessPrior
from trimtab.search.pfn.surrogate import PFNSurrogate
from trimtab.search.pfn.training import loss_by_context
from trimtab.study.errors import InputError


def test_the_small_network_knows_a_line_when_it_sees_one():
    network = PFN.load()
    x = torch.linspace(0, 1, 12, dtype=torch.float64).reshape(1, -1, 1)
    query = torch.tensor([0.05, 0.5, 0.9], dtype=torch.float64).reshape(1, -1, 1)
    logits = network(x, 2 * x.squeeze(-1) - 1, query).double()
    assert torch.allclose(network.distribution().mean(logits), 2 * query.squeeze(-1) - 1, atol=0.1)
    assert (network.distribution().variance(logits).sqrt() < 0.2).all()


@pytest.mark.parametrize(("inputs", "least"), [(2, -0.45), (6, 0.9)])
def test_networks_that_ship_learn_in_context(inputs, least):
    """Without an observation the loss would be 1.42; at 20 of them it is what benchmarks/pfn_loss.py has."""
    network, prior = PFN.load(inputs=inputs), GaussianProcessPrior(inputs, d_min=inputs)
    assert network.d_max == inputs
    losses = list(loss_by_context(network, prior, seed=9, functions=60).values())
    assert sorted(losses, reverse=True) == losses
    assert losses[0] < 1.42
    assert losses[2] < least


def test_the_smallest_network_that_suffices_is_taken():
    assert [PFN.load(inputs=n).d_max for n in (1, 2, 3, 6)] == [2, 2, 6, 6]
    with pytest.raises(InputError, match="at most 6"):
        PFN.load(inputs=7)


def test_a_surrogate_takes_the_network_that_ships_for_so_many_inputs():
    for d, d_max in ((2, 2), (3, 6)):
        x = torch.rand(4, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        assert PFNSurrogate(x, x[:, :1]).pfn.d_max == d_max
