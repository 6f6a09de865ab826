"""How a candidate is tuned: which settings are tried, with which seeds, and which of them is chosen.

Every setting runs once, with seed 0. The best few run with further seeds, and from then on the mean over all its seeds
is what counts of a setting: whoever looks best with one seed was also lucky with it. Where the best value of a setting
lies at the end of its range, the range goes on, a step at a time, as long as that is better.
"""

import math
import re
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from trimtab.study.again import AGAIN, FEWEST, STEPS, runs_again, runs_beyond
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.tunable import LogUniform, Tunables, Uniform, Value, quasi_random_settings

TUNING_SEED = 0
"""Of the first run of every setting; further ones have the seeds that follow it."""

_SHARE = 1 / 6
"""Of a range, how far it goes on at a time: of three powers of ten half a one, which is the step of claims' grids."""

_FADING = "weight_decay"
"""The setting, by the last part of its name, of which as little as there is in the range is as good as none, so that
nothing lies below."""

_SIZES = re.compile(r"(.*[._])?lr|(.*\.)?(learning_rate|weight_decay|d_coef)", re.IGNORECASE)
"""Names of settings of which every positive number is a value: rates, and what they are multiplied with. What else is
tried on a scale of logarithms may be a share, which ends somewhere, and only who wrote the range knows where."""

Outcomes: TypeAlias = Mapping[str, Outcome]


@dataclass(frozen=True)
class Extension:
    """A range that went on, because the best value was the most extreme that was tried.

    Args:
        setting: whose range it is.
        end: at which end.
        bound: where the range ended.
        reached: the most extreme value that was tried then.
        settings: how many more settings were tried.
        chosen: whether the best value is one of theirs.
    """

    setting: str
    end: Literal["low", "high"]
    bound: float
    reached: float
    settings: int
    chosen: bool

    @property
    def left(self) -> bool:
        """Whether it came beyond the end of the range: of few settings, the most extreme may lie well within."""
        return self.reached > self.bound if self.end == "high" else self.reached < self.bound


def may_go_on(tunables: Tunables, given: Collection[str] = ()) -> tuple[str, ...]:
    """Returns the settings whose ranges may go on: learning rates and weight decay, by their names.

    Args:
        tunables: the ranges.
        given: settings whose ranges somebody has chosen, who is told instead.
    """
    sizes = [name for name, each in tunables.items() if isinstance(each, LogUniform) and _SIZES.fullmatch(name)]
    return tuple(name for name in sizes if name not in given)


@dataclass(frozen=True)
class Tuning:
    """The tuning of a candidate; what there is to run is a function of the outcomes so far.

    Args:
        problem: name of the problem.
        label: the candidate's.
        tunables: its ranges.
        trials: settings that are tried within them.
        seeds: with which the best settings are run.
        goes_on: settings whose ranges may go on.
    """

    problem: str
    label: str
    tunables: Tunables
    trials: int
    seeds: int = 1
    goes_on: tuple[str, ...] = ()

    def first(self) -> list[Point]:
        """Returns the first run of every setting within the ranges."""
        if not self.trials:
            return []
        settings = quasi_random_settings(self.tunables, self.trials, TUNING_SEED)
        return [self._point(place, each, TUNING_SEED) for place, each in enumerate(settings)]

    def place(self, point: Point) -> int:
        """Returns the number of a run's setting, whatever its seed."""
        return point.index % (self.trials + STEPS)

    @property
    def usual(self) -> int:
        """How many runs there are if no range goes on, and enough settings end well."""
        settings = len(self.first())
        return settings + runs_again(settings, self.seeds)

    @property
    def most(self) -> int:
        """How many runs there are at most."""
        further = runs_beyond(self.seeds) if self.goes_on and self.trials >= FEWEST else 0
        return self.usual + further

    def standing(self, outcomes: Outcomes) -> "Standing":
        """Returns how far it is."""
        first = self.first()
        if any(point.key not in outcomes for point in first):
            return Standing(self, tuple(first), over=False)
        finished = [(loss, point) for point in first if (loss := outcomes[point.key].loss) is not None]
        ordered = [point for _, point in sorted(finished, key=lambda pair: (pair[0], pair[1].index))]
        if not ordered:
            return Standing(self, tuple(first), over=True)
        several = len(first) > 1 and self.seeds > 1
        best = _differing(ordered)[:AGAIN] if several else ordered
        again = [self._seeded(point, seed) for seed in self._further for point in best] if several else []
        now = Standing(self, (*first, *again), over=True, contenders=tuple(best))
        for step in range(STEPS if self.trials >= FEWEST else 0):
            if now.waits(outcomes):
                return replace(now, over=False)
            beyond = self._beyond(now, outcomes, step)
            if beyond is None:
                return now
            point, extension = beyond
            runs = (point, *(self._seeded(point, seed) for seed in self._further))
            now = replace(
                now,
                points=(*now.points, *runs),
                contenders=(*now.contenders, point),
                beyond=(*now.beyond, (point, extension)),
            )
        return replace(now, over=not now.waits(outcomes))

    @property
    def _further(self) -> range:
        return range(TUNING_SEED + 1, TUNING_SEED + self.seeds)

    def _point(self, place: int, settings: dict[str, Value], seed: int, tunables: Tunables | None = None) -> Point:
        # the first runs are numbered as they always were, so that a study goes on that was begun before
        index = place + (self.trials + STEPS) * (seed - TUNING_SEED)
        ranges = self.tunables if tunables is None else tunables
        return Point(self.problem, "tune", self.label, index, settings, seed, ranges)

    def _seeded(self, point: Point, seed: int) -> Point:
        return self._point(point.index, point.settings, seed, point.tunables)

    def _beyond(self, now: "Standing", outcomes: Outcomes, step: int) -> tuple[Point, Extension] | None:
        """Returns the next setting beyond the end of a range at which the best one lies, if it does."""
        best = now.best(outcomes)
        if best is None:
            return None
        for name in self.goes_on:
            value, tunable = best.settings.get(name), self.tunables.get(name)
            if not isinstance(value, float) or not isinstance(tunable, LogUniform):
                continue
            tried = [float(each) for each in now.tried(name) if isinstance(each, int | float)]
            factor = (tunable.high / tunable.low) ** _SHARE
            end: Literal["low", "high"]
            if value == max(tried):
                end, further, bound = "high", value * factor, tunable.high
            elif value == min(tried) and name.rpartition(".")[2].lower() != _FADING:
                end, further, bound = "low", value / factor, tunable.low
            else:
                continue
            further = float(f"{further:.4g}")
            if not (math.isfinite(further) and further > 0):
                continue
            settings = {**best.settings, name: further}
            point = self._point(self.trials + step, settings, TUNING_SEED, containing(self.tunables, settings))
            return point, Extension(name, end, bound, further, 1, chosen=False)
        return None


