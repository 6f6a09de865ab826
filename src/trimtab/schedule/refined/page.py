"""A refined schedule in words: where its peak is, what two numbers say of it, what it was made from, how it is used."""

from pathlib import Path

import numpy as np

from trimtab.schedule.refined.refinement import Refinement
from trimtab.study.pages import Axis, Code, Figure, Line, Marked, Page, Paragraphs, Section

_ROUGH = 0.05
"""Root mean square difference from which on two numbers do not describe a schedule."""

_LATE = 0.9
"""Share of the run after which a peak says more of gradients that vanish than of a schedule."""

_DRAWN = 2000
"""Points of a line; more cannot be seen."""


def refinement_page(made: Refinement, schedule: Path) -> Page:
    """Returns what a reader is shown of a schedule.

    Args:
        made: the schedule.
        schedule: where it lies as JSON.
    """
    source = Path(made.source).name
    code = Code(usage(schedule, made.total_steps))
    return Page(
        title=f"{source}: the next schedule",
        brand="refined schedule",
        heading=("The next run after ", Marked(source)),
        conclusion=tuple(conclusion(made)),
        facts=_facts(made),
        sections=(
            Section("figures", "Schedule and norms", "Schedule", (schedules(made), norms(made))),
            Section("use", "Use", "Use", (code,)),
            Section("method", "How it was made, and how to read it", "Method", (_method(made),)),
        ),
        data_file=schedule.name,
        holds="the multipliers",
        warnings=tuple(f"note: {note}" for note in made.notes),
    )


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
    """Returns the lines that follow the schedule in a loop of one's own, from where the command ran."""
    return (
        "from trimtab.schedule import RefinedLR, read_schedule\n\n"
        f"total_steps = {total_steps}  # of the next run\n"
        f"scheduler = RefinedLR(optimizer, read_schedule({str(schedule)!r}), total_steps)\n"
        "# after each step: scheduler.step()"
    )


def _peak_step(made: Refinement) -> int:
    return int(made.schedule.argmax())


def schedules(made: Refinement) -> Figure:
    """Shows the schedule of the next run beside linear decay, which is what constant norms would give."""
    places = _places(made.total_steps)
    steps = tuple(places.tolist())
    hover = "step {x}: {y}"
    decay = 1 - places / (made.total_steps - 1)
    return Figure(
        "schedules",
        heading="The next run's learning rate",
        caption="The refined schedule, and linear decay, which is what norms that stay the same would give.",
        description="Two lines over the steps of the next run: the refined schedule and linear decay.",
        x=Axis("step of the next run", whole=True),
        y=Axis("learning rate, as a share of its peak", ends=(0, 1.05)),
        lines=(
            Line("refined", steps, tuple(made.schedule[places].tolist()), 0, hover=hover),
            Line("linear decay", steps, tuple(decay.tolist()), 1, dash="dash", hover=hover),
        ),
    )


def norms(made: Refinement) -> Figure:
    """Shows the norms of the run as they were recorded, and after smoothing."""
    places = _places(len(made.run.norms))
    steps = tuple((places * made.run.every).tolist())
    raw, smooth = _positive(np.asarray(made.run.norms)[places]), _positive(made.smooth[places])
    hover = "step {x}: {y}"
    return Figure(
        "norms",
        heading="The run's gradient norms",
        caption="As they were recorded, and the median over the window that the schedule is made from.",
        description="Two lines over the steps of the recorded run: gradient norms and their running median.",
        x=Axis("step of the recorded run", whole=True),
        y=Axis(f"{made.norm} norm of the gradient".replace("_", " "), logarithmic=True),
        lines=(
            Line("recorded", steps, raw, "muted", opacity=0.5, hover=hover),
            Line("median", steps, smooth, 0, hover=hover),
        ),
    )


def _places(count: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Which of so many values are drawn, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _DRAWN)).round().astype(np.int64))


def _positive(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float | None, ...]:
    """Leaves out what has no place on a logarithmic axis."""
    return tuple(float(value) if 0 < value < np.inf else None for value in values)


def _facts(made: Refinement) -> tuple[tuple[str, str], ...]:
    every = "" if made.run.every == 1 else f", one every {made.run.every} steps"
    return (
        ("norms", f"{len(made.run.norms):,}{every}"),
        ("norm", made.norm),
        ("smoothing", f"{made.smoothing:g}"),
        ("cap", "none" if made.cap is None else f"quantile {made.cap:g}"),
        ("next run", f"{made.total_steps:,} steps"),
    )


def _method(made: Refinement) -> Paragraphs:
    divisor = "smoothed norm" if made.norm == "l1" else "square of the smoothed norm"
    texts = (
        f"A step's weight is one divided by the {divisor}; its learning rate is its weight times the "
        "sum of the weights of the steps that follow it (Defazio, Cutkosky, Mehta & Mishchenko, 2023, "
        "arXiv:2310.07831). The last step has none, and the largest is scaled to one.",
        "The peak's learning rate has to be tuned anew: three to five values, a factor of two apart. The batch size "
        "has to stay, because norms change with it.",
        *(f"Note: {note}." for note in made.notes),
    )
    return Paragraphs(texts)
