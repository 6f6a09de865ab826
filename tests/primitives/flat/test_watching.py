import copy
import math

import pytest
import torch
from torch import nn

from trimtab.optim import AdaBelief, Lamb, Lars, Lion
from trimtab.primitives.flat.chunks import SMALL
from trimtab.primitives.flat.watching import StepNorms

pytestmark = pytest.mark.usefixtures("each_mode")


def parameters():
    generator = torch.Generator().manual_seed(0)
    params = [
        nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64)) for s in ((SMALL, 2), (4, 5), (3,))
    ]
    for param in params:
        param.grad = torch.randn(param.shape, generator=generator, dtype=torch.float64)
    return params


def norm(tensors):
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).norm().item()


@pytest.mark.parametrize("rule", [AdaBelief, Lamb, Lars, Lion])
def test_norms_of_each_group(rule):
    params = parameters()
    optimizer = rule([{"params": params[:2]}, {"params": params[2:], "weight_decay": 0.1}], lr=0.1)
    seen = []
    optimizer.watch(seen.append)
    before = [param.detach().clone() for param in params]
    optimizer.step()
    for part, norms in ((slice(0, 2), seen[0][0]), (slice(2, 3), seen[0][1])):
        moved = [a - b for a, b in zip(params[part], before[part], strict=True)]
        assert norms.gradient == pytest.approx(norm([param.grad for param in params[part]]), rel=1e-12)
        assert norms.weight == pytest.approx(norm(before[part]), rel=1e-12)
        assert norms.update == pytest.approx(norm(moved), rel=1e-12)
        assert norms.update_to_weight == norms.update / norms.weight


@pytest.mark.parametrize("rule", [AdaBelief, Lamb])
def test_watching_changes_nothing_and_ends(rule):
    ours, plain = parameters(), parameters()
    optimizer, other = rule(ours, lr=0.1), rule(plain, lr=0.1)
    seen = []
    optimizer.watch(seen.append)
    optimizer.step()
    optimizer.watch(None)
    optimizer.step()
    for _ in range(2):
        other.step()
    assert len(seen) == 1
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-14, atol=1e-15)


def test_a_step_without_gradients_has_norm_zero_and_copies_are_not_watched():
    optimizer = Lion([nn.Parameter(torch.ones(2))])
    seen = []
    optimizer.watch(seen.append)
    optimizer.step()
    copy.deepcopy(optimizer).step()
    assert seen == [[StepNorms(0.0, 0.0, 0.0)]]
    assert StepNorms(1.0, 0.0, 1.0).update_to_weight == math.inf


def test_watching_outlives_the_loading_of_a_state():
    optimizer = Lion([nn.Parameter(torch.ones(2))])
    seen = []
    optimizer.watch(seen.append)
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.step()
    assert len(seen) == 1
