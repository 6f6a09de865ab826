"""How long a study will still take, from the durations of its trials so far, and how sure that is.

The rest of the study is played through a number of times. Each time every trial that is missing gets a duration drawn
from those of its own candidate, trials that failed early included, in the proportion in which they occurred; a trial
that runs gets one of those that are longer than it has run already. Final runs take as long as those that are known, or
as tuning trials that came to their end. The order, the workers, and the tail in which not all of them have something to
do are those of the study. A candidate of which nothing is known borrows the durations of another one, each time of
another; since it may take a hundred times as long, what the others still take is told as well.

What else the machine does changes its pace, and may change it back. So all of this is taken times a factor, each time
another, between 1 and the pace of late: how long the last trials that came to their end took, compared with those of
the same candidate.

The range holds what was between the tenth and the ninetieth hundredth of the times.
"""

import random
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from trimtab.study.schedule import Job, seconds_together

SPREAD = 0.3
"""What a candidate's mean duration may be off by when a single trial is known, as a share; n trials: over root n."""

LATE = 12
"""Trials from which the pace of late is told."""

_TIMES = (10, 100)
_JOBS = 20_000
"""The study is played through 100 times, or less often where it is long: so many jobs in all, but 10 times at least."""


Key: TypeAlias = tuple[str, str]
"""What is tuned by itself: a candidate on a problem."""

Kind: TypeAlias = tuple[Key, str]
"""A candidate and a phase."""


@dataclass(frozen=True)
class Remaining:
    """An estimate of the time that is left.

    Args:
        seconds: the middle of the estimate.
        low: in nine cases of ten it takes longer.
        high: in nine cases of ten it does not take so long.
        least: what it takes at least, where nothing is known yet of some candidate's trials; else ``None``.
    """

    seconds: float
    low: float
    high: float
    least: float | None = None


@dataclass
class Durations:
    """What is known of how long a candidate's trials take.

    Args:
        tuning: seconds of the tuning trials that have ended, however they did.
        whole: seconds of those that came to their end.
        final: seconds of the final runs.
    """

    tuning: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    final: list[float] = field(default_factory=list)

    def of(self, phase: str) -> list[float]:
        """Returns the durations that a trial of a phase may take; empty if nothing is known."""
        if phase == "tune":
            return self.tuning or self.final
        if len(self.final) > 2:
            return self.final
        return self.final + (self.whole or self.tuning)


@dataclass(frozen=True)
class Missing:
    """A trial that has no outcome.

    Args:
        candidate: whose it is.
        phase: ``tune`` or ``final``.
        elapsed: seconds that it has run; ``None`` if it waits.
    """

    candidate: Key
    phase: str
    elapsed: float | None = None

    @property
    def kind(self) -> Kind:
        """What it shares with the trials that are like it."""
        return self.candidate, self.phase


def estimate(
    known: Mapping[Key, Durations], missing: Sequence[Missing], workers: int, pace: float = 1.0, seed: int = 0
) -> Remaining | None:
    """Estimates how long the missing trials will take from now.

    Args:
        known: candidate to the durations of its trials.
        missing: in the order in which they will be run.
        workers: how many run at once.
        pace: of late, as a factor of durations.
        seed: of the durations that are drawn.

    Returns:
        ``None`` while not one trial has ended.
    """
    if not any(durations.tuning or durations.final for durations in known.values()):
        return None
    low, middle, high = _played(known, missing, workers, pace, seed)
    priced = [trial for trial in missing if known.get(trial.candidate, Durations()).of(trial.phase)]
    least = None if len(priced) == len(missing) else _played(known, priced, workers, pace, seed)[0]
    return Remaining(middle, low, high, least)