@dataclass(frozen=True)
class Standing:
    """How far the tuning of a candidate is.

    Args:
        tuning: of the candidate.
        points: every run that is known.
        over: whether nothing is left to be run.
        contenders: the first runs of the settings among which the choice is.
        beyond: the first runs of settings beyond the end of a range, with what went on.
    """

    tuning: Tuning
    points: tuple[Point, ...]
    over: bool
    contenders: tuple[Point, ...] = ()
    beyond: tuple[tuple[Point, Extension], ...] = ()

    def waits(self, outcomes: Outcomes) -> bool:
        """Tells whether a run that is known has no outcome."""
        return any(point.key not in outcomes for point in self.points)

    def tried(self, name: str) -> list[Value]:
        """Returns the values of a setting that were tried."""
        return [point.settings[name] for point in self.points]

    def losses(self, point: Point, outcomes: Outcomes) -> list[float | None]:
        """Returns where the runs of a setting ended, one for each seed; ``None`` where one did not.

        Args:
            point: the first run of the setting.
            outcomes: key to outcome.
        """
        place = self.tuning.place(point)
        return [outcomes[each.key].loss for each in self.points if self.tuning.place(each) == place]

    def best(self, outcomes: Outcomes) -> Point | None:
        """Returns the first run of the best setting; ``None`` if there is none, or runs are missing.

        A setting of which a run did not end loses to any whose runs did.
        """
        if not self.contenders or self.waits(outcomes):
            return None

        def worth(point: Point) -> tuple[int, float, int]:
            losses = self.losses(point, outcomes)
            ended = [loss for loss in losses if loss is not None]
            return len(losses) - len(ended), statistics.fmean(ended) if ended else math.inf, point.index

        return min(self.contenders, key=worth)

    def mean(self, outcomes: Outcomes) -> float | None:
        """Returns the mean loss of the best setting over its seeds."""
        best = self.best(outcomes)
        ended = [] if best is None else [loss for loss in self.losses(best, outcomes) if loss is not None]
        return statistics.fmean(ended) if ended else None

    def extensions(self, outcomes: Outcomes) -> tuple[Extension, ...]:
        """Returns which ranges went on and how far, as far as that has run."""
        best, found = self.best(outcomes), dict[tuple[str, str], Extension]()
        for point, each in self.beyond:
            if point.key not in outcomes:
                continue
            there = found.get((each.setting, each.end), replace(each, settings=0))
            first = [run.settings[each.setting] for run in self.tuning.first()]
            found[each.setting, each.end] = replace(
                there,
                reached=each.reached,
                settings=there.settings + 1,
                chosen=best is not None and best.settings[each.setting] not in first,
            )
        return tuple(found.values())


def _differing(points: Sequence[Point]) -> list[Point]:
    """Returns the first of the runs of each setting: of a few choices, some are drawn twice."""
    found = list[Point]()
    for point in points:
        if all(point.settings != other.settings for other in found):
            found.append(point)
    return found


def containing(tunables: Tunables, settings: Mapping[str, Value]) -> Tunables:
    """Returns ranges that are as wide as it takes for settings to lie in them."""
    found = dict(tunables)
    for name, each in tunables.items():
        value = settings.get(name)
        if isinstance(each, Uniform) and isinstance(value, int | float):
            found[name] = replace(each, low=min(each.low, value), high=max(each.high, value))
    return found
