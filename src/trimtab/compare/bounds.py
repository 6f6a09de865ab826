"""What the numbers of a comparison can be at all, so that intervals do not promise more."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from trimtab.lab.measures import TEST_LOSS, TEST_METRIC
from trimtab.study.facts import Facts
from trimtab.study.metric import Metric
from trimtab.study.outcome import Outcome
from trimtab.study.statistics import Bounds

SHARES = frozenset(
    (
        "accuracy",
        "acc",
        "top1",
        "top5",
        "precision",
        "recall",
        "sensitivity",
        "specificity",
        "f1",
        "dice",
        "iou",
        "miou",
    )
) | frozenset(("auc", "auroc", "auprc", "ap", "map"))
"""Words in the names of metrics that lie between 0 and 1, or between 0 and 100 as percentages."""

DETERMINATIONS = frozenset(("r²", "r2", "determination"))
"""Words in the names of metrics that are at most 1, and may be negative without end."""


@dataclass(frozen=True)
class Ranges:
    """What losses and metrics can be.

    A loss is taken to be bounded by zero if none of the comparison was ever negative, from the first evaluation on:
    cross-entropies and errors are, logarithms of densities are not. The same goes for a metric of which nothing else is
    known, and for one that was never positive. A bound that was stated and that a value contradicts does not count.

    Args:
        loss: of losses, with the sign that makes less of it better.
        metric: of metrics.
        span: the largest difference that two losses can have, if there is one.
    """

    loss: Bounds
    metric: Bounds
    span: float | None

    @classmethod
    def of(cls, facts: Facts, outcomes: Iterable[Outcome]) -> Self:
        """Finds them for a problem, of which there are outcomes."""
        found = list(outcomes)
        points = [point for outcome in found for point in outcome.curve]
        losses = [
            *(point.loss for point in points),
            *_known(o for each in found for o in (each.loss, each.measures.get(TEST_LOSS))),
        ]
        metrics = [
            *(p.metric for p in points),
            *_known(o for each in found for o in (each.metric, each.measures.get(TEST_METRIC))),
        ]
        objective = _of_metric(facts.objective, [facts.sign * loss for loss in losses])
        metric = objective if facts.quoted is None else _of_metric(facts.quoted, metrics)
        low, high = objective
        span = None if low is None or high is None else high - low
        if facts.sign < 0:
            return cls((None if high is None else -high, None if low is None else -low), metric, span)
        return cls(objective, metric, span)


def _of_metric(metric: Metric, values: list[float]) -> Bounds:
    """What a metric can be, of which there are values."""
    if metric.bounds is not None:
        return _holding(metric.bounds, values)
    words = set(re.split(r"[\W_]+", metric.name.lower())) | {metric.name.lower()}
    if words & SHARES:
        for top in (1.0, 100.0):
            if all(0 <= value <= top for value in values):
                return 0.0, top
    if words & DETERMINATIONS:
        return _holding((None, 1.0), values)
    return on_one_side(values)


def on_one_side(values: list[float]) -> Bounds:
    """Zero as a bound, where no value lies beyond."""
    if all(value >= 0 for value in values):
        return 0.0, None
    return None, (0.0 if all(value <= 0 for value in values) else None)


def _holding(bounds: Bounds, values: list[float]) -> Bounds:
    """The bounds without those that a value contradicts."""
    low, high = bounds
    return (
        None if low is not None and any(value < low for value in values) else low,
        None if high is not None and any(value > high for value in values) else high,
    )


def _known(values: Iterable[float | None]) -> Iterable[float]:
    return (value for value in values if value is not None)
