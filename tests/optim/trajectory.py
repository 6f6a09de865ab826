"""Runs of optimizers on gradients that are given, so that two of them can be compared."""

import torch
from torch import nn

from tests.new_process import in_a_new_process

SHAPES = ((7, 5), (5,), ())


def positions(make, start, grads, dtype=torch.float64):
    """Returns where one parameter is after every step: ``make`` builds the optimizer from a list of parameters."""
    param = nn.Parameter(torch.tensor(start, dtype=dtype))
    optimizer = make([param])
    rows = []
    for grad in grads:
        param.grad = torch.tensor(grad, dtype=dtype)
        optimizer.step()
        rows.append(param.detach().clone())
    return torch.stack(rows), optimizer.state[param]


def random_gradients(steps, seed=0, dtype=torch.float64):
    """Returns gradients of very different sizes for tensors of ``SHAPES``, a few of their elements exactly zero."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape):
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        scale = 10 ** torch.randn(shape, generator=generator, dtype=torch.float64)
        return (values * scale * (torch.rand(shape, generator=generator) > 0.1)).to(dtype)

    return [[draw(shape) for shape in SHAPES] for _ in range(steps)]


def random_parameters(seed=0, dtype=torch.float64):
    """Returns parameters of ``SHAPES``."""
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64).to(dtype)) for s in SHAPES]


def follow(params, optimizer, grads):
    """Takes one step for each list of gradients; the optimizer gets copies, for some write to them."""
    for row in grads:
        for param, grad in zip(params, row, strict=True):
            param.grad = grad.clone()
        optimizer.step()


def largest_difference(make, make_peer, steps=50):
    """Returns how far two optimizers in float64 are apart after the same random gradients."""
    ours, theirs = random_parameters(), random_parameters()
    grads = random_gradients(steps)
    follow(ours, make(ours), grads)
    follow(theirs, make_peer(theirs), grads)
    return max((a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True))


def go_on_from(optimizer_class, path):
    saved = torch.load(path, weights_only=True)
    params = [nn.Parameter(value) for value in saved["params"]]
    optimizer = optimizer_class(params)
    optimizer.load_state_dict(saved["optimizer"])
    follow(params, optimizer, saved["grads"])
    torch.save({"params": [p.detach() for p in params], "optimizer": optimizer.state_dict()}, path)


def resume_in_a_new_process(optimizer_class, settings, path, dtype=torch.float32):
    """Returns parameters and state after ten steps, and after five, a file, a new process and five more."""
    grads = random_gradients(10, dtype=dtype)
    straight, stopped = random_parameters(dtype=dtype), random_parameters(dtype=dtype)
    whole, half = optimizer_class(straight, **settings), optimizer_class(stopped, **settings)
    follow(straight, whole, grads)
    follow(stopped, half, grads[:5])
    state = {"params": [p.detach() for p in stopped], "optimizer": half.state_dict(), "grads": grads[5:]}
    torch.save(state, path)
    in_a_new_process(go_on_from, optimizer_class, path)
    expected = {"params": [p.detach() for p in straight], "optimizer": whole.state_dict()}
    return expected, torch.load(path, weights_only=True)
