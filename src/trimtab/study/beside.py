"""What a store holds beside the comparison that was asked for last: an earlier one named more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trimtab.study.phrases import listed
from trimtab.study.point import Point


@dataclass(frozen=True)
class Beside:
    """What has outcomes in a store and takes no part in the comparison.

    Args:
        problems: names of problems.
        candidates: labels, of candidates on the problems that take part.
        seeds: how many final runs of a candidate there are at most that are not counted.
        seeds_there: how many there are at most in all.
    """

    problems: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    seeds: int = 0
    seeds_there: int = 0

    @property
    def words(self) -> str:
        """What it is, in words: ``sgd, adam and 2 more seeds``."""
        seeds = f"{self.seeds} more seed{'s' if self.seeds > 1 else ''}"
        problems = [f"the problem {name}" for name in self.problems]
        return listed([*self.candidates, *problems, *([seeds] if self.seeds else [])])

    @property
    def remedy(self) -> str:
        """How to have all of it in the comparison, in words."""
        seeds = f"give --seeds {self.seeds_there}" if self.seeds else ""
        return " and ".join(filter(None, ["name them as well" if self.candidates or self.problems else "", seeds]))


def beside(keys: Iterable[str], labels: Iterable[str], seeds: Mapping[str, int]) -> Beside | None:
    """Returns what takes no part; ``None`` if everything does.

    Args:
        keys: of the points that have an outcome.
        labels: of the candidates that take part.
        seeds: problem to the number of final runs of each candidate, of the problems that take part.
    """
    known = set(labels)
    problems, candidates = dict[str, None](), dict[str, None]()
    more = there = 0
    for key in keys:
        point = Point.from_key(key, {}, 0)
        if point.problem not in seeds:
            problems[point.problem] = None
            continue
        if point.candidate not in known:
            candidates[point.candidate] = None
        if point.final:
            more = max(more, point.index + 1 - seeds[point.problem])
            there = max(there, point.index + 1)
    found = Beside(tuple(problems), tuple(candidates), more, there)
    return found if problems or candidates or more else None
