"""Progress of a study in the terminal: bars where somebody watches, lines where a file listens."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from trimtab.lab.study import Outcomes
from trimtab.lab.trial import Outcome, Point
from trimtab.report.numbers import duration, significant

LINE_STEP = 0.1
LINE_SECONDS = 60.0
"""Without a terminal, a line is printed after a tenth of the trials or a minute, whichever is first."""


@dataclass
class _Group:
    """What is known of one candidate."""

    planned: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    best: float | None = None
    trouble: int = 0
    seconds: float = 0.0

    @property
    def phase(self) -> str:
        """``final`` once there are final runs, which a candidate that failed never has."""
        return "final" if self.planned["final"] else "tune"

    @property
    def tuned(self) -> bool:
        """Whether every known tuning trial is done."""
        return self.done["tune"] == self.planned["tune"]

    def record(self, point: Point, outcome: Outcome) -> None:
        self.done[_phase(point)] += 1
        self.seconds += outcome.seconds
        self.trouble += outcome.status in ("failed", "diverged")
        if outcome.loss is not None and _phase(point) == "tune":
            self.best = outcome.loss if self.best is None else min(self.best, outcome.loss)

    def expected(self, seeds: int) -> int:
        """How many trials there will be: final runs are planned when the tuning is over, unless all of it failed."""
        failed = self.tuned and self.best is None
        return self.planned.total() + (0 if self.planned["final"] or failed else seeds)


def _phase(point: Point) -> str:
    return point.group.split("/", 2)[1]


def _label(point: Point) -> str:
    return point.group.split("/", 2)[2]


class Ledger:
    """Counts what is done and estimates what is left; knows no terminal.

    The estimate takes each candidate's own mean duration, because candidates differ, and divides by as many trials as
    were seen to run at once.

    Args:
        seeds: final runs of each candidate, as far as they are not known to the design yet; ``None`` takes the number
            of the first candidate that is tuned.
        clock: returns seconds.
    """

    def __init__(self, seeds: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.groups: dict[str, _Group] = {}
        self._seeds = seeds
        self._clock = clock
        self._done: set[str] = set()
        self._running: dict[str, tuple[str, float]] = {}
        self._planned: set[str] = set()
        self._workers = 0

    def plan(self, points: list[Point], outcomes: Outcomes) -> None:
        """Takes in the design; what has an outcome already counts as done."""
        for point in points:
            if point.key not in self._planned:
                self._planned.add(point.key)
                self.groups.setdefault(_label(point), _Group()).planned[_phase(point)] += 1
                if point.key in outcomes:
                    self.finish(point, outcomes[point.key])
        if self._seeds is None:
            self._seeds = max((group.planned["final"] for group in self.groups.values()), default=0) or None

    def start(self, point: Point) -> None:
        """A trial runs."""
        self._running[point.key] = (_label(point), self._clock())
        self._workers = max(self._workers, len(self._running))

    def finish(self, point: Point, outcome: Outcome) -> None:
        """A trial has an outcome."""
        self._running.pop(point.key, None)
        if point.key not in self._done:
            self._done.add(point.key)
            self.groups[_label(point)].record(point, outcome)

    @property
    def done(self) -> int:
        """How many trials have an outcome."""
        return len(self._done)

    @property
    def total(self) -> int:
        """How many trials there will be, as far as can be told."""
        return sum(group.expected(self._seeds or 0) for group in self.groups.values())

    @property
    def best(self) -> tuple[str, float] | None:
        """The candidate with the lowest tuning loss so far, and the loss."""
        known = [(group.best, label) for label, group in self.groups.items() if group.best is not None]
        return min(known)[::-1] if known else None

    def remaining_seconds(self) -> float | None:
        """About how long it will take from now; ``None`` while nothing has finished or nothing has started."""
        if not self._done or not self._workers:
            return None
        overall = sum(group.seconds for group in self.groups.values()) / self.done
        means = {
            label: group.seconds / done if (done := group.done.total()) else overall
            for label, group in self.groups.items()
        }
        work = sum(
            means[label] * (group.expected(self._seeds or 0) - group.done.total())
            for label, group in self.groups.items()
        )
        now = self._clock()
        spent = {key: min(now - start, means[label]) for key, (label, start) in self._running.items()}
        longest = max((means[label] - spent[key] for key, (label, _) in self._running.items()), default=0.0)
        return max((work - sum(spent.values())) / self._workers, longest)

    @property
    def complete_plan(self) -> bool:
        """Whether the number of final runs is known, so that the total is more than a lower bound."""
        return self._seeds is not None


class _Left(ProgressColumn):
    """The remaining time of the overall bar."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._ledger = ledger

    def render(self, task: Task) -> Text:
        return Text(_left(self._ledger) if task.fields.get("overall") else task.fields.get("words", ""))


