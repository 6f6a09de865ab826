"""A problem: an experiment with one part left open, which a candidate fills.

The open part is the problem's *slot*. A training task leaves the optimizer open, a command whatever it does with its
arguments. What a study runs, keeps and draws does not depend on which it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeAlias

from trimtab.lab.run import Run
from trimtab.lab.trial import run_trial
from trimtab.lab.work import NEEDED
from trimtab.study.facts import Facts
from trimtab.study.metric import Metric
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.trial import Reporter
from trimtab.study.tunable import Settings, Tunables, Value

EVALUATIONS = 20
"""How often a run is evaluated after its start."""

Build: TypeAlias = Any
"""What a candidate fills the slot with, in the shape that the slot has."""


class Filling(Protocol):
    """A candidate: what fills a problem's slot, with some of its settings fixed and the others to be tuned."""

    @property
    def label(self) -> str:
        """The name that tells it from the others."""
        ...

    @property
    def title(self) -> str:
        """Its full name."""
        ...

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        ...

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        ...

    @property
    def tunables(self) -> Tunables:
        """What is tuned."""
        ...

    def settings(self, tuned: Settings) -> dict[str, Value]:
        """Returns all settings that it runs with."""
        ...

    def build(self, tuned: Settings) -> Build:
        """Returns what the slot is filled with."""
        ...

    def code(self, tuned: Settings, total_steps: int | None = None) -> str:
        """Returns the lines that use it in a run of so many steps, to be pasted."""
        ...

    def definition(self) -> dict[str, Any]:
        """Returns plain values that may not change when a comparison goes on, beside its label."""
        ...


@dataclass(frozen=True)
class Workplace:
    """Where runs take place.

    Args:
        directory: for what a trial leaves behind; made by who needs it.
        device: where models and batches are, as workers call it.
        threads: of a worker.
        here: the current directory of the program, from which relative paths start.
        several: whether runs of several problems take place here.
    """

    directory: Path
    device: str = "cpu"
    threads: int = 1
    here: Path = Path()
    several: bool = False


class Problem(ABC):
    """An experiment with one part left open.

    Attributes:
        name: how reports call it, and under which results are kept.
        slot: which part is open.
        metric: what is quoted.
        seeds: fresh seeds for the final comparison.
        tuning_seeds: seeds with which the best settings are tried in tuning; three where a run is cheap.
        timeout: seconds after which a run has failed; ``None`` for never.
        tunables: of what the problem itself brings, tuned for every candidate alike.
        tuned: whether candidates are tuned; where they are not, each runs with fresh seeds alone.
        tried: whether :meth:`attempt` can tell soon that a candidate cannot run.
        described: whether :meth:`definition` says all that there is to it, so that an object will do, without a file.
        modules: what workers import sooner or later.
        recipe: how candidates are trained where the options of a comparison say nothing: ``schedule``, ``warmup``,
            ``clip_norm``, ``ema`` and ``no_decay`` by name, as there.
        options: attributes that a reference's brackets may set, beside what its class takes.
        introduction: what a reader wants to know before anything runs, in a line; empty where its name says enough.
        introduction_details: what such a line has no room for, in lines that a dry run prints below it.
    """

    name: str
    metric: Metric
    slot: ClassVar[str]
    seeds: int = 10
    tuning_seeds: int = 1
    timeout: float | None = None
    tunables: Tunables = MappingProxyType({})
    tuned: ClassVar[bool] = True
    tried: ClassVar[bool] = False
    described: ClassVar[bool] = False
    modules: ClassVar[Sequence[str]] = NEEDED
    recipe: Mapping[str, Any] = MappingProxyType({})
    options: ClassVar[Sequence[str]] = ()
    introduction: str = ""
    introduction_details: tuple[str, ...] = ()

    @abstractmethod
    def check(self, place: str) -> None:
        """Looks at its parts, cheaply, before any long work starts.

        Args:
            place: where it comes from, for messages.

        Raises:
            InputError: something cannot work.
        """

    @abstractmethod
    def facts(self, reference: str, candidates: Sequence[Filling], budget: int | None, /) -> Facts:
        """Returns what a reader has to know.

        Args:
            reference: how the command line names it.
            candidates: who is compared.
            budget: what a run may use.
        """

    @abstractmethod
    def budget(self, steps: int | None) -> int | None:
        """Returns what a run may use, in what its meter counts; ``None`` where a run is as long as it is.

        Args:
            steps: length of a run in steps of its own; as long as usual by default.

        Raises:
            InputError: ``steps`` cannot be.
        """

    @abstractmethod
    def trial(self, build: Build, point: Point, *, budget: int | None, report: Reporter, place: Workplace) -> Outcome:
        """Runs one trial from its beginning to its outcome."""

    def attempt(  # noqa: B027  # where nothing can be told, nothing is done
        self, build: Build, point: Point, *, budget: int | None, place: Workplace
    ) -> None:
        """Has a candidate do as little as shows whether it can run, before anything is kept of it.

        Raises:
            Exception: it cannot; whatever it raises.
        """

    @property
    def test_share(self) -> float:
        """How long an evaluation on test data takes, times one on validation data."""
        return 1.0

    def definition(self) -> dict[str, Any]:
        """Returns plain values that may not change when a comparison goes on, beside its name and its file."""
        return {}

    def preview(self, _build: Build, _point: Point, _place: Workplace, /) -> str | None:
        """Returns what a trial of a point would do as a line to paste; most problems have none."""
        return None


class SteppedProblem(Problem):
    """A problem whose runs we begin and drive step by step, so that a few steps tell whether and how long one runs.

    Attributes:
        tested: whether final runs are evaluated on a test split in the end.
        begun: whether a run has something to evaluate before its first step, as a network that is not trained yet.
        steps: length of a run in steps of its own, where nothing else is said.
    """

    tested: bool = True
    begun: ClassVar[bool] = True
    tried: ClassVar[bool] = True

    def attempt(self, build: Build, point: Point, *, budget: int | None, place: Workplace) -> None:
        """Takes a step."""
        self.start(build, seed=point.seed, budget=budget, place=place).step()

    @property
    @abstractmethod
    def steps(self) -> int:
        """An attribute, as said above; a property here, so that problems may compute it."""

    @abstractmethod
    def start(self, build: Build, *, seed: int, budget: int | None, place: Workplace) -> Run:
        """Begins a run."""

    def trial(
        self,
        build: Build,
        point: Point,
        *,
        budget: int | None,
        report: Reporter,
        place: Workplace,
        evaluations: int = EVALUATIONS,
        probe: Callable[[Any], Mapping[str, float]] | None = None,
    ) -> Outcome:
        """Takes a run to the end of its budget.

        Args:
            build: what the slot is filled with.
            point: the trial.
            budget: what the run may use.
            report: told about each evaluation.
            place: where the run takes place.
            evaluations: how often it is evaluated after its start.
            probe: measures something more of the complete run.
        """

        def make_run() -> Run:
            return self.start(build, seed=point.seed, budget=budget, place=place)

        return run_trial(
            make_run,
            evaluations=evaluations,
            test=point.final and self.tested,
            watch=point.final,
            start=self.begun,
            report=report,
            probe=probe,
        )


def own_settings(problem: Problem, settings: Settings) -> dict[str, Value]:
    """Returns what of a point's settings is the problem's."""
    return {name: value for name, value in settings.items() if name in problem.tunables}
