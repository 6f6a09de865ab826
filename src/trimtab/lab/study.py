"""A study: a design of trials, run on an executor, kept in a store."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from optuna.pruners import BasePruner

from trimtab.lab.executor import Died, Executor, Finished, Reported
from trimtab.lab.store import Store
from trimtab.lab.trial import Outcome, Point

Outcomes: TypeAlias = Mapping[str, Outcome]

Design: TypeAlias = Callable[[Outcomes], list[Point]]
"""Tells which points are to be run, given the outcomes so far (key to outcome).

It is a function of the outcomes and of nothing else, so that a study which was cut off goes on where it was. It returns
every point that it knows of, finished ones included; when all of those have an outcome, the study is over.
"""

ATTEMPTS = 8
"""How often a trial is tried whose worker dies. More than once, because a worker can be killed by no fault of its
trial; not for ever, because a trial can exhaust the memory each time."""


class Observer(Protocol):
    """Is told what happens, to draw it."""

    def planned(self, points: list[Point], outcomes: Outcomes) -> None:
        """The design knows of these points; some have outcomes already."""
        ...

    def started(self, point: Point) -> None:
        """A trial has started."""
        ...

    def reported(self, point: Point, cost: int, loss: float) -> None:
        """A trial has evaluated its model."""
        ...

    def finished(self, point: Point, outcome: Outcome) -> None:
        """A trial's outcome is recorded."""
        ...


def run_study(
    design: Design,
    store: Store,
    executor: Executor,
    *,
    pruner: BasePruner | None = None,
    observer: Observer | None = None,
) -> dict[str, Outcome]:
    """Runs whatever a design asks for and has no outcome yet.

    Each outcome is recorded before anything that depends on it starts. When this function is left early, by an
    exception, by Ctrl-C or because the process is killed, nothing that was finished is lost: what was running is run
    again by whoever opens the store next.

    Args:
        design: what to run.
        store: where outcomes are kept.
        executor: where trials run; with a ``pruner`` it must ask for answers.
        pruner: gives up hopeless points of groups whose trials are not final (``test`` is false).
        observer: told about progress.

    Returns:
        Key to outcome, for every point of the design.
    """
    return _Run(design, store, executor, pruner, observer).run()


class _Run:
    def __init__(
        self, design: Design, store: Store, executor: Executor, pruner: BasePruner | None, observer: Observer | None
    ) -> None:
        self.design = design
        self.store = store
        self.executor = executor
        self.pruner = pruner
        self.observer = observer
        self.outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
        self.running: dict[str, Point] = {}
        self.waiting: list[Point] = []
        self.deaths: dict[str, int] = {}

    def run(self) -> dict[str, Outcome]:
        self._plan()
        while self.waiting or self.running:
            self._dispatch()
            for event in self.executor.wait():
                self._handle(event)
        return self.outcomes

    def _plan(self) -> None:
        points = self.design(self.outcomes)
        self.waiting = [p for p in points if p.key not in self.outcomes and p.key not in self.running]
        self.store.add(self.waiting)
        if self.observer:
            self.observer.planned(points, self.outcomes)

    def _dispatch(self) -> None:
        while self.waiting and self.executor.free:
            point = self.waiting.pop(0)
            self.store.claim(point)
            self.running[point.key] = point
            self.executor.submit(point)
            if self.observer:
                self.observer.started(point)

    def _handle(self, event: Finished | Died | Reported) -> None:
        match event:
            case Reported(point, cost, loss):
                if self.observer:
                    self.observer.reported(point, cost, loss)
                if self.pruner is not None:
                    give_up = not point.test and self.store.hopeless(point, cost, loss, self.pruner)
                    self.executor.answer(point, give_up)
            case Finished(point, outcome):
                self._dispatch()  # its worker goes on at once, while we write
                self._record(point, outcome)
            case Died(point, reason):
                self.deaths[point.key] = self.deaths.get(point.key, 0) + 1
                if self.deaths[point.key] == ATTEMPTS:
                    error = f"{reason}; it was tried {ATTEMPTS} times. Does it need more memory than there is?"
                    self._record(point, Outcome("failed", error=error))
                else:
                    self.store.release(self.running.pop(point.key))
                    self.waiting.insert(0, point)

    def _record(self, point: Point, outcome: Outcome) -> None:
        self.store.finish(point, outcome)
        del self.running[point.key]
        self.outcomes[point.key] = outcome
        if self.observer:
            self.observer.finished(point, outcome)
        self._plan()
