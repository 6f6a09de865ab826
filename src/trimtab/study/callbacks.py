"""Callbacks: whoever else wants to be told what happens in a study, and can do it no harm."""

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from trimtab.study.errors import InputError
from trimtab.study.facts import Facts
from trimtab.study.outcome import Outcome
from trimtab.study.phrases import listed
from trimtab.study.point import Point
from trimtab.study.running import Outcomes

METHODS = ("begun", "planned", "started", "reported", "finished", "ended")
"""What a callback may have, all of it optional; see :class:`Callbacks`."""

Callback: TypeAlias = object
"""Something with some of :data:`METHODS`, or a function of a point and its outcome."""

SECONDS_TO_LEAVE = 10.0
"""How long a study that is cut off waits for callbacks that are behind, all of them together."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyAbout:
    """What a callback may want to know of the study that it is told of.

    Args:
        id: stays with the results, wherever they are moved, and is the same for all machines that share them.
        name: for people.
        directory: where the reports go.
        facts: problem to what a reader has to know of it, under the name that points have.
    """

    id: str
    name: str
    directory: Path
    facts: Mapping[str, Facts]


def check_callbacks(callbacks: Any) -> None:
    """Raises InputError unless each of several callbacks can be told something."""
    if not isinstance(callbacks, Sequence) or isinstance(callbacks, str):
        raise InputError(f"callbacks={callbacks!r}: a list of callbacks is needed")
    for callback in callbacks:
        if isinstance(callback, type):
            raise InputError(f"callbacks: {callback.__name__} is a class; one of its objects is needed, as it makes")
        if not callable(callback) and not any(hasattr(callback, name) for name in METHODS):
            raise InputError(
                f"callbacks: {callback!r} is no function of a point and its outcome, and has none of the methods "
                f"{listed(METHODS)}"
            )


class Callbacks:
    """Tells callbacks what happens in a study, as an observer inside ``with``.

    Each is told in a thread of its own, one thing after the other, so that one that is slow holds up no trial; the end
    waits for all. What one raises is said once, as a warning, and the study goes on.

    A callback has any of these methods, and is told what it has a method for:

    - ``begun(about)``, at once and in the caller's thread: which study it is; an InputError ends it before it begins;
    - ``planned(points, outcomes)``, ``started(point)``, ``reported(point, cost, loss)`` and ``finished(point,
      outcome)``, as an :class:`~trimtab.study.running.Observer` is;
    - ``ended()``: nothing more will come, because all is done or because the study is cut off.

    One without any of them is called with each point and its outcome, once, those included that were there before.

    Args:
        callbacks: to be told.
        about: the study.

    Raises:
        InputError: one of them refuses the study.
    """

    def __init__(self, callbacks: Sequence[Callback], about: StudyAbout) -> None:
        told = [_told(callback) for callback in callbacks]
        for callback, begun in zip(callbacks, (getattr(each, "begun", None) for each in told), strict=True):
            try:
                if begun is not None:
                    begun(about)
            except InputError:
                raise
            except Exception as error:
                _warn(callback, "begun", error)
        self._told = [_Teller(callback, each) for callback, each in zip(callbacks, told, strict=True)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell("ended")
        leave = None if kind is None else time.monotonic() + SECONDS_TO_LEAVE
        for each in self._told:
            each.close(None if leave is None else max(0.0, leave - time.monotonic()))

    def planned(self, points: list[Point], outcomes: Outcomes) -> None:
        """The design knows of these points; some have outcomes already."""
        if self._told:
            self._tell("planned", list(points), dict(outcomes))  # the study changes its own meanwhile

    def started(self, point: Point) -> None:
        """A trial has started."""
        self._tell("started", point)

    def reported(self, point: Point, cost: int, loss: float) -> None:
        """A trial has evaluated its model."""
        self._tell("reported", point, cost, loss)

    def finished(self, point: Point, outcome: Outcome) -> None:
        """A trial's outcome is recorded."""
        self._tell("finished", point, outcome)

    def _tell(self, method: str, *values: object) -> None:
        for each in self._told:
            each.tell(method, values)


class _OfOutcomes:
    """A function that is called with each point and its outcome, once."""

    def __init__(self, call: Callable[[Point, Outcome], object]) -> None:
        self._call = call
        self._known: set[str] = set()

    def planned(self, points: list[Point], outcomes: Outcomes) -> None:
        for point in points:
            if point.key in outcomes:
                self.finished(point, outcomes[point.key])

    def finished(self, point: Point, outcome: Outcome) -> None:
        if point.key not in self._known:
            self._known.add(point.key)
            self._call(point, outcome)


def _told(callback: Any) -> object:
    return callback if any(hasattr(callback, name) for name in METHODS) else _OfOutcomes(callback)


class _Teller:
    """A thread that calls one callback."""

    def __init__(self, callback: Callback, told: object) -> None:
        self._callback = callback
        self._methods = {name: getattr(told, name) for name in METHODS if hasattr(told, name)}
        self._waiting: queue.SimpleQueue[tuple[str, tuple[object, ...]] | None] = queue.SimpleQueue()
        self._faulty = False
        # a daemon: a callback that hangs must not keep a program alive that has been stopped
        self._thread = threading.Thread(target=self._call_all, name="trimtab callback", daemon=True)
        self._thread.start()

    def tell(self, method: str, values: tuple[object, ...]) -> None:
        if method in self._methods:
            self._waiting.put((method, values))

    def close(self, seconds: float | None) -> None:
        """Waits until all is told, for so many seconds at most."""
        self._waiting.put(None)
        self._thread.join(seconds)

    def _call_all(self) -> None:
        while (found := self._waiting.get()) is not None:
            method, values = found
            try:
                self._methods[method](*values)
            except BaseException as error:  # a thread that a callback ends would not be missed until the end
                if not self._faulty:
                    _warn(self._callback, method, error)
                self._faulty = True


def _warn(callback: Callback, method: str, error: BaseException) -> None:
    name = getattr(callback, "__name__", type(callback).__name__)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    _log.warning(
        "callback %s failed when it was told %r: %s: %s%s. The comparison goes on; what else it fails at is not said.",
        name,
        method,
        type(error).__name__,
        error,
        place,
    )
    _log.debug("callback %s", name, exc_info=error)


class Observers:
    """Several observers as one.

    Args:
        observers: told in this order.
    """

    def __init__(self, *observers: Any) -> None:
        self._observers = observers

    def planned(self, points: list[Point], outcomes: Outcomes) -> None:
        """The design knows of these points; some have outcomes already."""
        for each in self._observers:
            each.planned(points, outcomes)

    def started(self, point: Point) -> None:
        """A trial has started."""
        for each in self._observers:
            each.started(point)

    def reported(self, point: Point, cost: int, loss: float) -> None:
        """A trial has evaluated its model."""
        for each in self._observers:
            each.reported(point, cost, loss)

    def finished(self, point: Point, outcome: Outcome) -> None:
        """A trial's outcome is recorded."""
        for each in self._observers:
            each.finished(point, outcome)
