# ruff: noqa: NPY002  # the other package draws from NumPy's global generator
import numpy as np
import pytest
import torch

from trimtab.optim.peers.draws import device_of, draws_of

CPU = torch.device("cpu")


def drawn(seed, step):
    with draws_of(seed, step, CPU):
        return torch.rand(2).tolist(), np.random.random(2).tolist()


def test_seed_and_step_decide_and_nothing_is_left_behind():
    assert drawn(0, 1) == drawn(0, 1)
    assert len({str(drawn(seed, step)) for seed in (0, 1) for step in (0, 1)}) == 4
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(1), np.random.random()
    torch.manual_seed(0)
    np.random.seed(0)
    with pytest.raises(ValueError, match="inside"), draws_of(3, 4, CPU):
        raise ValueError("inside")
    assert (torch.rand(1), np.random.random()) == expected


def test_random_tensors_are_made_where_parameters_are_and_groups_may_be_empty():
    param = torch.nn.Parameter(torch.ones(2, device="meta"))
    assert device_of(torch.optim.SGD([{"params": []}, {"params": [param]}])) == torch.device("meta")
    assert device_of(torch.optim.SGD([{"params": []}])) == CPU
