"""What a reader has to know of a problem: names, units, sizes and words.

Whoever draws a comparison, or says what it shows, goes by these and never asks which kind of problem it is.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, TypeAlias

from trimtab.study.metric import Metric

Form: TypeAlias = Literal["number", "whole", "milliseconds", "bytes"]
"""How a measure is written; milliseconds are measured in seconds."""

Over: TypeAlias = Literal["mean", "median", "largest"]
"""What becomes of a measure: its mean over the final runs, with an interval, or the median or largest of all trials."""

SECONDS = "seconds"
"""What every trial that came to its end has as a measure: its wall-clock seconds."""

OBJECTIVE = "objective"
"""What every final run that came to its end has as a measure in figures: where it ended."""

TESTED_ONCE = "The test data were touched once, at the end of these runs, and chose nothing."


@dataclass(frozen=True)
class Unit:
    """What the cost of a run is counted in.

    Args:
        one: of them, as ``"sample-gradient"``.
        explanation: what that is, a sentence; empty if it explains itself.
    """

    one: str
    explanation: str = ""

    @property
    def many(self) -> str:
        """Several of them."""
        return f"{self.one}s"


@dataclass(frozen=True)
class Measure:
    """A measure of outcomes, and how it is shown.

    Args:
        name: under which outcomes have it, or ``SECONDS``.
        heading: of its column in tables.
        form: how it is written.
        over: what becomes of it in the ranking.
        unit: a word below the heading.
        explanation: what it is, below the ranking; without one, it is shown in the table of trials alone.
        brief: heading in a terminal, where there is little room; empty to be left out there.
        price: name of it where quality is drawn against prices; empty if it is none.
        axis: title of the axis there.
        optional: whether it is shown only where some run has it.
    """

    name: str
    heading: str
    form: Form = "number"
    over: Over = "mean"
    unit: str = ""
    explanation: str = ""
    brief: str = ""
    price: str = ""
    axis: str = ""
    optional: bool = False

    @property
    def in_ranking(self) -> bool:
        """Whether the ranking has a column for it."""
        return bool(self.explanation)


TRIAL_TIME = Measure(SECONDS, "seconds a trial", over="median")
"""What results always have, shown or not."""


@dataclass(frozen=True)
class Watched:
    """A quantity whose changes over a run are kept.

    Args:
        name: of the trace, by which outcomes have it.
        axis: title of the axis that it is drawn on.
    """

    name: str
    axis: str


@dataclass(frozen=True)
class Scatter:
    """A figure of a problem's own: one measure against another, a dot a final run.

    Args:
        heading: of the figure.
        caption: what to see in it, in a sentence or two.
        x: along the horizontal axis.
        y: along the vertical axis.
    """

    heading: str
    caption: str
    x: Measure
    y: Measure


@dataclass(frozen=True)
class Facts:
    """What a reader has to know of a problem.

    Where candidates are compared by the number that is quoted, ``quoted`` is ``None``: results hold that number as the
    metric, and as the loss with the sign that makes less of it better.

    Args:
        name: of the problem.
        reference: how the command line names it.
        objective: the number that candidates are compared by.
        cost: what a run's budget counts.
        quoted: the number that is quoted beside it.
        step_cost: what a plain step costs, where there are steps.
        rate: name of the setting whose effect is drawn; ``None`` if there is none.
        rate_words: what that setting is, with its article; by default its name.
        measures: what is measured of runs, in the order of columns.
        watched: quantities whose changes over a run are kept.
        scatters: figures of its own.
        sizes: name and value of what it is about, for those who want to know at a glance.
        paragraphs: what a paragraph on it is about, and the paragraph.
        length: how long a run is, as the end of a sentence about a run.
        ending: what the end of final runs is for, a sentence.
        lines: code for the names that a candidate's own lines take from the problem, where it gives any; a setting of
            the problem's stands there in braces, as in ``str.format``.
        recipe: what all candidates are trained with alike, in a line; empty where nothing is said of that.
        schedule: name of that of the learning rate, where the problem was posed with one; empty otherwise.
        origin: where the runs come from, in a sentence or two, if others made them; empty if a comparison did.
        costed: whether it is known what runs cost; otherwise there is no cost to a target.
        overhead: name of a watched quantity: seconds that a candidate itself has taken so far, beside what the cost
            counts. Where there is one, it is drawn who wins for which duration of a unit of cost; empty without.
        at_once: units of cost that are spent at a time, as workers of a pool do.
        true_at_end: whether only the last look at a run tells what its result is worth, and those before tell what was
            observed of it, with luck.
    """

    name: str
    reference: str
    objective: Metric
    cost: Unit
    quoted: Metric | None = None
    step_cost: int | None = None
    rate: str | None = None
    rate_words: str = ""
    measures: tuple[Measure, ...] = ()
    watched: tuple[Watched, ...] = ()
    scatters: tuple[Scatter, ...] = ()
    sizes: tuple[tuple[str, str], ...] = ()
    paragraphs: tuple[tuple[str, str], ...] = ()
    length: str = ""
    ending: str = ""
    lines: str = ""
    recipe: str = ""
    schedule: str = ""
    origin: str = ""
    costed: bool = True
    overhead: str = ""
    at_once: int = 1
    true_at_end: bool = False

    @property
    def sign(self) -> int:
        """What a loss is multiplied with to get the objective: -1 where more of it is better."""
        return -1 if self.objective.direction == "max" else 1

    @property
    def solved(self) -> Metric:
        """The number of which a target is known, or else the objective."""
        return self.objective if self.quoted is None or self.quoted.target is None else self.quoted

    @property
    def rate_title(self) -> str:
        """What the setting is whose effect is drawn, without an article."""
        return (self.rate_words or self.rate or "").removeprefix("the ")

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values; :meth:`from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Builds facts from what :meth:`to_dict` returned, or what JSON made of it."""
        made: dict[str, Any] = {
            "objective": _metric(values["objective"]),
            "quoted": None if values["quoted"] is None else _metric(values["quoted"]),
            "cost": Unit(**values["cost"]),
            "measures": tuple(Measure(**each) for each in values["measures"]),
            "watched": tuple(Watched(**each) for each in values["watched"]),
            "scatters": tuple(_scatter(each) for each in values.get("scatters", ())),
        }
        pairs = {name: tuple((a, b) for a, b in values[name]) for name in ("sizes", "paragraphs")}
        return cls(**{**values, **made, **pairs})


def _scatter(values: Mapping[str, Any]) -> Scatter:
    return Scatter(**{**values, "x": Measure(**values["x"]), "y": Measure(**values["y"])})


def _metric(values: Mapping[str, Any]) -> Metric:
    bounds = values["bounds"]
    return Metric(**{**values, "bounds": None if bounds is None else tuple(bounds)})


def brief(name: str) -> str:
    """Returns the name of a number for the head of a column."""
    return name.replace("validation ", "val ")
