"""A diagnosis in words: which direction is how sharp, why numbers are missing, how to read them."""

from trimtab.diagnose.result import DiagnosisResult, Measurement
from trimtab.study.numbers import settings_text, significant, whole
from trimtab.study.pages import (
    Axis,
    Column,
    Figure,
    Line,
    Marked,
    Page,
    Paragraphs,
    Row,
    Section,
    Table,
    Terms,
    Words,
)
from trimtab.study.phrases import count

FILE = "diagnosis.json"
"""Name of the file that holds the numbers."""

READING: tuple[tuple[str, str], ...] = (
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


def diagnosis_page(result: DiagnosisResult) -> Page:
    """Returns what a reader is shown of a diagnosis."""
    method = Paragraphs(_method(result), "Method")
    reading = Terms(READING, "How to read it")
    return Page(
        title=f"{result.task}: sharpness of {count(len(result.candidates), 'candidate')}",
        brand="diagnosis",
        heading=("How sharp is the way on ", Marked(result.task), "?"),
        conclusion=tuple(conclusion(result)),
        facts=_facts(result),
        sections=(
            Section("figures", f"Along the trajectory of {result.along}", "Figure", (sharpness(result),)),
            Section("numbers", "All numbers", "Numbers", (_numbers(result),)),
            Section(
                "method",
                "How it was made, and how to read it",
                "Method",
                (method,),
                (reading, Terms(tuple(result.environment.items()), "Environment")),
            ),
        ),
        data_file=FILE,
        warnings=tuple(_missing(result)),
    )


def conclusion(result: DiagnosisResult) -> list[str]:
    """Returns what is to be seen, in a sentence or two."""
    if not result.measurements:
        ended = "" if result.diverged is None else f": the loss was not finite at step {result.diverged:,}"
        return [f"Nothing was measured{ended}."]
    last = result.measurements[-1].step
    known = [each for each in result.measurements if each.step == last and each.sharpness is not None]
    sentences = []
    if known:
        ordered = sorted(known, key=lambda each: each.sharpness or 0.0)
        names = ", ".join(f"{each.candidate} ({significant(each.sharpness, 3)})" for each in ordered)
        sentences.append(f"At step {last:,}, from the least sharp to the sharpest direction: {names}.")
    if result.diverged is not None:
        sentences.append(f"The loss was not finite at step {result.diverged:,}, where the trajectory ends.")
    return sentences


def _missing(result: DiagnosisResult) -> list[str]:
    """Why numbers are missing, and at which steps."""
    notes: dict[str, list[str]] = {}
    for each in result.measurements:
        if each.note:
            notes.setdefault(f"{each.candidate}: {each.note}", []).append(f"{each.step:,}")
    return [f"{note}, at step {', '.join(steps)}" for note, steps in notes.items()]


def sharpness(result: DiagnosisResult) -> Figure:
    """Shows the directional sharpness of every candidate against the steps, and the other numbers on hovering.

    The vertical axis is logarithmic where most are positive; the others are to be seen on the linear one.
    """
    known = [each for each in result.measurements if each.sharpness is not None]
    mostly = sum((each.sharpness or 0) > 0 for each in known) > len(known) / 2
    places = {label: index for index, label in enumerate(result.candidates)}
    found = {label: [each for each in known if each.candidate == label] for label in places}
    return Figure(
        "sharpness",
        heading="Directional sharpness",
        caption=_caption(result),
        description=f"Lines of sharpness against steps. {' '.join(conclusion(result))}",
        x=Axis("step", logarithmic=True, whole=True),
        y=Axis("directional sharpness", logarithmic=mostly),
        lines=tuple(_line(label, places[label], own) for label, own in found.items() if own),
        or_linear=mostly,
        empty="Nothing was measured.",
    )


def _line(label: str, index: int, found: list[Measurement]) -> Line:
    steps, values = tuple(each.step for each in found), tuple(each.sharpness for each in found)
    return Line(label, steps, values, index, marks="both", hover=tuple(map(_hover, found)))


def _hover(found: Measurement) -> str:
    names = ("sharpness", "correlation", "best decrease")
    numbers = (f"{name} {text}" for name, text in zip(names, _measured(found), strict=True))
    return "\n".join([f"step {found.step:,}", *numbers, *filter(None, [found.note])])


def _numbers(result: DiagnosisResult) -> Table:
    """All numbers, a row for each candidate at each step."""
    columns = (
        Column("step", sparse=True),
        Column("candidate", text=True),
        Column("sharpness"),
        Column("correlation"),
        Column("best decrease"),
        Column("note", text=True, brief=""),
    )
    places = {label: index for index, label in enumerate(result.candidates)}
    rows = (
        Row((whole(each.step), each.candidate, *_measured(each), each.note), places[each.candidate])
        for each in result.measurements
    )
    return Table(columns, tuple(rows), names=1)


def _measured(found: Measurement) -> tuple[str, ...]:
    return tuple(significant(value, 3) for value in (found.sharpness, found.correlation, found.best_decrease))


def _facts(result: DiagnosisResult) -> tuple[tuple[str, str], ...]:
    return (
        ("task", result.task),
        ("trajectory", result.along),
        ("steps", f"{result.steps:,}"),
        ("batches measured on", f"{result.batches:,} × {result.batch_size:,} samples"),
        ("seed", f"{result.seed}"),
    )


def _method(result: DiagnosisResult) -> tuple[Words, ...]:
    settings = "; ".join(f"{label}: {settings_text(own) or 'none'}" for label, own in result.settings.items())
    return (
        (
            Marked("Trajectory.", "strong"),
            f" {result.along} trains the model. Every gradient is shown to all candidates, which keep their own state; "
            "at a point that is measured, each says how it would change the parameters, weight decay included.",
        ),
        (
            Marked("Measurement.", "strong"),
            " Products with the Hessian of the training loss, by a second backward pass, in the mean over fixed "
            "batches that are the same for all points and candidates. Dropout is off and batch normalisation uses its "
            "running statistics. The trajectory is the same, bit for bit, as without measuring.",
        ),
        (Marked("Settings.", "strong"), f" Those that were not fixed are the middle of their ranges. {settings}."),
        (Marked("Source.", "strong"), " Pan and Li (2023), arXiv:2306.00204."),
    )


def _caption(result: DiagnosisResult) -> str:
    words = "Hover for the correlation with the gradient and the best decrease."
    if any(each.sharpness is not None and each.sharpness <= 0 for each in result.measurements):
        words += " Where curvature is not positive, points are to be seen on a linear axis only."
    return words
