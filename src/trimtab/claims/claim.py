"""What a claim is: the paper's words, an experiment, and what would make the words true."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from torch import nn
from torch.optim import Optimizer

from trimtab.lab.measures import TEST_LOSS, TEST_METRIC
from trimtab.lab.session import Session
from trimtab.lab.task import Task
from trimtab.study.outcome import Outcome
from trimtab.study.tunable import Value

Scale: TypeAlias = Literal["small", "full"]
SCALES: tuple[Scale, ...] = ("small", "full")

_PROSE = {"prose": True}
"""Marks what may be worded anew without making a result stale."""


@dataclass(frozen=True)
class Run:
    """What an optimizer may have to know of the run that it is built for.

    Args:
        steps: length of the run in plain optimizer steps.
        seed: of the run, for rules that draw random numbers.
    """

    steps: int
    seed: int


Chosen: TypeAlias = Mapping[str, Any]
"""Values from an arm's grid."""

Builder: TypeAlias = Callable[[nn.Module, Chosen, Run], Optimizer]
"""Builds an optimizer for a model from tuned settings."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: an optimizer on a task, tuned on a grid and then run on fresh seeds.

    Args:
        name: unique within the claim, without ``/``.
        task: makes the task; its ``steps`` and ``batch_size`` are the budget of every run.
        optimizer: builds the optimizer.
        grid: values to try of each setting, numbers positive and ascending; every combination is tried. Where each
            setting has one value, nothing is tuned. Where the best ``lr`` is the lowest or the highest that was tried,
            one more beyond it is tried.
        tuning_seeds: seeds of which the mean validation loss chooses the settings.
        test_seeds: fresh seeds for the chosen settings.
        evaluations: how often a final run is evaluated; tuning runs only at their end.
        probe: measures something more at the end of final runs.
    """

    name: str
    task: Callable[[], Task]
    optimizer: Builder
    grid: Mapping[str, tuple[Value, ...]]
    tuning_seeds: tuple[int, ...]
    test_seeds: tuple[int, ...]
    evaluations: int = 10
    probe: Callable[[Session], Mapping[str, float]] | None = None


def _mean_training_loss(outcome: Outcome) -> float | None:
    losses = [point.train_loss for point in outcome.curve if point.train_loss is not None]
    return sum(losses) / len(losses) if losses and outcome.status == "complete" else None


MEASURES: Mapping[str, Callable[[Outcome], float | None]] = {
    "test loss": lambda outcome: outcome.measures.get(TEST_LOSS),
    "test metric": lambda outcome: outcome.measures.get(TEST_METRIC),
    "validation loss": lambda outcome: outcome.loss,
    "mean training loss": _mean_training_loss,
    "training loss": lambda outcome: outcome.measures.get("training loss"),
}
"""What a final run is judged by.

The mean training loss is that of the batches, over the whole run; the training loss is what a probe of this name
measures at its end.
"""

COUNTED = frozenset({"bytes"})
"""Measures of claims' own that no seed has a part in: where all seeds agree on them, there is nothing to test."""


@dataclass(frozen=True)
class Statement:
    """A statement about arms that a number decides.

    Args:
        name: in words.
        measure: one of ``MEASURES``, or of the claim's own.
        arms: names of the arms whose measures it needs.
        improvement: from the arms' measures at one seed, in the order of ``arms``, to how much better the method is.
        claimed: the smallest mean improvement that makes it true, >= 0.
        unit: of the improvement.
        decides: whether the verdict on the claim needs it; otherwise it is only reported.
    """

    name: str
    measure: str
    arms: tuple[str, ...]
    improvement: Callable[..., float]
    claimed: float
    unit: str
    decides: bool = True


@dataclass(frozen=True)
class Panel:
    """Something to draw: a measure of the final runs.

    Args:
        title: of the panel.
        measure: one of ``MEASURES``.
        unit: of the measure.
        places: labels along the horizontal axis.
        series: name to its arms, one at each place.
        ordered: whether the places are steps of one quantity, so that lines between them say something.
    """

    title: str
    measure: str
    unit: str
    places: tuple[str, ...]
    series: Mapping[str, tuple[str, ...]]
    ordered: bool = False


