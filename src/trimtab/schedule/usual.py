"""The schedules that people use, each with a warm-up: adaptive schedules are compared with them, recipes made of them.

All multiply the learning rate of an optimizer with a factor that is known before the run. The warm-up is a straight
line up, over a share of the run, or in a loop of one's own over so many steps.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from trimtab.lab.controller import SessionController
from trimtab.primitives.hyperparameters import FRACTION, Interval
from trimtab.schedule.closed_form import ClosedFormSchedule, risen, scheduler
from trimtab.schedule.controlled import SOME_STEPS

BEYOND_ZERO = Interval(0.0, 1.0, open=True)


def _lines(function: str, **more: str) -> str:
    """Lines to paste that call one of the functions below."""
    arguments = "".join(f", {name}={{{setting}}}" for name, setting in more.items())
    return (
        f"from trimtab.schedule import {function}\n"
        "total_steps = {total_steps}  # of a run\n"
        f"scheduler = {function}(optimizer, total_steps, warmup={{warmup}}{arguments})\n"
        "# after each step: scheduler.step()"
    )


def constant_with_warmup(optimizer: Optimizer, total_steps: int, warmup: float = 0) -> LambdaLR:
    """Returns a scheduler that leaves the learning rate as it is, after a warm-up.

    Args:
        optimizer: whose learning rates are the peak's.
        total_steps: of the run; see :func:`~trimtab.schedule.closed_form.scheduler`, also for what is raised.
        warmup: steps of the warm-up, or, with a decimal point, its share of the run: 0.05.
    """
    return scheduler(ConstantRate, optimizer, total_steps, warmup=warmup)


def cosine_with_warmup(optimizer: Optimizer, total_steps: int, warmup: float = 0) -> LambdaLR:
    r"""Returns a scheduler that goes down half a cosine to zero, :math:`(1 + \cos \pi u) / 2`, after a warm-up.

    Here :math:`u` is the share of the rest of the run that is over (Loshchilov & Hutter, 2016, arXiv:1608.03983).

    Args:
        optimizer: whose learning rates are the peak's.
        total_steps: of the run; see :func:`~trimtab.schedule.closed_form.scheduler`, also for what is raised.
        warmup: steps of the warm-up, or, with a decimal point, its share of the run: 0.05.
    """
    return scheduler(CosineDecay, optimizer, total_steps, warmup=warmup)


def wsd_with_warmup(optimizer: Optimizer, total_steps: int, warmup: float = 0, decay: float = 0.2) -> LambdaLR:
    r"""Returns a scheduler of warm-up, stable phase and decay (Hägele et al., 2024, arXiv:2405.18392).

    The decay takes the last share ``decay`` of the run and goes to zero as :math:`1 - \sqrt{u}`, which the paper finds
    better than a straight line; :math:`u` is the share of the decay that is over.

    Args:
        optimizer: whose learning rates are the peak's.
        total_steps: of the run; see :func:`~trimtab.schedule.closed_form.scheduler`, also for what is raised.
        warmup: steps of the warm-up, or, with a decimal point, its share of the run: 0.05.
        decay: in (0, 1). The default is what the paper advises.
    """
    return scheduler(WarmupStableDecay, optimizer, total_steps, warmup=warmup, decay=decay)


def one_cycle_with_warmup(optimizer: Optimizer, total_steps: int, warmup: float | None = None) -> LambdaLR:
    """Returns a scheduler that goes up along half a cosine and down along another one (Smith & Topin, 2018).

    The rates are those of ``torch.optim.lr_scheduler.OneCycleLR``, which starts at a 25th of the peak and ends at a
    ten-thousandth of that; the momentum stays as it is.

    Args:
        optimizer: whose learning rates are the peak's.
        total_steps: of the run; see :func:`~trimtab.schedule.closed_form.scheduler`, also for what is raised.
        warmup: steps until the peak, or, with a decimal point, the share of the run; 0.3 by default, as in torch.
    """
    return scheduler(OneCycle, optimizer, total_steps, warmup=OneCycle.usual if warmup is None else warmup)


def inverse_sqrt_with_warmup(optimizer: Optimizer, total_steps: int, warmup: float) -> LambdaLR:
    r"""Returns a scheduler that decays as one over the root of the steps (Vaswani et al., 2017, arXiv:1706.03762).

    After :math:`W` steps of warm-up the factor at step :math:`t` is :math:`\sqrt{W / t}`: how long the run will be, it
    does not need to know.

    Args:
        optimizer: whose learning rates are the peak's.
        total_steps: of the run; see :func:`~trimtab.schedule.closed_form.scheduler`, also for what is raised.
        warmup: steps of the warm-up, or, with a decimal point, its share of the run: 0.05; not zero.
    """
    if warmup == 0 and not isinstance(warmup, bool):
        raise ValueError(f"warmup={warmup}: the inverse root decays from the end of a warm-up")
    return scheduler(InverseSqrt, optimizer, total_steps, warmup=warmup)


class _WithWarmup(ClosedFormSchedule):
    """A schedule that begins with a warm-up.

    Args:
        beside: the optimizer, or the controller that is nearer to it.
        warmup: the share of the run over which the learning rate rises, in [0, 1).
    """

    hyperparameters: ClassVar = {"warmup": FRACTION}

    def __init__(self, beside: Optimizer | SessionController, warmup: float = 0.0) -> None:
        super().__init__(beside, warmup=warmup)


class ConstantRate(_WithWarmup):
    """No schedule but for a warm-up; see :func:`constant_with_warmup`."""

    prefix = "constant"
    usage = _lines("constant_with_warmup")

    @staticmethod
    def factor(progress: float, step: float, settings: Mapping[str, Any], /) -> float:
        """Returns a straight line up, then one."""
        rise = risen(progress, step, settings["warmup"])
        return 1.0 if rise is None else rise


class CosineDecay(_WithWarmup):
    """Half a cosine down to zero; see :func:`cosine_with_warmup`."""

    prefix = "cosine"
    usage = _lines("cosine_with_warmup")

    without_warmup: ClassVar = (
        "import torch\n"
        "total_steps = {total_steps}  # of a run\n"
        "scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total_steps)\n"
        "# after each step: scheduler.step()"
    )

    @classmethod
    def usage_lines(cls, settings: Mapping[str, Any], total_steps: int | None = None) -> str:
        """Returns lines to paste: torch's own schedule where there is no warm-up."""
        if float(settings.get("warmup", 0)):
            return super().usage_lines(settings, total_steps)
        return cls.without_warmup.format(total_steps=SOME_STEPS if total_steps is None else total_steps)

    @staticmethod
    def factor(progress: float, step: float, settings: Mapping[str, Any], /) -> float:
        r"""Returns a straight line up, then :math:`(1 + \cos \pi u) / 2`."""
        warmup = settings["warmup"]
        rise = risen(progress, step, warmup)
        return (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))) / 2 if rise is None else rise


