"""Optimizers whose pace something else sets, as experiments run them.

In a loop of one's own a controller or a scheduler stands beside the optimizer. In a session it stands around it, as
wrappers do, so that candidates can be put together in one way.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor
from torch.optim import Optimizer

from trimtab.lab.controller import Controller
from trimtab.lab.session import Session, steps_on_session
from trimtab.primitives.wrapping import OptimizerWrapper
from trimtab.study.tunable import Tunables

SOME_STEPS = 1000
"""Stands in code to paste for a run's length that is not known."""


class PacedOptimizer(OptimizerWrapper, ABC):
    """An optimizer that steps on a session, at a pace that is set from outside.

    Attributes:
        usage: the lines that do the same in a loop of one's own, after ``optimizer`` was made, with the imports that
            they need; ``{name}`` stands for a setting, and ``{total_steps}`` for the length of the run.
        sets: settings of the optimizer that it writes to; two that write to the same one do not go together.
    """

    passes_steps_on = True
    passes_gradients_on = True
    tunables: ClassVar[Tunables] = {}
    usage: ClassVar[str]
    sets: ClassVar[tuple[str, ...]] = ("lr",)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # noqa: ARG002 - torch's signature
        """Refuses: there is no session.

        Raises:
            RuntimeError: always; the message says what to do instead.
        """
        usage = self.usage_lines(self._own(self.param_groups[0]))
        raise RuntimeError(
            f"{type(self).__name__} takes its steps in a trimtab.Session. In a loop of your own, step the optimizer, "
            f"and use:\n{usage}"
        )

    @classmethod
    def usage_lines(cls, settings: Mapping[str, Any], total_steps: int | None = None) -> str:
        """Returns :attr:`usage` with its settings.

        Args:
            settings: name to value.
            total_steps: length of the run; some number, to be changed, by default.
        """
        return cls.usage.format(**settings, total_steps=SOME_STEPS if total_steps is None else total_steps)

    @abstractmethod
    def step_on(self, session: Session) -> Tensor:
        """Takes one step of the inner optimizer on the session's batch; returns the loss before it."""

    def inner_step(self, session: Session) -> Tensor:
        """Takes one step of the inner optimizer, whatever it needs of the session."""
        inner: Any = self.inner
        loss: Tensor = inner.step_on(session) if steps_on_session(inner) else inner.step(session.closure())
        return loss


class ControlledOptimizer(PacedOptimizer):
    """An optimizer with a controller, which observes each step.

    Attributes:
        controller: ``None`` before the first step.
    """

    controller: Controller | None

    def __init__(self, optimizer: Optimizer, **settings: Any) -> None:
        super().__init__(optimizer, **settings)
        self._forget()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._forget()

    def _forget(self) -> None:
        self.controller, self._waiting = None, None

    @abstractmethod
    def control(self, session: Session) -> Controller:
        """Makes the controller of a run that is about to take its first step."""

    def step_on(self, session: Session) -> Tensor:
        """Takes one step, and lets the controller see its loss."""
        controller = self.started(session)
        loss = self.inner_step(session)
        controller.observe(loss.item())
        return loss

    def started(self, session: Session) -> Controller:
        """Returns the controller, made if need be, with the state that was loaded before it was."""
        if self.controller is None:
            self.controller = self.control(session)
            if self._waiting is not None:
                self.controller.load_state_dict(self._waiting)
                self._waiting = None
        return self.controller

    @property
    def _key(self) -> str:
        """Where the state is saved; a controller around another has a place of its own."""
        return f"{self.prefix}_controller"

    def _saved(self) -> dict[str, Any]:
        state = self._waiting if self.controller is None else self.controller.state_dict()
        return {**super()._saved(), self._key: state}

    def _load(self, state: dict[str, Any]) -> None:
        super()._load({key: value for key, value in state.items() if key != self._key})
        own = state.get(self._key)
        if self.controller is None or own is None:
            self._forget()
            self._waiting = own
        else:
            self.controller.load_state_dict(own)
