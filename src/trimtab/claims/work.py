"""What a worker does with a point of a claim."""

import functools
from dataclasses import dataclass

from trimtab.claims.claim import Run
from trimtab.claims.design import arm_name
from trimtab.claims.loading import load_reference
from trimtab.lab.session import Session
from trimtab.lab.task import Task
from trimtab.lab.trial import run_trial
from trimtab.lab.work import TrainingWork
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Reporter


@dataclass(frozen=True)
class ClaimWork(TrainingWork):
    """Runs one trial; small, because it is sent to every worker, which then loads the claim by itself.

    Args:
        reference: where the claim is, as ``module:name``.
    """

    reference: str

    def __call__(self, point: Point, report: Reporter) -> Outcome:
        """Trains the arm that the point's group names with the point's settings and seed."""
        arm = load_reference(self.reference).arm(arm_name(point))

        def make_session() -> Session:
            task = _task(self.reference, arm.name)
            run = Run(task.steps, point.seed)
            return Session(task, lambda model: arm.optimizer(model, point.settings, run), seed=point.seed)

        return run_trial(
            make_session,
            evaluations=arm.evaluations if point.final else 1,
            test=point.final,
            report=report,
            probe=arm.probe if point.final else None,
        )


@functools.cache
def _task(reference: str, name: str) -> Task:
    return load_reference(reference).arm(name).task()
