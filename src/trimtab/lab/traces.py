"""What changed over the course of a run, such as its learning rate."""

from collections.abc import Mapping

from trimtab.lab.run import Run
from trimtab.study.outcome import Trace

KEPT = 200
"""Changes that are kept of a run; a schedule that changes at every step has more than can be seen."""


class TraceRecorder:
    """Notes changes of what a run lets be watched, every second, fourth, ... one when there are many.

    Args:
        run: the run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._moments: list[tuple[int, Mapping[str, float]]] = []
        self._last: tuple[int, Mapping[str, float]] | None = None
        self._changes, self._stride = 0, 1

    def note(self) -> None:
        """Looks after a step."""
        now = (self._run.meter.used, self._run.watched())
        before, self._last = self._last, now
        if before is not None and before[1] == now[1]:
            return
        if self._changes % self._stride == 0:
            self._moments.append(now)
        self._changes += 1
        if len(self._moments) > KEPT:
            self._moments, self._stride = self._moments[::2], 2 * self._stride

    def traces(self) -> dict[str, Trace]:
        """Returns the course from the first step to the last, by name; nothing where nothing ever changed."""
        if self._changes < 2 or self._last is None:
            return {}
        moments = [*self._moments, *([self._last] if self._moments[-1] != self._last else [])]
        names = dict.fromkeys(name for _, values in moments for name in values)
        return {name: tuple((cost, values[name]) for cost, values in moments if name in values) for name in names}
