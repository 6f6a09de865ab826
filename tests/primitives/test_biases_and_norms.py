"""Which parameters are biases or of normalisation layers; models as a whole are tested with the groups."""

import pytest
import torch
from torch import nn

from trimtab.optim import parameter_groups
from trimtab.primitives.biases_and_norms import biases_and_norms


def layer(name, **shapes):
    """A layer of somebody's own, known by its name alone."""
    made = type(name, (nn.Module,), {})()
    for each, shape in shapes.items():
        setattr(made, each, nn.Parameter(torch.ones(shape)))
    return made


def names(model):
    found = biases_and_norms(model)
    return {name for name, param in model.named_parameters() if param in found}


@pytest.mark.parametrize("kind", ["LayerNormLinear", "LayerNormMLP"])
def test_the_matrix_of_a_fused_layer_is_not_of_the_norm(kind):
    fused = layer(kind, layer_norm_weight=(4,), layer_norm_bias=(4,), weight=(8, 4), bias=(8,))
    assert names(fused) == {"layer_norm_weight", "layer_norm_bias", "bias"}
    decayed, undecayed = parameter_groups(fused, 0.1)
    assert [tuple(param.shape) for param in decayed["params"]] == [(8, 4)]
    assert (decayed["weight_decay"], undecayed["weight_decay"]) == (0.1, 0.0)


@pytest.mark.parametrize("shape", [(), (4,), (4, 1, 1), (1, 4, 1, 1)])
def test_a_gain_has_one_axis(shape):
    assert names(layer("LayerNorm2d", gain=shape)) == {"gain"}
    assert names(layer("Scale2d", gain=shape)) == set()


def test_a_norm_of_torchs_may_have_several_axes():
    assert names(nn.LayerNorm((3, 4, 4))) == {"weight", "bias"}


def test_what_has_no_shape_yet_is_of_the_norm():
    assert names(nn.Sequential(nn.LazyBatchNorm1d())) == {"0.weight", "0.bias"}
    lazy = type("LazyLayerNorm", (nn.Module,), {})()
    lazy.gain = nn.UninitializedParameter()
    assert names(lazy) == {"gain"}
