import pytest
import torch
from torch import nn

from trimtab.lab.tasks.seeding import seeded


def build():
    return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))


def test_layers_draw_from_the_generator_and_the_global_one_is_left_alone():
    before = torch.get_rng_state()
    first = seeded(torch.Generator().manual_seed(5), build)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    second = seeded(torch.Generator().manual_seed(5), build)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first[0].weight, first[1].weight)


def test_the_global_generator_is_put_back_when_building_fails():
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        seeded(torch.Generator(), lambda: torch.rand(1) / (1 // 0))
    assert torch.equal(torch.get_rng_state(), before)
