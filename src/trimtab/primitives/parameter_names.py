"""What parameters are called in messages.

``torch.optim`` takes groups with names only beside groups with names, and users add groups as ever, without. So an
optimizer holds names where users give them; those of one that is made of a whole model are looked up in the model, when
there is something to say.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

STANDS_FOR = "stands_for"
"""Attribute of a tensor that stands in for a parameter."""

_MODELS: WeakKeyDictionary[nn.Module, None] = WeakKeyDictionary()
"""Models that optimizers were made of, for as long as they live."""


def remember_names(model: nn.Module) -> None:
    """Has messages about a model's parameters call them as the model does."""
    _MODELS[model] = None


def _known_names() -> dict[Tensor, str]:
    """Returns what the parameters of all models that are known are called; of a part of one, as in the whole."""
    found: dict[Tensor, str] = {}
    for model in list(_MODELS):
        for name, param in model.named_parameters():
            found[param] = max(name, found.get(param, ""), key=len)
    return found


def names_in(group: Mapping[str, Any]) -> list[str]:
    """Returns what a group's parameters are called, by itself or else by models that are known; "" is no name.

    Args:
        group: a parameter group.
    """
    if "param_names" in group:
        return [*group["param_names"]]
    known = _known_names()
    return [known.get(param, "") for param in group["params"]]


def kept_names(groups: Sequence[Mapping[str, Any]], kept: Sequence[Sequence[str]]) -> dict[Tensor, str]:
    """Returns what the parameters of all known models are called, and those of models that are gone, as was kept.

    Args:
        groups: parameter groups.
        kept: for each group, its names when it was added. Where others than these are in it now, they say nothing.
    """
    found: dict[Tensor, str] = {}
    for group, names in zip(groups, kept, strict=True) if len(groups) == len(kept) else ():
        if len(names) == len(group["params"]):
            found |= {param: name for param, name in zip(group["params"], names, strict=True) if name}
    return found | _known_names()


def parameter_name(group: Mapping[str, Any], index: int) -> str:
    """Returns what to call a parameter in a message; for a message only, because it may search whole models.

    Args:
        group: a parameter group.
        index: the parameter's place in it.
    """
    if "param_names" in group:
        return f"parameter {group['param_names'][index]!r}"
    param = group["params"][index]
    param = getattr(param, STANDS_FOR, param)
    names = [name for model in list(_MODELS) for name, own in model.named_parameters() if own is param]
    # a part of a model may be known as well, and then the whole says more
    return f"parameter {max(names, key=len)!r}" if names else f"parameter {index} of its group"
