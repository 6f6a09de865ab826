"""What a run's learning rate and batch size were, over its course."""

from dataclasses import dataclass
from typing import Any

from trimtab.lab.session import Session

KEPT = 200
"""Changes that are kept of a run; a schedule that changes at every step has more than can be seen."""


@dataclass(frozen=True)
class PacePoint:
    """The pace from one moment of a run on.

    Args:
        cost: sample-gradients used so far.
        lr: learning rate of the optimizer's first group; ``None`` if it has none.
        batch_size: samples of the batch.
    """

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
        self._points: list[PacePoint] = []
        self._last: PacePoint | None = None
        self._changes, self._stride = 0, 1

    def note(self) -> None:
        """Looks at the pace after a step."""
        now = PacePoint(self._session.meter.used, _learning_rate(self._session), self._session.samples)
        before, self._last = self._last, now
        if before is not None and (before.lr, before.batch_size) == (now.lr, now.batch_size):
            return
        if self._changes % self._stride == 0:
            self._points.append(now)
        self._changes += 1
        if len(self._points) > KEPT:
            self._points, self._stride = self._points[::2], 2 * self._stride

    def points(self) -> tuple[PacePoint, ...]:
        """Returns the course from the first step to the last; nothing where the pace never changed."""
        if self._changes < 2 or self._last is None:
            return ()
        return tuple(self._points) + ((self._last,) if self._points[-1] != self._last else ())


def _learning_rate(session: Session) -> float | None:
    rate: Any = session.optimizer.param_groups[0].get("lr")
    return None if rate is None else float(rate)
