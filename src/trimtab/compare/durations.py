"""Who wins for which duration of an evaluation: from the same runs, with the time that candidates take themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.compare.pairs import compared_pairs, ranks
from trimtab.compare.result import TrialResult
from trimtab.study.facts import Facts
from trimtab.study.outcome import CurvePoint, Trace
from trimtab.study.phrases import listed

NAMED: Mapping[str, float] = {"0.1 s": 0.1, "1 s": 1.0, "1 min": 60.0, "1 h": 3600.0}
"""Durations that are told of, in seconds."""


@dataclass(frozen=True)
class AtDuration:
    """How candidates compare where an evaluation takes so long.

    Args:
        seconds: that an evaluation takes.
        losses: of each candidate, by seed, when the quickest has used up its evaluations.
    """

    seconds: float
    losses: Mapping[str, tuple[float, ...]]

    def leaders(self) -> list[str]:
        """Returns those that are not shown to be worse than another, the best mean first."""
        if len(self.losses) < 2 or min(map(len, self.losses.values())) < 2:
            return list(self.losses)
        places = ranks(self.losses, compared_pairs(self.losses))
        means = {label: sum(values) / len(values) for label, values in self.losses.items()}
        return sorted((label for label, place in places.items() if place == 1), key=means.__getitem__)


def at_durations(
    trials: Sequence[TrialResult], facts: Facts, seconds: Sequence[float], labels: Sequence[str]
) -> list[AtDuration]:
    """Returns how candidates compare for durations of an evaluation; nothing where too little is known.

    All have the time in which the quickest of them, on average over its seeds, uses up its evaluations, and finish the
    one that they have begun by then. Where a candidate has not looked once by then, its first look counts. Where only
    the last look tells the truth, durations are left out for which somebody has not come to it.

    Args:
        trials: the runs of a comparison.
        facts: of its problem, which name the candidates' own time.
        seconds: the durations.
        labels: of the candidates.
    """
    runs: dict[str, dict[int, TrialResult]] = {label: {} for label in labels}
    for trial in trials:
        ended = trial.phase == "final" and trial.status == "complete" and trial.curve
        if ended and trial.candidate in runs and facts.overhead in trial.traces:
            runs[trial.candidate][trial.seed] = trial
    seeds = sorted(set.intersection(*({*each} for each in runs.values())) if runs else ())
    if not seeds or len(runs) < 2:
        return []
    found = (_at(runs, seeds, facts, each) for each in seconds)
    return [each for each in found if each is not None]


def _at(
    runs: Mapping[str, Mapping[int, TrialResult]], seeds: Sequence[int], facts: Facts, seconds: float
) -> AtDuration | None:
    pace = seconds / facts.at_once
    ends = {
        label: float(np.mean([_time(own[seed].curve[-1], own[seed].traces[facts.overhead], pace) for seed in seeds]))
        for label, own in runs.items()
    }
    limit = min(ends.values()) * (1 + 1e-9) + pace
    quickest = min(ends, key=ends.__getitem__)

    def last_look(label: str, seed: int) -> CurvePoint:
        trial = runs[label][seed]
        trace = trial.traces[facts.overhead]
        seen = [point for point in trial.curve if _time(point, trace, pace) <= limit]
        return trial.curve[-1] if label == quickest else (seen or trial.curve[:1])[-1]

    looks = {label: [last_look(label, seed) for seed in seeds] for label in runs}
    ended = all(
        look is runs[label][seed].curve[-1] for label in runs for look, seed in zip(looks[label], seeds, strict=True)
    )
    if facts.true_at_end and not ended:
        return None
    return AtDuration(seconds, {label: tuple(look.loss for look in own) for label, own in looks.items()})


def _time(point: CurvePoint, trace: Trace, pace: float) -> float:
    """Returns the time at a look: that of all evaluations so far, and the candidate's own."""
    costs, own = zip(*trace, strict=True)
    return point.cost * pace + float(np.interp(point.cost, costs, own))


def in_words(found: Sequence[AtDuration]) -> str:
    """Returns who comes first for the durations that are named, in a sentence; empty where that is not known."""
    if not found:
        return ""
    durations = {seconds: name for name, seconds in NAMED.items()}
    first = {durations[each.seconds]: tuple(each.leaders()) for each in found}
    every = len(found[0].losses)
    if len(set(map(frozenset, first.values()))) == 1:
        (leaders,) = {tuple(first[next(iter(first))])}
        takes = f"whe{'ther' if len(first) > 1 else 're'} an evaluation takes {listed(list(first), 'or')}"
        if len(leaders) == every:
            return f"In equal time, none is shown to come first, {takes}."
        return f"{takes[0].upper()}{takes[1:]}, {listed(list(leaders))} come{_s(leaders)} first in equal time."
    groups: list[tuple[list[str], tuple[str, ...]]] = []
    for name, leaders in first.items():
        if groups and set(groups[-1][1]) == set(leaders):
            groups[-1][0].append(name)
        else:
            groups.append(([name], leaders))
    said = [
        f"{'any of them' if len(leaders) == every else listed(list(leaders))} where it takes {listed(names, 'or')}"
        for names, leaders in groups
    ]
    return f"First in equal time, by how long an evaluation takes: {'; '.join(said)}."


def _s(leaders: Sequence[str]) -> str:
    return "s" if len(leaders) == 1 else ""
