"""Layers that keep a dense weight where no state dictionary has it, and smaller ones that keep nothing back."""

import torch
from torch import nn
from torch.nn import functional


class Bare(nn.Module):
    """A layer without a weight of its own."""

    def __init__(self, layer):
        super().__init__()
        self.bias = nn.Parameter(layer.bias.detach().clone())


class InBuffer(Bare):
    def __init__(self, layer):
        super().__init__(layer)
        self.register_buffer("kept", layer.weight.detach().clone(), persistent=False)

    def forward(self, inputs):
        return functional.linear(inputs, self.kept, self.bias)


class InAttribute(Bare):
    def __init__(self, layer):
        super().__init__(layer)
        self.kept = layer.weight.detach().clone()

    forward = InBuffer.forward


class InList(Bare):
    def __init__(self, layer):
        super().__init__(layer)
        self.kept = [layer]

    def forward(self, inputs):
        return self.kept[0](inputs)


class InArray(Bare):
    def __init__(self, layer):
        super().__init__(layer)
        self.kept = layer.weight.detach().numpy().copy()

    def forward(self, inputs):
        return functional.linear(inputs, torch.from_numpy(self.kept), self.bias)


class InExtraState(Bare):
    def __init__(self, layer):
        super().__init__(layer)
        self.kept = layer.weight.detach().clone()

    def get_extra_state(self):
        return {"kept": self.kept}

    forward = InBuffer.forward


def zeroed(layer):
    with torch.no_grad():
        layer.weight.zero_()
    return layer


class Blank(nn.Module):
    """A parametrization that lets nobody see a weight."""

    def forward(self, weight):
        return torch.zeros_like(weight)


def behind_a_parametrization(layer):
    nn.utils.parametrize.register_parametrization(layer, "weight", Blank())
    layer.register_forward_hook(
        lambda layer, given, _outputs: functional.linear(given[0], layer.parametrizations.weight.original, layer.bias)
    )
    return layer


HIDING = [InBuffer, InAttribute, InList, InArray, InExtraState]
"""Each makes of a linear layer one that answers alike."""


class Factorised(nn.Module):
    """A linear layer of low rank."""

    def __init__(self, layer, rank):
        super().__init__()
        left, scale, right = torch.linalg.svd(layer.weight.detach(), full_matrices=False)
        self.first = nn.Linear(layer.in_features, rank, bias=False)
        self.second = nn.Linear(rank, layer.out_features)
        with torch.no_grad():
            self.first.weight.copy_(scale[:rank, None] * right[:rank])
            self.second.weight.copy_(left[:, :rank])
            self.second.bias.copy_(layer.bias)

    def forward(self, inputs):
        return self.second(self.first(inputs))


class Quantised(nn.Module):
    """A linear layer whose weights are whole numbers, most of them zero."""

    def __init__(self, layer, share):
        super().__init__()
        weight = layer.weight.detach()
        limit = weight.abs().flatten().kthvalue(round(share * weight.numel())).values
        self.step = float(weight.abs().max()) / 127
        codes = torch.where(weight.abs() > limit, weight / self.step, 0).round().to(torch.int8)
        self.register_buffer("codes", codes)
        self.bias = nn.Parameter(layer.bias.detach().clone())
        self.shape = tuple(weight.shape)

    def forward(self, inputs):
        return functional.linear(inputs, self.step * self.codes.float().reshape(self.shape), self.bias)
