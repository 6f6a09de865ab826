"""What all trackers share: which trials are logged, when, once, and under which names."""

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from trimtab.study.callbacks import StudyAbout
from trimtab.study.errors import InputError
from trimtab.study.facts import Facts
from trimtab.study.outcome import Outcome, is_measured
from trimtab.study.point import Point
from trimtab.study.running import Outcomes
from trimtab.study.tunable import Value

MOST_FAULTS = 3
"""So many trials in a row that cannot be logged, of different candidates if possible: others are left for later."""


@dataclass(frozen=True)
class LoggedTrial:
    """A trial that has ended, as trackers show it.

    Args:
        about: its study.
        point: what it was.
        outcome: what became of it.
    """

    about: StudyAbout
    point: Point
    outcome: Outcome

    @property
    def facts(self) -> Facts:
        """What a reader has to know of its problem."""
        return self.about.facts[self.point.problem]

    @property
    def path(self) -> tuple[str, ...]:
        """Its name in parts: the problem where there are several, the candidate, and which run of it."""
        point = self.point
        run = f"seed-{point.seed}" if point.final else f"{point.phase}-{point.index:02d}"
        return (*([point.problem] if len(self.about.facts) > 1 else []), point.candidate, run)

    @property
    def name(self) -> str:
        """Its name: by it runs are sorted and filtered."""
        return "/".join(self.path)

    @property
    def group(self) -> str:
        """What the runs of one candidate on one problem share."""
        return "/".join(self.path[:-1])

    @property
    def tags(self) -> dict[str, str]:
        """What it may be filtered by."""
        point = self.point
        found = {"problem": point.problem, "candidate": point.candidate, "phase": point.phase}
        return {**found, "status": self.outcome.status}

    @property
    def settings(self) -> dict[str, Value]:
        """What was tuned, by names as tables for notebooks have them, and the seed."""
        settings = {f"setting.{name}": value for name, value in self.point.settings.items()}
        return {**settings, "seed": self.point.seed}

    @property
    def curve(self) -> Iterator[tuple[float, dict[str, float]]]:
        """Cost and values at each moment: the objective as readers know it, what is quoted, the training loss."""
        facts = self.facts
        for moment in self.outcome.curve:
            values = {facts.objective.name: facts.sign * moment.loss}
            if facts.quoted is not None:
                values[facts.quoted.name] = moment.metric
            if moment.train_loss is not None:
                values["training loss"] = moment.train_loss
            yield moment.cost, {name: value for name, value in values.items() if is_measured(value)}

    @property
    def ends(self) -> dict[str, float]:
        """Where it ended, what else was measured of it, and what it cost."""
        facts, outcome = self.facts, self.outcome
        values = {
            f"final/{facts.objective.name}": None if outcome.loss is None else facts.sign * outcome.loss,
            **({} if facts.quoted is None else {f"final/{facts.quoted.name}": outcome.metric}),
            **{f"final/{name}": value for name, value in outcome.measures.items()},
            f"final/{facts.cost.many}": outcome.cost,
            "final/seconds": outcome.seconds,
        }
        return {name: value for name, value in values.items() if value is not None and is_measured(value)}


class TrialLog(ABC):
    """A callback that logs each trial as a run, whole and once, when its outcome is recorded.

    Trials that were finished before are logged when the comparison goes on. Those that other machines finish while this
    one is at work are theirs to log: at the end, they are if they are missing.
    """

    def __init__(self) -> None:
        self._about: StudyAbout | None = None
        self._planned = False
        self._ours: set[str] = set()
        self._logged: set[str] = set()
        self._waiting: dict[str, LoggedTrial] = {}

    @property
    def about(self) -> StudyAbout:
        """The study that it is told of.

        Raises:
            InputError: of none yet.
        """
        if self._about is None:
            raise InputError(f"{type(self).__name__} is told of no comparison: give it as one of its callbacks")
        return self._about

    @abstractmethod
    def log(self, trial: LoggedTrial) -> None:
        """Logs a trial, unless it is logged already."""

    def begun(self, about: StudyAbout) -> None:
        """It is told of this study from now on."""
        TrialLog.__init__(self)
        self._about = about

    def planned(self, points: list[Point], outcomes: Outcomes) -> None:
        """The design knows of these points; some have outcomes already."""
        for point in points:
            if point.key in outcomes and point.key not in self._logged:
                self._waiting.setdefault(point.key, LoggedTrial(self.about, point, outcomes[point.key]))
        if not self._planned:
            self._planned = True
            self._log_waiting()

    def started(self, point: Point) -> None:
        """A trial has started, here."""
        self._ours.add(point.key)

    def finished(self, point: Point, outcome: Outcome) -> None:
        """A trial's outcome is recorded."""
        trial = LoggedTrial(self.about, point, outcome)
        self._waiting[point.key] = trial
        if point.key in self._ours:
            self._log(trial)

    def ended(self) -> None:
        """Nothing more will come."""
        self._log_waiting()

    def _log(self, trial: LoggedTrial) -> None:
        self.log(trial)
        self._logged.add(trial.point.key)
        del self._waiting[trial.point.key]

    def _log_waiting(self) -> None:
        errors: list[Exception] = []
        faults, left, again = 0, list(self._waiting.values()), []
        while left and faults < MOST_FAULTS:
            trial = left.pop(0)
            try:
                self._log(trial)
                faults = 0
            except Exception as error:
                errors.append(error)
                faults += 1
                again.append(trial)
                left.sort(key=lambda other: other.group == trial.group)  # it may be the candidate: others go first
        # the next time begins with what was not tried, so that what cannot be logged keeps nothing else from it
        self._waiting = {trial.point.key: trial for trial in (*left, *again)}
        if errors:
            raise errors[0]


def check_package(who: str, module: str, package: str) -> None:
    """Raises InputError unless a package is installed, with the line that does it."""
    if importlib.util.find_spec(module) is None:
        raise InputError(f"{who} needs {package}: pip install {package}")
