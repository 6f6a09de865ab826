import pytest
import torch

import trimtab
from tests.optim.peers.runs import charges, require_resumption, run_of
from trimtab.optim.peers.adam_mini import AdamMini


def test_blocks_are_found_by_name():
    model = torch.nn.ModuleDict({"embed": torch.nn.Linear(3, 2), "head": torch.nn.Linear(2, 2)})
    optimizer = AdamMini(model.named_parameters(), lr=0.1)
    for param in model.parameters():
        param.grad = torch.ones_like(param)
    optimizer.step()
    kept = {name: optimizer.state[param] for name, param in model.named_parameters()}
    assert kept["embed.weight"]["v"].shape == (2, 3)
    assert kept["head.weight"]["v_mean"].shape == ()


def test_parameters_need_names_and_groups_keep_their_weight_decay():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    with pytest.raises(TypeError, match="named_parameters"):
        AdamMini(model.parameters())
    optimizer = trimtab.create("adam_mini", model, weight_decay=0.1, no_decay_for_biases_and_norms=True)
    assert {group["name"]: group["weight_decay"] for group in optimizer.param_groups} == {
        "0.weight": 0.1,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
    }


def test_a_step_costs_a_gradient_and_runs_resume():
    assert charges(run_of("adam_mini"), 2) == [10, 10]
    require_resumption("adam_mini")
