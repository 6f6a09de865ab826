# ruff: noqa: NPY002  # the other package draws from NumPy's global generator
import numpy as np
import torch

from tests.optim.peers.runs import charges, require_resumption, run_of
from trimtab.optim.peers.kron import Kron


def trained(seed, steps=6):
    param = torch.nn.Parameter(torch.ones(4, 3))
    optimizer = Kron([param], lr=0.1)
    optimizer.seed = seed
    optimizer.balance_prob = 1.0  # at every step, by a number of NumPy's
    for step in range(steps):
        param.grad = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
        optimizer.step()
    return param.detach()


def test_draws_follow_from_seed_and_step_and_global_generators_are_left_alone():
    torch.manual_seed(1)
    np.random.seed(1)
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()
    one = trained(0)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpys).all()
    torch.manual_seed(2)
    assert torch.equal(trained(0), one)
    assert not torch.equal(trained(1), one)


def test_the_first_group_may_be_empty():
    param = torch.nn.Parameter(torch.ones(4, 3))
    optimizer = Kron([{"params": []}, {"params": [param]}], lr=0.1)
    param.grad = torch.ones(4, 3)
    optimizer.step()
    assert (param < 1).all()


def test_a_step_costs_a_gradient_and_runs_resume():
    assert charges(run_of("kron"), 2) == [10, 10]
    require_resumption("kron")
