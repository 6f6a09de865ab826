"""The first runs of a comparison that has a budget: given up as soon as it is certain that the budget cannot do."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from trimtab.compare.budget import Budget, Numbers, written
from trimtab.compare.shortfall import least_too_long
from trimtab.study.errors import InputError
from trimtab.study.executor import Died, Event, Executor, Finished
from trimtab.study.point import Point

_LOOK = 1.0
"""Seconds after which it is looked at how long runs have taken."""


@dataclass(frozen=True)
class Smallest:
    """The smallest comparison that a budget may be planned to.

    Args:
        numbers: its trials and seeds.
        tuning_seeds: with which the best settings are tried.
        to_come: by candidate, how many runs it still has, the first ones included.
        labels: from the keys of the first runs to the candidates whose they are.
        workers: runs at once.
        at_once: whether a run that was submitted runs; on a cluster it may wait.
    """

    numbers: Numbers
    tuning_seeds: int
    to_come: Mapping[str, int]
    labels: Mapping[str, str]
    workers: int
    at_once: bool


class Deadline:
    """An executor for the first runs, which gives them up when the budget cannot do any more.

    Args:
        executor: runs them; entered and left by somebody else.
        budget: they may take half of it, because there are several times as many runs to follow.
        smallest: what has to fit at least.
    """

    def __init__(self, executor: Executor, budget: Budget, smallest: Smallest) -> None:
        self._executor, self._budget, self._smallest = executor, budget, smallest
        self._since: dict[str, float] = {}
        self._ended: defaultdict[str, list[float]] = defaultdict(list)
        self._failed: defaultdict[str, int] = defaultdict(int)
        self.answer = executor.answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @property
    def free(self) -> int:
        """How many trials could start at once."""
        return self._executor.free

    def submit(self, point: Point) -> None:
        """Starts a run, and notes when."""
        self._since[point.key] = time.monotonic()
        self._executor.submit(point)

    def wait(self, timeout: float | None = None) -> Sequence[Event]:
        """Waits no longer than there is time.

        Raises:
            InputError: it is over, or what is to come cannot fit.
        """
        left = self._budget.seconds / 2 - self._budget.spent
        if left <= 0:
            raise InputError(
                f"budget={written(self._budget.seconds)} is too short: half of it is over, and not even the first runs "
                "of all candidates have ended. Make a run shorter, leave out candidates, or give more time; the runs "
                "that have ended are kept"
            )
        events = self._executor.wait(min(left, _LOOK) if timeout is None else min(left, _LOOK, timeout))
        for event in events:
            if isinstance(event, Finished | Died):
                self._since.pop(event.point.key, None)
            if isinstance(event, Finished):
                self._note(event)
        if not any(isinstance(event, Finished) for event in events):  # an outcome is written down first
            self._check()
        return events

    def _note(self, event: Finished) -> None:
        label = self._smallest.labels[event.point.key]
        if event.outcome.status == "complete":
            self._ended[label].append(event.outcome.seconds)
        else:  # says nothing of those that come to their end
            self._failed[label] += 1

    def _check(self) -> None:
        now, smallest = time.monotonic(), self._smallest
        runs: dict[str, tuple[int, float]] = {}
        for label, to_come in smallest.to_come.items():
            running = [now - since for key, since in self._since.items() if smallest.labels[key] == label]
            seconds = self._ended[label] + (running if smallest.at_once else [])
            over = len(self._ended[label]) + self._failed[label] + len(running)
            runs[label] = (max(0, to_come - over), sum(seconds) / len(seconds) if seconds else 0.0)
        if sum(count * seconds for count, seconds in runs.values()) / smallest.workers > self._budget.left:
            numbers, seeds = smallest.numbers, smallest.tuning_seeds
            raise InputError(least_too_long(self._budget, runs, smallest.workers, numbers, seeds))
