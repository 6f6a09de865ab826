"""Steps that move nothing, and are taken for the state that they make.

``torch.distributed.checkpoint.state_dict`` takes such a step with an optimizer that has no state yet, so that it learns
what there is to load: with zeros for gradients, a learning rate of zero and no closure. What it makes is overwritten,
unless nothing is loaded; so nothing may come of it.
"""

import torch
from torch import Tensor
from torch.optim import Optimizer

from trimtab.primitives.sharding import local, shards_of
from trimtab.primitives.wrapping import step_inside


def is_idle(optimizer: Optimizer) -> bool:
    """Returns whether a step without a closure is taken for the state that it makes."""
    # In this order: a running optimizer has state, and is not asked for more.
    if any(optimizer.state.values()) or any(float(group.get("lr", 0.0)) for group in optimizer.param_groups):
        return False
    grads = [param.grad for group in optimizer.param_groups for param in group["params"] if param.grad is not None]
    return bool(grads) and all(map(_is_zero, grads))


def _is_zero(grad: Tensor) -> bool:
    if grad.is_meta:
        return True
    shards, found = shards_of(grad), local(grad).any().float()
    # Processes that share a parameter must come to one answer: one that went on alone would wait for the others.
    return not (found if shards is None else shards.total(found))


def step_idly(optimizer: Optimizer) -> None:
    """Has an optimizer make its state by a step that moves nothing; the gradients must be zero."""
    rates = [group.get("lr") for group in optimizer.param_groups]
    try:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            if rate is not None:
                group["lr"] = torch.zeros_like(rate) if isinstance(rate, Tensor) else 0.0
        step_inside(optimizer)
    finally:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            if rate is not None:
                group["lr"] = rate
