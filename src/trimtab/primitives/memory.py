"""How much memory tensors take, each piece counted once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass

from torch import Tensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass


def storage_bytes(*holders: object) -> int:
    """Returns the bytes of all memory that tensors use: the whole of what they are views of, and that once.

    Args:
        *holders: tensors, and mappings (of which keys do not count), sequences and dataclasses of them, of any depth.
    """
    storages = {}
    for tensor in _tensors(holders):
        storage = tensor.untyped_storage()
        storages[tensor.device, storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def _tensors(holder: object) -> Iterator[Tensor]:
    """Yields the tensors that have memory of their own."""
    if isinstance(holder, Tensor):
        if is_traceable_wrapper_subclass(holder):
            names, _ = holder.__tensor_flatten__()
            yield from _tensors([getattr(holder, name) for name in names])
        else:
            yield holder
    elif is_dataclass(holder):
        yield from _tensors([getattr(holder, each.name) for each in fields(holder)])
    elif isinstance(holder, Mapping):
        yield from _tensors(holder.values())
    elif isinstance(holder, Iterable) and not isinstance(holder, str | bytes):
        for each in holder:
            yield from _tensors(each)
