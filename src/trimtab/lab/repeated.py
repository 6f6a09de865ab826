"""A closure that is the same function of the weights each time, for what evaluates a batch more than once a step."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from trimtab.lab.session import Session


def repeatable_closure(session: "Session") -> Callable[[], Tensor]:
    """Makes a function that computes the mean loss and its gradients on the current batch, and charges each time.

    However often it is called, layers draw the same random numbers, and running statistics are updated by the first
    call alone. A batch that is larger than the task's is passed through the model in pieces of the task's size, so that
    it needs no more memory; batch normalisation then sees the pieces.

    Args:
        session: the run, which has a batch.

    Returns:
        A function that zeroes the gradients, runs forward and backward and returns the loss, a 0-d tensor.

    Raises:
        RuntimeError: there is no batch yet.
    """
    if not session.samples:
        raise RuntimeError("there is no batch yet: call next_batch() or step() first")
    pieces = torch.split(torch.arange(session.samples), session.task.batch_size)
    passes: list[Callable[[], Any]] = []

    def evaluate_loss() -> Tensor:
        session.optimizer.zero_grad()
        total = torch.zeros((), device=session.device)
        for index, rows in enumerate(pieces):
            if index == len(passes):  # it begins where the pass before it has left the run
                passes.append(session.outputs(rows))
            losses = session.losses(passes[index](), rows)
            loss = losses.sum() / session.samples
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types
            total = total + loss.detach()
        return total

    return evaluate_loss
