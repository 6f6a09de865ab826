"""A black box as a problem: which sampler finds good settings in few evaluations?

A candidate is an Optuna sampler. What a run is worth is the true value of the settings that it would recommend: those
that the sampler itself names by ``recommend(study)`` where it has that, and else the best that were observed.
"""

import math
import numbers
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias, cast

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from trimtab.lab.measures import TEST_METRIC
from trimtab.lab.meter import CostMeter
from trimtab.lab.problem import Filling, SteppedProblem, Workplace
from trimtab.study.checks import MANY, check_name, check_whole
from trimtab.study.errors import DivergedError, InputError
from trimtab.study.facts import TESTED_ONCE, Facts, Measure, Unit
from trimtab.study.metric import Evaluation, Metric, Split
from trimtab.study.outcome import is_measured

Params: TypeAlias = Mapping[str, Any]
"""Settings by name."""

Distribution: TypeAlias = FloatDistribution | IntDistribution | CategoricalDistribution
"""What a setting is drawn from."""

MakeSampler: TypeAlias = Callable[[int], BaseSampler]
"""What a candidate fills the slot with: makes a sampler of a seed."""

# one line a run on a screen that shows progress says nothing; trimtab.study.database does the same for its own studies
optuna.logging.set_verbosity(optuna.logging.WARNING)

SUGGESTION = "suggestion seconds"
"""Wall-clock seconds that a sampler takes for an evaluation: to ask, and to be told."""


