"""Networks that tests share: a small one that was not trained, and those that ship."""

import pytest
import torch

from trimtab.search.pfn.network import PFN


@pytest.fixture
def untrained():
    """Returns a small network of up to 4 inputs, in double precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = PFN(4, 16, 2, 2, borders=torch.linspace(-3, 3, 21))
    return network.double().eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="session")
def shipped():
    """Returns the network of up to 2 inputs that ships."""
    return PFN.load()
