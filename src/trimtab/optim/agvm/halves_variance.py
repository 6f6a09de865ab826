"""How much the gradients of two halves of a batch differ in direction, and the rate that follows from it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from trimtab.primitives.wrapping import OptimizerWrapper

GUARD = 1e-6
"""Added to both variances before they are divided; the official code's."""

SECOND_MOMENTS = ("exp_avg_sq", "exp_avg_var")
ADAMS = (torch.optim.Adam, torch.optim.NAdam, torch.optim.RAdam)


def variance(pairs: Sequence[tuple[Tensor, Tensor]]) -> float | None:
    """Returns one minus the cosine of two gradients of several tensors; ``None`` if one is zero or not finite.

    Also where a product of two elements is beyond double precision, there is nothing to compare.
    """
    # In double precision before they are multiplied: products of what float32 holds are in its range.
    doubles = ((one.double(), other.double()) for one, other in pairs)
    sums = [torch.stack([(one * other).sum() for one, other in ((a, b), (a, a), (b, b))]) for a, b in doubles]
    if not sums:
        return None
    product, first, second = map(float, torch.stack(sums).sum(0).tolist())  # one wait for an accelerator
    if not (0 < first < math.inf and 0 < second < math.inf):
        return None
    return max(0.0, 1 - product / (math.sqrt(first) * math.sqrt(second)))


def rate(anchor: float, own: float, clamp: tuple[float, float] | None) -> float:
    """Returns the factor that gives a module the anchor's variance."""
    ratio = (anchor + GUARD) / (own + GUARD)
    return math.sqrt(ratio if clamp is None else min(max(ratio, clamp[0]), clamp[1]))


def divided(halves: tuple[Tensor, Tensor], moment: Tensor | None, group: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Returns two gradients as an optimizer with a second moment sees them."""
    forget, eps = group["betas"][1], group.get("eps", 0.0)
    first, second = (
        half / ((1 - forget) * half.square() + (0 if moment is None else forget * moment)).sqrt_().add_(eps)
        for half in halves
    )
    return first, second


def second_moment(optimizer: Optimizer) -> str | None:
    """Returns the name under which an optimizer keeps its second moment, if it does, and of whole gradients."""
    while isinstance(optimizer, OptimizerWrapper):
        if not optimizer.keeps_shapes:
            return None
        optimizer = optimizer.inner
    if isinstance(optimizer, ADAMS):
        return SECOND_MOMENTS[0]
    return next((name for name in getattr(optimizer, "state_names", ()) if name in SECOND_MOMENTS), None)
