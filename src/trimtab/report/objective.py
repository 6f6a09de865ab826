"""The number that candidates are compared by, as its readers know it.

Results hold it as a loss, of which less is better. Where more of it is better, the loss is its opposite, and the
functions here turn it back.
"""

from trimtab.compare.result import CandidateResult, ComparisonResult, Interval
from trimtab.study import facts


def shown(result: ComparisonResult, loss: float) -> float:
    """Returns what a loss stands for."""
    return result.problem.sign * loss


def shown_interval(result: ComparisonResult, candidate: CandidateResult) -> Interval | None:
    """Returns what a candidate's final loss stands for."""
    loss = candidate.loss
    if loss is None or result.problem.sign > 0:
        return loss
    low, high = loss.high, loss.low
    return Interval(-loss.mean, None if low is None else -low, None if high is None else -high)


def better(result: ComparisonResult) -> str:
    """Returns which side is the better one."""
    return "lower" if result.problem.sign > 0 else "higher"


def brief(result: ComparisonResult) -> str:
    """Returns a name for the head of a column."""
    return facts.brief(result.problem.objective.name)


def costs(result: ComparisonResult) -> str:
    """Returns the unit in which the course of a run is counted."""
    return result.problem.cost.many
