"""A black box as a problem: which sampler finds good settings in few evaluations?

A candidate is an Optuna sampler. What a run is worth is the true value of the settings that it would recommend: those
that the sampler itself names by ``recommend(study)`` where it has that, and else the best that were observed.
"""

import hashlib
import inspect
import json
import math
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from optuna.study import Study
from optuna.trial import Trial

from trimtab.lab.blackbox.kept import KeptEvaluations
from trimtab.lab.blackbox.observation import Observation, Observed, observation
from trimtab.lab.blackbox.search import COVERED, FEASIBLE, SUGGESTION, MakeSampler, Search
from trimtab.lab.blackbox.spaces import Distribution, Params, Space, distributions, middle, written
from trimtab.lab.measures import TEST_METRIC
from trimtab.lab.problem import Filling, SteppedProblem, Workplace
from trimtab.study.checks import MANY, check_name, check_number, check_whole
from trimtab.study.errors import InputError
from trimtab.study.facts import TESTED_ONCE, Facts, Measure, Unit, Watched
from trimtab.study.metric import Evaluation, Metric, Split
from trimtab.study.phrases import count
from trimtab.study.point import Point

LARGEST_SHARE = 4
"""At most one in so many evaluations is a first point, which no sampler chooses."""


class BlackBox(SteppedProblem):
    """A function that can only be evaluated, perhaps with noise.

    A subclass sets the attributes below and writes :meth:`evaluate`, and :meth:`true_value` where an evaluation is
    noisy. With the same seed every candidate meets the same noise, that of its n-th evaluation, and begins with the
    same points, which are spread over the space and count as evaluations.

    Attributes:
        name: how reports call it.
        metric: what an evaluation says; its direction says what is searched for.
        space: name of each setting to its Optuna distribution, or to a range as methods declare theirs.
        evaluations: length of a run.
        constraints: how many constraints an evaluation tells of; each is met where it is at most 0.
        optimum: the best true value, where it is known; then runs are ranked by the logarithm of their regret.
        tolerance: a regret that is as good as none, > 0.
        solved: a regret until which runs are timed.
        judged_last: whether :meth:`true_value` is dear, and asked for at the end of a run alone; before that, what was
            observed stands for it.
        tested: whether :meth:`true_value` knows of a test split.
        workers: how many evaluations are under way at a time. Who is done first is simulated, by the seed.
        summary: what it is, in a sentence.
    """

    slot = "sampler"
    begun: ClassVar = False  # nothing is recommended before anything was evaluated
    tuned: ClassVar = False
    options: ClassVar = ("workers",)
    modules: ClassVar[Sequence[str]] = ("trimtab.compare.work", "optuna", __name__)

    space: Space
    evaluations: int = 40
    constraints: int = 0
    optimum: float | None = None
    tolerance: float = 1e-3
    solved: float | None = None
    judged_last: ClassVar[bool] = False
    tested: bool = False
    workers: int = 1
    summary: str = ""

    @property
    def steps(self) -> int:
        """The evaluations of a run."""
        return self.evaluations

    @property
    def distributions(self) -> Mapping[str, Distribution]:
        """The space as samplers know it."""
        return distributions(self.space)

    @property
    def constraint_count(self) -> int:
        """How many constraints an evaluation tells of."""
        return self.constraints

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """The direction of the search, in Optuna's words."""
        return "maximize" if self.metric.direction == "max" else "minimize"

    @property
    def exact(self) -> bool:
        """Whether what is evaluated is the truth, because nothing else is said of it."""
        return getattr(self.true_value, "__func__", None) is BlackBox.true_value

    @abstractmethod
    def evaluate(self, params: Params, generator: np.random.Generator, /) -> Observed:
        """Returns what one evaluation of settings says, as a sampler is told it.

        Args:
            params: name to value, within :attr:`space`.
            generator: the source of all noise.

        Returns:
            The value, or :class:`~trimtab.Observation` with constraints and the variance of the noise beside it.
        """

    def true_value(self, params: Params, split: Split, /) -> Observed:  # noqa: ARG002  # the same on each
        """Returns what settings are worth; for a problem that is evaluated without noise, which need not override it.

        In a run it is then taken from what was evaluated, and nothing is evaluated again.

        Args:
            params: name to value.
            split: ``"validation"``, or ``"test"`` at the end of final runs if there is one.
        """
        return self.evaluate(params, np.random.default_rng(0))

    def settled(self, params: Params, split: Split, _known: Observation | None, /) -> Observation:
        """Returns what settings are worth, beside what was observed of them in the run, if they were."""
        return observation(self.true_value(params, split), self.constraint_count)

    def ask(self, study: Study) -> Trial:
        """Begins an evaluation: has the sampler choose settings."""
        return study.ask(dict(self.distributions))

    def observe(self, trial: Trial, generator: np.random.Generator) -> Observation:
        """Evaluates the settings of a trial.

        Raises:
            Exception: that of :meth:`evaluate`, or that it has returned what cannot be.
        """
        return observation(self.evaluate(trial.params, generator), self.constraint_count)

    def placed(self, generator: np.random.Generator) -> Self:  # noqa: ARG002  # most are the same with every seed
        """Returns the problem as a seed has it: shifted, or with other data, so that no sampler is right by luck."""
        return self

    def points_before(self, budget: int) -> int:
        """Returns how many of a run's evaluations are points that no sampler chooses."""
        return min(2 * (len(self.distributions) + 1), budget // LARGEST_SHARE)

    def start(self, build: MakeSampler, *, seed: int, budget: int | None, place: Workplace) -> Search:
        """Begins a search."""
        evaluations = self.evaluations if budget is None else budget
        return Search(self, build, seed=seed, budget=evaluations, kept=self._kept(place, seed))

    def attempt(self, build: MakeSampler, point: Point, *, budget: int | None, place: Workplace) -> None:
        """Has a sampler choose settings once."""
        self.start(build, seed=point.seed, budget=budget, place=place).attempt()

    def _kept(self, place: Workplace, seed: int) -> KeptEvaluations:
        if place.directory is None:
            return KeptEvaluations(None)
        text = json.dumps([self.name, self.source(), {name: str(each) for name, each in self.distributions.items()}])
        plain = re.sub(r"[^\w.-]+", "-", self.name).strip("-.")[:60]
        folder = f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        return KeptEvaluations(place.directory.parent / "evaluations" / folder / f"{seed}.jsonl")

    def source(self) -> str:
        """Returns what changes when the file does that says what is evaluated, so that nothing kept is out of date."""
        try:
            return hashlib.sha256(Path(inspect.getfile(type(self))).read_bytes()).hexdigest()[:16]
        except (TypeError, OSError):  # it was typed at a prompt
            return ""

    def budget(self, steps: int | None) -> int:
        """Returns the number of evaluations."""
        if steps is not None:
            check_whole("steps", steps)
        return self.evaluations if steps is None else steps

    def scored(self, value: float) -> Evaluation:
        """Returns how a true value is compared, and quoted."""
        sign = -1 if self.direction == "maximize" else 1
        if self.optimum is None:
            return Evaluation(sign * value, value)
        regret = max(0.0, sign * (value - self.optimum))
        return Evaluation(math.log10(max(regret, self.tolerance)), regret)

    def check(self, place: str) -> None:
        """Looks at its parts, and evaluates the middle of the space.

        Raises:
            InputError: a part is missing or has a wrong value, or evaluations are noisy and nothing says the truth.
        """
        self._check_parts(place)
        self._check_space(place)
        there = middle(self.distributions)
        value = self._value(f"{place}.evaluate", lambda: self.evaluate(there, np.random.default_rng(0)))
        if not self.exact:
            self._value(f"{place}.true_value", lambda: self.true_value(there, "validation"))
            if self.tested:  # which would else be asked for when a final run is over
                self._value(f"{place}.true_value on test", lambda: self.true_value(there, "test"))
            return
        again = self._value(f"{place}.evaluate", lambda: self.evaluate(there, np.random.default_rng(1)))
        if not math.isclose(value, again, rel_tol=1e-6, abs_tol=1e-12):
            raise InputError(
                f"{place}.evaluate returned {value} and {again} for the same settings: where it is noisy, "
                "true_value(params, split) has to say what they are worth, or else the luckiest would win. Where "
                "nothing better is to be had, let it return self.evaluate(params, numpy.random.default_rng(0))"
            )

    def _check_parts(self, place: str) -> None:
        for name in ("name", "metric"):
            if not hasattr(self, name):
                raise InputError(f"{place}: the problem has no {name!r}; set it in the class body or in __init__")
        check_name(f"{place}.name", self.name)
        if not isinstance(self.metric, Metric):
            raise InputError(f"{place}.metric: expected a trimtab.Metric, got {self.metric!r}")
        for name, least in (("evaluations", 1), ("workers", 1), ("constraints", 0)):
            check_whole(f"{place}.{name}", getattr(self, name), least=least)
        check_whole(f"{place}.seeds", self.seeds, most=MANY)
        if self.constraint_count:
            _check_constraints(place)
        if self.optimum is not None:
            check_number(f"{place}.optimum", self.optimum)
            for name in ("tolerance", *(() if self.solved is None else ("solved",))):
                check_number(f"{place}.{name}", getattr(self, name))
                if getattr(self, name) <= 0:
                    raise InputError(f"{place}.{name}={getattr(self, name)}: a regret > 0 is needed")

    def _check_space(self, place: str) -> None:
        if not hasattr(self, "space"):
            raise InputError(f"{place}: the problem has no 'space'; set it in the class body or in __init__")
        if not isinstance(self.space, Mapping) or not self.space:
            raise InputError(f"{place}.space={self.space!r}: at least one setting with its distribution is needed")
        try:
            names = distributions(self.space)
        except InputError as error:
            raise InputError(f"{place}.{error}") from error
        if not all(isinstance(name, str) for name in names):
            raise InputError(f"{place}.space: names are texts, not {[n for n in names if not isinstance(n, str)]}")

    def _value(self, place: str, call: Callable[[], Any]) -> float:
        """Returns a value of the middle of the space, which has to be a finite number."""
        try:
            found = call()
        except Exception as error:
            raise InputError(f"{place} raised {type(error).__name__}: {error}") from error
        try:
            return observation(found, self.constraint_count).value
        except (TypeError, ValueError) as error:
            raise InputError(f"{place}, for the middle of the space: {error}") from error

    def facts(self, reference: str, _candidates: Sequence[Filling], budget: int | None, /) -> Facts:
        """Returns what a reader has to know."""
        evaluations = self.budget(budget)
        full_name = self.name if self.name == reference else f"{self.name} ({reference})"
        told = f" {self.summary}" if self.summary else ""
        ranges = ", ".join(f"{n} {written(d)}" for n, d in self.distributions.items())
        return Facts(
            name=self.name,
            reference=reference,
            objective=self.metric if self.optimum is None else self._log_regret(),
            quoted=None if self.optimum is None else Metric("regret", "min", target=self.solved, bounds=(0, None)),
            cost=Unit("evaluation"),
            step_cost=1,
            measures=self._measures(),
            watched=(Watched(SUGGESTION, "seconds of suggestions so far"),),
            overhead=SUGGESTION,
            at_once=self.workers,
            true_at_end=self.judged_last,
            sizes=(("evaluations a run", f"{evaluations:,}"), ("settings to find", f"{len(self.distributions)}")),
            paragraphs=(
                ("Problem", f"{full_name}: {ranges}.{told}"),
                ("What counts", self._what_counts(self.points_before(evaluations))),
            ),
            length=f" of {evaluations:,} evaluations",
            ending=TESTED_ONCE if self.tested else "",
        )

    def _log_regret(self) -> Metric:
        return Metric("log10 regret", "min", bounds=(math.log10(self.tolerance), None))  # which may be negative

    def _measures(self) -> tuple[Measure, ...]:
        tests = (Measure(TEST_METRIC, f"test {self.metric.name}", explanation="On data that no search has seen."),)
        return (
            *(tests if self.tested else ()),
            *((_FEASIBLE,) if self.constraint_count else ()),
            _COVERED,
            _SUGGESTION,
        )

    def _what_counts(self, first: int) -> str:
        said = _COUNTS.format(metric=self.metric.name if self.optimum is None else "regret")
        if self.optimum is not None:
            said += (
                f" Regret is how far a value is from the best there is, {self.optimum:.6g}; its logarithm counts, and "
                f"what is below {self.tolerance:g} counts as that."
            )
        if self.constraint_count:
            said += (
                f" An evaluation also tells of {count(self.constraint_count, 'constraint')}; whoever "
                "recommends what misses one gets a value as far beyond the worst of the first points as that is "
                "from the best of them."
            )
        if first:
            points = f"{first} points are" if first > 1 else "point is"
            said += f" The first {points} the same for all with the same seed, spread over the space, and counted."
        if self.workers > 1:
            said += f" {self.workers} evaluations are under way at a time, as a pool of so many workers has them."
        return said


def _check_constraints(place: str) -> None:
    from optuna.trial import Trial

    if not hasattr(Trial, "set_constraint"):
        raise InputError(
            f"{place}.constraints: telling samplers of constraints needs Optuna 5: pip install 'optuna>=5'"
        )


_SUGGESTION = Measure(
    SUGGESTION,
    "ms a suggestion",
    form="milliseconds",
    over="median",
    explanation="Median time that the sampler takes for an evaluation that it chooses, the evaluation left out; "
    "workers shared the machine.",
    brief="ms/eval.",
    price="time",
    axis="milliseconds a suggestion",
)

_FEASIBLE = Measure(
    FEASIBLE,
    "feasible",
    explanation="Share of runs that end with a recommendation that meets all constraints.",
)

_COVERED = Measure(
    COVERED,
    "in interval",
    explanation="Share of runs in which the interval that the sampler gives for its recommendation, if it gives one, "
    "holds the truth.",
    optional=True,
)

_COUNTS = (
    "The true {metric} of the settings that a sampler recommends when its evaluations are used up: those that its own "
    "recommend(study) names, or else the best that were observed. Noise is the same for all with the same seed."
)

__all__ = ["BlackBox", "Distribution", "MakeSampler", "Observation", "Params", "Search"]
