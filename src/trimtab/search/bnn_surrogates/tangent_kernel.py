"""The kernel of a network that is linear in its weights: products of derivatives of outputs by weights."""

from typing import NamedTuple, Self

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bnn_surrogates.network import Network


class _Part(NamedTuple):
    inputs: Float[Tensor, "*batch q width"]
    sensitivity: Float[Tensor, "*batch q m width"]


class Tangent:
    r"""The derivatives :math:`J(x)` of all outputs by all weights at some points, layer by layer.

    Of a layer with inputs :math:`a` and sensitivities :math:`\delta` they are :math:`\delta a^\top` and :math:`\delta`,
    so

    .. math::
        J(x) J(x')^\top = \sum_\ell (\delta_\ell \cdot \delta'_\ell)(a_{\ell-1} \cdot a'_{\ell-1} + 1)

    takes the width of the layers, not the number of weights. Rows go by points, and within a point by outputs.

    Args:
        parts: inputs and sensitivities of each layer.
    """

    def __init__(self, parts: list[_Part]) -> None:
        self.parts = parts

    @classmethod
    def of(cls, network: Network, weights: Float[Tensor, "1 weights"], X: Float[Tensor, "*batch q d"]) -> Self:
        """Returns the derivatives of a network at points."""
        points = X.reshape(-1, X.shape[-1])
        m, shape = network.n_outputs, X.shape[:-1]
        made = network.record(weights.expand(m, -1), points)
        unit = torch.eye(m, dtype=X.dtype, device=X.device).unsqueeze(1).expand(m, len(points), m)
        parts = zip(made.given, network.sensitivities(made, unit), strict=True)
        return cls([_Part(a[0].view(*shape, -1), each.transpose(0, 1).reshape(*shape, m, -1)) for a, each in parts])

    def flat(self) -> "Tangent":
        """Returns the same without batches: all points one after the other."""
        return Tangent([_Part(inputs.flatten(0, -2), each.flatten(0, -3)) for inputs, each in self.parts])

    def products(self, other: "Tangent") -> Float[Tensor, "*batch q*m r*m"]:
        """Returns the derivatives' products with those at other points, of the same batches or of none."""
        total: Tensor | None = None
        for (inputs, each), (others, other_each) in zip(self.parts, other.parts, strict=True):
            m = each.shape[-2]
            shared = inputs @ others.mT + 1
            shared = shared.repeat_interleave(m, -2).repeat_interleave(m, -1)
            term = (each.flatten(-3, -2) @ other_each.flatten(-3, -2).mT) * shared
            total = term if total is None else total + term
        assert total is not None  # noqa: S101 - a network has at least one layer
        return total
