"""What all controllers have in common: objects beside an optimizer that turn a knob of the run while it goes on."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from torch import Tensor
from torch.optim import Optimizer

if TYPE_CHECKING:
    from trimtab.lab.session import Session

History: TypeAlias = list[dict[str, float]]
"""What a controller did: a record for each change, with ``"step"`` and the new values of its knobs by name."""


@runtime_checkable
class Controller(Protocol):
    """Watches a run and sets knobs of it between steps: the learning rate, the momentum, the batch size.

    It stands beside an optimizer, as torch's schedulers do. What else it needs of the run, such as the gradients or a
    way back, it is given when it is made.

    Attributes:
        history: what it did so far.
    """

    history: History

    def observe(self, loss: float) -> None:
        """Takes note of a step that was just taken, and sets the knobs for the next one.

        Args:
            loss: of the batch, before the step.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that its future depends on, with the history, in plain values and tensors."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned."""
        ...


class SessionController(ABC):
    """A controller that asks a session for what it needs, and may act before a step as well.

    It is made beside an optimizer, or beside another controller, which then is nearer to the optimizer. In a step the
    outermost one comes first before it, and last after it.

    Args:
        beside: the optimizer, or the controller.

    Attributes:
        optimizer: the optimizer.
        controllers: all that stand beside the optimizer, this one last.
        session: the run, from its beginning on.

    Raises:
        TypeError: ``beside`` is neither.
    """

    session: "Session"

    def __init__(self, beside: "Optimizer | SessionController") -> None:
        if not isinstance(beside, Optimizer | SessionController):
            hint = f"; give {type(self).__name__} an instance" if isinstance(beside, type) else ""
            raise TypeError(f"{type(self).__name__} stands beside a torch.optim.Optimizer, not {beside!r}{hint}")
        inside = () if isinstance(beside, Optimizer) else beside.controllers
        self.optimizer: Optimizer = beside if isinstance(beside, Optimizer) else beside.optimizer
        self.controllers: tuple[SessionController, ...] = (*inside, self)

    @property
    @abstractmethod
    def history(self) -> History:
        """What it did so far."""

    def begin(self, session: "Session") -> None:
        """Takes note of the run that is about to begin."""
        self.session = session

    def before(self) -> Callable[[], Tensor] | None:
        """Sets the knobs for the step that is about to be taken on the session's batch.

        Returns:
            What the step is to be given in the place of the session's closure, if it computed that already. Of the
            controller that is nearest to the optimizer alone it is taken: others may change what it was computed from.
        """
        return None

    def observe(self, loss: float) -> float:
        """Takes note of the step, and returns the loss that the run goes on from: another one where it went back."""
        return loss

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Returns everything that its future depends on."""

    @abstractmethod
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned."""
