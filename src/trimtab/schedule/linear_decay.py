"""Linear decay to zero: the schedule that is best for the last iterate when nothing is known of the run.

From Defazio, Cutkosky, Mehta & Mishchenko (2023), arXiv:2310.07831, which gives the theory, and refines it where a run
has been made before; see :mod:`trimtab.schedule.refined.refined`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from trimtab.lab.controller import SessionController
from trimtab.primitives.hyperparameters import FRACTION
from trimtab.schedule.closed_form import ClosedFormSchedule, risen, scheduler


def linear_decay_with_warmup(optimizer: Optimizer, total_steps: int, warmup: float = 0) -> LambdaLR:
    r"""Returns a scheduler that takes the learning rate to zero in a straight line, after a warm-up if there is one.

    .. math::
        m_t = \begin{cases} (t + 1) / W & t < W \\ 1 - (t - W) / (T - W) & t \ge W \end{cases}

    Step :math:`t = 0, \dots, T - 1` has the optimizer's learning rate times :math:`m_t`; the last one has
    :math:`1 / (T - W)` of it, and zero would be the next one's. A schedule that stops at a tenth of the peak gives away
    most of what a decay is good for: what counts is that zero is reached.

    Args:
        optimizer: whose learning rates are the peak's.
        total_steps: :math:`T \ge 1`.
        warmup: :math:`W`, steps of the warm-up, from 0 to ``total_steps - 1``, or, with a decimal point, :math:`W / T`.
            The default is what the theory gives; with Adam-type optimizers some hundreds of steps, or 0.05, are usual.

    Returns:
        The scheduler; call its ``step()`` after every step of the optimizer. Beyond ``total_steps`` it raises a
        ``ValueError``, as torch's ``OneCycleLR`` does.

    Raises:
        TypeError: ``optimizer`` is not one, ``total_steps`` is not whole, or ``warmup`` is no number.
        ValueError: a number is outside its range.
    """
    return scheduler(LinearDecay, optimizer, total_steps, warmup=warmup)


def linear_factor(progress: float, step: float, warmup: float) -> float:
    """Returns the factor of the learning rate.

    Args:
        progress: the share of the run that is over, in [0, 1].
        step: the share that a step takes.
        warmup: the share that the warm-up takes, in [0, 1).
    """
    rise = risen(progress, step, warmup)
    return max(0.0, (1 - progress) / (1 - warmup)) if rise is None else rise


class LinearDecay(ClosedFormSchedule):
    """Linear decay to zero, which in a session the budget's end reaches; see :func:`linear_decay_with_warmup`.

    Args:
        beside: the optimizer, or the controller that is nearer to it.
        warmup: the share of the run over which the learning rate rises, in [0, 1).
    """

    prefix = "linear"
    hyperparameters: ClassVar = {"warmup": FRACTION}
    usage = (
        "from trimtab.schedule import linear_decay_with_warmup\n"
        "total_steps = {total_steps}  # of a run\n"
        "scheduler = linear_decay_with_warmup(optimizer, total_steps, warmup={warmup})\n"
        "# after each step: scheduler.step()"
    )

    def __init__(self, beside: Optimizer | SessionController, warmup: float = 0.0) -> None:
        super().__init__(beside, warmup=warmup)

    @staticmethod
    def factor(progress: float, step: float, settings: Mapping[str, Any], /) -> float:
        """Returns a straight line up, then a straight line down to zero."""
        return linear_factor(progress, step, settings["warmup"])
