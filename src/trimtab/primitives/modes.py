"""Optimizers that train with other weights than they mean to be evaluated: schedule-free ones, and averages.

They have two modes, which hosts such as Hugging Face's Trainer look for and set: ``train()`` puts the weights in place
that steps are taken with, ``eval()`` those that the run is worth.
"""

from typing import Any, Protocol, TypeGuard

MODES = ("train", "eval")


class HasModes(Protocol):
    """An optimizer that has to be told whether its weights are trained or evaluated."""

    def train(self) -> Any:
        """Puts the weights in place that steps are taken with."""

    def eval(self) -> Any:
        """Puts the weights in place that the run is worth."""


def has_modes(optimizer: object) -> TypeGuard[HasModes]:
    """Returns whether an optimizer, or what is inside of it, has modes; of a class, whether all of its optimizers have.

    Args:
        optimizer: the optimizer, or its class.
    """
    return all(callable(getattr(optimizer, mode, None)) for mode in MODES)
