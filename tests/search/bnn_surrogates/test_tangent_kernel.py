"""Products of derivatives by weights."""

import pytest
import torch

from trimtab.search.bnn_surrogates.network import Network
from trimtab.search.bnn_surrogates.tangent_kernel import Tangent


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("hidden", [(), (5,), (4, 3)])
@pytest.mark.parametrize("outputs", [1, 3])
def test_it_is_the_product_of_jacobians(hidden, activation, outputs):
    network = Network(2, hidden, outputs, activation)
    generator = torch.Generator().manual_seed(0)
    weights = network.initial(1, generator)
    X, other = (torch.rand(n, 2, generator=generator, dtype=torch.float64) for n in (6, 4))

    def jacobian(points):
        found = torch.func.jacrev(lambda row: network(row.unsqueeze(0), points)[0])(weights[0])
        return found.flatten(0, 1)  # points times outputs, as rows

    here, there = Tangent.of(network, weights, X), Tangent.of(network, weights, other)
    torch.testing.assert_close(here.products(there), jacobian(X) @ jacobian(other).T, rtol=1e-12, atol=1e-12)
    assert here.products(here).shape == (6 * outputs, 6 * outputs)


def test_batches_are_apart():
    network = Network(2, (5,), 2, "tanh")
    generator = torch.Generator().manual_seed(0)
    weights = network.initial(1, generator)
    X = torch.rand(3, 4, 2, generator=generator, dtype=torch.float64)
    batched = Tangent.of(network, weights, X)
    single = [Tangent.of(network, weights, each) for each in X]
    expected = torch.stack([each.products(each) for each in single])
    torch.testing.assert_close(batched.products(batched), expected, rtol=1e-13, atol=1e-13)
    across = single[0].products(batched.flat())
    expected = torch.cat([single[0].products(each) for each in single], dim=1)
    torch.testing.assert_close(across, expected, rtol=1e-13, atol=1e-13)
