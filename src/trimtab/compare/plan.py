"""The plan of a comparison: which trials there are, as a function of the outcomes so far.

Every candidate gets the same number of quasi-random points in its own ranges, each for the same budget by the meter;
the best by validation loss is then run on fresh seeds, and only those runs look at the test data, once, at their end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trimtab.compare.candidate import Candidate
from trimtab.compare.result import Phase
from trimtab.lab.errors import InputError
from trimtab.lab.study import Outcomes
from trimtab.lab.trial import Point
from trimtab.lab.tunable import quasi_random_settings

TUNING_SEED = 0
FIRST_FINAL_SEED = 1000
EVALUATIONS = 20


@dataclass(frozen=True)
class Plan:
    """What is compared, and how.

    Args:
        task: name of the task.
        task_fingerprint: changes when the task does.
        candidates: what is compared.
        trials: points tried for each candidate.
        seeds: fresh seeds.
        budget: sample-gradients of a run.
        pruning: name of the pruner for tuning trials, or ``None``.

    Raises:
        InputError: a number is not positive.
    """

    task: str
    task_fingerprint: str
    candidates: tuple[Candidate, ...]
    trials: int
    seeds: int
    budget: int
    pruning: str | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "seeds", "budget"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: a positive number is needed")

    def manifest(self) -> dict[str, Any]:
        """Returns what may not change when the comparison goes on.

        Candidates and seeds may: adding some extends the study.
        """
        return {
            "task": self.task,
            "task_fingerprint": self.task_fingerprint,
            "trials": self.trials,
            "budget": self.budget,
            "pruning": self.pruning,
            "evaluations": EVALUATIONS,
        }

    def points(self, outcomes: Outcomes) -> list[Point]:
        """Returns every point that is known: all tuning trials, and the final runs of candidates that are tuned."""
        tuning = [point for candidate in self.candidates for point in self.tuning_points(candidate)]
        return tuning + [point for candidate in self.candidates for point in self.final_points(candidate, outcomes)]

    def group(self, phase: Phase, candidate: Candidate) -> str:
        """Returns the name under which trials are kept."""
        return f"{self.task}/{phase}/{candidate.label}"

    def tuning_points(self, candidate: Candidate) -> list[Point]:
        """Returns a candidate's tuning trials."""
        tunables = candidate.tunables
        settings = quasi_random_settings(tunables, self.trials, TUNING_SEED)
        group = self.group("tune", candidate)
        return [Point(group, i, values, TUNING_SEED, tunables=tunables) for i, values in enumerate(settings)]

    def best(self, candidate: Candidate, outcomes: Outcomes) -> Point | None:
        """Returns the tuning trial with the lowest validation loss, or ``None`` if some are missing or all failed."""
        points = self.tuning_points(candidate)
        if any(point.key not in outcomes for point in points):
            return None
        finished = [(loss, point) for point in points if (loss := outcomes[point.key].loss) is not None]
        return min(finished, key=lambda pair: pair[0])[1] if finished else None

    def final_points(self, candidate: Candidate, outcomes: Outcomes) -> list[Point]:
        """Returns a candidate's final runs; none before it is tuned."""
        best = self.best(candidate, outcomes)
        if best is None:
            return []
        group = self.group("final", candidate)
        return [
            Point(group, i, best.settings, FIRST_FINAL_SEED + i, test=True, tunables=best.tunables)
            for i in range(self.seeds)
        ]

    @property
    def total_trials(self) -> int:
        """How many trials there are when every candidate can be tuned."""
        return sum(len(self.tuning_points(candidate)) + self.seeds for candidate in self.candidates)

    def labels(self) -> Iterable[str]:
        """Returns the candidates' labels."""
        return (candidate.label for candidate in self.candidates)
