"""What a worker does with a point of a comparison."""

import functools
import socket
from dataclasses import dataclass

from trimtab.compare.candidate import parse_candidates
from trimtab.compare.measuring import measure
from trimtab.compare.plan import EVALUATIONS
from trimtab.lab.loading import load_task
from trimtab.lab.session import Session
from trimtab.lab.task import Task
from trimtab.lab.trial import run_trial
from trimtab.lab.work import TrainingWork
from trimtab.study.errors import InputError, UnfitWorkerError
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Reporter


@dataclass(frozen=True)
class ComparisonWork(TrainingWork):
    """Runs one trial; small, because it is sent to every worker, which then loads the task by itself.

    Args:
        task: reference of the task.
        budget: sample-gradients of a run.
        device: where models and batches are, as workers call it.
    """

    task: str
    budget: int
    device: str = "cpu"

    def __call__(self, point: Point, report: Reporter) -> Outcome:
        """Trains the candidate that the point's group names with the point's settings and seed, or measures it.

        Raises:
            UnfitWorkerError: the task cannot be loaded here.
        """
        task = _task(self.task)
        (candidate,) = parse_candidates(point.candidate)

        def make_session() -> Session:
            return Session(
                task,
                lambda model: candidate.optimizer(model, point.settings),
                seed=point.seed,
                budget=self.budget,
                device=self.device,
            )

        if point.phase == "measure":
            return measure(make_session)
        return run_trial(make_session, evaluations=EVALUATIONS, test=point.final, report=report)


@functools.cache
def _task(reference: str) -> Task:
    try:
        return load_task(reference)
    except InputError as error:  # the program that plans the comparison could
        raise UnfitWorkerError(f"on {socket.gethostname()}, where a trial was to run: {error}") from error
