"""Schedules that are known before the run, as functions of how much of it is over.

They are what adaptive schedules are compared with. In a session a run's length is its budget, so that a schedule ends
where the budget does, whatever a step costs.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer

from trimtab.lab.controller import History, SessionController
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
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    @property
    def history(self) -> History:
        """Nothing: what it does was known before."""
        return []

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


class CosineDecay(ClosedFormSchedule):
    r"""Half a cosine down to zero (Loshchilov & Hutter, 2016, arXiv:1608.03983): :math:`(1 + \cos \pi u) / 2`.

    Args:
        beside: the optimizer, or the controller that is nearer to it.
    """

    prefix = "cosine"
    usage = (
        "import torch\n"
        "total_steps = {total_steps}  # of a run\n"
        "scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total_steps)\n"
        "# after each step: scheduler.step()"
    )

    def __init__(self, beside: Optimizer | SessionController) -> None:
        super().__init__(beside)

    @staticmethod
    def factor(progress: float, _step: float, _settings: Mapping[str, Any], /) -> float:
        r"""Returns :math:`(1 + \cos \pi u) / 2`."""
        return (1 + math.cos(math.pi * progress)) / 2
