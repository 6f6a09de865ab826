"""Sessions of optimizers that train with other weights than they mean to be evaluated."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.optim import Optimizer

from trimtab.primitives.modes import has_modes


def ready_to_train(optimizer: Optimizer) -> Optimizer:
    """Makes an optimizer that has modes ready to step; returns it."""
    if has_modes(optimizer):
        optimizer.train()
    return optimizer


@contextmanager
def evaluated_weights(optimizer: Optimizer) -> Iterator[None]:
    """Puts the weights in place that the run is worth, and puts back those that it trains with, to the last bit."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    if not has_modes(optimizer):
        yield
        return
    kept = [param.detach().clone() for param in params]  # the way there and back would round
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()
        with torch.no_grad():
            for param, value in zip(params, kept, strict=True):
                param.copy_(value)
