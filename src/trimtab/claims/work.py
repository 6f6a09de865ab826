"""What a worker does with a point of a claim."""

from dataclasses import dataclass

from trimtab.claims.design import arm_name
from trimtab.claims.loading import load_reference
from trimtab.lab.problem import Workplace
from trimtab.lab.work import TrainingWork
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Reporter


@dataclass(frozen=True)
class ClaimWork(TrainingWork):
    """Runs one trial; small, because it is sent to every worker, which then loads the claim by itself.

    Args:
        reference: where the claim is, as ``module:name``.
        place: where its runs take place.
    """

    reference: str
    place: Workplace

    def __call__(self, point: Point, report: Reporter) -> Outcome:
        """Runs a trial of the arm that a point names."""
        return load_reference(self.reference).arm(arm_name(point)).outcome(point, report, self.place)
