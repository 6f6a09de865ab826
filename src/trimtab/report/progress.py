"""Progress of a study in the terminal: bars where somebody watches, lines where a file listens."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from trimtab.report import numbers
from trimtab.report.numbers import significant
from trimtab.study.ledger import Again, Group, Ledger, Seeds, no_more
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.remaining import Key, Remaining
from trimtab.study.running import Outcomes

LINE_STEP = 0.1
LINE_SECONDS = 60.0
"""Without a terminal, a line is printed after a tenth of the trials or a minute, whichever is first."""

WIDE = 1.4
"""Ends of an estimate that differ by more than this factor are both shown."""


class _Left(ProgressColumn):
    """The remaining time of the overall bar."""

    def __init__(self, ledger: Ledger, *, racing: bool) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._ledger, self._racing = ledger, racing

    def render(self, task: Task) -> Text:
        return Text(
            _left(self._ledger, racing=self._racing) if task.fields.get("overall") else task.fields.get("words", "")
        )


def _left(ledger: Ledger, *, racing: bool) -> str:
    if ledger.done == ledger.total:
        return "" if racing else "done"
    left = ledger.remaining()
    if left is None:
        return "measuring"
    if (racing or ledger.seeds is None) and left.least is None:
        return f"over {numbers.duration(left.seconds)} left"
    return left_words(left)


def left_words(left: Remaining) -> str:
    """Returns the time that is left: a range where it is wide, and the least where some of it has no known price."""
    if left.least is not None:
        return f"at least {numbers.duration(left.least)} left" if left.least >= 1 else "time left not known yet"
    if left.high > WIDE * left.low and left.high > 10:
        return f"{numbers.between(left.low, left.high)} left"
    return f"about {numbers.duration(left.seconds)} left"


class ProgressBars:
    """Shows a study's progress; give it to a comparison as observer, inside ``with``.

    In a terminal: a bar for all trials with the remaining time, and a line for each candidate. Elsewhere: a plain line
    now and then. Trials that an earlier session finished count as done.

    Args:
        console: where to.
        seeds: returns how many final runs each candidate gets, or problem to that number; while that is ``None``, the
            total grows when the first candidate is tuned.
        sign: what a loss is multiplied with to be shown.
        workers: how many trials run at once here, if that is known.
        most: returns how many trials there are at most, of a race, of which nobody knows how many are to come.
        clock: returns seconds.
        again: name of a problem to how many tuning trials with further seeds there will be.
    """

    def __init__(
        self,
        console: Console,
        seeds: Callable[[], Seeds] = lambda: None,
        *,
        sign: int = 1,
        workers: int | None = None,
        most: Callable[[], int | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        again: Callable[[str], Again] = lambda _problem: no_more,
    ) -> None:
        self._most = most
        self._console = console
        self._clock = clock
        self._sign = sign
        self._ledger = Ledger(seeds, clock, workers, again)
        self._bars: Progress | None = None
        self._tasks: dict[Key, TaskID] = {}
        self._overall: TaskID | None = None
        self._line_at = (0, clock())
        if console.is_terminal and not console.is_dumb_terminal:
            self._bars = Progress(
                TextColumn("{task.description}", markup=False, table_column=Column(max_width=22, no_wrap=True)),
                BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
                TextColumn("{task.completed:.0f}/{task.total:.0f}", justify="right"),
                _Left(self._ledger, racing=most is not None),
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
        elif self._most is not None and self._line_at[0] < self._ledger.done:  # nobody knew that it was the last
            self._print_line()

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
        total = self._at_most() or max(1, ledger.total)
        if self._overall is None:
            self._overall = bars.add_task("all trials", total=total, overall=True)
        bars.update(self._overall, completed=ledger.done, total=total)
        several_problems = len({problem for problem, _ in ledger.groups}) > 1
        room = max(3, self._console.height - 3)
        for key, group in ledger.groups.items():
            if key not in self._tasks:
                label = ": ".join(key) if several_problems else key[1]
                self._tasks[key] = bars.add_task(label, total=max(1, group.planned.total()))
            phase = group.phase
            done, total = group.done[phase], group.planned[phase]
            over = group.tuned and done == total
            words = f"{'done' if over else phase:<5} {_best(group, self._sign)}"
            # with more candidates than lines, those that are finished or have not begun make room
            visible = len(ledger.groups) <= room or (group.done.total() > 0 and not over)
            bars.update(self._tasks[key], completed=done, total=max(1, total), words=words, visible=visible)

    def _at_most(self) -> int | None:
        return None if self._most is None else self._most()

    def _line_is_due(self) -> bool:
        done, at = self._line_at
        ledger, total = self._ledger, self._at_most() or self._ledger.total
        step = max(1.0, LINE_STEP * total)
        return ledger.done == total or ledger.done - done >= step or self._clock() - at >= LINE_SECONDS

    def _print_line(self) -> None:
        ledger = self._ledger
        self._line_at = (ledger.done, self._clock())
        most = self._at_most()
        done = f"{ledger.done}/{ledger.total} trials" if most is None else f"{ledger.done} of at most {most} trials"
        words = ", ".join(filter(None, (done, _left(ledger, racing=self._most is not None))))
        if ledger.best is not None:
            words += f"; best run so far {ledger.best[0]}, {significant(self._sign * ledger.best[1])}"
        trouble = numbers.troubles(*ledger.trouble)
        words += f"; {trouble}" if trouble else ""
        self._console.print(Text(words), soft_wrap=True)


def _best(group: Group, sign: int) -> str:
    best = "" if group.best is None else f"best {significant(sign * group.best)}"
    return ", ".join(filter(None, (best, numbers.troubles(group.diverged, group.failed))))
