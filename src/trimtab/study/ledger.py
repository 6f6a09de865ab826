"""What is done of a study, what is left, and how long that will take; knows no terminal."""

import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.remaining import Durations, Key, Missing, Remaining, estimate, pace_of_late
from trimtab.study.running import Outcomes

FRESH = 1.0
"""Seconds for which an estimate is counted down rather than made anew, unless a trial ends."""

Seeds: TypeAlias = int | Mapping[str, int] | None
"""Final runs of each candidate: everywhere, or by problem; ``None`` where that is not known."""

_RECENT = 600.0
"""Seconds, at least, over which the share of other processes in the work is measured."""


Again: TypeAlias = Callable[[int], int]
"""Tells how many tuning trials with further seeds follow the first ones of so many settings."""


def no_more(_settings: int) -> int:
    """Says that there are none."""
    return 0


@dataclass
class Group:
    """What is known of one candidate.

    Args:
        planned: known trials by phase.
        again: known tuning trials with further seeds.
        done: those that have an outcome.
        best: lowest tuning loss so far; where nothing is tuned, lowest loss of the final runs.
        diverged: how many trials diverged.
        failed: how many trials failed.
        durations: of the trials that are done.
    """

    planned: Counter[str] = field(default_factory=Counter)
    again: int = 0
    done: Counter[str] = field(default_factory=Counter)
    best: float | None = None
    diverged: int = 0
    failed: int = 0
    durations: Durations = field(default_factory=Durations)

    @property
    def phase(self) -> str:
        """``final`` once there are final runs, which a candidate that failed never has."""
        return "final" if self.planned["final"] else "tune"

    @property
    def tuned(self) -> bool:
        """Whether every known tuning trial is done."""
        return self.done["tune"] == self.planned["tune"]

    def record(self, phase: str, outcome: Outcome) -> None:
        """A trial has an outcome."""
        self.done[phase] += 1
        self.diverged += outcome.status == "diverged"
        self.failed += outcome.status == "failed"
        if outcome.loss is not None and (phase == "tune" or not self.planned["tune"]):
            self.best = outcome.loss if self.best is None else min(self.best, outcome.loss)
        if phase == "final":
            self.durations.final.append(outcome.seconds)
        else:
            self.durations.tuning.append(outcome.seconds)
            if outcome.status == "complete":
                self.durations.whole.append(outcome.seconds)

    def unplanned(self, seeds: int) -> int:
        """How many final runs will be planned when the tuning is over, unless all of it fails."""
        return 0 if self.planned["final"] or self._useless else seeds

    @property
    def _useless(self) -> bool:
        """Whether all of its tuning has failed."""
        return self.tuned and self.planned["tune"] > 0 and self.best is None

    def unplanned_tuning(self, again: Again) -> int:
        """How many tuning trials with further seeds will be planned when each setting has run once."""
        if self.again or self.planned["final"] or self._useless:
            return 0
        return again(self.planned["tune"])


def key_of(point: Point) -> Key:
    """Returns the problem and the candidate."""
    return point.problem, point.candidate


