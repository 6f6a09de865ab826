"""Networks whose weights are rows of a matrix."""

import pytest
import torch
from torch import nn

from trimtab.search.bnn_surrogates.network import Network, check_network
from trimtab.study.errors import InputError

MODULES = {"tanh": nn.Tanh, "relu": nn.ReLU}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def as_modules(network, weights, activation):
    """The same network of torch's modules."""
    layers = []
    for layer in network.layers(weights.unsqueeze(0)):
        inputs, outputs = layer.weight.shape[1:]
        linear = nn.Linear(inputs, outputs, dtype=torch.float64)
        linear.weight.data, linear.bias.data = layer.weight[0].mT, layer.bias[0, 0]
        layers += [linear, MODULES[activation]()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("hidden", [(), (5,), (4, 7, 3)])
def test_it_is_the_network_of_torch_of_each_row(hidden, activation):
    network = Network(3, hidden, 2, activation)
    weights, X = random(6, network.n_weights), random(9, 3, seed=1)
    expected = torch.stack([as_modules(network, row, activation)(X) for row in weights])
    torch.testing.assert_close(network(weights, X), expected, rtol=1e-13, atol=1e-13)


def test_the_order_of_weights():
    network = Network(2, (1,), 1, "relu")
    weights = torch.tensor([[1.0, 2.0, -3.0, 5.0, 7.0]], dtype=torch.float64)
    X = torch.tensor([[1.0, 3.0], [1.0, 0.0]], dtype=torch.float64)
    # relu(1 + 6 - 3) 5 + 7 and relu(1 - 3) 5 + 7
    assert network(weights, X).flatten().tolist() == [27.0, 7.0]


def test_each_network_can_have_points_of_its_own():
    network = Network(3, (4,), 2, "tanh")
    weights, X = random(5, network.n_weights), random(5, 6, 3, seed=1)
    each = torch.cat([network(weights[i : i + 1], X[i]) for i in range(5)])
    torch.testing.assert_close(network(weights, X), each, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("hidden", [(), (5,), (4, 7)])
def test_gradients_are_those_of_autograd(hidden, activation):
    network = Network(3, hidden, 2, activation)
    weights, X = random(4, network.n_weights).requires_grad_(), random(9, 3, seed=1)
    cotangents = random(4, 9, 2, seed=2)
    made = network.record(weights, X)
    (expected,) = torch.autograd.grad((made.outputs * cotangents).sum(), weights)
    torch.testing.assert_close(network.gradient(made, cotangents), expected, rtol=1e-12, atol=1e-12)


def test_first_weights_are_torch_s_own_in_distribution():
    network = Network(4, (25,), 1, "tanh")
    first, second = network.layers(network.initial(400, torch.Generator().manual_seed(0)))
    for layer, width in ((first, 4), (second, 25)):
        for part in layer:
            bound = width**-0.5
            assert part.abs().max() <= bound
            # a uniform distribution's standard deviation, which of 400 draws or more is known within 3 %
            assert float(part.std()) == pytest.approx(bound / 3**0.5, rel=0.08)


def test_bad_settings():
    for hidden, activation in (((0,), "tanh"), ((2.5,), "tanh"), (7, "tanh"), ((True,), "tanh")):
        with pytest.raises(InputError, match="hidden="):
            check_network(hidden, activation)
    with pytest.raises(InputError, match="activation='gelu': one of tanh, relu"):
        check_network((3,), "gelu")
