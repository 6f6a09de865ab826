"""The lengths of stages that begin with trials, and rates that several parameter groups share."""

import math
from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

SHORTEST_TRIAL = 8
"""Losses without which there is nothing to forecast from."""


def trial_steps(stage: int, fraction: float) -> int:
    """Returns the steps of a trial."""
    return int(stage * fraction + 1e-9)


def shortest_stage(fraction: float, candidates: int) -> int:
    """Returns the steps of the shortest stage that can be searched, search included."""
    return candidates * SHORTEST_TRIAL + math.ceil(SHORTEST_TRIAL / fraction - 1e-9)


def stage_lengths(stage: int, left: int | None, fraction: float, candidates: int) -> tuple[int, int] | None:
    """Returns the steps of a trial and of the training after the trials.

    Args:
        stage: steps of training, if nothing speaks against it.
        left: steps that the run has left; ``None`` if that is not known. A stage that does not fit is shortened, and
            one that would leave too few for another is trained to the end.
        fraction: length of a trial in stages.
        candidates: how many trials there are.

    Returns:
        The two, or ``None`` where too few steps are left for a stage.
    """
    trial, training = trial_steps(stage, fraction), stage
    if left is None:
        return trial, training
    if candidates * trial + training > left:
        training = int(left / (1 + candidates * fraction))
        trial = trial_steps(training, fraction)
        if trial < SHORTEST_TRIAL:
            return None
    rest = left - candidates * trial - training
    return trial, training + (rest if rest < shortest_stage(fraction, candidates) else 0)


def rate_ratios(optimizer: Optimizer, *, scale: bool) -> list[float]:
    """Returns each parameter group's learning rate in units of the first's.

    Raises:
        ValueError: they differ, and ``scale`` does not allow that, or the first is zero.
    """
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    if len(set(rates)) == 1:
        return [1.0] * len(rates)
    if not scale:
        raise ValueError(f"the parameter groups' rates differ, {rates}: scale_groups=True keeps their ratios")
    if rates[0] <= 0:
        raise ValueError(f"scale_groups=True: the first group's lr={rates[0]!r} must be positive")
    return [rate / rates[0] for rate in rates]


def write_rates(optimizer: Optimizer, rate: float, ratios: Sequence[float]) -> None:
    """Sets the groups' learning rates; one that is a tensor stays that tensor.

    Raises:
        ValueError: there are more groups than ratios, or fewer.
    """
    if len(ratios) != len(optimizer.param_groups):
        raise ValueError(
            f"the optimizer has {len(optimizer.param_groups)} parameter groups, and had {len(ratios)} when its rates "
            "were taken over: add groups before that, or make the controller anew"
        )
    for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * ratio)
        else:
            group["lr"] = rate * ratio
