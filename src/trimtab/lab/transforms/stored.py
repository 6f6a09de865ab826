"""What a network takes to store, counted from its tensors and not from what anybody says of them."""

import pickle
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
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
    return _once(plain)


def _once(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names: dict[tuple[Any, ...], str] = {}
    for name, tensor in tensors.items():
        names.setdefault(_memory(name, tensor), name)
    return {name: tensors[name] for name in names.values()}


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


def tensors_beside(model: nn.Module, known: Collection[type] = ()) -> dict[str, Tensor]:
    """Returns what a network holds numbers in that its state dictionary leaves out, by name.

    These are buffers that are not persistent, and tensors and arrays in attributes of layers whose class is not known,
    in lists and dictionaries too: a layer that somebody made to store less has its weights there, and no name tells
    them from what a layer only remembers. What code fetches from elsewhere, a global or a file, is not seen.

    Args:
        model: the network.
        known: classes of layers whose attributes hold no weights, as those of torch's do not.
    """
    found = unsaved_buffers(model)
    for place, module in model.named_modules():
        if type(module) not in known and type(module).__module__.partition(".")[0] != "torch":
            own = {name: value for name, value in vars(module).items() if name not in _OF_MODULES}
            found |= _inside(own, f"{place}." if place else "")
    stored = stored_tensors(model)
    return {name: tensor for name, tensor in _once({**stored, **found}).items() if name not in stored}


_OF_MODULES = ("_parameters", "_buffers", "_modules")


def counted_tensors(model: nn.Module, known: Collection[type] = ()) -> dict[str, Tensor]:
    """Returns all that a network keeps its numbers in, by name; ``known`` as for :func:`tensors_beside`.

    Of a layer's extra state, in which there may be anything, it is the tensors, with their number behind the name.
    """
    extra = {name: value for name, value in model.state_dict().items() if not isinstance(value, Tensor)}
    return {**stored_tensors(model), **tensors_beside(model, known), **_inside(extra)}


def _inside(values: Mapping[str, Any], before: str = "") -> dict[str, Tensor]:
    return {
        f"{before}{name}.{number}": tensor
        for name, value in values.items()
        for number, tensor in enumerate(_tensors_in(value))
    }


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        yield torch.from_numpy(value)
    elif isinstance(value, nn.Module):  # in a list, where the network does not see it
        yield from chain(value.parameters(), value.buffers())
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _tensors_in(each)


def kept_weights(artefact: nn.Module, others: Mapping[str, torch.Size], known: Collection[type] = ()) -> int:
    """Returns how many weights an artefact keeps: all that it holds and that are not zero.

    Args:
        artefact: what is stored.
        others: name and shape of what the original has beside the weights that can be pruned; these are free.
        known: as for :func:`tensors_beside`.
    """
    counted = counted_tensors(artefact, known).items()
    return sum(nonzeros(tensor) for name, tensor in counted if others.get(name) != tensor.shape)
