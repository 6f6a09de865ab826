"""The pace of the learning rate in claims."""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def scheduled(optimizer: Optimizer, factor: Callable[[int], float]) -> Optimizer:
    """Has every step followed by a new learning rate.

    Args:
        optimizer: is returned.
        factor: from the number of steps taken to the factor of the learning rate of the next.
    """
    pace = LambdaLR(optimizer, factor)
    optimizer.register_step_post_hook(lambda *_: pace.step())
    return optimizer


def warm_up_then_linear(steps: int, warm_up: float) -> Callable[[int], float]:
    """Rises linearly over a fraction of the steps, and falls linearly to zero, which the step after the last has."""
    rising = max(1, round(warm_up * steps))
    return lambda taken: min((taken + 1) / rising, max(0.0, (steps - taken) / max(1, steps - rising)))


def cosine(steps: int) -> Callable[[int], float]:
    """Falls from one to zero along half a cosine; the step after the last has zero."""
    return lambda taken: 0.5 * (1 + math.cos(math.pi * min(taken, steps) / steps))
