"""Which layers are heads; models of libraries are tested with the roles."""

import itertools

import pytest
import torch
from torch import nn

from trimtab.primitives.heads import heads
from trimtab.primitives.roles import parameter_roles


def named(model):
    """Returns the names of the heads of a model."""
    found = heads(model)
    return [name for name, module in model.named_modules() if module in found]


def perceptron(*before, out=8):
    return nn.Sequential(*before, nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, out))


@pytest.mark.parametrize("names", itertools.permutations(("head", "stem", "body")))
def test_a_head_that_is_called_so_may_be_defined_first(names):
    layers = {"head": nn.Linear(8, 3), "stem": nn.Linear(4, 8), "body": nn.Linear(8, 8)}
    assert named(nn.ModuleDict({name: layers[name] for name in names})) == ["head"]


def test_a_last_layer_beside_a_head_that_is_called_so_is_one_as_well():
    layers = {"body": nn.Linear(8, 8), "classifier": nn.Linear(8, 3), "boxes": nn.Linear(8, 4)}
    assert named(nn.ModuleDict(layers)) == ["classifier", "boxes"]


@pytest.mark.parametrize("out", [1, 8, 10])
def test_a_last_layer_may_be_as_wide_as_an_embedding(out):
    """Columns of tables have embeddings of any width."""
    assert named(perceptron(nn.Embedding(10, 8), out=out)) == ["3"]
    columns = nn.ModuleDict({"columns": nn.ModuleList([nn.Embedding(9, 8), nn.Embedding(2, 1)])})
    assert named(nn.ModuleDict({"columns": columns, "layers": perceptron(out=out)})) == ["layers.2"]


class Tied(nn.Module):
    """The head is the embedding, multiplied in ``forward``; a layer or a method says so, or nothing."""

    def __init__(self, told="nothing"):
        super().__init__()
        self.words = nn.Embedding(20, 8)
        if told == "layer":
            self.unembed = nn.Linear(8, 20, bias=False)
            self.unembed.weight = self.words.weight
        if told == "method":
            self.get_output_embeddings = lambda: self.words
        self.body = perceptron()

    def forward(self, tokens):
        return nn.functional.linear(self.body(self.words(tokens)), self.words.weight)


@pytest.mark.parametrize(("told", "expected"), [("layer", "matrix"), ("method", "matrix"), ("nothing", "head")])
def test_what_leads_back_to_an_embedding_that_is_known_to_be_the_head_is_none(told, expected):
    assert parameter_roles(Tied(told))["body.2.weight"] == expected


def test_output_embeddings_need_no_weight():
    class Adaptive(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(20, 8)
            self.out = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5])

        def get_output_embeddings(self):
            return self.out

    assert "out" in named(Adaptive())


def test_a_bilinear_layer_may_be_the_head():
    model = nn.ModuleDict({"one": nn.Linear(4, 8), "both": nn.Bilinear(8, 8, 3)})
    assert named(model) == ["both"]
    assert {n: r for n, r in parameter_roles(model).items() if r != "vector"} == {
        "one.weight": "matrix", "both.weight": "head",
    }  # fmt: skip


def test_layers_beside_each_other_are_told_by_what_they_take_and_give():
    """The weights of bilinear layers and of transposed convolutions lie otherwise than those of others."""
    body = nn.Sequential(nn.Linear(4, 8))
    layers = {"body": body, "left": nn.Linear(8, 5), "right": nn.Linear(8, 6), "both": nn.Bilinear(5, 6, 3)}
    assert named(nn.ModuleDict(layers)) == ["both"]
    body = nn.Sequential(nn.Conv2d(1, 8, 3))
    layers = {"body": body, "up": nn.ConvTranspose2d(8, 4, 2), "out": nn.Conv2d(4, 8, 1)}
    assert named(nn.ModuleDict(layers)) == ["out"]
    layers = {"body": body, "mask": nn.ConvTranspose2d(8, 4, 2), "edge": nn.ConvTranspose2d(8, 2, 2)}
    assert named(nn.ModuleDict(layers)) == ["mask", "edge"]


ENCODER = nn.Sequential(nn.Linear(16, 16))


@pytest.mark.parametrize("body", [ENCODER, nn.MultiheadAttention(16, 2), nn.Linear(16, 16)])
@pytest.mark.parametrize(
    ("before", "out"),
    [
        (nn.Linear(16, 32), nn.Linear(64, 10)),
        (nn.Linear(4, 32), nn.Linear(16, 2)),
        (nn.Linear(16, 24), nn.Linear(48, 3)),
        (nn.Bilinear(4, 5, 6), nn.Linear(16, 1)),
    ],
)
def test_what_is_fed_otherwise_and_gives_something_else_stands_not_beside_the_last_layer(body, before, out):
    assert named(nn.ModuleDict({"body": body, "before": before, "out": out})) == ["out"]


@pytest.mark.parametrize("body", [nn.MultiheadAttention(16, 2), nn.Linear(16, 16)])
def test_torchs_attention_is_no_body_but_a_layer(body):
    """With a layer in place of it, the model's last layer is its head as well, whatever the one before it takes."""
    assert named(nn.ModuleDict({"body": body, "scale": nn.Linear(16, 32), "out": nn.Linear(16, 2)})) == ["out"]


def test_a_model_may_end_with_attention():
    assert named(nn.ModuleDict({"stem": nn.Linear(4, 16), "mha": nn.MultiheadAttention(16, 2)})) == ["mha.out_proj"]


@pytest.mark.parametrize(("left", "right"), [((16, 2), (16, 1)), ((24, 8), (16, 8)), ((16, 8), (16, 8))])
def test_heads_beside_each_other_are_fed_alike_or_as_wide(left, right):
    """An actor's mean and a critic's value; the projections of two towers."""
    model = nn.ModuleDict({"body": ENCODER, "left": nn.Linear(*left), "right": nn.Linear(*right)})
    assert named(model) == ["left", "right"]


def test_looking_for_heads_changes_nothing():
    """The weight of a spectral norm is computed anew whenever it is asked for in training, from a vector that moves."""
    model = nn.Sequential(nn.Linear(4, 4), nn.utils.parametrizations.spectral_norm(nn.Linear(4, 2)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert named(model) == ["1"]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
