"""What a claim is: the paper's words, an experiment, and what would make the words true."""

import functools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from trimtab.lab.measures import TEST_LOSS, TEST_METRIC
from trimtab.lab.problem import Build, SteppedProblem, Workplace
from trimtab.study.errors import DivergedError
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Reporter
from trimtab.study.tunable import Value

Scale: TypeAlias = Literal["small", "full"]
SCALES: tuple[Scale, ...] = ("small", "full")

_PROSE = {"prose": True}
"""Marks what may be worded anew without making a result stale."""


@dataclass(frozen=True)
class Run:
    """What a candidate may have to know of the run that it is built for.

    Args:
        steps: length of the run in plain steps of the problem.
        seed: of the run, for rules that draw random numbers.
    """

    steps: int
    seed: int


Chosen: TypeAlias = Mapping[str, Any]
"""Values from an arm's grid."""

Builder: TypeAlias = Callable[..., Any]
"""Fills a slot: called with what the slot gives (an optimizer's: the model), the tuned settings and the run."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: a problem and what fills its slot, tuned on a grid and then run on fresh seeds.

    Args:
        name: unique within the claim, without ``/``.
        problem: makes the problem; its usual length is the budget of every run.
        fill: builds what fills the problem's slot.
        grid: values to try of each setting, numbers positive and ascending; every combination is tried. Where each
            setting has one value, nothing is tuned. Where the best ``lr`` is the lowest or the highest that was tried,
            one more beyond it is tried.
        tuning_seeds: seeds of which the mean validation loss chooses the settings.
        test_seeds: fresh seeds for the chosen settings.
        evaluations: how often a final run is evaluated; tuning runs only at their end.
        probe: measures something more of a final run, which it gets at its end; finite numbers by name.
    """

    name: str
    problem: Callable[[], SteppedProblem]
    fill: Builder
    grid: Mapping[str, tuple[Value, ...]]
    tuning_seeds: tuple[int, ...]
    test_seeds: tuple[int, ...]
    evaluations: int = 10
    probe: Callable[[Any], Mapping[str, float]] | None = None

    def outcome(self, point: Point, report: Reporter, place: Workplace) -> Outcome:
        """Runs one of the problem's trials with a point's settings and seed."""
        problem = _made(self.problem)
        return problem.trial(
            self._build(point, problem.steps),
            point,
            budget=problem.budget(None),
            report=report,
            place=place,
            evaluations=self.evaluations if point.final else 1,
            probe=self.probe if point.final else None,
        )

    def _build(self, point: Point, steps: int) -> Build:
        run = Run(steps, point.seed)
        return lambda *given, **named: self.fill(*given, point.settings, run, **named)


@functools.cache
def _made(make: Callable[[], SteppedProblem]) -> SteppedProblem:
    """A worker makes a problem, and reads its data, once."""
    return make()


@dataclass(frozen=True)
class OwnTrial:
    """One side of a comparison that is no problem with a slot to fill: it brings its own trial.

    Args:
        name: unique within the claim, without ``/``.
        trial: runs a trial with a point's settings and seed; what it measured is in the outcome's ``measures``. Where
            settings are tuned it needs a loss as well, by which they are chosen.
        test_seeds: fresh seeds for the chosen settings.
        grid: values to try of each setting, as an :class:`Arm` has them; by default there is nothing to tune.
        tuning_seeds: seeds of which the mean loss chooses the settings.
    """

    name: str
    trial: Callable[[Point, Reporter], Outcome]
    test_seeds: tuple[int, ...]
    grid: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    tuning_seeds: tuple[int, ...] = ()

    def outcome(self, point: Point, report: Reporter, _place: Workplace) -> Outcome:
        """Runs the trial; how long it took is noted where its outcome does not say."""
        start, processor_start = time.perf_counter(), time.process_time()
        try:
            outcome = self.trial(point, report)
        except DivergedError as error:
            outcome = Outcome("diverged", error=str(error))
        return replace(
            outcome,
            seconds=outcome.seconds or time.perf_counter() - start,
            processor_seconds=outcome.processor_seconds or time.process_time() - processor_start,
        )


AnyArm: TypeAlias = Arm | OwnTrial


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
"""What a final run is judged by, where a claim names no measures of its own.

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
        measures: what is compared beside ``MEASURES``: names of what problems' runs, probes or own trials measure.
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
    arms: tuple[AnyArm, ...]
    comparisons: tuple[Statement, ...]
    panels: tuple[Panel, ...] = field(metadata=_PROSE)
    measures: tuple[str, ...] = ()
    gist: str = field(default="", metadata=_PROSE)
    contests: tuple[Contest, ...] = field(default=(), metadata=_PROSE)

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names) or any("/" in name for name in names):
            raise ValueError(f"{self.id}: the names of arms must differ, and be without '/': {names}")
        for each in self.arms:
            if not each.tuning_seeds and math.prod(map(len, each.grid.values())) > 1:
                raise ValueError(f"{self.id}, {each.name!r}: its grid needs tuning_seeds to choose by")
        for comparison in self.comparisons:
            unknown = set(comparison.arms) - set(names)
            if unknown or comparison.measure not in {*MEASURES, *self.measures}:
                raise ValueError(f"{self.id}, {comparison.name!r}: unknown {unknown or comparison.measure!r}")
            if len({self.arm(name).test_seeds for name in comparison.arms}) > 1:
                raise ValueError(f"{self.id}, {comparison.name!r}: its arms have different test seeds")
        named = {described(comparison.name, comparison.measure) for comparison in self.comparisons}
        told = {place for contest in self.contests for place in contest.places.values()}
        if told - named:
            raise ValueError(f"{self.id}: no comparisons {sorted(told - named)}; there are {sorted(named)}")

    def arm(self, name: str) -> AnyArm:
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