class BlackBox(SteppedProblem):
    """A function that can only be evaluated, perhaps with noise.

    A subclass sets the attributes below and writes :meth:`observe`, and :meth:`truth` where what it observes is noisy.
    Every candidate meets the same noise with the same seed: that of its n-th evaluation.

    Attributes:
        name: how reports call it.
        metric: what is observed and counts in the end; its direction says what is searched for.
        space: name of each setting to its Optuna distribution.
        evaluations: length of a run.
        tested: whether :meth:`truth` knows of a test split.
        summary: what it is, in a sentence.
    """

    slot = "sampler"
    begun: ClassVar = False  # nothing is recommended before anything was observed
    tuned: ClassVar = False
    modules: ClassVar[Sequence[str]] = ("trimtab.compare.work", "optuna", __name__)

    space: ClassVar[Mapping[str, Distribution]]
    evaluations: int = 40
    tested: bool = False
    summary: str = ""

    @property
    def steps(self) -> int:
        """The evaluations of a run."""
        return self.evaluations

    @abstractmethod
    def observe(self, params: Params, generator: np.random.Generator) -> float:
        """Returns the value of settings, as a sampler is told it.

        Args:
            params: name to value, within :attr:`space`.
            generator: the source of all noise.
        """

    def truth(self, params: Params, split: Split, /) -> float:  # noqa: ARG002  # the same on each
        """Returns what settings are worth; for a problem that is observed without noise, which need not override it.

        In a run it is then taken from what was observed, and nothing is evaluated again.

        Args:
            params: name to value.
            split: ``"validation"``, or ``"test"`` at the end of final runs if there is one.
        """
        return self.observe(params, np.random.default_rng(0))

    def start(
        self,
        build: MakeSampler,
        *,
        seed: int,
        budget: int | None,
        place: Workplace,  # noqa: ARG002  # a search is here and now
    ) -> "Search":
        """Begins a search."""
        return Search(self, build, seed=seed, budget=self.evaluations if budget is None else budget)

    def budget(self, steps: int | None) -> int:
        """Returns the number of evaluations."""
        if steps is not None:
            check_whole("steps", steps)
        return self.evaluations if steps is None else steps

    def check(self, place: str) -> None:
        """Looks at its parts, and evaluates the middle of the space.

        Raises:
            InputError: a part is missing or has a wrong value, or what is observed is noisy and nothing says the truth.
        """
        for name in ("name", "metric", "space"):
            if not hasattr(self, name):
                raise InputError(f"{place}: the problem has no {name!r}; set it in the class body or in __init__")
        check_name(f"{place}.name", self.name)
        if not isinstance(self.metric, Metric):
            raise InputError(f"{place}.metric: expected a trimtab.Metric, got {self.metric!r}")
        check_whole(f"{place}.evaluations", self.evaluations)
        check_whole(f"{place}.seeds", self.seeds, most=MANY)
        if not isinstance(self.space, Mapping) or not self.space:
            raise InputError(f"{place}.space={self.space!r}: at least one setting with its distribution is needed")
        for name, distribution in self.space.items():
            if not isinstance(name, str) or not isinstance(distribution, Distribution):
                raise InputError(
                    f"{place}.space: {name!r} needs one of optuna.distributions' FloatDistribution, IntDistribution "
                    f"and CategoricalDistribution, not {distribution!r}"
                )
        there = middle(self.space)
        value = _value(f"{place}.observe", lambda: self.observe(there, np.random.default_rng(0)))
        if not _is_exact(self):
            _value(f"{place}.truth", lambda: self.truth(there, "validation"))
            if self.tested:  # which would else be asked for when a final run is over
                _value(f"{place}.truth on test", lambda: self.truth(there, "test"))
            return
        again = _value(f"{place}.observe", lambda: self.observe(there, np.random.default_rng(1)))
        if not math.isclose(value, again, rel_tol=1e-6, abs_tol=1e-12):
            raise InputError(
                f"{place}.observe returned {value} and {again} for the same settings: where it is noisy, "
                "truth(params, split) has to say what they are worth, or else the luckiest would win. Where nothing "
                "better is to be had, let it return self.observe(params, numpy.random.default_rng(0))"
            )

    def facts(self, reference: str, _candidates: Sequence[Filling], budget: int | None, /) -> Facts:
        """Returns what a reader has to know."""
        evaluations = self.budget(budget)
        full_name = self.name if self.name == reference else f"{self.name} ({reference})"
        told = f" {self.summary}" if self.summary else ""
        tests = (Measure(TEST_METRIC, f"test {self.metric.name}", explanation="On data that no search has seen."),)
        return Facts(
            name=self.name,
            reference=reference,
            objective=self.metric,
            cost=Unit("evaluation"),
            step_cost=1,
            measures=(*(tests if self.tested else ()), _SUGGESTION),
            sizes=(("evaluations a run", f"{evaluations:,}"), ("settings to find", f"{len(self.space)}")),
            paragraphs=(
                ("Problem", f"{full_name}: {', '.join(f'{n} {_written(d)}' for n, d in self.space.items())}.{told}"),
                ("What counts", _COUNTS.format(metric=self.metric.name)),
            ),
            length=f" of {evaluations:,} evaluations",
            ending=TESTED_ONCE if self.tested else "",
        )


_SUGGESTION = Measure(
    SUGGESTION,
    "ms a suggestion",
    form="milliseconds",
    over="median",
    explanation="Median time that the sampler takes for an evaluation, the evaluation left out; workers shared the "
    "machine.",
    brief="ms/eval.",
    price="time",
    axis="milliseconds a suggestion",
)

_COUNTS = (
    "The true {metric} of the settings that a sampler recommends when its evaluations are used up: those that its own "
    "recommend(study) names, or else the best that were observed. Noise is the same for all with the same seed."
)