def _left(ledger: Ledger) -> str:
    seconds = ledger.remaining_seconds()
    if ledger.done == ledger.total:
        return "done"
    if seconds is None:
        return "measuring"
    return f"{'about' if ledger.complete_plan else 'over'} {duration(seconds)} left"


class ProgressBars:
    """Shows a study's progress; give it to a comparison as observer, inside ``with``.

    In a terminal: a bar for all trials with the remaining time, and a line for each candidate. Elsewhere: a plain line
    now and then. Trials that an earlier session finished count as done.

    Args:
        console: where to.
        seeds: final runs of each candidate; without it the total grows when the first candidate is tuned.
        sign: what a loss is multiplied with to be shown.
        clock: returns seconds.
    """

    def __init__(
        self,
        console: Console,
        seeds: int | None = None,
        *,
        sign: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._clock = clock
        self._sign = sign
        self._ledger = Ledger(seeds, clock)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._overall: TaskID | None = None
        self._line_at = (0, clock())
        if console.is_terminal and not console.is_dumb_terminal:
            self._bars = Progress(
                TextColumn("{task.description}", markup=False, table_column=Column(max_width=22, no_wrap=True)),
                BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
                TextColumn("{task.completed:.0f}/{task.total:.0f}", justify="right"),
                _Left(self._ledger),
                console=console,
                expand=console.width < 100,
                transient=True,
            )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def planned(self, points: list[Point], outcomes: Outcomes) -> None:
        """The design knows of these points; some have outcomes already."""
        first = not self._ledger.groups
        self._ledger.plan(points, outcomes)
        self._draw()
        if first and self._bars is None:
            self._print_line()

    def started(self, point: Point) -> None:
        """A trial has started."""
        self._ledger.start(point)

    def reported(self, point: Point, cost: int, loss: float) -> None:
        """A trial has evaluated its model; what counts here is how it ends."""

    def finished(self, point: Point, outcome: Outcome) -> None:
        """A trial's outcome is recorded."""
        self._ledger.finish(point, outcome)
        if self._bars is not None:
            self._draw()
        elif self._line_is_due():
            self._print_line()

    def _draw(self) -> None:
        bars, ledger = self._bars, self._ledger
        if bars is None:
            return
        if self._overall is None:
            self._overall = bars.add_task("all trials", total=max(1, ledger.total), overall=True)
        bars.update(self._overall, completed=ledger.done, total=max(1, ledger.total))
        room = max(3, self._console.height - 3)
        for label, group in ledger.groups.items():
            if label not in self._tasks:
                self._tasks[label] = bars.add_task(label, total=max(1, group.planned.total()))
            phase = group.phase
            done, total = group.done[phase], group.planned[phase]
            over = group.tuned and done == total
            words = f"{'done' if over else phase:<5} {_best(group, self._sign)}"
            # with more candidates than lines, those that are finished or have not begun make room
            visible = len(ledger.groups) <= room or (group.done.total() > 0 and not over)
            bars.update(self._tasks[label], completed=done, total=max(1, total), words=words, visible=visible)

    def _line_is_due(self) -> bool:
        done, at = self._line_at
        ledger = self._ledger
        step = max(1.0, LINE_STEP * ledger.total)
        return ledger.done == ledger.total or ledger.done - done >= step or self._clock() - at >= LINE_SECONDS

    def _print_line(self) -> None:
        ledger = self._ledger
        self._line_at = (ledger.done, self._clock())
        words = f"{ledger.done}/{ledger.total} trials, {_left(ledger)}"
        if ledger.best is not None:
            words += f"; best so far {ledger.best[0]}, {significant(self._sign * ledger.best[1])}"
        trouble = sum(group.trouble for group in ledger.groups.values())
        words += f"; {trouble} failed or diverged" if trouble else ""
        self._console.print(Text(words), soft_wrap=True)


def _best(group: _Group, sign: int) -> str:
    best = "" if group.best is None else f"best {significant(sign * group.best)}"
    return f"{best}, {group.trouble} failed" if group.trouble else best
