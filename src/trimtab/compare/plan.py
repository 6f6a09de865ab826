"""The plan of a comparison: which trials there are, as a function of the outcomes so far.

Every candidate gets the same number of quasi-random points in its own ranges, each for the same budget by the meter;
the best by validation loss is then run on fresh seeds, and only those runs look at the test data, once, at their end.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trimtab.compare.race import Race, Run, Terms, race
from trimtab.compare.waves import cannot_win, open_settings, wave_before
from trimtab.lab.problem import EVALUATIONS, Filling
from trimtab.study.checks import MANY, check_name, check_text, check_whole
from trimtab.study.errors import Faults, InputError
from trimtab.study.point import Point
from trimtab.study.running import Outcomes
from trimtab.study.tunable import Value, quasi_random_settings

TUNING_SEED = 0
FIRST_FINAL_SEED = 1000


LONGEST_LABEL = 300
"""Characters; with the rest of a trial's key it fits into a column of the store."""


def check_label(label: str) -> None:
    """Raises InputError unless a candidate can be called that."""
    check_text("candidate", label)
    if not label.strip() or len(label) > LONGEST_LABEL or not label.isprintable():
        raise InputError(f"candidate {label[:LONGEST_LABEL]!r}: 1 to {LONGEST_LABEL} printable characters are needed")


def _checked_seeds(seeds: Any) -> tuple[int, ...]:
    if not isinstance(seeds, tuple) or any(isinstance(seed, bool) or not isinstance(seed, int) for seed in seeds):
        raise InputError(f"final_seeds={seeds!r}: a tuple of whole numbers is needed")
    if len(set(seeds)) < len(seeds):
        raise InputError(f"final_seeds={seeds!r}: each may be there once")
    return seeds


