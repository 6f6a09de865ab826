"""Which parameters an optimizer is given."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import torch
from torch import nn

from trimtab.optim.groups import parameter_groups
from trimtab.study.errors import InputError

Split: TypeAlias = Callable[..., list[dict[str, Any]]]
"""Makes parameter groups of a model, as :func:`~trimtab.optim.groups.parameter_groups` does."""


def parameters_of(
    model_or_params: nn.Module | Iterable[Any],
    settings: dict[str, Any],
    no_decay: bool,
    *,
    optimizer: type[Any],
) -> Iterable[Any]:
    """Returns what an optimizer's first argument is to be.

    Args:
        model_or_params: a model, of which all parameters are meant, or parameters or parameter groups as in
            ``torch.optim``.
        settings: of the optimizer; its weight decay is what a model's parameter groups get.
        no_decay: whether biases and the parameters of normalisation layers go without; of an optimizer without weight
            decay all stay together, for some take no groups.
        optimizer: its class.

    Returns:
        What was given; of a model, parameter groups with names, which wrappers may divide by them.

    Raises:
        InputError: ``no_decay`` is asked for without a model, or a setting beside one that its groups have.
        TypeError: it is neither a model nor a list of anything.
    """
    if not isinstance(model_or_params, nn.Module):
        if not isinstance(model_or_params, Iterable):
            raise TypeError(f"model_or_params={model_or_params!r}: a model, or its parameters or groups, is needed")
        if no_decay:
            raise InputError(
                "no_decay_for_biases_and_norms needs the model, not its parameters: biases have to be found"
            )
        return model_or_params
    split, weight_decay = split_of(optimizer), settings.get("weight_decay")
    undecayed = no_decay and has_decay(optimizer, settings)
    groups = split(model_or_params, weight_decay, no_decay_for_biases_and_norms=undecayed, named=True)
    for name in settings.keys() - {"weight_decay"}:
        if all(name in group for group in groups):
            raise InputError(
                f"{name}={settings[name]!r} would do nothing: of a model each group of parameters says its own "
                f"{name}. Leave it out, or give {split.__name__}(model, ...) instead of the model"
            )
    return groups


def split_of(optimizer: type[Any]) -> Split:
    """Returns what makes an optimizer's groups of a model: what its class says, or what serves all others."""
    own: Split = getattr(optimizer, "groups_of", parameter_groups)
    return own


def has_decay(optimizer: Callable[..., torch.optim.Optimizer], settings: Mapping[str, Any]) -> bool:
    """Tells whether an optimizer has a weight decay, which some parameters can go without.

    Where its class has no such setting, one that is made of a single parameter tells: a decay may be in the class.

    Args:
        optimizer: its class.
        settings: that it is made with.
    """
    if "weight_decay" in inspect.signature(optimizer).parameters:
        return True
    try:
        made = optimizer([nn.Parameter(torch.zeros(1))], **settings)
    except Exception:  # whatever is wrong with it, making it of the model says so
        return True
    return any("weight_decay" in group for group in made.param_groups)


def forget_names(optimizer: torch.optim.Optimizer) -> None:
    """Takes the names out of an optimizer's groups, because torch adds plain parameters only to groups without."""
    for group in optimizer.param_groups:
        group.pop("param_names", None)
