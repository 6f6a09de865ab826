"""What runs are timed until: the problem's target, or where the reference ends."""

import statistics as standard_statistics
from collections.abc import Sequence

from trimtab.study.facts import Facts
from trimtab.study.outcome import Outcome
from trimtab.study.statistics import first_reaching


class Target:
    """The problem's target, or without one the median loss at which the reference ends; of two medians the higher one.

    It is a median and not a mean, so that more than half of the reference's own runs reach it, whatever one of them
    does. (AlgoPerf's targets are medians over seeds as well.)

    Args:
        facts: of the problem.
        reference_losses: where the final runs of the reference end, if all of them did.
        reference: its label.
    """

    def __init__(self, facts: Facts, reference_losses: Sequence[float] | None, reference: str) -> None:
        self._facts = facts
        self._end: float | None = None
        self.words = "none: the reference has no complete runs"
        solved, objective = facts.solved, facts.objective
        if solved.target is not None:
            self.words = solved.goal
        elif reference_losses:
            self._end = standard_statistics.median_high(reference_losses)
            sign = "<=" if facts.sign > 0 else ">="
            self.words = f"{objective.name} {sign} {facts.sign * self._end:.4g}, the median at which {reference} ends"

    def costs(self, runs: Sequence[Outcome]) -> list[float]:
        """Returns the cost at which each run reached the target, of those that did and came to their end.

        A run that diverged or failed kept nothing of what it had on the way.
        """
        found = [self._reached(run) for run in runs if run.status == "complete"]
        return [cost for cost in found if cost is not None]

    def _reached(self, run: Outcome) -> float | None:
        facts, solved = self._facts, self._facts.solved
        curve = run.curve[-1:] if facts.true_at_end else run.curve  # looks before it were lucky, perhaps
        costs = [point.cost for point in curve]
        if solved.target is not None:
            quoted = solved is facts.quoted
            values = [point.metric if quoted else facts.sign * point.loss for point in curve]
            return first_reaching(costs, values, solved.target, solved.direction)
        return None if self._end is None else first_reaching(costs, [p.loss for p in curve], self._end, "min")
