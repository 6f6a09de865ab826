"""What the future of a model depends on: its weights and buffers, which modules train, and what is frozen."""

from typing import Any

import torch
from torch import Tensor, nn


def model_state(model: nn.Module) -> dict[str, Any]:
    """Copies the state of a model; :func:`load_model_state` goes back to it."""
    return {
        "model": {name: tensor.detach().clone() for name, tensor in _tensors(model).items()},
        "training": [module.training for module in model.modules()],
        "requires_grad": [param.requires_grad for param in model.parameters()],
    }


def load_model_state(model: nn.Module, state: dict[str, Any]) -> None:
    """Goes back to a state, in the tensors that the model has.

    Args:
        model: the model.
        state: what :func:`model_state` returned of it, or of another one that was built alike.
    """
    with torch.no_grad():
        for name, tensor in _tensors(model).items():
            tensor.copy_(state["model"][name])
    for module, training in zip(model.modules(), state["training"], strict=True):
        module.training = training
    for param, required in zip(model.parameters(), state["requires_grad"], strict=True):
        param.requires_grad_(required)


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    # state_dict() leaves out buffers that are not persistent, which a run's future may depend on all the same
    return dict(model.named_parameters()) | dict(model.named_buffers())
