"""Which parameter of another optimizer's state is which of ours: by names, by position, or not to be known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import torch
from torch import Tensor

Group: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a parameter is in the state of the other optimizer.

    Args:
        key: of its entry.
        group: the number of its group.
    """

    key: Any
    group: int


def places(foreign: Mapping[str, Any], groups: Sequence[Group]) -> list[list[Place]]:
    """Returns for each parameter in each of our groups where it is in ``foreign``.

    Both sides may divide parameters into other groups if names, which both have, or shapes, of which none is in two
    groups, say which is which.

    Raises:
        TypeError: ``foreign`` is not a dictionary.
        ValueError: it is not a state, or nothing says which of its parameters is which of ours.
    """
    if not isinstance(foreign, Mapping):
        raise TypeError(f"foreign must be what state_dict() returns, a dictionary, not {type(foreign).__name__}")
    missing = {"state", "param_groups"} - foreign.keys()
    if missing:
        raise ValueError(f"foreign lacks {' and '.join(sorted(missing))}: it must be what state_dict() returns")
    theirs = [[Place(key, number) for key in group["params"]] for number, group in enumerate(foreign["param_groups"])]
    flat = list(chain(*theirs))
    by_name = _named(flat, _names(foreign["param_groups"]), _names(groups))
    lengths, own = [len(group) for group in theirs], [len(group["params"]) for group in groups]
    if by_name is None and lengths != own and not _same_by_shape(foreign["state"], theirs, groups):
        raise ValueError(
            f"foreign has groups of {lengths} parameters, and optimizer has {own}: they must be the same, or both must "
            "have the parameters' names, which model.named_parameters() gives an optimizer, and "
            "foreign['param_groups'][0]['param_names'] = [...] a state"
        )
    following = iter(flat if by_name is None else by_name)
    return [[next(following) for _ in group["params"]] for group in groups]


def _names(groups: Iterable[Group]) -> list[str] | None:
    """Returns the names of all parameters, if each has one of its own."""
    names: list[str] = []
    for group in groups:
        given = group.get("param_names")
        if not isinstance(given, Sequence) or len(given) != len(group["params"]):
            return None
        names.extend(given)
    return names if len(set(names)) == len(names) else None


def _named(flat: Sequence[Place], theirs: Sequence[str] | None, ours: Sequence[str] | None) -> list[Place] | None:
    """Returns their places in our order, if both have the same names."""
    if theirs is None or ours is None or set(theirs) != set(ours):
        return None
    found = dict(zip(theirs, flat, strict=True))
    return [found[name] for name in ours]


def _same_by_shape(state: Mapping[Any, Any], theirs: Sequence[Sequence[Place]], groups: Sequence[Group]) -> bool:
    """Whether shapes are the same in order, and no two parameters that could be confused are in different groups."""
    ours = [[param.shape for param in group["params"]] for group in groups]
    known = [[_shape(state.get(place.key)) for place in group] for group in theirs]
    return list(chain(*known)) == list(chain(*ours)) and _apart(known) and _apart(ours)


def _shape(entry: Any) -> torch.Size | None:
    """Returns the shape of a parameter by what is kept for it: that which is not of a single number, if any is."""
    tensors = [value for value in entry.values() if isinstance(value, Tensor)] if isinstance(entry, Mapping) else []
    return max((tensor.shape for tensor in tensors), key=len, default=None)


def _apart(groups: Sequence[Sequence[torch.Size | None]]) -> bool:
    """Whether no shape is in two groups."""
    each = [shape for group in groups for shape in set(group)]
    return len(set(each)) == len(each)
