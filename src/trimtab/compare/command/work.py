"""What a worker does with a point of a comparison of commands."""

import contextlib
import math
import os
import re
import shutil
import zlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from trimtab.compare.command.candidate import CommandCandidate
from trimtab.compare.command.metric import CommandMetric, MetricError, Reading
from trimtab.compare.command.terminal import as_shown
from trimtab.study.outcome import LARGEST, CurvePoint, Outcome, Status, is_measured
from trimtab.study.point import Point
from trimtab.study.process import Ended, process_group, run_process
from trimtab.study.trial import Reporter

SHOWN_LINES = 20
"""Last lines of the output that an outcome keeps when something went wrong."""

LONGEST_NAME = 150
"""Bytes of a candidate's name in a file's, which may have 255 in all on most file systems, fewer on encrypted ones."""

_LINE_WIDTH = 300


@dataclass(frozen=True)
class CommandWork:
    """Runs one trial: the command of the candidate that the point names, with the point's settings and seed.

    Args:
        candidates: label to candidate.
        metric: where the number is found.
        maximize: whether more of it is better.
        directory: each trial gets a directory of its own in it.
        timeout: seconds after which a trial has failed; ``None`` for never.
        threads: value of ``OMP_NUM_THREADS`` where the environment sets none.
        here: where commands run, and what relative paths start from.
    """

    candidates: dict[str, CommandCandidate]
    metric: CommandMetric
    maximize: bool
    directory: Path
    timeout: float | None
    threads: int
    here: Path

    modules: ClassVar = (__name__,)

    def begin(self, threads: int) -> None:
        """Does nothing: commands are told by their environment how many threads they may have."""

    def __call__(self, point: Point, report: Reporter) -> Outcome:
        """Runs the command to its end and reads the metric."""
        with contextlib.chdir(self.here):  # a worker of Ray's starts elsewhere
            return self._attempt(point, report)

    def _attempt(self, point: Point, report: Reporter) -> Outcome:
        candidate = self.candidates[point.candidate]
        trial = trial_name(point)
        out = self.directory / trial
        values = candidate.values(point.settings, seed=point.seed, trial=trial, out=str(out))
        arguments = candidate.command.arguments(values)
        shown = candidate.command.shown(values)
        lock = self.directory / f"{trial}.lock"
        self.directory.mkdir(parents=True, exist_ok=True)
        with process_group(lock) as group:  # from here on nothing of an earlier attempt runs
            _make_empty(out)
            (out / "command.txt").write_text(f"{shown}\n", encoding="utf-8")
            run = _Run(self.metric.start(values), -1 if self.maximize else 1, report)
            try:
                ended = run_process(
                    arguments,
                    group=group,
                    output=out / "output.txt",
                    on_line=run.line,
                    environment=self._environment(point, trial, out),
                    timeout=self.timeout,
                )
            except OSError as error:
                return Outcome("failed", error=f"the command cannot be started: {error}\n{shown}")
            lock.unlink()
        return run.outcome(ended, self.metric, f"{shown}\nits output is in {out / 'output.txt'}", self.timeout)

    def _environment(self, point: Point, trial: str, out: Path) -> dict[str, str]:
        ours = {"TRIMTAB_SEED": str(point.seed), "TRIMTAB_TRIAL": trial, "TRIMTAB_OUT": str(out)}
        # without these a script would use all cores in each worker, and hold back what it prints to a file
        defaults = {"OMP_NUM_THREADS": str(self.threads), "PYTHONUNBUFFERED": "1"}
        return {**defaults, **os.environ, **ours}


def trial_name(point: Point) -> str:
    """Returns a name for a trial that can be a file's: ``lion-tune-3``.

    A candidate whose name has other characters in it, or is too long for that, gets a number of its own as well.
    """
    label = point.candidate
    plain = re.sub(r"[^\w.+-]", "_", label)
    while len(plain.encode()) > LONGEST_NAME:
        plain = plain[:-1]
    if plain != label or plain.startswith("."):
        plain = f"{plain.lstrip('.')}-{zlib.crc32(label.encode()):08x}"
    return f"{plain}-{point.phase}-{point.index}"


def _make_empty(directory: Path) -> None:
    """What an earlier attempt at the trial left behind must not be mistaken for this one's."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir()


@dataclass
class _Run:
    """What is known of one run."""

    reading: Reading
    sign: int
    report: Reporter
    curve: list[CurvePoint] = field(default_factory=list)
    last: float | None = None
    count: int = 0
    fault: str | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=SHOWN_LINES))

    def line(self, text: str) -> bool:
        """Takes in a line of output; returns whether the trial is to be given up."""
        text = as_shown(text).strip()
        if not text:
            return False
        self.lines.append(text if len(text) <= _LINE_WIDTH else f"{text[:_LINE_WIDTH]} ...")
        try:
            values = self.reading.line(text)
        except MetricError as error:
            self.fault = self.fault or str(error)
            return True
        give_up = False
        for value in values:
            give_up |= self._value(value)
        return give_up

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
        if self.fault is None and ended.how == "stopped":
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
