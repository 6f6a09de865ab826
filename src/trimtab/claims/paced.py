"""Optimizers that stand for an experiment in a session: what they set or note belongs to no method."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor
from torch.optim import Optimizer

from trimtab.lab.controller import SessionController
from trimtab.lab.session import Session, steps_on_session
from trimtab.primitives.wrapping import OptimizerWrapper


class PacedOptimizer(OptimizerWrapper, ABC):
    """An optimizer that does something of its own around the steps that another one takes on a session.

    Args:
        optimizer: the optimizer, or the outermost controller beside it.

    Attributes:
        controllers: what stands beside the optimizer.
    """

    passes_steps_on = True
    passes_gradients_on = True
    usage: ClassVar[str]

    def __init__(self, optimizer: Optimizer | SessionController) -> None:
        super().__init__(optimizer.optimizer if isinstance(optimizer, SessionController) else optimizer)
        self.controllers = optimizer.controllers if isinstance(optimizer, SessionController) else ()

    @abstractmethod
    def step_on(self, session: Session) -> Tensor:
        """Takes one step of the inner optimizer on the session's batch; returns the loss before it."""

    def inner_step(self, session: Session) -> Tensor:
        """Takes one step of the inner optimizer, whatever it needs of the session."""
        inner: Any = self.inner
        loss: Tensor = inner.step_on(session) if steps_on_session(inner) else inner.step(session.step_closure())
        return loss
