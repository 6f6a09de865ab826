"""The number that candidates are compared by, as its readers know it.

Results hold it as a loss, of which less is better. Where a command's metric is to be large, the loss is that metric
with the opposite sign, and the functions here turn it back.
"""

from trimtab.compare.result import CandidateResult, ComparisonResult, Interval


def shown(result: ComparisonResult, loss: float) -> float:
    """Returns what a loss stands for."""
    return result.task.sign * loss


def shown_interval(result: ComparisonResult, candidate: CandidateResult) -> Interval | None:
    """Returns what a candidate's final loss stands for."""
    loss = candidate.loss
    if loss is None or result.task.sign > 0:
        return loss
    low, high = loss.high, loss.low
    return Interval(-loss.mean, None if low is None else -low, None if high is None else -high)


def better(result: ComparisonResult) -> str:
    """Returns which side is the better one."""
    return "lower" if result.task.sign > 0 else "higher"


def brief(result: ComparisonResult) -> str:
    """Returns a name for the head of a column."""
    return "val loss" if result.task.kind == "task" else result.task.metric


def costs(result: ComparisonResult) -> str:
    """Returns the unit in which the course of a run is counted."""
    return "sample-gradients" if result.task.kind == "task" else f"reported values of {result.task.metric}"
