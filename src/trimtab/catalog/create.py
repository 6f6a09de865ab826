"""Building an optimizer by name."""

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import nn

from trimtab.catalog.parsing import parse_expression
from trimtab.study.errors import InputError


def create(
    name: str,
    model_or_params: nn.Module | Iterable[Any],
    *,
    no_decay_for_biases_and_norms: bool = False,
    **settings: Any,
) -> torch.optim.Optimizer:
    """Builds any optimizer of the catalogue.

    Args:
        name: id or alias, e.g. ``"lion"``, or an expression such as ``"clip(lion, fraction=0.1)"``.
        model_or_params: a model, or parameters or parameter groups as in ``torch.optim``. A model means
            ``model.parameters()``: frozen ones have no gradient and stay as they are, until they are unfrozen.
        no_decay_for_biases_and_norms: puts biases and the parameters of normalisation layers into a group without
            weight decay; needs a model.
        **settings: the (innermost) optimizer's own arguments.

    Returns:
        The optimizer.

    Raises:
        InputError: the name is unknown (the message offers the nearest), the expression makes no sense or holds a
            controller, a setting has one value in the expression and another beside it, or groups are asked for without
            a model.
        TypeError: the optimizer has no such argument, or there is neither a model nor parameters.
        ValueError: a setting is outside its range.

    Examples:
        >>> optimizer = create("lion", torch.nn.Linear(2, 1), lr=1e-3)
    """
    expression = parse_expression(name)
    for node in expression.nodes():
        if node.entry.kind == "controller":
            raise InputError(
                f"{node.entry.id} stands beside an optimizer and is none. In a loop of your own:\n"
                f"{expression.code(settings)}"
            )
    built = expression.build(model_or_params, settings, no_decay=no_decay_for_biases_and_norms)
    return cast(torch.optim.Optimizer, built)
