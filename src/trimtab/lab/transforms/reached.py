"""What a network works with and does not store: numbers that its code can get at beside its state dictionary.

Code can keep numbers in an attribute, a list, a class, a global, or in what a method or a hook closes over. That of
Python, torch, NumPy and this library keeps them in parameters and buffers, and what the network had from the beginning
is known; all else is gone through, object by object.
"""

import functools
import gc
import hashlib
import os
import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType, SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from trimtab.lab.transforms.stored import counted_tensors, nonzeros, tensor_bytes

FEW = 64
"""So many numbers in lists and the like, all together, are taken for sizes and settings."""

Content: TypeAlias = tuple[Any, ...]
"""What is the same of numbers that are the same."""

_LIBRARIES = (
    *(f"{Path(module.__file__ or '').parent}{os.sep}" for module in (torch, np)),
    *(f"{place}{os.sep}" for place in (Path(__file__).parents[2], sysconfig.get_path("stdlib"))),
    "<frozen",
)
_INSTALLED = ("site-packages", "dist-packages")
_NAMES = {"torch", "numpy", "trimtab", *sys.stdlib_module_names}

_MAKING = "__init__"
"""Not gone through: it has done its work, and in a class within a candidate may close over the network as it was."""

_CONTAINERS = (dict, MappingProxyType, list, tuple, set, frozenset, deque)
_HOLDERS = (
    *(functools.partial, functools.cached_property, type(functools.cache(print)), MethodType, CellType),
    *(property, staticmethod, classmethod, SimpleNamespace),
)
"""Objects of Python's that hold others."""


@dataclass(frozen=True)
class Aside:
    """Numbers that a network gets at.

    Args:
        place: the module whose code gets at them; empty for the network itself.
        numbers: how many are not zero.
        bytes: that they take.
        content: what is the same of those that are the same.
    """

    place: str
    numbers: int
    bytes: int
    content: Content