class Search:
    """One search in progress.

    Args:
        problem: what is searched.
        build: makes the sampler.
        seed: of the sampler and of the noise.
        budget: evaluations.
    """

    def __init__(self, problem: BlackBox, build: MakeSampler, *, seed: int, budget: int) -> None:
        sampler_seed, noise = np.random.SeedSequence(seed).spawn(2)
        self._problem = problem
        self._noise = noise
        self._sign = -1 if problem.metric.direction == "max" else 1
        sampler = build(int(sampler_seed.generate_state(1)[0]))
        if not isinstance(sampler, BaseSampler):
            raise InputError(f"{sampler!r} is no optuna.samplers.BaseSampler")
        self._study = optuna.create_study(sampler=sampler, direction="maximize" if self._sign < 0 else "minimize")
        self._seconds = 0.0
        self._worth: dict[Split, tuple[Params, float]] = {}
        self.meter, self.steps = CostMeter(budget), 0

    def step(self) -> float:
        """Asks for settings, observes their value, tells it, and returns the loss.

        Raises:
            DivergedError: the value is not finite.
        """
        start = time.perf_counter()
        trial = self._study.ask(dict(self._problem.space))
        asked = time.perf_counter()
        # a generator for each evaluation: how much one draws may depend on the settings
        noise = np.random.default_rng(self._noise.spawn(1)[0])
        value = float(self._problem.observe(trial.params, noise))
        self.meter.charge(1)
        self.steps += 1
        if not is_measured(value):
            raise DivergedError(self.steps, value)
        observed = time.perf_counter()
        self._study.tell(trial, value)
        self._seconds += (asked - start) + (time.perf_counter() - observed)
        return self._sign * value

    def evaluate(self, split: Split = "validation") -> Evaluation:
        """Scores what would be recommended so far: the middle of the space before anything was observed."""
        params = self.recommended()
        if split not in self._worth or self._worth[split][0] != params:  # mostly they are those of the last look
            self._worth[split] = params, self._truth(params, split)
        value = self._worth[split][1]
        return Evaluation(self._sign * value, value)

    def _truth(self, params: Params, split: Split) -> float:
        if _is_exact(self._problem):
            for trial in self._study.get_trials(deepcopy=False):
                if trial.params == params and trial.value is not None:
                    return trial.value
        return float(self._problem.truth(params, split))

    def recommended(self) -> Params:
        """Returns the settings that would be recommended so far."""
        if not self.steps:
            return middle(self._problem.space)
        recommend = getattr(self._study.sampler, "recommend", None)
        return self._best_observed() if recommend is None else dict(recommend(self._study))

    def _best_observed(self) -> Params:
        try:
            return self._study.best_params
        except ValueError:  # the sampler has constraints of its own, and nothing has met them so far
            return min(self._study.get_trials(deepcopy=False), key=self._how_bad).params

    def _how_bad(self, trial: FrozenTrial) -> tuple[float, float]:
        constraints = getattr(trial, "constraints", {}) or dict(enumerate(trial.system_attrs.get("constraints") or ()))
        return sum(max(0.0, each) for each in constraints.values()), self._sign * cast(float, trial.value)

    def measures(self) -> Mapping[str, float]:
        """Returns the time that the sampler takes."""
        return {SUGGESTION: self._seconds / self.steps} if self.steps else {}

    def watched(self) -> Mapping[str, float]:
        """Returns nothing: what a sampler sets is what is searched."""
        return {}


def middle(space: Mapping[str, Distribution]) -> dict[str, Any]:
    """Returns the middle of a space: of ranges on their own scale, of choices the first one."""
    return {name: _middle(distribution) for name, distribution in space.items()}


def _is_exact(problem: BlackBox) -> bool:
    """Whether what is observed is the truth, because nothing else is said of it."""
    return getattr(problem.truth, "__func__", None) is BlackBox.truth


def _value(place: str, call: Callable[[], object]) -> float:
    """Returns a value of the middle of a space, which has to be a finite number."""
    try:
        value = call()
    except Exception as error:
        raise InputError(f"{place} raised {type(error).__name__}: {error}") from error
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not is_measured(float(cast(float, value))):
        raise InputError(f"{place} returned {value!r} for the middle of the space; a finite number is needed")
    return float(cast(float, value))


def _middle(distribution: Distribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    low, high = distribution.low, distribution.high
    value = float(np.sqrt(low * high) if distribution.log else (low + high) / 2)
    if distribution.step and not distribution.log:
        value = low + distribution.step * round((value - low) / distribution.step)
    value = min(max(value, low), high)
    return round(value) if isinstance(distribution, IntDistribution) else value


def _written(distribution: Distribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return f"in {{{', '.join(map(str, distribution.choices))}}}"
    scale = ", on a logarithmic scale" if distribution.log else ""
    return f"in [{distribution.low:g}, {distribution.high:g}]{scale}"
