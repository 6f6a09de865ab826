import pytest
import torch
from torch import nn

from trimtab.lab.tasks.transformer import ByteTransformer
from trimtab.optim import GaLore, Lion, QGaLore, galore_parameter_groups, quantize_linears
from trimtab.primitives.quantized_weight import QuantizedWeight


def names(model, groups):
    known = {param: name for name, param in model.named_parameters()}
    return [[known[param] for param in group["params"]] for group in groups]


def test_linear_layers_are_meant_but_for_embeddings_and_output_layers():
    model = ByteTransformer(16, width=32, layers=1)
    projected, rest = galore_parameter_groups(model, 8)
    assert names(model, [projected])[0] == [
        "blocks.0.attention.queries.weight",
        "blocks.0.attention.keys.weight",
        "blocks.0.attention.values.weight",
        "blocks.0.attention.output.weight",
        "blocks.0.expansion.weight",
        "blocks.0.contraction.weight",
    ]
    assert {"embedding.weight", "positions", "logits.weight"} <= set(names(model, [rest])[0])
    assert len(projected["params"]) + len(rest["params"]) == len(list(model.parameters()))
    optimizer = GaLore(torch.optim.AdamW([projected, rest]), update_proj_gap=3)
    for param in model.parameters():
        param.grad = torch.ones_like(param)
    optimizer.step()
    assert {space.rank for space in optimizer.subspaces.values()} == {8}
    assert len(optimizer.subspaces) == 6


def test_targets_prefix_and_settings():
    model = ByteTransformer(16, width=32, layers=1)
    groups = galore_parameter_groups(model, 0.5, targets=["attention", "^logits"], prefix="q_galore", weight_decay=0.1)
    assert len(groups[0]["params"]) == 5
    assert [group["q_galore_rank"] for group in groups] == [0.5, None]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.1]
    QGaLore(torch.optim.AdamW(groups))


def test_frozen_and_tied_weights():
    model = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 9, bias=False))
    model[3].weight = model[0].weight
    model[1].weight.requires_grad_(False)
    groups = galore_parameter_groups(model, 2)
    assert names(model, groups) == [["1.weight", "2.weight"], ["0.weight", "1.bias", "2.bias"]]
    single = nn.Linear(3, 2, bias=False)
    assert names(single, galore_parameter_groups(single, 1)) == [["weight"]]


def test_layers_of_whole_numbers_stay_and_are_not_projected():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[0].weight = nn.Parameter(torch.ones(8, 8, dtype=torch.int8), requires_grad=False)
    groups = galore_parameter_groups(model, 2)
    assert names(model, groups) == [["1.weight"], ["0.weight", "0.bias", "1.bias"]]
    optimizer = GaLore(Lion(groups))
    model[1].weight.grad = torch.eye(8)
    before = model[1].weight.detach().clone()
    optimizer.step()
    assert model[0].weight.eq(1).all()
    assert not torch.equal(model[1].weight, before)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda m: galore_parameter_groups(m, 9),
            ValueError,
            "rank=9 is above parameter '1.weight', .*at most 8, or leave its layer out by targets",
        ),
        (lambda m: galore_parameter_groups(m, 0), ValueError, "rank=0"),
        (lambda m: galore_parameter_groups(m, None), TypeError, "rank=None projects nothing"),
        (
            lambda m: galore_parameter_groups(m, 2, targets=["mlp"]),
            ValueError,
            r"targets=\['mlp'\] .*there are: 1, 2, 3",
        ),
        (lambda m: galore_parameter_groups(m, 2, targets="1"), TypeError, "targets='1' must be a sequence"),
        (lambda m: galore_parameter_groups(nn.ReLU(), 2), ValueError, "there are: none"),
        (lambda m: galore_parameter_groups(m.parameters(), 2), TypeError, "must be a torch.nn.Module, not generator"),
        (lambda m: quantize_linears(m, bits=1), ValueError, "bits=1"),
        (lambda m: quantize_linears(m, group_size=0), ValueError, "group_size=0"),
        (lambda m: quantize_linears(m, targets=["3"]), ValueError, r"layer '3' is tied \(0.weight, 3.weight\)"),
        (lambda m: quantize_linears(m, targets=["1", "3"]), ValueError, "tied"),
    ],
)
def test_what_cannot_be_is_named_and_changes_nothing(make, error, message):
    model = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 9, bias=False))
    model[3].weight = model[0].weight
    with pytest.raises(error, match=message):
        make(model)
    assert not any(isinstance(param, QuantizedWeight) for param in model.parameters())


def test_linears_are_quantized_in_place_once():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 3).requires_grad_(False))
    before = model[0].weight.detach().clone()
    assert quantize_linears(model, group_size=16) == ["0.weight", "1.weight"]
    assert (model[0].weight.dequantize() - before).abs().max() < before.abs().max() / 50
    assert [param.requires_grad for param in model.parameters()] == [True, True, False, False]
    with pytest.raises(ValueError, match="layer '0' is stored in 8 bits already"):
        quantize_linears(model)


def test_layers_with_a_forward_pass_of_their_own_are_refused():
    class Other(nn.Linear):
        pass

    with pytest.raises(TypeError, match="layer '0' is a Other and no plain Linear"):
        quantize_linears(nn.Sequential(Other(3, 3)))


def test_groups_have_rates_of_their_own():
    rate = torch.tensor(0.5)
    groups = galore_parameter_groups(nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)), 2, lr=rate)
    for group in groups:
        group["lr"] *= 0.5
    assert [group["lr"].item() for group in groups] == [0.25, 0.25]
    assert rate.item() == 0.5


def test_groups_that_are_added_later_need_no_names():
    model, head = nn.Linear(8, 8), nn.Linear(8, 8)
    optimizer = GaLore(torch.optim.AdamW(galore_parameter_groups(model, 2)))
    optimizer.add_param_group({"params": head.parameters()})
    before = head.weight.detach().clone()
    head(model(torch.ones(2, 8))).sum().backward()
    optimizer.step()
    assert not torch.equal(head.weight, before)
