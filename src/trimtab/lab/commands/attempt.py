"""One run of a command: what it prints while it runs, and what became of it."""

import math
from collections import deque
from dataclasses import dataclass, field

from trimtab.lab.commands.metric import CommandMetric, MetricError, Reading
from trimtab.lab.commands.terminal import as_shown
from trimtab.study.outcome import LARGEST, CurvePoint, Outcome, Status, is_measured
from trimtab.study.process import Ended
from trimtab.study.trial import Reporter

SHOWN_LINES = 20
"""Last lines of the output that an outcome keeps when something went wrong."""

_LINE_WIDTH = 300


@dataclass
class Attempt:
    """What is known of one run."""

    reading: Reading
    sign: int
    report: Reporter
    curve: list[CurvePoint] = field(default_factory=list)
    last: float | None = None
    count: int = 0
    fault: str | None = None
    given_up: bool = False
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=SHOWN_LINES))

    def line(self, text: str) -> bool:
        """Takes in a line of output; returns whether the trial is to be given up.

        What comes after that does not count, however much of it there was before the program was ended.
        """
        if self.given_up:
            return True
        text = as_shown(text).strip()
        if not text:
            return False
        self.lines.append(text if len(text) <= _LINE_WIDTH else f"{text[:_LINE_WIDTH]} ...")
        try:
            values = self.reading.line(text)
        except MetricError as error:
            self.fault = self.fault or str(error)
            return True
        self.given_up = any(self._value(value) for value in values)
        return self.given_up

    def _value(self, value: float) -> bool:
        self.count += 1
        self.last = value
        if not is_measured(value):
            return False
        loss = self.sign * value
        self.curve.append(CurvePoint(self.count, None, loss, value))
        return self.report(self.count, loss)

    def outcome(self, ended: Ended, metric: CommandMetric, place: str, timeout: float | None) -> Outcome:
        """Returns what became of the trial.

        Args:
            ended: how the program ended.
            metric: for messages.
            place: the command and where its output is, for messages.
            timeout: for messages.
        """
        status, reason = self._status(ended, metric, timeout)
        error = f"{reason}\n{place}\n\n{self._shown_lines()}" if reason else None
        value = self.last if status == "complete" else None
        loss = None if value is None else self.sign * value
        return Outcome(
            status, loss, value, cost=self.count, seconds=ended.seconds, curve=tuple(self.curve), error=error
        )

    def _status(self, ended: Ended, metric: CommandMetric, timeout: float | None) -> tuple[Status, str]:
        if self.given_up:  # also where the program was faster than we were
            return "pruned", ""
        fault = self.fault or _fault(ended, timeout) or self._read_end()
        if fault:
            return "failed", fault
        if self.last is None or not is_measured(self.last):
            huge = self.last is not None and math.isfinite(self.last)
            words = f"; what is larger than {LARGEST:g} counts as diverged" if huge else ""
            return "diverged", f"the last {metric.name} was {self.last}{words}"
        return "complete", ""

    def _read_end(self) -> str | None:
        try:
            if (value := self.reading.end()) is not None:
                self._value(value)
        except MetricError as error:
            return str(error)
        return None

    def _shown_lines(self) -> str:
        if not self.lines:
            return "It printed nothing."
        return "The last lines of its output:\n" + "\n".join(self.lines)


def _fault(ended: Ended, timeout: float | None) -> str | None:
    """What is wrong with how a program ended."""
    if ended.how == "timeout":
        return f"it was ended after {timeout:g} seconds, by the time-out"
    if ended.code == 0:
        return None
    return f"it was ended by signal {-ended.code}" if ended.code < 0 else f"it ended with exit code {ended.code}"
