"""What ``torch.amp.GradScaler`` tells an optimizer that has to know by how much the loss was scaled.

A scaler unscales gradients before a step, and leaves the step out where one of them is not finite; an optimizer need
not know of it. One that sets ``_step_supports_amp_scaling`` is stepped always, by gradients as they are, and finds two
attributes meanwhile: ``found_inf``, and ``grad_scale``, which is ``None`` where ``unscale_`` was called before.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_TOLD = ("grad_scale", "found_inf")


@dataclass(frozen=True)
class Scaling:
    """What a scaler says of a step.

    Args:
        scale: what the gradients are still multiplied with; ``None`` if they were unscaled before.
        overflows: whether one of them is not finite, so that the step has to be left out.
    """

    scale: Tensor | None
    overflows: bool

    @torch.no_grad()
    def unscale_(self, grads: Iterable[Tensor]) -> None:
        """Divides gradients by the scale that they still have, in place, in the scaler's own arithmetic."""
        if self.scale is not None:
            inverse = self.scale.double().reciprocal().float()
            for grad in grads:
                grad.detach().mul_(inverse.to(grad.device))


def overflows(optimizer: Optimizer) -> bool:
    """Returns whether a scaler has found that the step which is under way has to be left out."""
    return float(getattr(optimizer, "found_inf", 0.0)) > 0


@contextmanager
def scaling_of(optimizer: Optimizer) -> Iterator[Scaling | None]:
    """Yields what a scaler says of the step that is under way, or ``None`` if no scaler takes it."""
    if not hasattr(optimizer, "found_inf"):
        yield None
        return
    told: Any = optimizer
    try:
        yield Scaling(told.grad_scale, overflows(optimizer))
    except BaseException:
        # The scaler takes them away after a step that went well. Left behind, the next step would count them as well.
        for name in _TOLD:
            delattr(optimizer, name)
        raise


def refuse_scaler(optimizer: Optimizer, why: str) -> None:
    """Checks that no scaler takes the step.

    Args:
        optimizer: one that sets ``_step_supports_amp_scaling``, so that it is asked at all.
        why: it needs none, and what to do.

    Raises:
        RuntimeError: one does.
    """
    with scaling_of(optimizer) as scaling:
        if scaling is not None:
            raise RuntimeError(f"{type(optimizer).__name__} is not to be stepped by a gradient scaler: {why}")