class WarmupStableDecay(ClosedFormSchedule):
    """Warm-up, stable phase, decay; see :func:`wsd_with_warmup`.

    Args:
        beside: the optimizer, or the controller that is nearer to it.
        warmup: the share of the run over which the learning rate rises, in [0, 1).
        decay: the share over which it falls, in (0, 1).

    Raises:
        ValueError: the two leave nothing between them.
    """

    prefix = "wsd"
    hyperparameters: ClassVar = {"warmup": FRACTION, "decay": BEYOND_ZERO}
    usage = _lines("wsd_with_warmup", decay="decay")

    def __init__(self, beside: Optimizer | SessionController, warmup: float = 0.0, decay: float = 0.2) -> None:
        super().__init__(beside, warmup=warmup, decay=decay)

    @classmethod
    def refuse(cls, settings: Mapping[str, Any], /) -> None:
        """Refuses a warm-up and a decay that leave nothing between them."""
        if settings["warmup"] + settings["decay"] > 1:
            raise ValueError(
                "warmup={warmup:g} and decay={decay:g} of the run are more than all of it".format(**settings)
            )

    @staticmethod
    def factor(progress: float, step: float, settings: Mapping[str, Any], /) -> float:
        r"""Returns a straight line up, then one, then :math:`1 - \sqrt{u}`."""
        rise = risen(progress, step, settings["warmup"])
        if rise is not None:
            return rise
        return 1 - math.sqrt(max(0.0, 1 - (1 - progress) / settings["decay"]))


class OneCycle(_WithWarmup):
    """Up along half a cosine and down along another; see :func:`one_cycle_with_warmup`.

    Args:
        beside: the optimizer, or the controller that is nearer to it.
        warmup: the share of the run until the peak, in [0, 1).
    """

    usual: ClassVar = 0.3
    first: ClassVar = 1 / 25
    last: ClassVar = 1 / 25e4
    prefix = "onecycle"
    usage = _lines("one_cycle_with_warmup")

    def __init__(self, beside: Optimizer | SessionController, warmup: float = 0.3) -> None:
        super().__init__(beside, warmup=warmup)

    @classmethod
    def factor(cls, progress: float, step: float, settings: Mapping[str, Any], /) -> float:
        """Returns half a cosine from a 25th of the peak to it, then half a cosine down to hardly anything."""
        # as torch counts: the peak is at the last step of the rise, and the end at the last step of all
        peak, end = max(0.0, settings["warmup"] - step), max(step, 1 - step)
        if progress < peak:
            return _between(cls.first, 1.0, progress / peak)
        return _between(1.0, cls.last, min(1.0, (progress - peak) / max(step, end - peak)))


class InverseSqrt(_WithWarmup):
    """One over the root of the steps; see :func:`inverse_sqrt_with_warmup`.

    Args:
        beside: the optimizer, or the controller that is nearer to it.
        warmup: the share of the run over which the learning rate rises, in (0, 1).
    """

    prefix = "inverse_sqrt"
    hyperparameters: ClassVar = {"warmup": BEYOND_ZERO}
    usage = _lines("inverse_sqrt_with_warmup")

    def __init__(self, beside: Optimizer | SessionController, warmup: float = 0.05) -> None:
        super().__init__(beside, warmup=warmup)

    @staticmethod
    def factor(progress: float, step: float, settings: Mapping[str, Any], /) -> float:
        r"""Returns a straight line up, then :math:`\sqrt{w / u}`."""
        rise = risen(progress, step, settings["warmup"])
        return math.sqrt(settings["warmup"] / progress) if rise is None else rise


def _between(start: float, end: float, share: float) -> float:
    """Half a cosine from one value to another."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
