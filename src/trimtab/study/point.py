"""A point: one trial of a study's design."""

from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias, get_args

from trimtab.study.tunable import Tunables, Value

Phase: TypeAlias = Literal["check", "measure", "tune", "final"]
"""What a trial is for: whether it can run, and what that takes, which no store sees; which settings are best; how good
they are."""


@dataclass(frozen=True)
class Point:
    """One point of a study's design.

    Args:
        problem: what the trial is of, without ``/``.
        phase: what it is for. In the final phase, test data are looked at in the end.
        candidate: who is tried.
        index: which trial of this candidate and phase.
        settings: values of the tunables.
        seed: of the run.
        tunables: the ranges that the settings come from.
    """

    problem: str
    phase: Phase
    candidate: str
    index: int
    settings: dict[str, Value]
    seed: int
    tunables: Tunables = field(default_factory=dict, compare=False, repr=False)

    @property
    def final(self) -> bool:
        """Whether it is a final run."""
        return self.phase == "final"

    @property
    def group(self) -> str:
        """The name that it shares with the points of its candidate and phase."""
        return f"{self.problem}/{self.phase}/{self.candidate}"

    @property
    def key(self) -> str:
        """A name that is unique within the study; :meth:`from_key` reads it."""
        return f"{self.group}/{self.index}"

    @classmethod
    def from_key(cls, key: str, settings: dict[str, Value], seed: int) -> Self:
        """Builds a point, without its ranges, from its key and what else is known of it."""
        problem, phase, rest = key.split("/", 2)
        candidate, _, index = rest.rpartition("/")
        named: dict[str, Phase] = {name: name for name in get_args(Phase)}
        return cls(problem, named[phase], candidate, int(index), settings, seed)
