"""Tensors that stand in for an optimizer's parameters while it steps, and may have other shapes than these."""

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trimtab.primitives.parameter_names import STANDS_FOR

Group: TypeAlias = dict[str, Any]


def stand_in(shape: Sequence[int], like: Tensor, dtype: torch.dtype) -> nn.Parameter:
    """Returns a parameter of zeros where ``like`` is, which messages call by the same name."""
    made = nn.Parameter(torch.zeros(tuple(shape), dtype=dtype, device=like.device))
    setattr(made, STANDS_FOR, like)
    return made


@contextmanager
def stood_in(optimizer: Optimizer, stand_ins: Mapping[Tensor, nn.Parameter]) -> Iterator[None]:
    """Has an optimizer hold other parameters for a while, under which it finds and leaves the state of its own.

    Whatever it does meanwhile, loading a state included, in the end its own parameters are back.

    Args:
        optimizer: one that keeps groups and state itself, not a wrapper.
        stand_ins: what stands in for which parameter.
    """
    _rename(optimizer, stand_ins)
    try:
        yield
    finally:
        _rename(optimizer, {other: own for own, other in stand_ins.items()})


@contextmanager
def divided_groups(optimizer: Optimizer, apart: Set[Tensor], changes: Mapping[str, Any]) -> Iterator[None]:
    """Divides every group for a while, so that some parameters have other settings than the rest.

    What the optimizer writes to its groups meanwhile is kept.

    Args:
        optimizer: one that keeps groups and state itself, not a wrapper.
        apart: the parameters that are put into groups of their own.
        changes: their settings, of those that there are.
    """
    whole: list[Group] = optimizer.param_groups
    halves = [_halves(group, apart, changes) for group in whole]
    optimizer.param_groups = [half for pair in halves for half in pair if half is not None]
    try:
        yield
    finally:
        optimizer.param_groups = whole
        for group, (rest, own) in zip(whole, halves, strict=True):
            if own is not None:
                group.update({key: value for key, value in own.items() if key not in {*changes, *_MEMBERS}})
            if rest is not None:
                group.update({key: value for key, value in rest.items() if key not in _MEMBERS})


_MEMBERS = ("params", "param_names")


def _halves(group: Group, apart: Set[Tensor], changes: Mapping[str, Any]) -> tuple[Group | None, Group | None]:
    """Returns the two parts of a group, or ``None`` where there is nothing in one of them."""
    is_apart = [param in apart for param in group["params"]]
    rest, own = _part(group, [not each for each in is_apart]), _part(group, is_apart)
    own |= {key: value for key, value in changes.items() if key in group}
    return (None if all(is_apart) else rest), (own if any(is_apart) else None)


def _part(group: Group, chosen: Sequence[bool]) -> Group:
    members = {
        key: [each for each, mine in zip(group[key], chosen, strict=True) if mine] for key in _MEMBERS if key in group
    }
    return {**group, **members}


def _rename(optimizer: Optimizer, names: Mapping[Tensor, Tensor]) -> None:
    """Replaces parameters in the groups and among the keys of the state, each in its place."""
    for group in optimizer.param_groups:
        group["params"] = [names.get(param, param) for param in group["params"]]
    entries = [(names.get(param, param), state) for param, state in optimizer.state.items()]
    optimizer.state.clear()
    optimizer.state.update(entries)
