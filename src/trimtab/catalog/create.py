"""Building an optimizer by name."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from trimtab.catalog.entries import Entry, find
from trimtab.lab.errors import InputError
from trimtab.optim.groups import parameter_groups


def create(
    name: str,
    model_or_params: nn.Module | Iterable[Any],
    *,
    no_decay_for_biases_and_norms: bool = False,
    **settings: Any,
) -> torch.optim.Optimizer:
    """Builds any optimizer of the catalogue.

    Args:
        name: id or alias, e.g. ``"lion"``.
        model_or_params: a model, or parameters or parameter groups as in ``torch.optim``.
        no_decay_for_biases_and_norms: puts biases and the parameters of normalisation layers into a group without
            weight decay; needs a model.
        **settings: the optimizer's own arguments.

    Returns:
        The optimizer.

    Raises:
        InputError: the name is unknown (the message offers the nearest), or groups are asked for without a model.
        TypeError: the optimizer has no such argument.
        ValueError: a setting is outside its range.

    Examples:
        >>> optimizer = create("lion", torch.nn.Linear(2, 1), lr=1e-3)
    """
    return build(find(name), model_or_params, settings, no_decay_for_biases_and_norms)


def build(
    entry: Entry, model_or_params: nn.Module | Iterable[Any], settings: dict[str, Any], no_decay: bool = False
) -> torch.optim.Optimizer:
    """Builds the optimizer of an entry; see :func:`create`."""
    settings = {**entry.settings, **settings}
    optimizer: torch.optim.Optimizer = entry.load()(_params(model_or_params, settings, no_decay), **settings)
    return optimizer


def _params(model_or_params: nn.Module | Iterable[Any], settings: dict[str, Any], no_decay: bool) -> Iterable[Any]:
    if not isinstance(model_or_params, nn.Module):
        if no_decay:
            raise InputError(
                "no_decay_for_biases_and_norms needs the model, not its parameters: biases have to be found"
            )
        return model_or_params
    return parameter_groups(model_or_params, settings.get("weight_decay"), no_decay_for_biases_and_norms=no_decay)
