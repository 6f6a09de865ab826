"""What a worker does with a point of a comparison over several tasks."""

from collections.abc import Mapping
from dataclasses import dataclass

from trimtab.compare.work import ComparisonWork
from trimtab.lab.trial import Outcome, Point, Reporter


@dataclass(frozen=True)
class WorkOverTasks:
    """Runs one trial of whichever task its point belongs to.

    Args:
        works: what is done with the points of a task, by its name.
    """

    works: Mapping[str, ComparisonWork]

    def __call__(self, point: Point, report: Reporter) -> Outcome:
        """Trains a candidate on the task with which the point's group begins."""
        return self.works[point.group.split("/", 1)[0]](point, report)
