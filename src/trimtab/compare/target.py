"""What runs are timed until: the task's target, or where the reference ends."""

import statistics as standard_statistics
from collections.abc import Sequence

from trimtab.study.facts import TaskFacts
from trimtab.study.outcome import Outcome
from trimtab.study.statistics import first_reaching


class Target:
    """The task's target, or without one the median loss at which the reference ends; of two medians the higher one.

    It is a median and not a mean, so that more than half of the reference's own runs reach it, whatever one of them
    does. (AlgoPerf's targets are medians over seeds as well.)

    Args:
        task: facts about the task.
        reference_losses: where the final runs of the reference end, if all of them did.
        reference: its label.
    """

    def __init__(self, task: TaskFacts, reference_losses: Sequence[float] | None, reference: str) -> None:
        self._task = task
        self._end: float | None = None
        self.words = "none: the reference has no complete runs"
        if task.target is not None:
            sign = ">=" if task.direction == "max" else "<="
            self.words = f"validation {task.metric} {sign} {task.target:g}"
        elif reference_losses:
            self._end = standard_statistics.median_high(reference_losses)
            sign = "<=" if task.sign > 0 else ">="
            self.words = f"{task.objective} {sign} {task.sign * self._end:.4g}, the median at which {reference} ends"

    def costs(self, runs: Sequence[Outcome]) -> list[float]:
        """Returns the cost at which each run reached the target, of those that did."""
        found = [self._reached(run) for run in runs]
        return [cost for cost in found if cost is not None]

    def _reached(self, run: Outcome) -> float | None:
        costs = [point.cost for point in run.curve]
        if self._task.target is not None:
            return first_reaching(costs, [p.metric for p in run.curve], self._task.target, self._task.direction)
        return None if self._end is None else first_reaching(costs, [p.loss for p in run.curve], self._end, "min")