class Ledger:
    """Counts what is done and estimates what is left.

    Args:
        seeds: returns the number of final runs of each candidate, or problem to that number, as far as they are not
            known to the design yet; ``None`` takes the number of the first candidate that is tuned.
        clock: returns seconds.
        workers: how many trials run at once here; as many as usually do by default.
        again: name of a problem to how many tuning trials with further seeds there will be.
    """

    def __init__(
        self,
        seeds: Callable[[], Seeds] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        workers: int | None = None,
        again: Callable[[str], Again] = lambda _problem: no_more,
    ) -> None:
        self.groups: dict[Key, Group] = {}
        self._seeds = seeds
        self._clock = clock
        self._workers, self._again = workers, again
        self._at_once: deque[int] = deque(maxlen=50)
        self._points: dict[str, Point] = {}
        self._done: set[str] = set()
        self._order: list[tuple[Key, float]] = []
        self._running: dict[str, float] = {}
        self._first_start: float | None = None
        self._others: deque[tuple[float, float]] = deque()
        self._made: tuple[float, Remaining | None] | None = None

    def plan(self, points: Sequence[Point], outcomes: Outcomes) -> None:
        """Takes in the design; what has an outcome already counts as done."""
        for point in points:
            if point.key not in self._points:
                self._made = None
                self._points[point.key] = point
                group = self.groups.setdefault(key_of(point), Group())
                group.planned[point.phase] += 1
                group.again += point.phase == "tune" and point.seed > 0
                if point.key in outcomes:
                    self._count(point, outcomes[point.key])

    def start(self, point: Point, elapsed: float = 0.0) -> None:
        """A trial runs, and has for so many seconds."""
        now = self._clock()
        self._running[point.key] = now - elapsed
        self._first_start = now if self._first_start is None else self._first_start

    def finish(self, point: Point, outcome: Outcome) -> None:
        """A trial has an outcome; one that was not seen to start was another process's."""
        if self._running.pop(point.key, None) is not None:
            # its worker has usually started on another one before this is written
            self._at_once.append(max(1, len(self._running)))
        elif point.key not in self._done:
            self._others.append((self._clock(), outcome.seconds))
        self.record(point, outcome)

    def record(self, point: Point, outcome: Outcome) -> None:
        """A trial has an outcome, and is the last one so far."""
        if point.key not in self._done and outcome.status == "complete":
            self._order.append((key_of(point), outcome.seconds))
        self._count(point, outcome)

    def _count(self, point: Point, outcome: Outcome) -> None:
        self._made = None
        if point.key not in self._done:
            self._done.add(point.key)
            self.groups[key_of(point)].record(point.phase, outcome)

    @property
    def seeds(self) -> Seeds:
        """Final runs of each candidate, or by problem, if that is known."""
        known = self._seeds()
        if known is None:
            known = max((group.planned["final"] for group in self.groups.values()), default=0) or None
        return known

    def seeds_of(self, problem: str) -> int | None:
        """Returns the number of final runs of each candidate on a problem, if that is known."""
        seeds = self.seeds
        return seeds.get(problem) if isinstance(seeds, Mapping) else seeds

    def again_on(self, problem: str) -> Again:
        """Returns what tells how many tuning trials with further seeds a candidate has on a problem."""
        return self._again(problem)

    @property
    def done(self) -> int:
        """How many trials have an outcome."""
        return len(self._done)

    @property
    def total(self) -> int:
        """How many trials there will be, as far as can be told."""
        return sum(
            group.planned.total()
            + group.unplanned_tuning(self._again(problem))
            + group.unplanned(self.seeds_of(problem) or 0)
            for (problem, _), group in self.groups.items()
        )

    @property
    def best(self) -> tuple[str, float] | None:
        """The candidate whose best is the lowest, and that loss; none over several problems."""
        if len({problem for problem, _ in self.groups}) > 1:
            return None
        known = [(group.best, label) for (_, label), group in self.groups.items() if group.best is not None]
        return min(known)[::-1] if known else None

    @property
    def trouble(self) -> tuple[int, int]:
        """How many trials diverged, and how many failed."""
        groups = self.groups.values()
        return sum(group.diverged for group in groups), sum(group.failed for group in groups)

    def remaining(self) -> Remaining | None:
        """Returns how long it will take from now; ``None`` while nothing has ended, or nothing has started."""
        now = self._clock()
        if self._made is None or now - self._made[0] >= FRESH:
            self._made = (now, self._remaining(now))
        made, left = self._made
        if left is None:
            return None
        since = now - made
        seconds, low, high = (max(0.0, each - since) for each in (left.seconds, left.low, left.high))
        return Remaining(seconds, low, high, None if left.least is None else max(0.0, left.least - since))

    def _remaining(self, now: float) -> Remaining | None:
        workers = self._workers or statistics.median_low(self._at_once or [len(self._running)])
        others = self._other_workers(now)
        if not workers + others:
            return None
        known = {key: group.durations for key, group in self.groups.items()}
        return estimate(known, self._missing(now, others), workers + others, pace_of_late(self._order))

    def _missing(self, now: float, others: int) -> list[Missing]:
        """The trials without an outcome, in the order in which they will be run."""
        missing = []
        for point in self._points.values():
            if point.key in self._done:
                continue
            elapsed = None
            if point.key in self._running:
                elapsed = max(0.0, now - self._running[point.key])
            elif others:
                others -= 1
                elapsed = 0.0
            missing.append(Missing(key_of(point), point.phase, elapsed))
        for key, group in self.groups.items():
            missing += [Missing(key, "tune")] * group.unplanned_tuning(self._again(key[0]))
            missing += [Missing(key, "final")] * group.unplanned(self.seeds_of(key[0]) or 0)
        return missing

    def _other_workers(self, now: float) -> int:
        """How many trials other processes run at once: what they have done lately, over the time."""
        longest = max((seconds for _, seconds in self._others), default=0.0)
        start = now if self._first_start is None else self._first_start
        since = max(start, now - max(_RECENT, 4 * longest))
        while self._others and self._others[0][0] < since:
            self._others.popleft()
        work = sum(seconds for _, seconds in self._others)
        return round(work / max(now - since, longest)) if work else 0
