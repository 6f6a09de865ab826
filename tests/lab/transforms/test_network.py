"""A network is put together again as it was, on the CPU and from plain values."""

import copy

import torch
from torch import nn

from trimtab.lab.transforms.network import load_network_state, network_state


class Running(nn.Module):
    """A layer with a buffer that is not persistent, one that is, and one that may grow."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.register_buffer("mean", torch.zeros(3), persistent=False)
        self.register_buffer("seen", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("later", None, persistent=False)


def test_all_tensors_come_back():
    made = nn.Sequential(Running(), Running())
    with torch.no_grad():
        for number, tensor in enumerate((*made.parameters(), *made.buffers())):
            tensor.fill_(number + 1)
    made[0].mean = torch.ones(7)
    state = network_state(made)
    assert state.keys() == {f"{place}.{name}" for place in "01" for name in ("weight", "mean", "seen")}
    assert not any(tensor.requires_grad for tensor in state.values())
    again = nn.Sequential(Running(), Running())
    load_network_state(again, state)
    before = copy.deepcopy(network_state(again))
    assert all(torch.equal(tensor, state[name]) for name, tensor in before.items())
    with torch.no_grad():
        state["1.mean"].fill_(9)
    assert torch.equal(again[1].mean, before["1.mean"])
    assert again.state_dict().keys() == made.state_dict().keys()
