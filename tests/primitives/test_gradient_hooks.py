import pytest
import torch
from torch import nn

from trimtab.primitives.gradient_hooks import has_gradient_hooks, without_gradient_hooks


def cubes():
    param = nn.Parameter(torch.tensor([1.0, 2.0]))
    return param, (param**3).sum()


def test_both_kinds_of_hooks_are_seen_until_they_are_removed():
    param, _ = cubes()
    assert not has_gradient_hooks(param)
    for register in (param.register_hook, param.register_post_accumulate_grad_hook):
        handle = register(lambda *_: None)
        assert has_gradient_hooks(param)
        handle.remove()
        assert not has_gradient_hooks(param)


def test_hooks_rest_within_and_are_back_afterwards_whatever_happens():
    param, loss = cubes()
    param.register_hook(lambda grad: grad * 0.5)
    with without_gradient_hooks([param, nn.Parameter(torch.ones(1))]):
        (free,) = torch.autograd.grad(loss, param, retain_graph=True)
    with pytest.raises(ArithmeticError), without_gradient_hooks([param]):
        raise ArithmeticError
    (hooked,) = torch.autograd.grad(loss, param)
    assert free.tolist() == [3.0, 12.0]
    assert hooked.tolist() == [1.5, 6.0]
