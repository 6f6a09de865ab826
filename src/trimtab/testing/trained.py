"""What a problem hands to a transform beside the network: some training data, and fine-tuning."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

STEPS = 8
"""Of fine-tuning, in most checks."""


class Data:
    """Some training data, as a problem hands them over: batches of inputs and targets.

    Args:
        batches: the batches.
    """

    def __init__(self, batches: Sequence[Any]) -> None:
        self.batches = tuple(batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)

    def outputs(self, model: nn.Module, batch: Any) -> Any:
        """Returns the model's outputs on a batch."""
        return model(batch[0])


class FineTuning:
    """Fine-tuning that counts its steps, as a problem's does.

    Args:
        steps: how many there are.
        move: what a step does to a model; nothing by default.
    """

    def __init__(self, steps: int = STEPS, move: Callable[[nn.Module], None] = lambda _model: None) -> None:
        self.left, self._move = steps, move
        self.too_many = 0

    def __call__(self, model: nn.Module, steps: int | None = None) -> None:
        """Takes some steps, or all that are left.

        Raises:
            ValueError: there are not so many left.
        """
        wanted = self.left if steps is None else steps
        if wanted > self.left:
            self.too_many = wanted
            raise ValueError(f"steps={wanted}: {self.left} are left")
        self.left -= wanted
        for _ in range(wanted):
            self._move(model)


def descend(model: nn.Module) -> None:
    """Takes a step that moves every parameter."""
    params = [param for param in model.parameters() if param.requires_grad]
    loss = torch.stack([(param - 1).square().sum() for param in params]).sum()
    for param, grad in zip(params, torch.autograd.grad(loss, params), strict=True):
        with torch.no_grad():
            param.sub_(grad, alpha=0.1)
