"""Fully connected networks whose weights are rows of a matrix, so that many of them are evaluated at once."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError


class _Activation(NamedTuple):
    function: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    """Its derivative, as a function of its value."""


_ACTIVATIONS = {
    "tanh": _Activation(torch.tanh, lambda value: 1 - value * value),
    "relu": _Activation(torch.relu, lambda value: (value > 0).to(value)),
}
ACTIVATIONS = tuple(_ACTIVATIONS)


class Layer(NamedTuple):
    """The weights of one layer of several networks, as views of a matrix of weights."""

    weight: Float[Tensor, "draws inputs outputs"]
    bias: Float[Tensor, "draws 1 outputs"]


class Pass(NamedTuple):
    """What several networks did with points, from which derivatives follow."""

    outputs: Float[Tensor, "draws points outputs"]
    layers: list[Layer]
    given: list[Float[Tensor, "draws points width"]]
    r"""What each layer was given: :math:`a_0, a_1, \dots`."""


class Network:
    r"""A fully connected network with a linear output.

    .. math::
        a_0 = x, \qquad a_\ell = \varphi(a_{\ell-1} W_\ell + b_\ell), \qquad f(x) = a_{L} W_{L+1} + b_{L+1}

    It holds no weights: these come as a matrix with one row for each network, in which the layers follow each other, of
    each first :math:`W_\ell` by rows and then :math:`b_\ell`. Derivatives are written out, which takes half the time of
    automatic ones where networks are small, and gives those of outputs by weights without building them.

    Args:
        n_inputs: entries of :math:`x`.
        hidden: widths of the hidden layers; with none the network is a linear model.
        n_outputs: entries of :math:`f(x)`.
        activation: :math:`\varphi`, one of ``ACTIVATIONS``.
    """

    def __init__(self, n_inputs: int, hidden: Sequence[int], n_outputs: int, activation: str) -> None:
        self.shapes = list(pairwise((n_inputs, *hidden, n_outputs)))
        self.n_outputs = n_outputs
        self.n_weights = sum((inputs + 1) * outputs for inputs, outputs in self.shapes)
        self.widest = max(outputs for _, outputs in self.shapes)
        self._activation = _ACTIVATIONS[activation]

    def initial(self, draws: int, generator: torch.Generator) -> Float[Tensor, "draws weights"]:
        r"""Draws weights to begin training with: uniform within :math:`\pm 1/\sqrt{\text{inputs of the layer}}`."""
        uniform = torch.rand(draws, self.n_weights, generator=generator, dtype=torch.float64) * 2 - 1
        for layer in self.layers(uniform):
            for part in layer:
                part.div_(layer.weight.shape[1] ** 0.5)
        return uniform

    def layers(self, weights: Float[Tensor, "draws weights"]) -> list[Layer]:
        """Returns the layers, from the inputs to the outputs."""
        found, start = [], 0
        for inputs, outputs in self.shapes:
            middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
            weight = weights[:, start:middle].view(-1, inputs, outputs)
            found.append(Layer(weight, weights[:, middle:end].unsqueeze(1)))
            start = end
        return found

    def __call__(
        self, weights: Float[Tensor, "draws weights"], X: Float[Tensor, "*draws points inputs"]
    ) -> Float[Tensor, "draws points outputs"]:
        """Returns the outputs of all networks, at the same points or at each network's own."""
        return self.record(weights, X).outputs

    def record(self, weights: Float[Tensor, "draws weights"], X: Float[Tensor, "*draws points inputs"]) -> Pass:
        """Returns the outputs, and what they came from."""
        value = X.expand(len(weights), *X.shape[-2:])
        layers = self.layers(weights)
        given: list[Tensor] = []
        for layer in layers:
            value = self._activation.function(value) if given else value
            given.append(value)
            value = torch.baddbmm(layer.bias, value, layer.weight)
        return Pass(value, layers, given)

    def sensitivities(
        self, made: Pass, cotangents: Float[Tensor, "draws points outputs"]
    ) -> list[Float[Tensor, "draws points width"]]:
        r"""Returns for each layer how :math:`\sum c \cdot f` depends on what it puts out before its activation."""
        found = [cotangents]
        for layer, inputs in zip(made.layers[:0:-1], made.given[:0:-1], strict=True):
            found.append(torch.bmm(found[-1], layer.weight.mT) * self._activation.slope(inputs))
        return found[::-1]

    def gradient(self, made: Pass, cotangents: Float[Tensor, "draws points outputs"]) -> Float[Tensor, "draws weights"]:
        r"""Returns the gradient of :math:`\sum c \cdot f` by the weights of each network."""
        parts = []
        for inputs, each in zip(made.given, self.sensitivities(made, cotangents), strict=True):
            parts += [torch.bmm(inputs.mT, each).flatten(1), each.sum(1)]
        return torch.cat(parts, dim=1)


def check_network(hidden: Sequence[int], activation: str) -> None:
    """Raises InputError unless a network can have these hidden layers and this activation."""
    if not isinstance(hidden, tuple | list):
        raise InputError(
            f"hidden={hidden!r}: the widths of the hidden layers are needed, as in (128, 128); () for none"
        )
    for width in hidden:
        check_whole("hidden", width, of="width")
    if activation not in ACTIVATIONS:
        raise InputError(f"activation={activation!r}: one of {', '.join(ACTIVATIONS)} is needed")
