"""What a run's learning rate and batch size were, over its course."""

from dataclasses import dataclass
from typing import Any

from trimtab.lab.measures import BATCH_SIZE, LEARNING_RATE
from trimtab.lab.session import Session
from trimtab.study.outcome import Trace

KEPT = 200
"""Changes that are kept of a run; a schedule that changes at every step has more than can be seen."""


@dataclass(frozen=True)
class _Moment:
    """The pace from one moment of a run on: the cost so far, the first group's learning rate, a batch's samples."""

    cost: int
    lr: float | None
    batch_size: int


class PaceRecorder:
    """Notes changes of the pace, every second, fourth, ... one when there are many.

    Args:
        session: the run.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._points: list[_Moment] = []
        self._last: _Moment | None = None
        self._changes, self._stride = 0, 1

    def note(self) -> None:
        """Looks at the pace after a step."""
        now = _Moment(self._session.meter.used, _learning_rate(self._session), self._session.samples)
        before, self._last = self._last, now
        if before is not None and (before.lr, before.batch_size) == (now.lr, now.batch_size):
            return
        if self._changes % self._stride == 0:
            self._points.append(now)
        self._changes += 1
        if len(self._points) > KEPT:
            self._points, self._stride = self._points[::2], 2 * self._stride

    def traces(self) -> dict[str, Trace]:
        """Returns the course from the first step to the last; nothing where the pace never changed."""
        if self._changes < 2 or self._last is None:
            return {}
        points = [*self._points, *([self._last] if self._points[-1] != self._last else [])]
        rates = tuple((point.cost, point.lr) for point in points if point.lr is not None)
        sizes: dict[str, Trace] = {BATCH_SIZE: tuple((point.cost, point.batch_size) for point in points)}
        return {LEARNING_RATE: rates, **sizes} if rates else sizes


def _learning_rate(session: Session) -> float | None:
    rate: Any = session.optimizer.param_groups[0].get("lr")
    return None if rate is None else float(rate)