@dataclass(frozen=True)
class Known:
    """What a network has from the beginning.

    Args:
        code: its functions and classes.
        contents: of the numbers beside its state.
    """

    code: Sequence[Any] = ()
    contents: frozenset[Content] = frozenset()
    _ids: frozenset[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", frozenset(map(id, self.code)))  # nobody else's, as long as these are held

    @classmethod
    def of(cls, network: nn.Module) -> "Known":
        """Returns what a network has."""
        walk = _Walk(network, cls())
        for name, module in network.named_modules():
            walk.go(name, [module])
        return cls(tuple(walk.code), frozenset(each.content for each in (*walk.arrays, *walk.listed)))

    def knows(self, code: Any) -> bool:
        """Tells whether a function or a class needs no look: it is a library's, or was there before."""
        if isinstance(code, type):
            there = all(id(kind) in self._ids or kind.__module__.partition(".")[0] in _NAMES for kind in code.__mro__)
            return there and all(map(self.knows, _functions(code)))
        inner = [code]  # a decorator of a library's closes over what it decorates
        for each in inner:
            if id(each) not in self._ids:
                if not _is_library(each):
                    return False
                inner += [other for other in _closed_over(each) if other not in inner]
        return True


def reached(network: nn.Module, known: Known) -> list[Aside]:
    """Returns what code that a network was given can get at, and that is neither stored nor known.

    Args:
        network: what somebody made.
        known: of the network that it was made of.
    """
    walk, types = _Walk(network, known), dict[type, bool]()

    def knows(kind: type) -> bool:
        if kind not in types:
            types[kind] = known.knows(kind)
        return types[kind]

    for name, module in network.named_modules():
        walk.go(name, _callables(module, knows) if knows(type(module)) else [module])
    few = sum(each.numbers for each in walk.listed) <= FEW
    return walk.arrays if few else walk.arrays + walk.listed


def _callables(module: nn.Module, knows: Callable[[type], bool]) -> Iterator[Any]:
    """Yields what the code of a module that is known may call: hooks, and whatever has code among its attributes."""
    for name, value in vars(module).items():
        if name not in ("_parameters", "_buffers", "_modules"):
            inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
            coded = (each for each in inner if callable(each) or not knows(type(each)))
            yield from (each for each in coded if not isinstance(each, nn.Module))


def _is_library(function: Any) -> bool:
    """Tells whether a function is of Python's, of what is installed, or of ours: what it names is not gone through."""
    file = function.__code__.co_filename
    return file.startswith(_LIBRARIES) or any(f"{os.sep}{name}{os.sep}" in file for name in _INSTALLED)


def _functions(kind: type) -> Iterator[FunctionType]:
    """Yields the functions by which objects of a class work, once they are made."""
    for name, value in chain.from_iterable(vars(each).items() for each in kind.__mro__):
        if name == _MAKING:
            continue
        held = gc.get_referents(value) if isinstance(value, _HOLDERS) else [value]
        yield from (each for each in held if isinstance(each, FunctionType))


def _closed_over(function: FunctionType) -> Iterator[FunctionType]:
    for cell in function.__closure__ or ():
        yield from (each for each in gc.get_referents(cell) if isinstance(each, FunctionType))


class _Walk:
    """Goes through objects, each once, and gathers code and numbers.

    Attributes:
        code: functions and classes that were not known.
        arrays: tensors and arrays that are neither stored nor known.
        listed: the same of numbers in lists and the like.
    """

    def __init__(self, network: nn.Module, known: Known) -> None:
        self.code: list[Any] = []
        self.arrays: list[Aside] = []
        self.listed: list[Aside] = []
        self._known, self._place = known, ""
        self._seen: dict[int, Any] = {}  # held, so that nothing else gets their ids
        self._stored: dict[int, int] = {}
        for tensor in (*network.parameters(), *network.buffers(), *counted_tensors(network).values()):
            memory = _memory(tensor)
            self._stored[memory] = max(tensor.numel(), self._stored.get(memory, 0))

    def go(self, place: str, roots: Iterable[Any]) -> None:
        """Goes on from some objects.

        Args:
            place: the module whose they are.
            roots: the objects.
        """
        self._place, left = place, list(roots)
        while left:
            each = left.pop()
            if id(each) not in self._seen:
                self._seen[id(each)] = each
                left += self._beyond(each)

    def _beyond(self, each: Any) -> Iterable[Any]:
        found: Iterable[Any] = ()
        if isinstance(each, Tensor):
            found = self._beyond_tensor(each)
        elif isinstance(each, np.ndarray | bytes | bytearray):
            found = self._beyond_array(each if isinstance(each, np.ndarray) else np.frombuffer(each, np.uint8))
        elif isinstance(each, _CONTAINERS):
            found = self._beyond_container(each)
        elif isinstance(each, FunctionType):
            found = self._beyond_function(each)
        elif isinstance(each, type):
            found = self._beyond_class(each)
        elif isinstance(each, _HOLDERS):
            found = gc.get_referents(each)
        elif isinstance(each, nn.Module) or type(each).__module__.partition(".")[0] not in _NAMES:
            attributes = getattr(each, "__dict__", {})
            slots = [inner for inner in gc.get_referents(each) if inner is not attributes]
            found = [*attributes.values(), *slots]
        return found

    def _beyond_class(self, kind: type) -> Iterable[Any]:
        if self._known.knows(kind):
            return ()
        self.code.append(kind)
        return [*kind.__bases__, *(value for name, value in vars(kind).items() if name != _MAKING)]

    def _beyond_container(self, container: Any) -> Iterable[Any]:
        is_mapping = isinstance(container, dict | MappingProxyType)
        values = list(container.values() if is_mapping else container)
        numbers = [value for value in values if isinstance(value, int | float) and value is not True]
        if nonzero := sum(map(bool, numbers)):
            self._add(self.listed, nonzero, 8 * nonzero, tuple(numbers))
        return [*values, *(container if is_mapping else ())]

    def _beyond_array(self, array: Any) -> Iterable[Any]:
        if array.dtype == object:
            return list(array.flat)
        content = array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).hexdigest()
        self._add(self.arrays, int(np.count_nonzero(array)), array.nbytes, content)
        return ()

    def _beyond_function(self, function: FunctionType) -> list[Any]:
        if self._known.knows(function):
            return []
        self.code.append(function)
        held = [function.__closure__, function.__defaults__, function.__kwdefaults__, vars(function)]
        return held if _is_library(function) else held + _named(function)

    def _beyond_tensor(self, tensor: Tensor) -> Iterable[Any]:
        if tensor.numel() > self._stored.get(_memory(tensor), 0):
            self._add(self.arrays, nonzeros(tensor), tensor_bytes(tensor), _content(tensor))
        return vars(tensor).values() if type(tensor) in (Tensor, nn.Parameter) else ()

    def _add(self, where: list[Aside], numbers: int, size: int, content: Content) -> None:
        if content not in self._known.contents:
            where.append(Aside(self._place, numbers, size, content))


def _named(function: FunctionType) -> list[Any]:
    """Returns the globals that a function names, and of modules what it names of them."""
    names, codes = set[str](), [function.__code__]
    for code in codes:
        names.update(code.co_names)
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
    found, spaces = list[Any](), [function.__globals__]
    for space in spaces:
        for value in [space[name] for name in names if name in space]:
            if not isinstance(value, ModuleType):
                found.append(value)
            elif value.__name__.partition(".")[0] not in _NAMES and all(vars(value) is not each for each in spaces):
                spaces.append(vars(value))
    return found


def _memory(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr() or id(tensor)
    except (NotImplementedError, RuntimeError):  # it has no memory of its own
        return id(tensor)


def _content(tensor: Tensor) -> Content:
    if tensor.layout is not torch.strided or tensor.is_quantized or type(tensor) not in (Tensor, nn.Parameter):
        return (id(tensor),)
    plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return tensor.dtype, tensor.shape, hashlib.sha256(plain.tobytes()).hexdigest()
