"""The numbers that people quote of a model that learned a column."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from trimtab.lab.tables.target import Target
from trimtab.study.errors import InputError
from trimtab.study.metric import Metric
from trimtab.study.suggestions import nearest

RMSE = "RMSE"
"""What the root of the mean squared error is called."""

UNEVEN = 0.8
"""Share of the rows that the largest class may have before accuracy hides all others."""

_LARGEST = 1e100
"""A spread from which errors come near what a run has that diverged."""


@dataclass(frozen=True)
class Score:
    """A number to be quoted.

    Args:
        metric: what it is called, and which side is better.
        of: outputs and targets to the number.
    """

    metric: Metric
    of: Callable[[Tensor, Tensor], float]


def accuracy(outputs: Float[Tensor, "rows classes"], targets: Int[Tensor, " rows"]) -> float:
    """Returns the share of rows whose class is the most likely one."""
    return float(torch.eq(outputs.argmax(1), targets).double().mean())


def balanced_accuracy(outputs: Float[Tensor, "rows classes"], targets: Int[Tensor, " rows"]) -> float:
    """Returns the mean, over the classes that are there, of the share of their rows that are recognised."""
    right = torch.eq(outputs.argmax(1), targets).double()
    return float(torch.stack([right[targets == each].mean() for each in torch.unique(targets)]).mean())


def auc(outputs: Float[Tensor, "rows classes"], targets: Int[Tensor, " rows"]) -> float:
    """Returns how often a row of the second class gets more of it than a row of the first; a half where one is missing.

    Equal outputs count as a half: it is the area under the curve of true over false positives.
    """
    more = (outputs[:, 1] - outputs[:, 0]).double()
    second = int((targets == 1).sum())
    first = len(targets) - second
    if not first or not second:
        return 0.5
    _, place, ties = torch.unique(more, return_inverse=True, return_counts=True)
    ranks = (ties.cumsum(0) - (ties - 1).double() / 2)[place]  # from 1, those of equal outputs averaged
    return float((ranks[targets == 1].sum() - second * (second + 1) / 2) / (first * second))


def r2(outputs: Float[Tensor, "rows 1"], targets: Float[Tensor, " rows"]) -> float:
    """Returns the share of the targets' variance that is explained; zero where they have none."""
    spread = targets.double().var(correction=0)
    error = (outputs[:, 0] - targets).double().square().mean()
    return float(1 - error / spread) if spread > 0 else 0.0


def rmse(outputs: Float[Tensor, "rows 1"], targets: Float[Tensor, " rows"], spread: float) -> float:
    """Returns the root of the mean squared error, in the units that the spread is in."""
    return spread * float((outputs[:, 0] - targets).double().square().mean().sqrt())


def chosen_score(place: str, target: Target, spread: float, wanted: str | None) -> Score:
    """Returns the number that is quoted.

    Args:
        place: what messages call the table.
        target: what is learned.
        spread: of the training targets, which are standardised with it.
        wanted: ``accuracy``, ``balanced-accuracy`` or ``auc`` of classes, ``r2`` or ``rmse`` of numbers; the usual one
            by default.

    Raises:
        InputError: there is no such number for such a target, or it would be too large to be told from a run that
            diverged.
    """
    if target.classes:
        known = {
            "accuracy": Score(Metric("accuracy", "max", bounds=(0, 1)), accuracy),
            "balanced-accuracy": Score(Metric("balanced accuracy", "max", bounds=(0, 1)), balanced_accuracy),
        }
        if len(target.classes) == 2:
            known["auc"] = Score(Metric("AUC", "max", bounds=(0, 1)), auc)
    else:
        known = {
            "r2": Score(Metric("R²", "max", bounds=(None, 1)), r2),
            "rmse": Score(Metric(RMSE, "min", bounds=(0, None)), partial(rmse, spread=spread)),
        }
    if wanted is None:
        return known[_usual(target)]
    if not isinstance(wanted, str) or wanted not in known:
        learned = f"{len(target.classes)} classes" if target.classes else "numbers"
        raise InputError(f"{place}: metric={wanted!r} is none for {learned}; {nearest(str(wanted), known)}")
    if wanted == "rmse" and spread > _LARGEST:
        raise InputError(f"{place}: metric='rmse' would be about {spread:.1g}; give {target.name} in larger units")
    return known[wanted]


def _usual(target: Target) -> str:
    if not target.classes:
        return "r2"
    if max(target.shares) < UNEVEN:
        return "accuracy"
    return "auc" if len(target.classes) == 2 else "balanced-accuracy"
