"""A trial: what a worker does with a point."""

import traceback
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from trimtab.study.errors import UnfitWorkerError
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point

Reporter: TypeAlias = Callable[[int, float], bool]
"""Called with the cost and the loss after each evaluation; ``True`` asks for the trial to be given up."""

Work: TypeAlias = Callable[[Point, Reporter], Outcome]
"""Runs one trial; must be picklable, because workers are processes. One that needs more is a :class:`PreparedWork`."""


class PreparedWork(Protocol):
    """Work that workers prepare for."""

    @property
    def modules(self) -> tuple[str, ...]:
        """What a worker imports sooner or later: where processes are forked, it is imported once for all of them."""
        ...

    def __call__(self, point: Point, report: Reporter) -> Outcome:
        """Runs one trial."""
        ...

    def begin(self, threads: int) -> None:
        """Prepares a worker for its first trial, with so many threads for each."""
        ...


def modules_of(work: Work) -> tuple[str, ...]:
    """Returns what a worker imports for some work."""
    modules: tuple[str, ...] = getattr(work, "modules", ())
    return modules


def begin(work: Work, threads: int) -> None:
    """Prepares a worker for its first trial."""
    prepare: Any = getattr(work, "begin", None)
    if prepare is not None:
        prepare(threads)


def attempt(work: Work, point: Point, report: Reporter) -> Outcome:
    """Runs a trial where a worker has been told to: what goes wrong in it is its outcome, and so is ``sys.exit()``.

    Raises:
        UnfitWorkerError: this worker can run no trial at all.
    """
    try:
        return work(point, report)
    except UnfitWorkerError:
        raise
    except (Exception, SystemExit):
        return Outcome("failed", error=traceback.format_exc())
