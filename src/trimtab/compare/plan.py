"""The plan of a comparison: which trials there are, as a function of the outcomes so far.

Every candidate gets the same number of quasi-random points in its own ranges, each for the same budget by the meter,
and the best of them with further seeds (:mod:`trimtab.compare.tuning`); the best by validation loss is then run on
fresh seeds, and only those runs look at the test data, once, at their end.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trimtab.compare.race import Race, Run, Terms, race
from trimtab.compare.tuning import TUNING_SEED, Standing, Tuning, containing
from trimtab.compare.waves import cannot_win, open_settings, wave_before
from trimtab.lab.problem import EVALUATIONS, Filling
from trimtab.study.again import MOST_TUNING_SEEDS
from trimtab.study.checks import MANY, check_name, check_text, check_whole
from trimtab.study.errors import Faults, InputError
from trimtab.study.point import Point
from trimtab.study.running import Outcomes
from trimtab.study.tunable import Tunables, Value

FIRST_FINAL_SEED = MOST_TUNING_SEEDS


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
        tuning_seeds: with which the best settings are tried; in studies from before there were several, one.
        goes_on: label to the settings whose ranges may go on where the best value lies at their end.
        ranges: label to the ranges that a candidate is tuned in, where they are not those that it has today.

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
    tuning_seeds: int = 1
    goes_on: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ranges: Mapping[str, Tunables] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name("problem", self.problem)
        check_text("fingerprint", self.fingerprint)
        faults = Faults()
        with faults:
            check_whole("trials", self.trials, least=0, most=MANY)
        with faults:
            check_whole("seeds", self.seeds, most=MANY)
        with faults:
            check_whole("tuning_seeds", self.tuning_seeds, most=MOST_TUNING_SEEDS)
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

    def tunables(self, candidate: Filling) -> Tunables:
        """Returns the ranges that a candidate is tuned in."""
        return self.ranges.get(candidate.label, candidate.tunables)

    def tuning(self, candidate: Filling) -> Tuning:
        """Returns how a candidate is tuned."""
        label = candidate.label
        goes_on = tuple(self.goes_on.get(label, ()))
        return Tuning(self.problem, label, self.tunables(candidate), self.trials, self.tuning_seeds, goes_on)

    def tuned(self, candidate: Filling, outcomes: Outcomes) -> Standing:
        """Returns how far the tuning of a candidate is."""
        return self.tuning(candidate).standing(outcomes)

    def tuning_points(self, candidate: Filling, outcomes: Outcomes | None = None) -> list[Point]:
        """Returns a candidate's tuning trials, as far as outcomes tell which there are; none where nothing is tuned.

        Args:
            candidate: the candidate.
            outcomes: key to outcome; without, the first run of each setting is all that is known.
        """
        return list(self.tuned(candidate, {} if outcomes is None else outcomes).points)

    def best(self, candidate: Filling, outcomes: Outcomes) -> Point | None:
        """Returns the first run of the setting with the lowest mean validation loss over its seeds.

        Returns:
            ``None`` if some are missing or all failed.
        """
        standing = self.tuned(candidate, outcomes)
        return standing.best(outcomes) if standing.over else None

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
        tunables = containing(self.tunables(candidate), settings) if self.trials else {}
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
        if not self.may_be_pruned(point):
            return False
        candidate = next(each for each in self.candidates if each.label == point.candidate)
        ended = [outcomes[earlier.key] for earlier in self.tuning_points(candidate)[: wave_before(point.index)]]
        return cannot_win([each for each in ended if each.status == "complete"], cost, loss, of=self.budget)

    def may_be_pruned(self, point: Point) -> bool:
        """Tells whether a trial may be given up: the first run of a setting, which decides whether others follow."""
        return not point.final and point.seed == TUNING_SEED and point.index < self.trials

    def _open_tuning_points(self, candidate: Filling, outcomes: Outcomes) -> list[Point]:
        points = self.tuning_points(candidate, outcomes)
        if self.race is None:
            return points
        first = points[: self.trials]
        opened = open_settings([point.key in outcomes for point in first])
        return first[:opened] + points[len(first) :]

    def _tuned(self, candidate: Filling, outcomes: Outcomes) -> bool:
        return self.tuned(candidate, outcomes).over

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
        """How many trials there are when every candidate can be tuned and no range goes on; of a race, at most."""
        return sum(self.tuning(candidate).usual + self.seeds for candidate in self.candidates)

    @property
    def most_trials(self) -> int:
        """How many trials there are at most, with all steps that ranges may go on."""
        return sum(self.tuning(candidate).most + self.seeds for candidate in self.candidates)

    def labels(self) -> Iterable[str]:
        """Returns the candidates' labels."""
        return (candidate.label for candidate in self.candidates)


def _ended(points: Sequence[Point], outcomes: Outcomes) -> tuple[Run, ...]:
    """Returns where runs ended, up to the first that has not."""
    ended = itertools.takewhile(lambda point: point.key in outcomes, points)
    return tuple(outcomes[point.key].loss for point in ended)
