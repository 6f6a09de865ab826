"""What all candidates of a comparison are trained with alike: schedule, warm-up, clipping, averages, no-decay groups.

A recipe is written with the same parts as candidates are, and goes around each of them: ``--schedule cosine`` makes
``adamw+cosine`` of ``adamw``, which is called ``adamw`` all the same. What a candidate brings by itself it keeps: a
schedule-free optimizer its averages and its rate, one that is written with a schedule or with clipping these.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from trimtab.primitives.modes import has_modes
from trimtab.study.checks import check_flag, check_number, check_text
from trimtab.study.errors import Faults, InputError
from trimtab.study.phrases import count, listed
from trimtab.study.suggestions import nearest
from trimtab.study.tunable import Value, as_given

if TYPE_CHECKING:
    from trimtab.catalog.expressions import Expression

NONE = "none"

SCHEDULES: Mapping[str, str] = {
    NONE: "constant",
    "cosine": "cosine",
    "linear": "linear",
    "wsd": "wsd",
    "onecycle": "onecycle",
    "inverse-sqrt": "inverse_sqrt",
}
"""What a schedule is called on the command line, and in the catalogue."""

_WORDS: Mapping[str, str] = {
    NONE: "a constant rate",
    "cosine": "cosine decay to zero",
    "linear": "linear decay to zero",
    "wsd": "a constant rate that goes to zero in the last fifth",
    "onecycle": "one cycle",
    "inverse-sqrt": "decay as the inverse square root",
}


@dataclass(frozen=True)
class Recipe:
    """What goes around every candidate.

    Args:
        schedule: one of ``SCHEDULES``.
        warmup: share of the run over which the learning rate rises; ``None`` for what is usual with the schedule.
        clip_norm: largest norm of the gradient, all parameters together; ``None`` clips nothing.
        ema: decay of the average of weights that is evaluated; ``None`` evaluates the weights themselves.
        no_decay: whether biases and the parameters of normalisation layers go without weight decay.

    Raises:
        InputError: something of it cannot be.
    """

    schedule: str = NONE
    warmup: float | None = None
    clip_norm: float | None = None
    ema: float | None = None
    no_decay: bool = False

    def __post_init__(self) -> None:
        faults = Faults()
        with faults:
            check_text("schedule", self.schedule)
            if self.schedule not in SCHEDULES:
                raise InputError(f"schedule={self.schedule!r}: {nearest(self.schedule, SCHEDULES)}")
        for name, low, high in (("warmup", 0.0, 1.0), ("clip_norm", 0.0, math.inf), ("ema", 0.0, 1.0)):
            with faults:
                _check_within(name, getattr(self, name), low, high)
        with faults:
            if self.schedule == "inverse-sqrt" and self.warmup == 0:
                raise InputError("warmup=0: inverse-sqrt decays from the end of a warm-up; give one, such as 5%")
        with faults:
            check_flag("no_decay", self.no_decay)
        faults.raise_any()
        if self.warmup is not None:
            self._refuse_too_long(self.warmup)

    def _refuse_too_long(self, warmup: float) -> None:
        """Refuses a warm-up that does not go with the rest of the schedule."""
        from trimtab.catalog.entries import find
        from trimtab.catalog.signatures import default_of

        schedule = find(SCHEDULES[self.schedule], "optimizer").load()
        settings = {name: default_of(schedule, name) for name in schedule.hyperparameters}
        try:
            schedule.refuse({**settings, "warmup": warmup})
        except ValueError as error:
            raise InputError(f"schedule={self.schedule!r}: {error}") from error

    @property
    def plain(self) -> bool:
        """Whether it leaves candidates as they are."""
        return self == Recipe()

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, without what is as it is by default."""
        return {name: value for name, value in asdict(self).items() if value != getattr(Recipe, name)}

    @property
    def words(self) -> str:
        """What it is, in a line."""
        warmup = _usual_warmup(self.schedule) if self.warmup is None else self.warmup
        rising = f" after a warm-up over {100 * warmup:.4g} % of the run" if warmup else ""
        parts = [f"{_WORDS[self.schedule]}{rising}"]
        parts += [] if self.clip_norm is None else [f"gradients clipped to a norm of {as_given(self.clip_norm)}"]
        parts += [] if self.ema is None else [f"weights averaged with a decay of {as_given(self.ema)}"]
        parts += ["no weight decay of biases and norms"] if self.no_decay else []
        return "; ".join(parts)

    def around(self, expression: "Expression") -> "Expression":
        """Returns a candidate with the recipe around it.

        Raises:
            InputError: a part of it cannot go around the candidate.
        """
        wrappers, controllers = _apart(expression)
        whole = wrappers[-1]
        if self.clip_norm is not None and not _clips(expression):
            whole = self._clipped(wrappers)
        if self.ema is not None and not _averages(whole):
            whole = _around(whole, "ema", ("decay", self.ema))
        for node in controllers:
            whole = replace(node, inner=whole)
        if (self.schedule != NONE or self.warmup) and not keeps_its_schedule(expression):
            fixed = [] if self.warmup is None else [("warmup", self.warmup)]
            whole = _around(whole, SCHEDULES[self.schedule], *fixed)
        return whole

    def _clipped(self, wrappers: Sequence["Expression"]) -> "Expression":
        """Clips gradients first of all, or, where a wrapper needs whole ones, right before the optimizer."""
        fixed, label = ("max_norm", self.clip_norm), wrappers[-1].label
        try:
            return _around(wrappers[-1], "clip_norm", fixed)
        except InputError as refusal:
            reason = str(refusal)
        try:
            whole = _around(wrappers[0], "clip_norm", fixed)
            for node in wrappers[1:]:
                whole = replace(node, inner=whole)
        except InputError:
            raise InputError(f"clip_norm={self.clip_norm!r} cannot go around {label}: {reason}") from None
        return whole

    def remarks(self, expressions: Sequence["Expression"]) -> list[str]:
        """Returns what a reader should know of the recipe together with candidates, in sentences."""
        if not expressions:
            return []
        kept = [] if self.plain else [each.label for each in expressions if keeps_its_schedule(each)]
        normalised = [each.label for each in expressions if each.normalised]
        found = []
        if kept:
            found.append(
                f"{listed(kept)} {'keeps its own schedule' if len(kept) == 1 else 'keep their own schedules'}."
            )
        averaging = [each.label for each in expressions if _averages(_apart(each)[0][-1])]
        if averaging and self.ema is not None:
            alone = len(averaging) == 1
            does = "averages its weights itself, and has" if alone else "average their weights themselves, and have"
            found.append(f"{listed(averaging)} {does} no other average.")
        clipping = [each.label for each in expressions if _clips(each)]
        if clipping and self.clip_norm is not None:
            alone = len(clipping) == 1
            does = "clips by its own norm, and by no" if alone else "clip by their own norms, and by no"
            found.append(f"{listed(clipping)} {does} other.")
        if normalised and self.clip_norm is not None:
            found.append(
                f"Clipping shortens no step of {listed(normalised)}: {'its' if len(normalised) == 1 else 'their'} "
                "direction is normalised, and one gradient only weighs less against the momentum."
            )
        return found


