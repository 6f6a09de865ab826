"""A study: a design of trials, run on an executor, kept in a store."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from trimtab.study.contact import Contact
from trimtab.study.errors import StoreAwayError
from trimtab.study.executor import Died, Executor, Finished, Reported
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.store import Store

Outcomes: TypeAlias = Mapping[str, Outcome]

Design: TypeAlias = Callable[[Outcomes], list[Point]]
"""Tells which points are to be run, given the outcomes so far (key to outcome).

It is a function of the outcomes and of nothing else, so that a study which was cut off goes on where it was. It returns
every point that it knows of, finished ones included; when all of those have an outcome, the study is over.
"""

Hopeless: TypeAlias = Callable[[Outcomes, Point, int, float], bool]
"""Tells, given the outcomes so far, whether a point whose trial has reached a loss at a cost can be given up."""

ATTEMPTS = 8
"""How often a process tries a trial whose worker dies. More than once, because a worker can be killed by no fault of
its trial; not for ever, because a trial can exhaust the memory each time."""


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
    hopeless: Hopeless | None = None,
    observer: Observer | None = None,
) -> dict[str, Outcome]:
    """Runs whatever a design asks for and has no outcome yet.

    An outcome that has reached this process is recorded before any other trial starts. When this function is left
    early, by an exception, by Ctrl-C or because the process is killed, nothing that was recorded is lost: what was
    running is run again by whoever opens the store next, or shares it. While a database is away, trials go on, and
    their outcomes are kept until they can be written.

    Args:
        design: what to run.
        store: where outcomes are kept.
        executor: where trials run; with ``hopeless`` it must ask for answers.
        hopeless: gives up points that are not final.
        observer: told about progress, also of trials that other processes have finished.

    Returns:
        Key to outcome, for every point of the design.

    Raises:
        StoreLostError: the store's database was away for longer than its limits allow.
    """
    return _Run(design, store, executor, hopeless, observer).run()


class _Run:
    def __init__(
        self, design: Design, store: Store, executor: Executor, judge: Hopeless | None, observer: Observer | None
    ) -> None:
        self.design = design
        self.store = store
        self.executor = executor
        self.judge = judge
        self.observer = observer
        self.contact = Contact(store.name, store.limits.patience)
        self.outcomes = {key: outcome for key, (_, outcome) in store.outcomes().items()}
        self.planned: set[str] = set()
        self.open: list[Point] = []
        self.running: dict[str, Point] = {}
        self.cut_off: dict[str, Point] = {}
        self.unwritten: dict[str, tuple[Point, Outcome]] = {}
        self.news: dict[str, tuple[Point, Outcome] | None] = {}  # None: somebody else has taken the point over
        self.deaths: Counter[str] = Counter()
        self.next_look = 0.0
        self.others_have_all = False

    def run(self) -> dict[str, Outcome]:
        self._plan()
        while True:
            self._exchange()
            if not (self.open or self.running or self.cut_off or self.unwritten or self.news):
                return self.outcomes
            for event in self.executor.wait(self._pause()):
                self._handle(event)

    def _plan(self) -> None:
        """Finds out which points have no outcome and are not in our hands; they may be in somebody else's."""
        points = self.design(self.outcomes)
        self.planned = {point.key for point in points}
        ours = self.running.keys() | self.cut_off.keys() | self.unwritten.keys()
        self.open = [p for p in points if p.key not in self.outcomes and p.key not in ours]
        if self.observer:
            self.observer.planned(points, self.outcomes)

    def _pause(self) -> float | None:
        """Returns after how many seconds the store wants attention, if nothing happens before."""
        if self.contact.away:
            return self.contact.seconds_left
        return max(0.0, self.next_look - time.monotonic()) if self.store.shared else None

    def _exchange(self) -> None:
        """Does everything that needs the store; while that is away, it stays to be done."""
        if self.contact.seconds_left:
            return
        try:
            self._write()  # before anything else: a process may be killed at any moment
            self._dispatch()  # then what is known to be needed, so that workers go on while we plan
            self._learn()
            self._look()
            self._dispatch()
        except StoreAwayError as error:
            self.contact.failed(error, len(self.unwritten))
        else:
            self.contact.succeeded()

    def _dispatch(self) -> None:
        self.store.add(self.open)
        for key, point in list(self.cut_off.items()):
            self.store.release(point)
            del self.cut_off[key]
            self.open.insert(0, point)
        while self.open and self.executor.free and not self.others_have_all:
            claimed = self.store.claim(self.open)
            if claimed is None:
                self.others_have_all = True  # as far as we know until the next look
                return
            self.open.remove(claimed)
            self.running[claimed.key] = claimed
            self.executor.submit(claimed)
            if self.observer:
                self.observer.started(claimed)

    def _write(self) -> None:
        """Records what has finished here."""
        for key, (point, outcome) in list(self.unwritten.items()):
            self.news[key] = (point, outcome) if self.store.finish(point, outcome) else None
            del self.unwritten[key]

    def _look(self) -> None:
        """Looks at what other processes have done, when it is time to."""
        if not self.store.shared or time.monotonic() < self.next_look:
            return
        self.news |= self.store.sync()
        self.next_look = time.monotonic() + self.store.limits.poll
        self.others_have_all = False
        self._learn()

    def _learn(self) -> None:
        """Takes in what is recorded, and plans anew."""
        if not self.news:
            return
        recorded = {key: found for key, found in self.news.items() if found is not None}
        self.news = {}
        self.outcomes.update({key: outcome for key, (_, outcome) in recorded.items()})
        if self.observer:
            for key in recorded.keys() & self.planned:
                self.observer.finished(*recorded[key])
        self._plan()

    def _handle(self, event: Finished | Died | Reported) -> None:
        match event:
            case Reported(point, cost, loss):
                if self.observer:
                    self.observer.reported(point, cost, loss)
                if self.judge is not None:
                    self.executor.answer(point, not point.final and self._hopeless(point, cost, loss, self.judge))
            case Finished(point, outcome):
                self.unwritten[point.key] = (self.running.pop(point.key), outcome)
            case Died(point, reason):
                self.deaths[point.key] += 1
                del self.running[point.key]
                if self.deaths[point.key] == ATTEMPTS:
                    memory = ". Does it need more memory than there is?" if "SIGKILL" in reason else ""
                    error = f"{reason}; it was tried {ATTEMPTS} times{memory}"
                    self.unwritten[point.key] = (point, Outcome("failed", error=error))
                else:
                    self.cut_off[point.key] = point

    def _hopeless(self, point: Point, cost: int, loss: float, judge: Hopeless) -> bool:
        try:
            return judge(self.outcomes, point, cost, loss)
        except StoreAwayError:
            return False  # the next report asks again
