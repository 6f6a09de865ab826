"""A candidate within a problem that brings settings of its own, which are tuned for every candidate alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.catalog.ranges import parse_range, range_text
from trimtab.lab.problem import Build, Filling
from trimtab.study.errors import InputError
from trimtab.study.tunable import Settings, Tunables, Value

TUNABLES = "tunables"


@dataclass(frozen=True)
class Within:
    """A candidate, tuned together with what its problem brings.

    Args:
        candidate: the candidate.
        brought: the problem's own tunables.
    """

    candidate: Filling
    brought: Tunables

    @property
    def label(self) -> str:
        """The candidate's."""
        return self.candidate.label

    @property
    def title(self) -> str:
        """The candidate's."""
        return self.candidate.title

    @property
    def kind(self) -> str:
        """The candidate's."""
        return self.candidate.kind

    @property
    def summary(self) -> str:
        """The candidate's."""
        return self.candidate.summary

    @property
    def tunables(self) -> Tunables:
        """The candidate's and the problem's."""
        return {**self.candidate.tunables, **self.brought}

    def settings(self, tuned: Settings) -> dict[str, Value]:
        """Returns all settings that are run with."""
        return {
            **self.candidate.settings(self._own(tuned)),
            **{name: value for name, value in tuned.items() if name in self.brought},
        }

    def build(self, tuned: Settings) -> Build:
        """Returns what the slot is filled with."""
        return self.candidate.build(self._own(tuned))

    def code(self, tuned: Settings, total_steps: int | None = None) -> str:
        """Returns the lines that use the candidate."""
        return self.candidate.code(self._own(tuned), total_steps)

    def definition(self) -> dict[str, Any]:
        """Returns the candidate's."""
        return self.candidate.definition()

    def _own(self, tuned: Settings) -> dict[str, Value]:
        return {name: value for name, value in tuned.items() if name not in self.brought}


def within(problem: str, brought: Tunables, candidate: Filling) -> Filling:
    """Returns a candidate as it is tuned within a problem.

    Args:
        problem: name of the problem.
        brought: its tunables.
        candidate: the candidate.

    Raises:
        InputError: both have a setting of the same name.
    """
    both = [name for name in brought if name in candidate.tunables]
    if both:
        raise InputError(f"{candidate.label} has a setting {both[0]!r}, and so has {problem}: rename one of them")
    return Within(candidate, dict(brought)) if brought else candidate


def written(brought: Tunables) -> dict[str, Any]:
    """Returns a problem's tunables as an entry of a plan's definition, of which :func:`read` is the inverse."""
    return {TUNABLES: {name: range_text(range_) for name, range_ in brought.items()}} if brought else {}


def read(definition: Mapping[str, Any]) -> Tunables:
    """Returns the problem's tunables of a plan's definition."""
    return {name: parse_range(text) for name, text in definition.get(TUNABLES, {}).items()}