def keeps_its_schedule(expression: "Expression") -> bool:
    """Returns whether a candidate sets its learning rate by itself, or its optimizer averages in a schedule's place."""
    nodes = [node.entry for node in expression.nodes() if node.entry.loadable]
    sets = any("lr" in (*getattr(each.load(), "sets", ()), *getattr(each.load(), "owns", ())) for each in nodes)
    return sets or _averages(next(expression.nodes()))


def _usual_warmup(schedule: str) -> Any:
    """The share of the run that a schedule's warm-up takes where nobody says another."""
    from trimtab.catalog.entries import find
    from trimtab.catalog.signatures import default_of

    return default_of(find(SCHEDULES[schedule], "optimizer").load(), "warmup")


def _clips(expression: "Expression") -> bool:
    return any(node.entry.id == "clip_norm" for node in expression.nodes())


def _averages(expression: "Expression") -> bool:
    return any(node.entry.loadable and has_modes(node.entry.load()) for node in expression.nodes())


def _apart(expression: "Expression") -> tuple[list["Expression"], list["Expression"]]:
    """Returns the optimizer with what is around it, and the controllers beside it, both from the inside out."""
    nodes = list(expression.nodes())
    beside = [node for node in nodes if node.entry.kind == "controller"]
    return nodes[: len(nodes) - len(beside)], beside


