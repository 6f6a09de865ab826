"""A diagnosis, drawn: one HTML page, and what the terminal shows."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from trimtab.diagnose.result import DiagnosisResult, Measurement
from trimtab.report import numbers
from trimtab.report.document import render
from trimtab.report.figures.diagnosis import sharpness
from trimtab.report.figures.style import series_role
from trimtab.report.words import wrapped
from trimtab.study.files import write_atomically

LINE_SECONDS = 60.0
"""Without a terminal, a line is printed when something was measured or after a minute, whichever is first."""

_LABEL_WIDTH = 26


@dataclass(frozen=True)
class DiagnosisPaths:
    """Where a diagnosis lies.

    Args:
        page: the page to open.
        json: the numbers.
    """

    page: Path
    json: Path


def write_diagnosis(result: DiagnosisResult, directory: str | Path) -> DiagnosisPaths:
    """Writes ``diagnosis.html`` and ``diagnosis.json`` into a directory, which is made if it is missing."""
    directory = Path(directory)
    page = write_atomically(directory / "diagnosis.html", render_diagnosis(result))
    return DiagnosisPaths(page, result.write_json(directory / "diagnosis.json"))


def render_diagnosis(result: DiagnosisResult) -> str:
    """Returns the page as HTML."""
    values = {
        "result": result,
        "version": result.environment.get("trimtab"),
        "series": {label: series_role(place) for place, label in enumerate(result.candidates)},
        "conclusion": conclusion(result),
        "facts": _facts(result),
        "method": _method(result),
        "reading": READING,
        "captions": {"sharpness": ("Directional sharpness", _caption(result))},
        "descriptions": {"sharpness": f"Lines of sharpness against steps. {' '.join(conclusion(result))}"},
    }
    return render("diagnosis.html.jinja", {"sharpness": sharpness(result)}, values, scripts=[])


READING: Sequence[tuple[str, str]] = (
    (
        "sharpness",
        "Curvature of the loss along a direction, whatever its length. A sharp direction allows short steps only. It "
        "is negative where the loss curves downwards.",
    ),
    ("correlation", "How steeply the loss changes along the direction: negative where it falls."),
    (
        "best decrease",
        "By how much the loss falls with the best step along the direction, if it were a parabola: the square of the "
        "correlation over twice the sharpness. There is none where the curvature is not positive.",
    ),
    (
        "at the same parameters",
        "Numbers of one step can be compared. Optimizers on trajectories of their own would be elsewhere, with other "
        "curvatures: less sharp here does not mean a better run. It says why steps must be short, not who wins.",
    ),
)
"""Term and explanation."""


def conclusion(result: DiagnosisResult) -> list[str]:
    """Returns what is to be seen, in a sentence or two."""
    if not result.measurements:
        return ["Nothing was measured."]
    last = result.measurements[-1].step
    known = [each for each in result.measurements if each.step == last and each.sharpness is not None]
    sentences = []
    if known:
        ordered = sorted(known, key=lambda each: each.sharpness or 0.0)
        names = ", ".join(f"{each.candidate} ({numbers.significant(each.sharpness, 3)})" for each in ordered)
        sentences.append(f"At step {last:,}, from the least sharp to the sharpest direction: {names}.")
    if result.diverged is not None:
        sentences.append(f"The loss was not finite at step {result.diverged:,}, where the trajectory ends.")
    return sentences


def _facts(result: DiagnosisResult) -> list[tuple[str, str]]:
    return [
        ("task", result.task),
        ("trajectory", result.along),
        ("steps", f"{result.steps:,}"),
        ("batches measured on", f"{result.batches:,} × {result.batch_size:,} samples"),
        ("seed", f"{result.seed}"),
    ]


def _method(result: DiagnosisResult) -> list[tuple[str, str]]:
    settings = "; ".join(f"{label}: {numbers.settings_text(own) or 'none'}" for label, own in result.settings.items())
    return [
        (
            "Trajectory",
            f"{result.along} trains the model. Every gradient is shown to all candidates, which keep their own state; "
            "at a point that is measured, each says how it would change the parameters, weight decay included.",
        ),
        (
            "Measurement",
            "Products with the Hessian of the training loss, by a second backward pass, in the mean over fixed batches "
            "that are the same for all points and candidates. Dropout is off and batch normalisation uses its running "
            "statistics. The trajectory is the same, bit for bit, as without measuring.",
        ),
        ("Settings", f"Those that were not fixed are the middle of their ranges. {settings}."),
        ("Source", "Pan and Li (2023), arXiv:2306.00204."),
    ]


def _caption(result: DiagnosisResult) -> str:
    words = "Hover for the correlation with the gradient and the best decrease."
    if any(each.sharpness is not None and each.sharpness <= 0 for each in result.measurements):
        words += " Where curvature is not positive, points are to be seen on a linear axis only."
    return words


def diagnosis_table(result: DiagnosisResult) -> Table:
    """Returns all numbers, a row for each candidate at each step."""
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("step", justify="right", no_wrap=True)
    table.add_column("candidate", overflow="fold", min_width=8)
    for name in ("sharpness", "correlation", "best decrease"):
        table.add_column(name, justify="right", no_wrap=True)
    shown = 0
    for each in result.measurements:
        table.add_row(
            f"{each.step:,}" if each.step != shown else "",
            Text("\n".join(wrapped(each.candidate, _LABEL_WIDTH))),
            *(numbers.significant(value, 3) for value in (each.sharpness, each.correlation, each.best_decrease)),
        )
        shown = each.step
    return table


def print_diagnosis(console: Console, result: DiagnosisResult, paths: DiagnosisPaths) -> None:
    """Prints the numbers, why some are missing, what is to be seen, and where the page is."""
    console.print()
    console.print(diagnosis_table(result))
    notes: dict[str, list[int]] = {}
    for each in result.measurements:
        if each.note:
            notes.setdefault(f"{each.candidate}: {each.note}", []).append(each.step)
    for note, steps in notes.items():
        console.print(Text(f"{note}, at step {', '.join(f'{step:,}' for step in steps)}", style="yellow"))
    console.print()
    for sentence in conclusion(result):
        console.print(Text(sentence))
    console.print()
    for name, path in (("page:", paths.page), ("numbers:", paths.json)):
        line = Text(f"{name:<9}").append(str(path), style=f"link {path.resolve().as_uri()}")
        console.print(line, soft_wrap=True)


class DiagnosisBar:
    """Shows a diagnosis's progress; give it to ``run``, inside ``with``.

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

    def __call__(self, step: int, steps: int, found: Sequence[Measurement]) -> None:
        """Shows that a step was taken."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step, total=steps)
        elif found or self._clock() - self._line_at >= LINE_SECONDS:
            self._line_at = self._clock()
            self._console.print(f"step {step:,}/{steps:,}{', measured' if found else ''}", highlight=False)
