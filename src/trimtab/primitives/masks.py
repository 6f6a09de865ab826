"""Masks on the weights of layers, which hold whatever is trained: pruned weights are zero and stay so."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize


class Mask(nn.Module):
    """A parametrization that keeps some elements of a tensor and holds the others at zero.

    Args:
        keep: which elements are kept, of the tensor's shape.
    """

    keep: Bool[Tensor, "..."]

    def __init__(self, keep: Bool[Tensor, "..."]) -> None:
        super().__init__()
        self.register_buffer("keep", keep)

    def forward(self, weight: Tensor) -> Tensor:
        """Returns the tensor with zeros where it is not kept."""
        return weight.masked_fill(~self.keep, 0.0)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Returns what is stored of a tensor that is assigned: all of it."""
        return weight


def prunable_weights(model: nn.Module) -> dict[str, Tensor]:
    """Returns the weights of convolutions and linear layers as they are now, by name; no bias, no normalisation.

    Raises:
        ValueError: there are none, one is tied to another layer's or to an embedding, or a value is not finite.
    """
    found: dict[str, Tensor] = {}
    owners: dict[Tensor, list[str]] = {}
    for name, param in model.named_parameters(remove_duplicate=False):
        owners.setdefault(param, []).append(name)
    for place, layer in model.named_modules():
        if not isinstance(layer, nn.Linear | _ConvNd):
            continue
        name = f"{place}.weight" if place else "weight"
        tied = owners.get(_stored(layer), [name])
        if len(tied) > 1:
            raise ValueError(f"{' and '.join(tied)} are one tensor: tied weights cannot be pruned")
        weight = layer.weight.detach()
        if not bool(torch.isfinite(weight).all()):
            raise ValueError(f"{name} has values that are not finite")
        found[name] = weight
    if not found:
        raise ValueError(f"{type(model).__name__} has no convolution and no linear layer whose weights could be pruned")
    return found


def _stored(layer: Any) -> Tensor:
    """Returns the parameter that a layer's weight is, or is computed from."""
    parametrized = parametrize.is_parametrized(layer, "weight")
    stored: Tensor = next(layer.parametrizations["weight"].parameters()) if parametrized else layer.weight
    return stored


def count_to_prune(sparsity: float, total: int) -> int:
    """Returns the fewest weights that have to be zero: ``ceil(sparsity * total)``, of the number that was meant.

    ``0.07 * 100`` is ``7.000000000000001`` in floating point, and 7 are meant.

    Raises:
        ValueError: ``sparsity`` is not in [0, 1).
    """
    if isinstance(sparsity, bool) or not isinstance(sparsity, int | float) or not 0 <= sparsity < 1:
        raise ValueError(f"sparsity={sparsity!r}: a share of the weights is needed, from 0 to below 1")
    product = sparsity * total
    nearest = round(product)
    return nearest if abs(product - nearest) <= 1e-12 * total else math.ceil(product)


def set_masks(model: nn.Module, keep: Mapping[str, Bool[Tensor, "..."]]) -> None:
    """Puts masks on weights, in place; one that is there already is replaced.

    Args:
        model: whose weights they are.
        keep: name of each weight, as :func:`prunable_weights` has it, to what is kept of it.

    Raises:
        ValueError: a weight has another parametrization.
    """
    for name, kept in keep.items():
        layer = model.get_submodule(name.rpartition(".")[0])
        mask = _mask_of(layer)
        if mask is not None:
            mask.keep = kept
        elif parametrize.is_parametrized(layer, "weight"):
            raise ValueError(f"{name} has a parametrization already: remove it before the layer is pruned")
        else:
            parametrize.register_parametrization(layer, "weight", Mask(kept))


def remove_masks(model: nn.Module) -> None:
    """Writes the zeros of masks into the weights and takes the masks off, in place."""
    for layer in [layer for layer in model.modules() if _mask_of(layer) is not None]:
        _remove(layer, "weight")


def remove_parametrizations(model: nn.Module) -> None:
    """Writes what parametrizations compute, masks among them, into the tensors and takes them off, in place."""
    for layer in list(model.modules()):
        for name in parametrized_tensors(layer):
            _remove(layer, name)


def parametrized_tensors(layer: nn.Module) -> list[str]:
    """Returns the names of a layer's tensors that parametrizations compute."""
    there: Any = layer.parametrizations if parametrize.is_parametrized(layer) else {}
    return [name for name, each in there.items() if isinstance(each, parametrize.ParametrizationList)]


def _remove(layer: nn.Module, name: str) -> None:
    # A copy of a parametrized layer shares its class, from which the property would be deleted for both.
    shared = type(layer)
    own = {name: value for name, value in vars(shared).items() if name not in ("__dict__", "__weakref__")}
    layer.__class__ = type(shared.__name__, shared.__bases__, own)
    parametrize.remove_parametrizations(layer, name)


def _mask_of(layer: nn.Module) -> Mask | None:
    """Returns the mask of a layer's weight, if it has one and no other parametrization."""
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    there: Any = layer.parametrizations
    only = there["weight"][0] if len(there["weight"]) == 1 else None
    return only if isinstance(only, Mask) else None
