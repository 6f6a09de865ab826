"""Where trials run, whatever place it is: they are submitted, and what becomes of them is told.

An executor knows nothing of the store: it gets points and returns outcomes, and one process writes them down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from trimtab.study.outcome import Outcome
from trimtab.study.point import Point

Visibility: TypeAlias = Mapping[str, str]
"""Variables of the environment that show a process its device and no other."""


@dataclass(frozen=True)
class Finished:
    """A trial has an outcome."""

    point: Point
    outcome: Outcome


@dataclass(frozen=True)
class Died:
    """A trial's worker is gone, and the trial with it."""

    point: Point
    reason: str


@dataclass(frozen=True)
class Reported:
    """A trial has evaluated its model. When answers are asked for, it waits for one."""

    point: Point
    cost: int
    loss: float


Event: TypeAlias = Finished | Died | Reported


class Executor(Protocol):
    """Runs trials somewhere. Used as a context manager; on leaving it, what still runs is ended."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def free(self) -> int:
        """How many trials could start at once."""
        ...

    def submit(self, point: Point) -> None:
        """Starts a trial; only when there is a free place."""
        ...

    def wait(self, timeout: float | None = None) -> Sequence[Event]:
        """Blocks until something has happened, or ``timeout`` seconds are over, and tells what."""
        ...

    def answer(self, point: Point, give_up: bool) -> None:
        """Answers a report: whether the trial is to be given up."""
        ...
