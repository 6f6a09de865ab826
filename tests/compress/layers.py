"""Networks whose weights are written down."""

import torch
from torch import nn


def network(*layers):
    """Linear layers without bias, each with the given weights."""
    made = nn.Sequential(*(nn.Linear(len(weights), 1, bias=False) for weights in layers))
    with torch.no_grad():
        for layer, weights in zip(made, layers, strict=True):
            layer.weight.copy_(torch.tensor([weights]))
    return made


def weights(model):
    return [layer.weight.detach().flatten().tolist() for layer in model]
