"""A race: who gets further seeds, who has left, when and why; a function of the runs so far and of nothing else.

A candidate gets further seeds as long as its verdict against the reference is open. It leaves at a look

- when a difference from the reference is shown, after correction for all pairs and all looks
  (:mod:`trimtab.study.statistics.sequential`);
- when the chance that all seeds will show one has become too small for what they cost: less than half of the share of
  the seeds that it would still run, and not before a fifth of them has told how its scores vary;
- when a run of it did not finish.

All pairs of candidates that are still there are tested at each look, so that ranks hold as well, though those who left
early are told apart from few. When nobody's verdict is open, the reference has nobody to be compared with, and the race
is over. Without a reference, because a run of it did not finish, everyone whose runs did comes back and runs all seeds:
they can only be compared with each other.
"""

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from trimtab.study.statistics import ALPHA, ModeratedEstimate, moderated_estimates
from trimtab.study.statistics.multiple import holm
from trimtab.study.statistics.sequential import Boundaries, Looked, boundaries, looked, predictive_power

WORTH = 0.5
"""Who has a smaller chance of a verdict than this share of what is left of the race leaves it."""

EARLIEST = 0.2
"""Share of the seeds before which nobody leaves for want of a chance."""

Reason: TypeAlias = Literal["better", "worse", "chance", "unfinished"]

Run: TypeAlias = float | None
"""Where a final run ended; ``None`` where it did not finish."""

Pairs: TypeAlias = dict[tuple[str, str], Looked]


@dataclass(frozen=True)
class Departure:
    """A candidate that left a race.

    Args:
        candidate: its label.
        seeds: how many it had run.
        reason: ``better`` or ``worse`` than the reference, no ``chance`` of a verdict, or a run ``unfinished``.
        chance: that all seeds would have shown a difference; ``None`` where that is not why it left.
    """

    candidate: str
    seeds: int
    reason: Reason
    chance: float | None = None


@dataclass(frozen=True)
class Race:
    """How a race stands.

    Args:
        looks: numbers of seeds at which it is looked at.
        seeds: label to how many seeds a candidate is to run, as far as is known.
        departures: who has left, in turn.
        pairs: each two candidates that were tested, and how they stood; a difference is the second loss less the first.
        over: whether nobody runs any more.
        reference: label of the candidate with which verdicts compare, for which seeds are run.
    """

    looks: tuple[int, ...]
    seeds: Mapping[str, int]
    departures: tuple[Departure, ...] = ()
    pairs: Mapping[tuple[str, str], Looked] = field(default_factory=dict)
    over: bool = False
    reference: str = ""

    @property
    def bounds(self) -> Boundaries:
        """The levels of its looks."""
        return boundaries(self.looks[-1])

    def noted(self) -> dict[str, Any]:
        """Returns plain values of how many seeds each candidate runs, and why it left, if it did."""
        left = {each.candidate: each.reason for each in self.departures}
        return {label: {"seeds": seeds, "left": left.get(label)} for label, seeds in self.seeds.items()}

    def ended(self, label: str) -> bool:
        """Tells whether a candidate has run all that it is to run."""
        return self.over or any(each.candidate == label for each in self.departures)


@dataclass(frozen=True)
class Terms:
    """What a race is decided by.

    Args:
        reference: label of the candidate that verdicts compare with.
        against_reference: whether others are compared with the reference alone.
    """

    reference: str
    against_reference: bool = False

    def tested(self, first: str, second: str) -> bool:
        """Tells whether two candidates are compared."""
        return not self.against_reference or self.reference in (first, second)


def race(terms: Terms, seeds: int, runs: Mapping[str, Sequence[Run]], *, waiting: bool) -> Race:
    """Plays a race as far as its runs go.

    Args:
        terms: what it is decided by.
        seeds: how many each candidate runs at most.
        runs: label of each candidate that takes part to its final runs in turn, up to the first that has not ended.
        waiting: whether more candidates will take part, which are not tuned yet.
    """
    return _race(terms, seeds, tuple((label, tuple(ended)) for label, ended in runs.items()), waiting)


@functools.lru_cache(maxsize=256)
def _race(terms: Terms, seeds: int, given: tuple[tuple[str, tuple[Run, ...]], ...], waiting: bool) -> Race:
    runs = dict(given)
    bounds = boundaries(seeds)
    state = _State(terms, bounds, runs)
    for look, n in enumerate(bounds.looks):
        came_back = True
        while came_back:
            state.wanted |= dict.fromkeys(state.running, n)
            if waiting or any(len(runs[label]) < n for label in state.running):
                return state.race(over=False)
            came_back = state.look(look)
        if not state.running:
            break
    return state.race(over=True)