@dataclass(frozen=True)
class Contest:
    """A method beside its baseline: which comparisons of the claim tell who is ahead, whatever was claimed.

    Args:
        method: the catalogue's name of it.
        baseline: what one would use otherwise, as a sentence calls it.
        places: where they met (``"at batch 16"``), to the comparison that tells. It is named as tables show it: by its
            name and, unless that is the test metric, its measure (``"a against b, test loss"``).
        allowance: by how much the method may be behind where the comparison's improvement is zero; empty if zero means
            that they are equal.
    """

    method: str
    baseline: str
    places: Mapping[str, str]
    allowance: str = ""


@dataclass(frozen=True)
class Claim:
    """A method's central claim, at a scale that one machine runs in minutes.

    Args:
        id: the catalogue's name of the method; the claim's module and its result have the same.
        paper: what the paper states.
        reported: the numbers that the paper reports.
        statement: what is claimed here.
        protocol: how it is tried, a sentence or two each.
        cut: what was left out of a fuller protocol, and why.
        full_scale: what the paper used, and what of it is not here.
        arms: what is run.
        comparisons: what is compared; the claim is confirmed if all that decide are.
        panels: what is drawn.
        measures: what its arms' probes report and comparisons use, beside ``MEASURES``.
        gist: the statement in a few words, for tables.
        contests: what tells whether its methods beat their baselines; of each method, the most important one first.
    """

    id: str
    paper: str = field(metadata=_PROSE)
    reported: str = field(metadata=_PROSE)
    statement: str
    protocol: tuple[str, ...] = field(metadata=_PROSE)
    cut: tuple[str, ...] = field(metadata=_PROSE)
    full_scale: tuple[str, ...] = field(metadata=_PROSE)
    arms: tuple[Arm, ...]
    comparisons: tuple[Statement, ...]
    panels: tuple[Panel, ...] = field(metadata=_PROSE)
    measures: tuple[str, ...] = ()
    gist: str = field(default="", metadata=_PROSE)
    contests: tuple[Contest, ...] = field(default=(), metadata=_PROSE)

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names) or any("/" in name for name in names):
            raise ValueError(f"{self.id}: the names of arms must differ, and be without '/': {names}")
        for comparison in self.comparisons:
            unknown = set(comparison.arms) - set(names)
            own = (
                not unknown
                and comparison.measure in self.measures
                and all(self.arm(name).probe for name in comparison.arms)
            )
            if unknown or not (comparison.measure in MEASURES or own):
                raise ValueError(f"{self.id}, {comparison.name!r}: unknown {unknown or comparison.measure!r}")
            if len({self.arm(name).test_seeds for name in comparison.arms}) > 1:
                raise ValueError(f"{self.id}, {comparison.name!r}: its arms have different test seeds")
        named = {described(comparison.name, comparison.measure) for comparison in self.comparisons}
        told = {place for contest in self.contests for place in contest.places.values()}
        if told - named:
            raise ValueError(f"{self.id}: no comparisons {sorted(told - named)}; there are {sorted(named)}")

    def arm(self, name: str) -> Arm:
        """Returns the arm with a name."""
        return next(arm for arm in self.arms if arm.name == name)


def described(name: str, measure: str) -> str:
    """Returns a comparison's name and what is compared; a test metric's name is in its unit."""
    return name if measure == "test metric" else f"{name}, {measure}"


def less(method: float, baseline: float) -> float:
    """The improvement where less is better, of arms ``(method, baseline)``."""
    return baseline - method


def more_points(method: float, baseline: float) -> float:
    """The improvement of an accuracy in percentage points, of arms ``(method, baseline)``."""
    return 100 * (method - baseline)


def seeds(first: int, count: int) -> tuple[int, ...]:
    """Returns consecutive seeds."""
    return tuple(range(first, first + count))


def numbered(start: float, factor: float, count: int) -> tuple[float, ...]:
    """Returns a geometric grid, each value with four significant digits."""
    return tuple(float(f"{start * factor**k:.4g}") for k in range(count))


PROSE_TYPES = frozenset({Contest.__name__})
"""What a claim imports for its prose alone."""


def prose_fields() -> frozenset[str]:
    """Returns the names of what may be worded anew without making a result stale."""
    fields: dict[str, Any] = Claim.__dataclass_fields__
    return frozenset(name for name, each in fields.items() if each.metadata.get("prose"))
