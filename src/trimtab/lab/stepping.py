"""What a session's steps are taken by: an optimizer, and the controllers beside it, which are told of each step."""

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.optim import Optimizer

from trimtab.lab.controller import Controller, SessionController
from trimtab.study.errors import InputError

if TYPE_CHECKING:
    from trimtab.lab.session import Session


@runtime_checkable
class StepsOnSession(Protocol):
    """An optimizer that needs more of a run than a closure, and takes what it needs from the session."""

    def step_on(self, session: "Session") -> Tensor:
        """Takes one step on the session's current batch and returns the loss before it.

        Args:
            session: has moved on to the next batch; whatever is computed through it is charged.
        """
        ...


def steps_on_session(optimizer: Optimizer) -> bool:
    """Returns what isinstance with :class:`StepsOnSession` does, which looks through the protocol every time."""
    return hasattr(optimizer, "step_on")


def made_optimizer(
    optimizer: Callable[[nn.Module], Optimizer | SessionController], model: nn.Module
) -> Optimizer | SessionController:
    """Returns the optimizer of a model, or the outermost controller beside it.

    Args:
        optimizer: makes it.
        model: the model.

    Raises:
        InputError: something else was made.
    """
    made = optimizer(model)
    if not isinstance(made, Optimizer | SessionController):
        raise InputError(f"optimizer={optimizer!r} made a {type(made).__name__}, expected a torch.optim.Optimizer")
    return made


def made_controllers(
    controllers: "Callable[[Session], Sequence[Controller]]", session: "Session"
) -> tuple[Controller | SessionController, ...]:
    """Returns the controllers that somebody wants beside an optimizer.

    Args:
        controllers: makes them.
        session: whose model and optimizer are there.

    Raises:
        InputError: something else was made.
    """
    try:
        made = controllers(session)
    except TypeError as error:
        raise InputError(f"controllers={controllers!r} makes none of a session: {error}") from error
    if not (isinstance(made, Sequence) and all(isinstance(each, Controller | SessionController) for each in made)):
        raise InputError(
            f"controllers={controllers!r} made {made!r}, expected a list of trimtab.lab.controller.Controller"
        )
    return tuple(made)


def before_step(controllers: Sequence[Any]) -> Callable[[], Tensor] | None:
    """Lets controllers set their knobs for a step, the outermost first.

    Args:
        controllers: the nearest to the optimizer first.

    Returns:
        What the step is to be given in the place of a closure, if the nearest one has computed that already.
    """
    computed = None
    for each in reversed(controllers):
        computed = each.before() if isinstance(each, SessionController) else None
    return computed


def after_step(controllers: Sequence[Any], loss: float) -> float:
    """Tells controllers the loss of a step, the outermost last; returns the one that the run goes on from.

    Args:
        controllers: the nearest to the optimizer first.
        loss: of the batch, before the step.
    """
    for each in controllers:
        seen = each.observe(loss)
        loss = loss if seen is None else seen
    return loss


def controller_states(controllers: Sequence[Any], aside: Any) -> list[dict[str, Any] | None]:
    """Copies what the future of controllers depends on.

    Args:
        controllers: of a session.
        aside: one of them that is left out, if any.

    Raises:
        InputError: ``aside`` is none of them.
    """
    if aside is not None and not any(each is aside for each in controllers):
        raise InputError(f"aside={aside!r} must be one of the session's controllers, {controllers}")
    return [None if each is aside else copy.deepcopy(each.state_dict()) for each in controllers]


def load_controller_states(controllers: Sequence[Any], states: Sequence[dict[str, Any] | None]) -> None:
    """Takes over what :func:`controller_states` returned; one that was left out goes on as it is."""
    for each, state in zip(controllers, states, strict=True):
        if state is not None:
            each.load_state_dict(copy.deepcopy(state))
