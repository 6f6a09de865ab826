"""What a reader of a candidate's rank should know, in words."""

import statistics as standard_statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from trimtab.compare.result import Pair
from trimtab.compare.tuning import Extension
from trimtab.study import statistics
from trimtab.study.again import FEWEST
from trimtab.study.outcome import Outcome
from trimtab.study.phrases import NAMED, listed, rounded
from trimtab.study.point import Point
from trimtab.study.statistics import ALPHA
from trimtab.study.tunable import Settings, Tunables, as_code

Tried = Sequence[tuple[Point, Outcome]]
"""Tuning trials with what became of them."""

Course: TypeAlias = frozenset[tuple[float, float]]
"""The costs at which a run was evaluated, with the losses."""


@dataclass(frozen=True)
class Standing:
    """How the final losses of ranked candidates compare.

    Args:
        losses: label to the final losses, of those whose scatter can be judged.
        ranks: label to rank.
        pairs: of ranked candidates that were compared.
        sign: what a loss is multiplied with to get the number that readers know.
    """

    losses: Mapping[str, Sequence[float]]
    ranks: Mapping[str, int]
    pairs: Sequence[Pair] = ()
    sign: int = 1

    def far_seeds(self, label: str) -> list[int]:
        """Returns which of a candidate's seeds ended far from its others; nobody knows of one that stands alone."""
        known = len(self.losses) > 1 and label in self.losses
        return statistics.far_out(self.losses[label], self._usual_spread()) if known else []

    def erratic(self, label: str) -> bool:
        """Tells whether a candidate's rank says little, because its seeds differ so much.

        They lie five times as far apart as a candidate's usually do, and somebody who is not ranked before it has a
        better mean.
        """
        if label not in self.losses:
            return False
        mean, rank = self._mean(label), self.ranks[label]
        hidden = any(self.ranks[other] >= rank and self._mean(other) < mean for other in self.losses)
        return hidden and self._spread(label) > statistics.FAR * self._usual_spread()

    def order_in_words(self, label: str) -> str:
        """Says before whom a candidate is ranked though its mean is worse; else empty, or if more is said of it."""
        if label not in self.losses or self.erratic(label):
            return ""
        mean, rank = self._mean(label), self.ranks[label]
        after = [other for other in self.losses if self.ranks[other] > rank and self._mean(other) < mean]
        if not after:
            return ""
        who = named(after)
        return f"its mean is worse than that of {who}, ranked after it: less is shown of seeds that differ so much"

    def scatter_in_words(self, label: str) -> str:
        """Returns what is odd about a candidate's seeds; empty if nothing is."""
        values, far = self.losses.get(label, ()), self.far_seeds(label)
        words = ""
        if far:
            ends = sorted({f"{self.sign * values[place]:.3g}" for place in far}, key=float)
            rest = sorted(self.sign * value for place, value in enumerate(values) if place not in far)
            words = f"{_counted(len(far), len(values), 'seeds')} ended at {' and '.join(ends)}, {_others(rest)}"
        if not self.erratic(label):
            return words
        usual = self._usual_spread()
        times = (
            f"lie {_times(self._spread(label) / usual)} times as far apart as is usual here"
            if usual
            else "alone differ"
        )
        words = words or f"its seeds {times}"
        others = not_before(label, self.ranks, self.pairs)
        if not others:
            return words
        who = f"{others[0]}, whose mean is better," if len(others) == 1 else f"{named(others)}, whose means are better,"
        return f"{words}: that it is not ranked after {who} says only that nothing could be shown"

    def _spread(self, label: str) -> float:
        return float(np.ptp(self.losses[label]))

    def _usual_spread(self) -> float:
        """By how much a candidate's seeds differ; of an even number of candidates, the calmer of the middle two."""
        return standard_statistics.median_low(map(self._spread, self.losses))

    def _mean(self, label: str) -> float:
        return standard_statistics.fmean(self.losses[label])


def not_before(label: str, ranks: Mapping[str, int], pairs: Sequence[Pair]) -> list[str]:
    """Returns who is better than a candidate and not ranked before it, because no difference between them was shown.

    Args:
        label: of the candidate.
        ranks: label to rank.
        pairs: of ranked candidates that were compared.
    """
    own = [pair if pair.first == label else pair.turned() for pair in pairs if label in (pair.first, pair.second)]
    better = {pair.second for pair in own if not pair.shown and pair.improvement < 0}
    return [other for other, rank in ranks.items() if other in better and rank >= ranks[label]]


def named(labels: Sequence[str]) -> str:
    """Returns labels as they stand in a short sentence: of many, only how many."""
    return listed(labels) if len(labels) <= NAMED else f"{len(labels)} others"


def _counted(number: int, total: int, noun: str) -> str:
    return f"{'one' if number == 1 else number} of its {total} {noun}"


def _others(ordered: Sequence[float]) -> str:
    low, high = (f"{value:.3g}" for value in (ordered[0], ordered[-1]))
    return f"the others near {low}" if low == high else f"the others between {low} and {high}"


def _times(ratio: float) -> str:
    return f"{ratio:.2g}" if ratio < 10 else f"{float(f'{ratio:.2g}'):,.0f}"


def alike(first: Sequence[float | None], second: Sequence[float | None]) -> bool:
    """Tells whether two candidates ended alike with every seed that both have run; of a race, one may have run fewer.

    Args:
        first: final losses of the one, by seed.
        second: of the other.
    """
    return bool(first and second) and all(a == b for a, b in zip(first, second, strict=False))


