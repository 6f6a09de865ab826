"""What a network takes to store, counted from its tensors and not from what anybody says of them."""

import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trimtab.primitives.masks import parametrized_tensors


def stored_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Returns what a file of the network has to hold, by name.

    It is the state dictionary with parametrized tensors as they are computed, so that a mask is stored as the zeros
    that it makes. A tensor that has several names is there under the first one.
    """
    plain = {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    with torch.no_grad():
        for place, module in model.named_modules():
            before = f"{place}." if place else ""
            for name in parametrized_tensors(module):
                behind = f"{before}parametrizations.{name}."
                plain = {other: value for other, value in plain.items() if not other.startswith(behind)}
                plain[f"{before}{name}"] = getattr(module, name).detach()
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
    plain = tensor.detach().dequantize() if tensor.is_quantized else tensor.detach()
    return int(torch.count_nonzero(plain.to_dense() if plain.layout is not torch.strided else plain))


def unsaved_buffers(model: nn.Module) -> dict[str, Tensor]:
    """Returns the buffers that a network's state dictionary leaves out, by name."""
    saved = model.state_dict()
    return {name: buffer for name, buffer in model.named_buffers() if name not in saved}


def counted_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Returns what a network keeps its numbers in, by name: what it stores, and buffers that it does not.

    Of a layer's extra state, in which there may be anything, it is the tensors, with their number behind the name.
    """
    extra = {name: value for name, value in model.state_dict().items() if not isinstance(value, Tensor)}
    inside = {f"{name}.{place}": each for name in extra for place, each in enumerate(_tensors_in(extra[name]))}
    return {**unsaved_buffers(model), **inside, **stored_tensors(model)}


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _tensors_in(each)


def kept_weights(artefact: nn.Module, others: Mapping[str, torch.Size]) -> int:
    """Returns how many weights an artefact keeps: all that it has in its state and buffers and that are not zero.

    Args:
        artefact: what is stored.
        others: name and shape of what the original has beside the weights that can be pruned; these are free.
    """
    return sum(
        nonzeros(tensor) for name, tensor in counted_tensors(artefact).items() if others.get(name) != tensor.shape
    )