@dataclass(frozen=True)
class Plan:
    """What is compared, and how.

    Args:
        problem: name of the problem.
        fingerprint: changes when the file of the problem does; empty where each candidate's definition says that.
        candidates: what is compared.
        trials: points tried for each candidate; 0 where nothing is tuned.
        seeds: fresh seeds.
        budget: what a run may cost, in the problem's own units; ``None`` where a run is as long as it is.
        pruning: name of the pruner for tuning trials, or ``None``.
        definition: what else may not change, by name.
        final_seeds: numbers of the fresh seeds; by default the first is 1000, and the others follow it.
        race: by what a race is decided in which seeds go only to candidates whose verdict is open; ``None`` without.

    Raises:
        InputError: a number is not positive, or something else cannot be.
    """

    problem: str
    fingerprint: str
    candidates: tuple[Filling, ...]
    trials: int
    seeds: int
    budget: int | None = None
    pruning: str | None = None
    definition: Mapping[str, Any] = field(default_factory=dict)
    final_seeds: tuple[int, ...] | None = None
    race: Terms | None = None

    def __post_init__(self) -> None:
        check_name("problem", self.problem)
        check_text("fingerprint", self.fingerprint)
        faults = Faults()
        with faults:
            check_whole("trials", self.trials, least=0, most=MANY)
        with faults:
            check_whole("seeds", self.seeds, most=MANY)
        faults.raise_any()
        if self.budget is not None:
            check_whole("budget", self.budget)
        if self.pruning is not None:
            check_text("pruning", self.pruning)
        if self.race is not None and not isinstance(self.race, Terms):
            raise InputError(f"race={self.race!r}: Terms are needed, or None")
        if self.final_seeds is not None and len(_checked_seeds(self.final_seeds)) != self.seeds:
            raise InputError(f"final_seeds={self.final_seeds!r}: {self.seeds} are needed, as many as seeds says")
        if not isinstance(self.candidates, tuple) or not self.candidates:
            raise InputError(f"candidates={self.candidates!r}: a tuple of at least one candidate is needed")
        for candidate in self.candidates:
            if not hasattr(candidate, "label"):
                raise InputError(f"candidates={self.candidates!r}: {candidate!r} is no candidate")
            check_label(candidate.label)

    def manifest(self) -> dict[str, Any]:
        """Returns what may not change when the comparison goes on, from the moment that its store is made.

        Candidates and seeds may: adding some extends the study. The number of trials may not, either, but may be chosen
        only after some of them were run.
        """
        return {
            "task": self.problem,  # as trimtab 0.1 called it in its stores
            "task_fingerprint": self.fingerprint,
            "budget": self.budget,
            "pruning": self.pruning,
            "evaluations": EVALUATIONS,
            **({} if self.race is None else {"race": True}),
            **self.definition,
        }

    def points(self, outcomes: Outcomes) -> list[Point]:
        """Returns every point that is known: all tuning trials, and the final runs of candidates that are tuned.

        The candidates take turns in the tuning, or else in the final runs, so that something is known of each soon.
        """
        tuning = [point for candidate in self.candidates for point in self._open_tuning_points(candidate, outcomes)]
        tuning.sort(key=lambda point: point.index)
        final = [point for candidate in self.candidates for point in self.final_points(candidate, outcomes)]
        if not tuning:
            final.sort(key=lambda point: point.index)
        return tuning + final

    def tuning_points(self, candidate: Filling) -> list[Point]:
        """Returns a candidate's tuning trials; none where nothing is tuned."""
        if not self.trials:
            return []
        tunables = candidate.tunables
        settings = quasi_random_settings(tunables, self.trials, TUNING_SEED)
        label = candidate.label
        return [Point(self.problem, "tune", label, i, each, TUNING_SEED, tunables) for i, each in enumerate(settings)]

    def best(self, candidate: Filling, outcomes: Outcomes) -> Point | None:
        """Returns the tuning trial with the lowest validation loss, or ``None`` if some are missing or all failed."""
        points = self.tuning_points(candidate)
        if not self._tuned(candidate, outcomes):
            return None
        finished = [(loss, point) for point in points if (loss := outcomes[point.key].loss) is not None]
        return min(finished, key=lambda pair: pair[0])[1] if finished else None

    def final_points(self, candidate: Filling, outcomes: Outcomes) -> list[Point]:
        """Returns a candidate's final runs; none before it is tuned, and of a race those that are known to be run."""
        points = self._whole_final(candidate, outcomes)
        if not points or self.race is None:
            return points
        return points[: self.raced(outcomes).seeds[candidate.label]]

    def _whole_final(self, candidate: Filling, outcomes: Outcomes) -> list[Point]:
        settings = self.chosen(candidate, outcomes)
        if settings is None:
            return []
        tunables = candidate.tunables if self.trials else {}
        return [
            Point(self.problem, "final", candidate.label, i, settings, seed, tunables)
            for i, seed in enumerate(self.seed_numbers)
        ]

    def raced(self, outcomes: Outcomes) -> Race:
        """Returns how the race stands.

        Raises:
            ValueError: it is none.
        """
        if self.race is None:
            raise ValueError("the candidates of this plan do not race")
        runs = {
            candidate.label: _ended(points, outcomes)
            for candidate in self.candidates
            if (points := self._whole_final(candidate, outcomes))
        }
        waiting = any(not self._tuned(candidate, outcomes) for candidate in self.candidates)
        return race(self.race, self.seeds, runs, waiting=waiting)

    def hopeless(self, outcomes: Outcomes, point: Point, cost: int, loss: float) -> bool:
        """Tells whether a race drops a setting whose tuning trial has reached a loss at a cost."""
        candidate = next(each for each in self.candidates if each.label == point.candidate)
        ended = [outcomes[earlier.key] for earlier in self.tuning_points(candidate)[: wave_before(point.index)]]
        return cannot_win([each for each in ended if each.status == "complete"], cost, loss, of=self.budget)

    def _open_tuning_points(self, candidate: Filling, outcomes: Outcomes) -> list[Point]:
        points = self.tuning_points(candidate)
        if self.race is None:
            return points
        return points[: open_settings([point.key in outcomes for point in points])]

    def _tuned(self, candidate: Filling, outcomes: Outcomes) -> bool:
        return all(point.key in outcomes for point in self.tuning_points(candidate))

    def chosen(self, candidate: Filling, outcomes: Outcomes) -> dict[str, Value] | None:
        """Returns the settings of a candidate's final runs, or ``None`` before it is tuned, and if it cannot be."""
        if not self.trials:
            return {}
        best = self.best(candidate, outcomes)
        return None if best is None else best.settings

    def first_points(self, candidate: Filling) -> list[Point]:
        """Returns what a candidate begins with: its tuning trials, or its final runs where nothing is tuned."""
        return self.tuning_points(candidate) if self.trials else self.final_points(candidate, {})

    @property
    def seed_numbers(self) -> Sequence[int]:
        """The numbers of the fresh seeds."""
        return range(FIRST_FINAL_SEED, FIRST_FINAL_SEED + self.seeds) if self.final_seeds is None else self.final_seeds

    @property
    def total_trials(self) -> int:
        """How many trials there are when every candidate can be tuned; of a race, at most."""
        return sum(len(self.tuning_points(candidate)) + self.seeds for candidate in self.candidates)

    def labels(self) -> Iterable[str]:
        """Returns the candidates' labels."""
        return (candidate.label for candidate in self.candidates)


def _ended(points: Sequence[Point], outcomes: Outcomes) -> tuple[Run, ...]:
    """Returns where runs ended, up to the first that has not."""
    ended = itertools.takewhile(lambda point: point.key in outcomes, points)
    return tuple(outcomes[point.key].loss for point in ended)
