"""Losses with curvature, networks and loops for optimizers that take the Hessian's diagonal."""

import torch
from torch import nn

from trimtab.optim import AdaHessian

CURVATURES = torch.tensor([4.0, 0.5], dtype=torch.float64)
START = (1.0, -2.0)


def parameter(values, dtype=torch.float64):
    return nn.Parameter(torch.tensor(values, dtype=dtype))


def step(optimizer, loss):
    """Takes a step as a plain loop does."""
    optimizer.zero_grad()
    loss().backward(create_graph=optimizer.needs_graph)
    optimizer.step()


def bowl(x, curvatures=CURVATURES):
    return 0.5 * (curvatures * x * x).sum()


def tanh_net(dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).to(dtype)


def conv_net():
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 3, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(48, 4))
    return nn.Sequential(*layers).double()


def batches(count, shape=(4,), rows=6, dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(rows, *shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(count)]


def train(net, optimizer, data):
    for batch in data:
        step(optimizer, lambda inputs=batch: net(inputs).square().mean())


def assert_same(net, other):
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def assert_close(net, other, tolerance):
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance)


def path(steps, **settings):
    x = parameter(START)
    optimizer = AdaHessian([x], **settings)
    rows = []
    for _ in range(steps):
        step(optimizer, lambda: bowl(x))
        rows.append(x.detach().clone())
    return torch.stack(rows)
