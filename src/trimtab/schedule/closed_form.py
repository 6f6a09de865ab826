"""Schedules that are known before the run, as functions of how much of it is over.

They are what adaptive schedules are compared with. In a session a run's length is its budget, so that a schedule ends
where the budget does, whatever a step costs.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor
from torch.optim import Optimizer

from trimtab.lab.session import Session
from trimtab.schedule.controlled import PacedOptimizer


class ClosedFormSchedule(PacedOptimizer):
    """An optimizer whose learning rate is its own times a factor that depends on the run's progress.

    The learning rate that a group begins with is kept in it as ``initial_lr``, as torch's schedulers do.

    Args:
        optimizer: the optimizer.
        **settings: those of ``hyperparameters``.
    """

    hyperparameters: ClassVar = {}

    def __init__(self, optimizer: Optimizer, **settings: Any) -> None:
        super().__init__(optimizer, **settings)
        for group in self.param_groups:
            group.setdefault("initial_lr", group["lr"])

    @staticmethod
    @abstractmethod
    def factor(progress: float, step: float, settings: Mapping[str, Any], /) -> float:
        """Returns what the initial learning rate is multiplied with.

        Args:
            progress: the share of the run that is over, in [0, 1].
            step: the share that a step takes which costs one gradient of each sample.
            settings: the schedule's own.
        """

    def step_on(self, session: Session) -> Tensor:
        """Takes one step with the learning rate that its beginning is due."""
        progress, step = min(1.0, session.progress), session.samples / session.meter.budget
        for group in self.param_groups:
            group.setdefault("initial_lr", group["lr"])  # one that was added meanwhile begins with the rate it brings
            group["lr"] = group["initial_lr"] * self.factor(progress, step, self._own(group))
        return self.inner_step(session)


class CosineDecay(ClosedFormSchedule):
    r"""Half a cosine down to zero (Loshchilov & Hutter, 2016, arXiv:1608.03983): :math:`(1 + \cos \pi u) / 2`.

    Args:
        optimizer: the optimizer.
    """

    prefix = "cosine"
    usage = (
        "import torch\n"
        "total_steps = {total_steps}  # of a run\n"
        "scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total_steps)\n"
        "# after each step: scheduler.step()"
    )

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)

    @staticmethod
    def factor(progress: float, _step: float, _settings: Mapping[str, Any], /) -> float:
        r"""Returns :math:`(1 + \cos \pi u) / 2`."""
        return (1 + math.cos(math.pi * progress)) / 2
