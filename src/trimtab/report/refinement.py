"""A refined schedule, written, drawn on a page of its own and summed up in the terminal."""

from pathlib import Path
from typing import Any

from rich.console import Console

from trimtab.report.document import render
from trimtab.report.figures.refinement import REFINEMENT_FIGURES
from trimtab.schedule.refined.refinement import Refinement, write_schedule
from trimtab.study.errors import InputError
from trimtab.study.files import write_atomically

_ROUGH = 0.05
"""Root mean square difference from which on two numbers do not describe a schedule."""

_LATE = 0.9
"""Share of the run after which a peak says more of gradients that vanish than of a schedule."""

CAPTIONS = {
    "schedules": (
        "The next run's learning rate",
        "The refined schedule, and linear decay, which is what norms that stay the same would give.",
    ),
    "norms": (
        "The run's gradient norms",
        "As they were recorded, and the median over the window that the schedule is made from.",
    ),
}
DESCRIPTIONS = {
    "schedules": "Two lines over the steps of the next run: the refined schedule and linear decay.",
    "norms": "Two lines over the steps of the recorded run: gradient norms and their running median.",
}


def write_refinement(made: Refinement, run: Path, out: Path | None) -> tuple[Path, Path]:
    """Writes the schedule as JSON, and a page beside it.

    Args:
        made: the schedule.
        run: the file that it was made from.
        out: of the JSON file; beside the run's by default.

    Returns:
        The paths of the JSON file and of the page.

    Raises:
        InputError: ``out`` does not end in ``.json``, or is the run's own file. Nothing was written.
        UnwritableError: the operating system refuses.
    """
    schedule = run.with_name(f"{run.stem}.schedule.json") if out is None else out
    if schedule.suffix != ".json" or schedule.resolve() == run.resolve():
        raise InputError(f"out={str(schedule)!r} must end in .json, and be another file than {run}")
    text = render_refinement(made, schedule)
    return write_schedule(made, schedule), write_atomically(schedule.with_suffix(".html"), text)


def render_refinement(made: Refinement, schedule: Path) -> str:
    """Returns the page as HTML.

    Args:
        made: the schedule.
        schedule: where it lies as JSON.
    """
    figures = {name: draw(made) for name, draw in REFINEMENT_FIGURES.items()}
    return render("refinement.html.jinja", figures, _context(made, schedule), scripts=[])


def print_refinement(console: Console, made: Refinement, schedule: Path, page: Path) -> None:
    """Prints what the schedule is like, and where it lies."""
    for sentence in conclusion(made):
        console.print(sentence, markup=False, highlight=False)
    for note in made.notes:
        console.print(f"note: {note}", style="yellow", markup=False, highlight=False)
    for path in (schedule, page):
        console.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"\n{usage(schedule, made.total_steps)}", markup=False, highlight=False, soft_wrap=True)


def conclusion(made: Refinement) -> list[str]:
    """Returns where the peak is, and the polynomial that comes closest, in words."""
    fit, error = made.fit, f"root mean square difference {made.fit.error:.3f}"
    warm_up = f"a warm-up over {fit.warmup:.0%} of the run" if fit.warmup >= 0.005 else "no warm-up"
    shape = f"{warm_up}, then a fall with power {fit.power:.2f} of what is left ({error})."
    if fit.error < _ROUGH:
        described = f"In two numbers: {shape}"
    else:
        described = f"Two numbers do not describe it; the closest are {shape}"
    found = [f"The learning rate peaks at {made.peak:.0%} of the run, step {_peak_step(made):,}.", described]
    if made.peak > _LATE:
        found.append("That late, gradients nearly vanish and their weights outgrow all others: try --cap 0.9.")
    return found


def usage(schedule: Path, total_steps: int) -> str:
    """Returns the lines that follow the schedule in a loop of one's own."""
    return (
        "from trimtab.schedule import RefinedLR, read_schedule\n\n"
        f"total_steps = {total_steps}  # of the next run\n"
        f"scheduler = RefinedLR(optimizer, read_schedule({schedule.name!r}), total_steps)\n"
        "# after each step: scheduler.step()"
    )


def _peak_step(made: Refinement) -> int:
    return int(made.schedule.argmax())


def _context(made: Refinement, schedule: Path) -> dict[str, Any]:
    from trimtab import __version__

    return {
        "source": Path(made.source).name,
        "version": __version__,
        "conclusion": conclusion(made),
        "facts": _facts(made),
        "method": _method(made),
        "captions": CAPTIONS,
        "descriptions": DESCRIPTIONS,
        "code": usage(schedule, made.total_steps),
        "schedule_file": schedule.name,
    }


def _facts(made: Refinement) -> list[tuple[str, str]]:
    every = "" if made.run.every == 1 else f", one every {made.run.every} steps"
    return [
        ("norms", f"{len(made.run.norms):,}{every}"),
        ("norm", made.norm),
        ("smoothing", f"{made.smoothing:g}"),
        ("cap", "none" if made.cap is None else f"quantile {made.cap:g}"),
        ("next run", f"{made.total_steps:,} steps"),
    ]


def _method(made: Refinement) -> list[str]:
    divisor = "smoothed norm" if made.norm == "l1" else "square of the smoothed norm"
    return [
        f"A step's weight is one divided by the {divisor}; its learning rate is its weight times the "
        "sum of the weights of the steps that follow it (Defazio, Cutkosky, Mehta & Mishchenko, 2023, "
        "arXiv:2310.07831). The last step has none, and the largest is scaled to one.",
        "The peak's learning rate has to be tuned anew: three to five values, a factor of two apart. The batch size "
        "has to stay, because norms change with it.",
        *(f"Note: {note}." for note in made.notes),
    ]