def _played(
    known: Mapping[Key, Durations], missing: Sequence[Missing], workers: int, pace: float, seed: int
) -> tuple[float, float, float]:
    """Returns low end, middle and high end of how long it takes when it is played through."""
    lenders = [durations for durations in known.values() if durations.tuning or durations.final]
    aged: defaultdict[Kind, list[float]] = defaultdict(list)
    for trial in missing:
        if trial.elapsed is not None:
            aged[trial.kind].append(trial.elapsed)
    rest = _Rest(known, lenders, missing, aged, workers, pace)
    least, most = _TIMES
    times = min(most, max(least, _JOBS // max(1, len(missing))))
    generator = random.Random(seed)  # noqa: S311 - nothing secret
    ends = sorted(rest.play(generator) for _ in range(times))
    return ends[times // 10], ends[times // 2], ends[-1 - times // 10]


@dataclass(frozen=True)
class _Rest:
    """What is left of a study."""

    known: Mapping[Key, Durations]
    lenders: Sequence[Durations]
    missing: Sequence[Missing]
    aged: Mapping[Kind, Sequence[float]]
    workers: int
    pace: float

    def play(self, generator: random.Random) -> float:
        """Returns how long it takes once."""
        pace = 1.0 + generator.random() * (self.pace - 1.0)
        draws: dict[Kind, _Draw] = {}
        waiting: list[Job] = []
        running: list[Job] = []
        for trial in self.missing:
            if trial.kind not in draws:
                draws[trial.kind] = self._draw(trial, pace, generator)
            after = (trial.candidate, "tune") if trial.phase == "final" else None
            job = Job(trial.kind, after, draws[trial.kind].seconds(trial.elapsed))
            (waiting if trial.elapsed is None else running).append(job)
        return seconds_together(waiting, running, self.workers)

    def _draw(self, trial: Missing, pace: float, generator: random.Random) -> "_Draw":
        own = self.known.get(trial.candidate, Durations()).of(trial.phase)
        ended = own or generator.choice(self.lenders).of(trial.phase)
        ended = [pace * seconds for seconds in ended]
        return _Draw(ended, self.aged.get(trial.kind, ()), generator, certain=bool(own))


def pace_of_late(order: Sequence[tuple[Key, float]]) -> float:
    """Returns what the last durations are times those of the same candidates in all.

    Args:
        order: candidate and seconds of the trials that came to their end, the last one last.

    Returns:
        1 where there are too few, or where they scatter too much to say.
    """
    if len(order) < 2 * LATE:
        return 1.0
    all_of: defaultdict[Key, list[float]] = defaultdict(list)
    for key, seconds in order:
        all_of[key].append(seconds)
    ratios = [seconds / max(1e-9, statistics.mean(all_of[key])) for key, seconds in order[-LATE:]]
    change = statistics.mean(ratios) - 1.0
    noise = statistics.variance(ratios) / LATE
    return 1.0 + change * max(0.0, 1.0 - noise / change**2) if change else 1.0


class _Draw:
    """Draws durations of one kind of trials.

    Those that ended count more than they should as long as others of the same kind still run, because the short ones
    end first. So each that runs counts as one that is as long as some that lasted longer, or else as it has run so far.
    """

    def __init__(
        self, ended: Sequence[float], aged: Sequence[float], generator: random.Random, *, certain: bool
    ) -> None:
        self._generator = generator
        beyond = [age for age in aged if age >= max(ended)]
        if beyond and not certain:  # borrowed durations, and too short ones
            ended = [_outlasting(max(beyond), generator)]
        pool = [*ended, *(self._total(age, ended) for age in aged)]
        spread = SPREAD / (len(pool) ** 0.5 if certain else 1.0)
        self._factor = generator.lognormvariate(0.0, spread)
        self._pool = generator.choices(pool, k=len(pool))  # what is known is a sample, and might have been another

    def seconds(self, elapsed: float | None) -> float:
        """Returns a duration, or what is left of it for a trial that runs."""
        if elapsed is None:
            return self._factor * self._generator.choice(self._pool)
        return self._total(elapsed, [self._factor * each for each in self._pool]) - elapsed

    def _total(self, elapsed: float, durations: Sequence[float]) -> float:
        """Returns a duration of a trial that has run for some time."""
        longer = [each for each in durations if each > elapsed]
        return self._generator.choice(longer) if longer else _outlasting(elapsed, self._generator)


def _outlasting(elapsed: float, generator: random.Random) -> float:
    """Returns a duration for a trial of which nothing is known but that it is longer: half of them twice as long."""
    return elapsed / generator.uniform(0.1, 1.0)
