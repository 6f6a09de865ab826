"""What a store holds beside the comparison that was asked for last: an earlier one named more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trimtab.study.phrases import count, listed
from trimtab.study.point import Point


@dataclass(frozen=True)
class Beside:
    """What has outcomes in a store and takes no part in the comparison.

    Args:
        problems: names of problems.
        candidates: labels, of candidates on the problems that take part.
        seeds: how many final runs of a candidate there are at most that are not counted.
        seeds_there: how many there are at most in all.
        unneeded: how many final runs a race has no use for any more, since it was asked for otherwise.
    """

    problems: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    seeds: int = 0
    seeds_there: int = 0
    unneeded: int = 0

    @property
    def words(self) -> str:
        """What it is, in words: ``sgd, adam and 2 more seeds``."""
        seeds = f"{self.seeds} more seed{'s' if self.seeds > 1 else ''}"
        problems = [f"the runs on {name}" for name in self.problems]
        runs = f"{count(self.unneeded, 'final run')} that the race has no use for"
        more = [words for number, words in ((self.seeds, seeds), (self.unneeded, runs)) if number]
        return listed([*self.candidates, *problems, *more])

    @property
    def remedy(self) -> str:
        """How to have it in the comparison, in words; empty where that cannot be."""
        seeds = f"give --seeds {self.seeds_there}" if self.seeds else ""
        return " and ".join(filter(None, ["name them as well" if self.candidates or self.problems else "", seeds]))


def beside(
    keys: Iterable[str],
    labels: Iterable[str],
    seeds: Mapping[str, int],
    raced: Mapping[str, Mapping[str, int]] | None = None,
) -> Beside | None:
    """Returns what takes no part; ``None`` if everything does.

    Args:
        keys: of the points that have an outcome.
        labels: of the candidates that take part.
        seeds: problem to the number of final runs of each candidate, of the problems that take part.
        raced: problem to label to how many of them a candidate ran, of races that have ended.
    """
    known = set(labels)
    problems, candidates = dict[str, None](), dict[str, None]()
    more = there = unneeded = 0
    races = {} if raced is None else raced
    for key in keys:
        point = Point.from_key(key, {}, 0)
        if point.problem not in seeds:
            problems[point.problem] = None
            continue
        if point.candidate not in known:
            candidates[point.candidate] = None
        elif point.final and point.problem in races and point.index < seeds[point.problem]:
            unneeded += point.index >= races[point.problem].get(point.candidate, 0)
        if point.final:
            more = max(more, point.index + 1 - seeds[point.problem])
            there = max(there, point.index + 1)
    found = Beside(tuple(problems), tuple(candidates), more, there, unneeded)
    return found if problems or candidates or more or unneeded else None
