"""How large a step was: norms for a log."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor

Sums: TypeAlias = tuple[Float[Tensor, ""], ...]


@dataclass(frozen=True)
class StepNorms:
    """The norms of one parameter group in one step, over the parameters that had a gradient.

    Args:
        gradient: of the gradient as it was given.
        weight: of the parameters before the step.
        update: of the difference that the step made, before it was rounded to the parameters' type.
    """

    gradient: float
    weight: float
    update: float

    @property
    def update_to_weight(self) -> float:
        """The relative change of the weights; infinite where they were zero."""
        if self.weight:
            return self.update / self.weight
        return math.inf if self.update else 0.0


Observer: TypeAlias = Callable[[Sequence[StepNorms]], object]


def step_norms(chunks: Sequence[Sums]) -> StepNorms:
    """Returns the norms of a group from its chunks' sums of squares of gradient, weight and update."""
    gradient, weight, update = (math.sqrt(sum(each[kind].item() for each in chunks if each)) for kind in range(3))
    return StepNorms(gradient, weight, update)
