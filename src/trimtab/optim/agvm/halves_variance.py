"""How much the gradients of two halves of a batch differ in direction, and the rate that follows from it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from trimtab.optim.agvm.halves import Halves
from trimtab.primitives.wrapping import Group, OptimizerWrapper

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


def params_of(groups: Sequence[Group]) -> list[Tensor]:
    """Returns the parameters of some groups."""
    return [param for group in groups for param in group["params"]]


class Compared:
    """Both halves of a batch as the optimizer inside would be given them.

    Args:
        halves: of the batch.
        optimizer: the wrapper around that optimizer.
        precondition: whether they are divided by its second moment; ``None`` does where there is one.

    Raises:
        ValueError: they are to be divided, and there is none.
    """

    def __init__(self, halves: Halves, optimizer: OptimizerWrapper, precondition: bool | None) -> None:
        moment = second_moment(optimizer.inner)
        if precondition and moment is None:
            raise ValueError("agvm_precondition=True, but the inner optimizer keeps no second moment")
        self._halves, self._state = halves, optimizer.state
        self._moment = None if precondition is False else moment
        # cosines of what is not divided do not depend on it
        self._factor = 1.0 if self._moment is None else halves.factor(params_of(optimizer.param_groups))

    def has(self, groups: Sequence[Group]) -> bool:
        """Whether a parameter of these groups has a gradient of both."""
        return any(self._halves.of(param) is not None for param in params_of(groups))

    def variance(self, groups: Sequence[Group]) -> float | None:
        """Returns a module's variance, or ``None`` where one of the halves has no gradient."""
        pairs = []
        for group in groups:
            for param in group["params"]:
                halves = self._halves.of(param, self._factor)
                if halves is not None:
                    if self._moment is not None:
                        halves = divided(halves, self._state.get(param, {}).get(self._moment), group)
                    pairs.append(halves)
        return variance(pairs)
