"""Schedules that are known before the run, as functions of how much of it is over.

They are what adaptive schedules are compared with. In a session a run's length is its budget, so that a schedule ends
where the budget does, whatever a step costs.
"""

from abc import abstractmethod
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from trimtab.lab.controller import History, SessionController
from trimtab.primitives.hyperparameters import whole_number
from trimtab.schedule.controlled import CatalogueController


class ClosedFormSchedule(CatalogueController):
    """Multiplies an optimizer's own learning rate with a factor that depends on the run's progress.

    The learning rate that a group begins with is kept in it as ``initial_lr``, as torch's schedulers do.

    Args:
        beside: the optimizer, or the controller that is nearer to it.
        **settings: those of ``hyperparameters``.
    """

    def __init__(self, beside: Optimizer | SessionController, **settings: Any) -> None:
        super().__init__(beside, **settings)
        self.refuse(self.settings)
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    @property
    def history(self) -> History:
        """Nothing: what it does was known before."""
        return []

    @classmethod
    def refuse(cls, settings: Mapping[str, Any], /) -> None:
        """Checks settings that have to go together, each of which may be.

        Raises:
            ValueError: they do not.
        """

    @staticmethod
    @abstractmethod
    def factor(progress: float, step: float, settings: Mapping[str, Any], /) -> float:
        """Returns what the initial learning rate is multiplied with.

        Args:
            progress: the share of the run that is over, in [0, 1].
            step: the share that a step takes which costs one gradient of each sample.
            settings: the schedule's own.
        """

    def before(self) -> None:
        """Sets the learning rate that the step's beginning is due."""
        session = self.session
        progress, step = min(1.0, session.progress), session.samples / session.meter.budget
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])  # one that was added meanwhile begins with the rate it brings
            group["lr"] = group["initial_lr"] * self.factor(progress, step, self.settings)

    def state_dict(self) -> dict[str, Any]:
        """Returns nothing: how far the run is, the session knows."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over nothing."""


def scheduler(schedule: type[ClosedFormSchedule], optimizer: Optimizer, total_steps: int, **settings: Any) -> LambdaLR:
    """Returns a schedule as torch's schedulers are used, in a run of so many steps.

    Args:
        schedule: the schedule.
        optimizer: whose learning rates are the peak's.
        total_steps: of the run, >= 1.
        **settings: the schedule's; its warm-up as :func:`warmup_share` takes it.

    Returns:
        The scheduler; call its ``step()`` after every step of the optimizer. Beyond ``total_steps`` it raises a
        ``ValueError``, as torch's ``OneCycleLR`` does.

    Raises:
        TypeError: ``optimizer`` is not one, ``total_steps`` is not whole, or a setting has the wrong type.
        ValueError: a number of steps or a setting is outside its range.
    """
    total = whole_number(1)("total_steps", total_steps)
    share = warmup_share(settings["warmup"], total)
    own: dict[str, Any] = {
        name: schedule.hyperparameters[name](name, value) for name, value in settings.items() if name != "warmup"
    }
    own["warmup"] = share
    schedule.refuse(own)

    def factor(taken: int) -> float:
        refuse_steps_beyond(taken, total)
        return schedule.factor(taken / total, 1 / total, own)

    return LambdaLR(optimizer, factor)


def warmup_share(warmup: float, total_steps: int) -> float:
    """Returns which share of a run its warm-up takes.

    Args:
        warmup: a whole number of steps, or, with a decimal point, the share itself, in [0, 1).
        total_steps: of the run.

    Raises:
        TypeError: ``warmup`` is no number.
        ValueError: it is negative, or as long as the run.
    """
    if isinstance(warmup, Real) and not isinstance(warmup, Integral):
        share = float(warmup)
        if not 0 <= share < 1:
            raise ValueError(f"warmup={warmup!r} must be a whole number of steps, or a share of the run in [0, 1)")
        return share
    rising: int = whole_number(0)("warmup", warmup)
    if rising >= total_steps:
        raise ValueError(f"warmup={rising} must be less than total_steps={total_steps}")
    return rising / total_steps


def risen(progress: float, step: float, warmup: float) -> float | None:
    """Returns the factor within a warm-up, a straight line that begins above zero, so that its first step moves.

    Args:
        progress: the share of the run that is over, in [0, 1].
        step: the share that a step takes.
        warmup: the share that the warm-up takes, in [0, 1).

    Returns:
        ``None`` after it.
    """
    return min(1.0, (progress + step) / warmup) if progress < warmup else None


def refuse_steps_beyond(taken: int, total: int) -> None:
    """Checks that a scheduler is not stepped beyond its end.

    Raises:
        ValueError: it is.
    """
    if taken > total:
        raise ValueError(f"the schedule is over: it has total_steps={total}, and was stepped {taken} times")
