"""Which parameters an optimizer is given."""

from collections.abc import Callable, Iterable
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
    split: Split = parameter_groups,
) -> Iterable[Any]:
    """Returns what an optimizer's first argument is to be.

    Args:
        model_or_params: a model, of which all parameters are meant, or parameters or parameter groups as in
            ``torch.optim``.
        settings: of the optimizer; its weight decay is what a model's parameter groups get.
        no_decay: whether biases and the parameters of normalisation layers go without.
        split: makes groups of a model; the optimizer's own where it treats parameters by what they are for.

    Returns:
        What was given; of a model, parameter groups with names, which wrappers may divide by them.

    Raises:
        InputError: ``no_decay`` is asked for without a model.
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
    return split(model_or_params, settings.get("weight_decay"), no_decay_for_biases_and_norms=no_decay, named=True)


def split_of(optimizer: type[Any]) -> Split:
    """Returns what makes an optimizer's groups of a model: what its class says, or what serves all others."""
    own: Split = getattr(optimizer, "groups_of", parameter_groups)
    return own


def forget_names(optimizer: torch.optim.Optimizer) -> None:
    """Takes the names out of an optimizer's groups, because torch adds plain parameters only to groups without."""
    for group in optimizer.param_groups:
        group.pop("param_names", None)
