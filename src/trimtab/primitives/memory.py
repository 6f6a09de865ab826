"""How much memory tensors take, each piece counted once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import FunctionType, ModuleType

from torch import Tensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass


def storage_bytes(*holders: object) -> int:
    """Returns the bytes of all memory that tensors use: the whole of what they are views of, and that once.

    Args:
        *holders: tensors, and mappings (of which keys do not count), sequences, dataclasses and other objects that hold
            them, of any depth.
    """
    storages = {}
    for tensor in _tensors(holders, set()):
        storage = tensor.untyped_storage()
        storages[tensor.device, storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def _tensors(holder: object, seen: set[int]) -> Iterator[Tensor]:
    """Yields the tensors that have memory of their own."""
    inside: Iterable[object] = ()
    if isinstance(holder, Tensor):
        if not is_traceable_wrapper_subclass(holder):
            yield holder
            return
        inside = [getattr(holder, name) for name in holder.__tensor_flatten__()[0]]
    elif is_dataclass(holder):
        inside = [getattr(holder, each.name) for each in fields(holder)]
    elif isinstance(holder, Mapping):
        inside = holder.values()
    elif isinstance(holder, Iterable):
        inside = () if isinstance(holder, str | bytes) else holder
    elif hasattr(holder, "__dict__") and not isinstance(holder, type | FunctionType | ModuleType):
        if id(holder) in seen:  # objects may hold each other
            return
        seen.add(id(holder))
        inside = vars(holder).values()
    for each in inside:
        yield from _tensors(each, seen)
