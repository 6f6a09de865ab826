"""What the parts of a comparison over several problems are called: problems, schedules of one, or both together."""

from collections.abc import Mapping
from dataclasses import dataclass

from trimtab.compare.over_problems.schedules import by_schedule, called
from trimtab.compare.result import ComparisonResult
from trimtab.study.phrases import count


@dataclass(frozen=True)
class Places:
    """What is said of the places where something was shown.

    Args:
        noun: what one of them is.
        at: the word before it.
        none: where nothing was shown.
        choice: by what one chooses.
    """

    noun: str = "problem"
    at: str = "on"
    none: str = "none"
    choice: str = "problem"

    @property
    def many(self) -> str:
        """Several of them."""
        return f"{self.noun}s"

    def count(self, number: int) -> str:
        """So many of them."""
        return count(number, self.noun)


PROBLEMS = Places()
SCHEDULES = Places("schedule", "under", "none of them", "schedule")
COMBINATIONS = Places("combination", "on", "none", "problem and its schedule")


def places_of(problems: Mapping[str, ComparisonResult]) -> Places:
    """Returns what the parts of a comparison are."""
    bases = by_schedule(problems)
    if not bases:
        return PROBLEMS
    return SCHEDULES if len(bases) == 1 else COMBINATIONS


def scheduled(problems: Mapping[str, ComparisonResult]) -> bool:
    """Returns whether it is a single problem with several schedules."""
    return len(by_schedule(problems)) == 1


def headings(problems: Mapping[str, ComparisonResult]) -> dict[str, str]:
    """Returns what each is called beside the others: a single problem with several schedules, by its schedules."""
    if not scheduled(problems):
        return {name: name for name in problems}
    (schedules,) = by_schedule(problems).values()
    return {name: called(schedule) for schedule, name in schedules.items()}