class _State:
    def __init__(self, terms: Terms, bounds: Boundaries, runs: Mapping[str, tuple[Run, ...]]) -> None:
        self.terms, self.bounds, self.runs = terms, bounds, runs
        self.running = list(runs)
        self.wanted: dict[str, int] = {}
        self.departures: list[Departure] = []
        self.pairs: Pairs = {}

    def race(self, *, over: bool) -> Race:
        departures, pairs = tuple(self.departures), dict(self.pairs)
        return Race(self.bounds.looks, dict(self.wanted), departures, pairs, over, self.terms.reference)

    def look(self, look: int) -> bool:
        """Tests who is there, and lets go who need not run on.

        Returns:
            Whether some came back, who have to catch up before that.
        """
        n = self.bounds.looks[look]
        for label in self.running:
            if None in self.runs[label][:n]:
                self.departures.append(Departure(label, n, "unfinished"))
        there = self.terms.reference in self.running
        self.running = [label for label in self.running if None not in self.runs[label][:n]]
        if there and self.terms.reference not in self.running and self._take_back():
            return True
        now = self._test(look)
        if n == self.bounds.looks[-1]:
            self.running = []
        elif self.terms.reference not in self.running:
            self.running = [] if self.terms.against_reference else self.running
        elif len(self.running) > 1:
            self._let_go(look, now)
        elif self.pairs:  # who has been compared with nobody runs all seeds: they are all that is known
            self.running = []
        return False

    def _take_back(self) -> bool:
        """Has those run on that left for what they were beside the reference; returns whether there are any."""
        unfinished = [each for each in self.departures if each.reason == "unfinished"]
        if self.terms.against_reference or unfinished == self.departures:
            return False
        self.departures = unfinished
        out = {each.candidate for each in unfinished}
        self.running = [label for label in self.runs if label not in out]
        return True

    def _test(self, look: int) -> dict[tuple[str, str], ModeratedEstimate]:
        """Tests each two candidates that are there; those that have left still tell how scores vary."""
        known = {
            label: self.runs[label][: self.wanted[label]]
            for label in self.wanted
            if None not in self.runs[label][: self.wanted[label]]
        }
        found = _estimates(tuple(known.values()), self.bounds.looks[look])
        places = list(itertools.combinations(known, 2))
        now = {
            pair: each
            for pair, each in zip(places, found, strict=True)
            if {*pair} <= {*self.running} and self.terms.tested(*pair)
        }
        for pair, each in now.items():
            before = self.pairs.get(pair)
            bounds = self.bounds
            self.pairs[pair] = looked(look, each, bounds) if before is None else before.then(look, each, bounds)
        return now

    def _let_go(self, look: int, now: Mapping[tuple[str, str], ModeratedEstimate]) -> None:
        p_values = dict(zip(self.pairs, holm([each.p_value for each in self.pairs.values()]), strict=True))
        undecided = sum(p_value >= ALPHA for p_value in p_values.values())
        n, most = self.bounds.looks[look], self.bounds.looks[-1]
        least = WORTH * (most - n) / most if n >= EARLIEST * most else 0.0
        for pair in [pair for pair in now if self.terms.reference in pair]:
            label = next(each for each in pair if each != self.terms.reference)
            if p_values[pair] < ALPHA:
                lower = self.pairs[pair].estimate.mean > 0  # a difference is how much lower the first one's losses are
                better = lower == (label == pair[0])
                self._leave(Departure(label, n, "better" if better else "worse"))
                continue
            chance = predictive_power(look, now[pair], self.bounds, ALPHA / max(1, undecided))
            if chance < least:
                self._leave(Departure(label, n, "chance", chance))
        if self.running == [self.terms.reference]:
            self.running = []

    def _leave(self, departure: Departure) -> None:
        self.departures.append(departure)
        self.running.remove(departure.candidate)


@functools.lru_cache(maxsize=256)
def _estimates(losses: tuple[tuple[float, ...], ...], most: int) -> list[ModeratedEstimate]:
    """Estimates differences of losses, of which some candidates have fewer; so that less loss is more of a score."""
    scores = [np.array([*(-loss for loss in each), *[np.nan] * (most - len(each))]) for each in losses]
    return list(moderated_estimates(scores))
