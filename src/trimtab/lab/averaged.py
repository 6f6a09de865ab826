"""Optimizers that train with other weights than they mean to be evaluated: schedule-free ones, and averages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch.optim import Optimizer

from trimtab.primitives.wrapping import OptimizerWrapper


@runtime_checkable
class HasModes(Protocol):
    """An optimizer that has to be told whether its weights are trained or evaluated."""

    def train(self) -> Any:
        """Puts the weights in place that steps are taken with."""

    def eval(self) -> Any:
        """Puts the weights in place that the run is worth."""


def ready_to_train(optimizer: Optimizer) -> Optimizer:
    """Makes an optimizer that has modes ready to step; returns it."""
    core = with_modes(optimizer)
    if core is not None:
        core.train()
    return optimizer


def with_modes(optimizer: Optimizer) -> HasModes | None:
    """Returns what has modes, an optimizer itself or what is inside of it; the outermost, if several have."""
    core: Optimizer | None = optimizer
    while core is not None:
        if isinstance(core, HasModes):
            return core
        core = core.inner if isinstance(core, OptimizerWrapper) else None
    return None


@contextmanager
def evaluated_weights(optimizer: Optimizer) -> Iterator[None]:
    """Puts the weights in place that the run is worth, and puts back those that it trains with, to the last bit."""
    core = with_modes(optimizer)
    if core is None:
        yield
        return
    params = [param for group in optimizer.param_groups for param in group["params"]]
    kept = [param.detach().clone() for param in params]  # the way there and back would round
    core.eval()
    try:
        yield
    finally:
        core.train()
        with torch.no_grad():
            for param, value in zip(params, kept, strict=True):
                param.copy_(value)
