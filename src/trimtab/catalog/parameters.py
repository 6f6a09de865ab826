"""Which parameters an optimizer is given."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from trimtab.lab.errors import InputError
from trimtab.optim.groups import parameter_groups


def parameters_of(
    model_or_params: nn.Module | Iterable[Any], settings: dict[str, Any], no_decay: bool
) -> Iterable[Any]:
    """Returns what an optimizer's first argument is to be.

    Args:
        model_or_params: a model, or parameters or parameter groups as in ``torch.optim``.
        settings: of the optimizer; its weight decay is what a model's parameter groups get.
        no_decay: whether biases and the parameters of normalisation layers go without.

    Raises:
        InputError: ``no_decay`` is asked for without a model.
    """
    if not isinstance(model_or_params, nn.Module):
        if no_decay:
            raise InputError(
                "no_decay_for_biases_and_norms needs the model, not its parameters: biases have to be found"
            )
        return model_or_params
    return parameter_groups(model_or_params, settings.get("weight_decay"), no_decay_for_biases_and_norms=no_decay)