def _around(inner: "Expression", name: str, *fixed: tuple[str, Value | None]) -> "Expression":
    from trimtab.catalog.entries import find
    from trimtab.catalog.expressions import Expression

    return Expression(find(name, "optimizer"), tuple((key, value) for key, value in fixed if value is not None), inner)


def _check_within(name: str, value: Any, low: float, high: float) -> None:
    if value is None:
        return
    check_number(name, value)
    least = value >= low if name == "warmup" else value > low
    if not (least and value < high):
        start = f"{'[' if name == 'warmup' else '('}{low:g}"
        raise InputError(f"{name}={value!r} must lie in {start}, {high:g})")


def share_of_run(warmup: str | float | None, steps: int | None) -> float | None:
    """Returns a warm-up as a share of the run.

    Args:
        warmup: ``"5%"``, a share such as 0.05, or a whole number of steps.
        steps: of a run; ``None`` where it has none.

    Raises:
        InputError: it is none of these, or as long as the run.
    """
    allowed = "a share of the run such as 5% or 0.05, or a whole number of steps, is needed"
    if warmup is None or isinstance(warmup, bool):
        if warmup is None:
            return None
        raise InputError(f"warmup={warmup!r}: {allowed}")
    text = str(warmup).strip()
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise InputError(f"warmup={warmup!r}: {allowed}") from None
    if not math.isfinite(value) or value < 0:
        raise InputError(f"warmup={warmup!r}: {allowed}")
    if value > 1 and "." in text and not text.endswith("%"):
        raise InputError(f"warmup={warmup!r}: {allowed}")
    if text.endswith("%"):
        value /= 100
    elif value >= 1 and value == int(value) and "." not in text:
        if steps is None:
            raise InputError(f"warmup={warmup!r}: how many steps a run has is not known here; give a share, such as 5%")
        if value >= steps:
            raise InputError(f"warmup={warmup!r}: a run has {count(steps, 'step')}, and a warm-up has to end before")
        value /= steps
    if value >= 1:
        raise InputError(f"warmup={warmup!r} is the whole run, or more: {allowed}")
    return value


def schedules(text: str) -> list[str]:
    """Returns the schedules in a list with commas, each as it is written: ``cosine``, or ``cosine(warmup=5%)``.

    Raises:
        InputError: one cannot be, or is there twice.
    """
    check_text("schedule", text)
    found = [each.strip() for each in text.split(",")]
    if not all(found):
        raise InputError(f"schedule={text!r}: known are {', '.join(SCHEDULES)}, one or several with commas")
    faults = Faults()
    for each in found:
        with faults:
            Recipe(schedule=with_its_warmup(each)[0])
    faults.raise_any()
    names = [with_its_warmup(each)[0] for each in found]
    twice = [each for each in names if names.count(each) > 1]
    if twice:
        raise InputError(f"schedule={text!r}: {twice[0]} is there twice")
    return found


def with_its_warmup(schedule: str) -> tuple[str, str | None]:
    """Returns a schedule's name, and the warm-up that is written with it: that of ``cosine(warmup=5%)`` is ``5%``.

    Raises:
        InputError: something else is in the brackets.
    """
    name, bracket, inside = schedule.partition("(")
    name = NONE if name.strip() == SCHEDULES[NONE] else name.strip()  # by the name that results have for it
    if not bracket:
        return name, None
    found = re.fullmatch(r"\s*warmup\s*=\s*([^\s()]+)\s*\)", inside)
    if not found:
        raise InputError(f"schedule={schedule!r}: in brackets stands a warm-up and nothing else: {name}(warmup=5%)")
    return name, found[1]
