"""What a network takes to store, counted from its tensors and not from what anybody says of them."""

import pickle
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


def stored_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Returns what a file of the network has to hold, by name.

    It is the state dictionary with parametrized tensors as they are computed, so that a mask is stored as the zeros
    that it makes. A tensor that has several names is there under the first one.
    """
    found = {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    plain = {name: value for name, value in found.items() if "parametrizations." not in name}
    with torch.no_grad():
        for place, module in model.named_modules():
            if parametrize.is_parametrized(module):
                computed: Any = module.parametrizations
                plain |= {f"{place}.{name}" if place else name: getattr(module, name).detach() for name in computed}
    once: dict[tuple[Any, ...], str] = {}
    for name, tensor in plain.items():
        once.setdefault(_memory(name, tensor), name)
    return {name: plain[name] for name in once.values()}


def _memory(name: str, tensor: Tensor) -> tuple[Any, ...]:
    if tensor.layout is not torch.strided or not tensor.numel():
        return (name,)
    return tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.shape, tensor.stride()


def stored_bytes(model: nn.Module) -> int:
    """Returns the bytes that a network takes: each tensor dense, or as a bitmap and its values that are not zero."""
    others = [value for value in model.state_dict().values() if not isinstance(value, Tensor)]
    return sum(map(tensor_bytes, stored_tensors(model).values())) + sum(len(pickle.dumps(value)) for value in others)


def tensor_bytes(tensor: Tensor) -> int:
    """Returns the bytes of a tensor, dense or as a bitmap and values, whichever are fewer."""
    dense = tensor.numel() * tensor.element_size()
    return min(dense, -(-tensor.numel() // 8) + nonzeros(tensor) * tensor.element_size())


def nonzeros(tensor: Tensor) -> int:
    """Returns how many elements are not zero."""
    return int(torch.count_nonzero(tensor.to_dense() if tensor.layout is not torch.strided else tensor))


def kept_weights(artefact: nn.Module, others: Mapping[str, torch.Size]) -> int:
    """Returns how many weights an artefact keeps: all that it stores and that are not zero.

    Args:
        artefact: what is stored.
        others: name and shape of what the original has beside the weights that can be pruned; these are free.
    """
    return sum(
        nonzeros(tensor) for name, tensor in stored_tensors(artefact).items() if others.get(name) != tensor.shape
    )
