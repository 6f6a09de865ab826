import copy

import pytest
import pytorch_optimizer
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

import trimtab
from tests.optim.peers.runs import charges, require_resumption, run_of
from trimtab.catalog.parsing import parse_expression
from trimtab.lab.tasks.transformer import ByteTransformer
from trimtab.optim.peers.adam_mini import AdamMini, groups_by_block


def stepped(optimizer, steps=1):
    """Takes steps with random gradients, and returns the last ones."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        for param in params:
            param.grad = torch.randn(param.shape, generator=generator, dtype=param.dtype)
        optimizer.step()
    return [param.grad for param in params]


def second_moments(optimizer, model):
    """How many second moments each parameter has."""
    kept = {name: optimizer.state[param] for name, param in model.named_parameters()}
    return {name: (state["v"] if "v" in state else state["v_mean"]).numel() for name, state in kept.items()}


def test_a_language_model_is_divided_as_the_paper_has_it():
    model = ByteTransformer(8, width=16, heads=4, layers=1)
    optimizer = trimtab.create("adam_mini", model)
    stepped(optimizer)
    expected = dict.fromkeys(dict(model.named_parameters()), 1)
    expected |= dict.fromkeys(("embedding.weight", "logits.weight"), 256 * 16) | {"positions": 8 * 16}
    expected |= dict.fromkeys((f"blocks.0.attention.{name}.weight" for name in ("queries", "keys")), 4)
    assert second_moments(optimizer, model) == expected


def test_it_is_the_packages_where_that_knows_all_names_and_is_told_the_numbers():
    sizes = {"hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 16}
    words = {"vocab_size": 9, "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}
    ours = LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, **sizes, **words))
    theirs = copy.deepcopy(ours)
    settings = {"lr": 0.1, "weight_decay": 0.5}
    one = trimtab.create("adam_mini", ours, **settings)
    other = pytorch_optimizer.AdamMini(theirs, **settings, num_embeds=16, num_heads=4, num_query_groups=2)
    for step in range(3):
        generator = torch.Generator().manual_seed(step)
        for param, twin in zip(ours.parameters(), theirs.parameters(), strict=True):
            param.grad = torch.randn(param.shape, generator=generator)
            twin.grad = param.grad.clone()
        one.step()
        other.step()
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))


def test_a_head_of_another_shape_than_an_embedding_is_one_block_and_a_tied_one_is_an_embedding():
    model = nn.ModuleDict({"embed": nn.Linear(3, 2), "tokens": nn.Embedding(5, 2), "head": nn.Linear(2, 4)})
    optimizer = trimtab.create("adam_mini", model)
    stepped(optimizer)
    expected = {"embed.weight": 1, "embed.bias": 1, "tokens.weight": 10, "head.weight": 1, "head.bias": 1}
    assert second_moments(optimizer, model) == expected
    model["head"] = nn.Linear(2, 5, bias=False)
    model["head"].weight = model["tokens"].weight
    assert [group["block"] for group in groups_by_block(model)] == ["tensor", "coordinate"]


@pytest.mark.parametrize("width", [64, 512])
def test_heads_that_nobody_tells_are_not_guessed(width):
    model = nn.ModuleDict({"q_proj": nn.Linear(width, width, bias=False)})  # 512 would be two of the package's heads
    optimizer = trimtab.create("adam_mini", model)
    stepped(optimizer)
    assert second_moments(optimizer, model) == {"q_proj.weight": 1}


def test_a_step_by_the_head_is_adams_with_the_mean_over_its_rows():
    start = torch.ones(6, 3, dtype=torch.float64)
    param = nn.Parameter(start.clone())
    optimizer = AdamMini([{"params": [param], "block": 2}], lr=0.1, weight_decay=0.5)
    (grad,) = stepped(optimizer)
    scale = grad.reshape(3, 2, 3).square().mean((1, 2), keepdim=True).sqrt().expand(3, 2, 3).reshape(6, 3)
    assert torch.allclose(param, start * (1 - 0.1 * 0.5) - 0.1 * grad / (scale + 1e-8), atol=1e-6)


def test_groups_say_what_a_block_is_and_parameters_of_which_nothing_is_said_are_one_each():
    params = [nn.Parameter(torch.ones(4, 3)) for _ in range(3)]
    optimizer = AdamMini([{"params": params[:1], "block": "coordinate"}, {"params": params[1:]}])
    optimizer.add_param_group({"params": nn.Parameter(torch.ones(4, 3)), "block": 1, "weight_decay": 0.5})
    stepped(optimizer)
    counts = [len(state.get("v", state.get("v_mean")).flatten()) for state in optimizer.state.values()]
    assert counts == [12, 1, 1, 4]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.0, 0.0, 0.5]
    for block in ("head", 0, True, [2]):
        with pytest.raises(ValueError, match="must be 'coordinate', 'tensor' or a number of rows"):
            optimizer.add_param_group({"params": nn.Parameter(torch.ones(4, 3)), "block": block})
    with pytest.raises(ValueError, match=r"parameter 0 of its group of shape \(4, 3\) has no blocks of 3 rows"):
        optimizer.add_param_group({"params": nn.Parameter(torch.ones(4, 3)), "block": 3})
    assert len(optimizer.param_groups) == 3


def test_norms_of_the_names_that_the_package_knows_do_not_decay():
    model = nn.ModuleDict({"first": nn.Linear(3, 2), "norm": nn.LayerNorm(2), "other": nn.LayerNorm(2)})
    optimizer = trimtab.create("adam_mini", model, weight_decay=0.1)
    decays = {param: group["weight_decay"] for group in optimizer.param_groups for param in group["params"]}
    assert [decays[param] for param in model.parameters()] == [0.1, 0.1, 0.0, 0.0, 0.1, 0.1]
    optimizer = trimtab.create("adam_mini", model, weight_decay=0.1, no_decay_for_biases_and_norms=True)
    decays = {param: group["weight_decay"] for group in optimizer.param_groups for param in group["params"]}
    assert [decays[param] for param in model.parameters()] == [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_a_rate_that_is_a_tensor_is_scaled_once():
    model = ByteTransformer(8, width=16, heads=4, layers=1)
    optimizer = AdamMini(groups_by_block(model), lr=torch.tensor(0.5))
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    stepped(optimizer)
    schedule.step()
    assert [float(group["lr"]) for group in optimizer.param_groups] == [0.25] * len(optimizer.param_groups)


def test_heads_are_lost_in_a_subspace():
    model = ByteTransformer(8, width=16, heads=4, layers=1)
    optimizer = trimtab.create("galore(adam_mini(weight_decay=0.0), rank=3)", model)
    stepped(optimizer)
    assert optimizer.state[model.blocks[0].attention.queries.weight]["v_mean"].numel() == 1


def test_pasted_code_makes_the_groups():
    expression = parse_expression("adam_mini")
    code = expression.code({"lr": 0.01, "weight_decay": 0.1}, no_decay=True)
    assert "from trimtab.optim.peers.adam_mini import groups_by_block" in code
    assert "AdamMini(groups_by_block(model, weight_decay=0.1, no_decay_for_biases_and_norms=True), lr=0.01" in code


def test_a_step_costs_a_gradient_and_runs_resume():
    assert charges(run_of("adam_mini"), 2) == [10, 10]
    require_resumption("adam_mini")
