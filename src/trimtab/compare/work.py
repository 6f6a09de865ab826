"""What a worker does with a point of a comparison."""

import functools
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trimtab.lab.problem import Filling, Problem, SteppedProblem, Workplace
from trimtab.lab.work import NEEDED, begin_training
from trimtab.study.errors import InputError, UnfitWorkerError
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Reporter


@dataclass(frozen=True)
class Work:
    """Runs one trial; small, because it is sent to every worker, which then loads problems by itself.

    Args:
        problems: name to the problem, or to the reference by which workers load it.
        candidates: name to label to candidate.
        budgets: name to what a run may use.
        place: where runs take place.
        modules: what workers import sooner or later.
    """

    problems: Mapping[str, Problem | str]
    candidates: Mapping[str, Mapping[str, Filling]]
    budgets: Mapping[str, int | None]
    place: Workplace
    modules: tuple[str, ...] = field(default=NEEDED)

    def begin(self, threads: int) -> None:
        """Prepares a worker for training, if that is what it will do."""
        if "torch" in self.modules:
            begin_training(threads)

    def __call__(self, point: Point, report: Reporter) -> Outcome:
        """Runs the trial that a point names, or looks at what it would be.

        Raises:
            UnfitWorkerError: the problem cannot be loaded here.
        """
        problem, budget = self._problem(point.problem), self.budgets[point.problem]
        build = self.candidates[point.problem][point.candidate].build(point.settings)
        if point.phase == "check":
            return _checked(lambda: problem.attempt(build, point, budget=budget, place=self.place))
        if point.phase == "measure" and isinstance(problem, SteppedProblem):
            from trimtab.compare.measuring import measure

            stepped = problem
            return measure(lambda: stepped.start(build, seed=point.seed, budget=budget, place=self.place))
        return problem.trial(build, point, budget=budget, report=report, place=self.place)

    def _problem(self, name: str) -> Problem:
        found = self.problems[name]
        return _loaded(found) if isinstance(found, str) else found


def _checked(attempt: Callable[[], None]) -> Outcome:
    try:
        attempt()
    except UnfitWorkerError:
        raise
    except (Exception, SystemExit) as error:
        return Outcome("failed", error=f"{type(error).__name__}: {error}")
    return Outcome("complete")


@functools.cache
def _loaded(reference: str) -> Problem:
    from trimtab.lab.loading import load_problem

    try:
        return load_problem(reference)
    except InputError as error:  # the program that plans the comparison could
        raise UnfitWorkerError(f"on {socket.gethostname()}, where a trial was to run: {error}") from error