def doubles_in_words(label: str, ended: Mapping[str, Sequence[float]]) -> str:
    """Says with whom a candidate ended alike with every seed: what sets them apart did nothing; else empty.

    Args:
        label: of the candidate.
        ended: label to the final losses by seed, of all that are ranked.
    """
    own = ended.get(label, ())
    others = [other for other in ended if other != label and alike(own, ended[other])]
    return f"with every seed it ended exactly as {listed(others)} did" if others and len(set(own)) > 1 else ""


def late_rise(runs: Sequence[Outcome], sign: int = 1) -> str:
    """Says how many final runs lost again what they had gained; empty if none did."""
    risen = [
        run for run in runs if run.status == "complete" and statistics.risen_again([point.loss for point in run.curve])
    ]
    if not risen:
        return ""
    worst = max(risen, key=lambda run: run.curve[-1].loss)
    end, best = worst.curve[-1].loss, min(point.loss for point in worst.curve)
    return (
        f"{_counted(len(risen), len(runs), 'final runs')} lost more than half of what they had gained: "
        f"{sign * end:.3g} at the end after {sign * best:.3g} on the way"
    )


FEW_SEEDS = 2
"""With so many or fewer, hardly a difference can be shown."""

_ENOUGH_SEEDS = 5


def few_seeds(seeds: int, candidates: int, pairs: int) -> list[str]:
    """Says what so few seeds can show; nothing where they are three or more, or nothing is compared.

    Args:
        seeds: of the final runs.
        candidates: how many there are.
        pairs: of them that are compared.
    """
    if seeds > FEW_SEEDS or not pairs:
        return []
    if seeds == 1:
        return ["With one seed no difference can be shown; run more seeds to rank the candidates."]
    level = 1 - ALPHA / pairs
    few, enough = (
        rounded(statistics.detectable_ratio(n, level, candidates=candidates)) for n in (seeds, _ENOUGH_SEEDS)
    )
    at_best = ", and that only where the candidates agree on this" if candidates > 2 else ""
    return [
        f"With two seeds, a difference is found four times out of five only if it is {few} times its standard "
        f"deviation between seeds{at_best}; with {_ENOUGH_SEEDS}, {enough} times are enough. Run more seeds before you "
        "believe that there is none."
    ]


def warning(tunables: Tunables, best: Point | None, tuning: Tried, runs: Sequence[Outcome], rate: str) -> str:
    """Says what is odd about a candidate by itself; empty if nothing is.

    Args:
        tunables: the ranges of a candidate.
        best: the tuning trial that was chosen, if there was any.
        tuning: the first runs of all settings.
        runs: the final runs.
        rate: name of the setting that is shown as the learning rate.
    """
    warnings = []
    drawn = best is not None and rate in tunables and len(tuning) >= FEWEST
    if best is not None and drawn and _at_edge(best.settings[rate], tuning, rate):
        warnings.append(f"the best {rate} is the most extreme that was tried: a wider range may do better")
    return "; ".join([*warnings, *seedless(runs)])


def seedless(runs: Sequence[Outcome]) -> list[str]:
    """Asks whether a candidate depends on the seed, where most of its final runs went the same way to the same value.

    Of runs that came to it in different ways nothing is asked: it may be the best that there is, or a rounded score.
    Where no course is known, all have to have ended alike.

    Args:
        runs: the final runs.
    """
    if not runs:
        return []
    value = Counter(run.loss for run in runs).most_common(1)[0][0]
    ended = [frozenset((point.cost, point.loss) for point in run.curve) for run in runs if run.loss == value]
    most = max(sum(_same_way(one, other) for other in ended) for one in ended)
    unknown = not any(_same_way(each, each) for each in ended)
    if len(ended) == len(runs) > 1 and (unknown or most == len(runs)):
        return [f"all {len(runs)} seeds ended at exactly the same value: does it depend on the seed?"]
    if most >= _ALIKE and 2 * most > len(runs) and most < len(runs):
        went = f"{_counted(most, len(runs), 'seeds')} went the same way to exactly the same value"
        return [f"{went}: does it depend on the seed?"]
    return []


_ALIKE = 3
"""So many runs, or values on the way of two, are not the same by chance."""


def _same_way(one: Course, other: Course) -> bool:
    return len({loss for _, loss in one & other}) >= _ALIKE


def gone_on(extension: Extension, chosen: Settings) -> str:
    """Says that more was tried where the best was the most extreme, how far beyond the range, and what came of it.

    Args:
        extension: what went on.
        chosen: the settings that are best.
    """
    name, reached = extension.setting, f"{extension.reached:.3g}"
    went = f"{name} was tried at {reached} as well, nearer to the end of its range"
    if extension.left:
        went = f"the range of {name} went on beyond {extension.bound:.3g}, to {reached}"
    found = f"it is best at {as_code(chosen.get(name))}" if extension.chosen else "nothing better was found"
    return f"{went}: {found}"


def _at_edge(value: object, tuning: Tried, name: str) -> bool:
    # weight decay near its lower end is as good as none: only the learning rate's edge says something
    values = [point.settings[name] for point, _ in tuning]
    numbers = [v for v in values if isinstance(v, float)]
    return len(numbers) == len(values) and value in (min(numbers), max(numbers))
