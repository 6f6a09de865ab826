"""What fills the slot of a transform, and what it is given."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn


@dataclass(frozen=True)
class Calibration:
    """Some training data, to look at what a network does with them.

    It iterates over its batches, which are as the training data collate: ``for inputs, targets in calibration`` where
    they are pairs.

    Args:
        batches: the batches, never of validation or test data.
        outputs: returns a model's outputs on a batch, ``outputs(model, batch)``; ``model(batch[0])`` in most tasks.
    """

    batches: tuple[Any, ...]
    outputs: Callable[[nn.Module, Any], Any]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class FineTune(Protocol):
    """Trains a network further, in place, at the run's expense."""

    @property
    def left(self) -> int:
        """How many steps the run has left."""
        ...

    def __call__(self, model: nn.Module, steps: int | None = None) -> None:
        """Takes some steps, or all that are left.

        As long as the model's parameters are the same, calls go on where the one before ended, the optimizer's state
        included.

        Args:
            model: its parameters that require gradients are trained.
            steps: how many; :attr:`left` by default.

        Raises:
            ValueError: there are not so many left.
        """
        ...


class Transform(Protocol):
    """A candidate: a function like this, or an object that is called like one."""

    def __call__(
        self,
        model: nn.Module,
        calibration: Calibration,
        target: float,
        *,
        finetune: FineTune,
        generator: torch.Generator,
    ) -> nn.Module:
        """Makes of a trained network one that meets a target.

        Args:
            model: the trained network, in evaluation mode; the run's own, which may be changed.
            calibration: some training data.
            target: what has to be met; the problem says what it is.
            finetune: trains a network further.
            generator: the source of all randomness.

        Returns:
            What is to be stored and used.
        """
        ...
