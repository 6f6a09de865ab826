"""Progress of what goes step by step and looks at some of the steps."""

import time
from collections.abc import Callable, Sized
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_SECONDS = 60.0
"""Without a terminal, a line is printed when something was measured or after a minute, whichever is first."""


class StepBar:
    """Shows the progress of steps, some of which are measured; use it inside ``with``.

    In a terminal a bar with the remaining time; elsewhere a plain line now and then.

    Args:
        console: where to.
        clock: returns seconds.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock, self._line_at = console, clock, clock()
        self._bar: Progress | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=None))
            count = MofNCompleteColumn()
            self._bar = Progress(*columns, count, TimeRemainingColumn(), console=console, expand=True, transient=True)
            self._task = self._bar.add_task("steps", total=None)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, step: int, steps: int, found: Sized) -> None:
        """Shows that a step was taken.

        Args:
            step: how many there have been.
            steps: how many there will be.
            found: what was measured at this one, if anything.
        """
        if self._bar is not None:
            self._bar.update(self._task, completed=step, total=steps)
        elif found or self._clock() - self._line_at >= LINE_SECONDS:
            self._line_at = self._clock()
            self._console.print(f"step {step:,}/{steps:,}{', measured' if found else ''}", highlight=False)
