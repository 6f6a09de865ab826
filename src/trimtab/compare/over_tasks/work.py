"""What a worker does with a point of a comparison over several tasks."""

from collections.abc import Mapping
from dataclasses import dataclass

from trimtab.compare.work import ComparisonWork
from trimtab.lab.work import TrainingWork
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Reporter


@dataclass(frozen=True)
class WorkOverTasks(TrainingWork):
    """Runs one trial of whichever task its point belongs to.

    Args:
        works: what is done with the points of a task, by its name.
    """

    works: Mapping[str, ComparisonWork]

    def __call__(self, point: Point, report: Reporter) -> Outcome:
        """Trains a candidate on the task that the point names."""
        return self.works[point.problem](point, report)
