"""What a sampler has to keep to be compared with others: Optuna's own suite, and what a comparison relies on."""

import copy
import inspect
import math
import pickle
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Literal

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import TrialState

from trimtab.testing.exceptions import Excepting, require
from trimtab.testing.global_randomness import under_two_states

try:
    from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase
except ImportError as error:
    raise ImportError(
        "SamplerConformance needs Optuna 4.8 or newer, whose own suite is part of it: pip install 'optuna>=4.8'"
    ) from error

Params = Mapping[str, Any]

KINDS: Final[Mapping[str, BaseDistribution]] = {
    "float": FloatDistribution(-5.0, 10.0),
    "log": FloatDistribution(1e-5, 1.0, log=True),
    "step": FloatDistribution(0.0, 1.0, step=0.25),
    "int": IntDistribution(1, 9),
    "int_step": IntDistribution(2, 10, step=2),
    "int_log": IntDistribution(1, 256, log=True),
    "choice": CategoricalDistribution(["near", "far", "none"]),
}
"""A setting of every kind that there is."""

MIXED: Final = {name: KINDS[name] for name in ("float", "log", "int", "choice")}
"""The space of most checks."""

_CHOICES: Final = {"near": 0.0, "far": 2.0, "none": 1.0}


def value(params: Params) -> float:
    """Returns a number for settings of any of the kinds above: a bowl, without noise."""
    total = 0.0
    for name, setting in params.items():
        kind = KINDS[name]
        if isinstance(kind, CategoricalDistribution):
            total += _CHOICES[setting]
        elif isinstance(kind, FloatDistribution | IntDistribution):
            low, high, at = (math.log(n) if kind.log else n for n in (kind.low, kind.high, setting))
            total += ((at - low) / (high - low) - 0.3) ** 2
    return total


class SamplerChecks(Excepting):
    """What a comparison relies on beside Optuna's contract."""

    sampler: ClassVar[Callable[..., BaseSampler]]
    settings: ClassVar[Mapping[str, Any]] = {}
    evaluations: ClassVar[int] = 15

    def factory(self) -> Callable[..., BaseSampler]:
        """Returns what the class attribute ``sampler`` holds; a function is not made a method of the suite."""
        factory = inspect.getattr_static(type(self), "sampler", None)
        if isinstance(factory, staticmethod):
            factory = factory.__func__
        if not callable(factory):
            raise TypeError(f"{type(self).__name__}.sampler must be a class or function that makes a sampler")
        made: Callable[..., BaseSampler] = factory
        return made

    def make(self, seed: int = 0) -> BaseSampler:
        """Builds the sampler under test."""
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            return self.factory()(seed=seed, **self.settings)

    def study(
        self, sampler: BaseSampler | None = None, direction: Literal["minimize", "maximize"] = "minimize"
    ) -> Study:
        """Returns an empty study of a sampler."""
        return optuna.create_study(sampler=self.make() if sampler is None else sampler, direction=direction)

    def course(
        self,
        study: Study,
        count: int | None = None,
        *,
        space: Mapping[str, BaseDistribution] = MIXED,
        after: Callable[[], object] = lambda: None,
    ) -> list[dict[str, Any]]:
        """Asks and tells so many times, does something after each, and returns the settings that were suggested."""
        sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
        found = []
        for _ in range(self.evaluations if count is None else count):
            trial = study.ask(dict(space))
            study.tell(trial, sign * value(trial.params))
            found.append(trial.params)
            after()
        return found

    def test_built_with_seed(self) -> None:
        """``sampler(seed=0)`` makes an ``optuna.samplers.BaseSampler``."""
        try:
            made = self.make(0)
        except TypeError as error:
            raise AssertionError(f"it cannot be built with seed=: {error}") from error
        require(isinstance(made, BaseSampler), f"it makes a {type(made).__name__}, which is no BaseSampler")

    def test_same_seed(self) -> None:
        """The same seed suggests the same settings."""
        same(self.course(self.study(self.make(3))), self.course(self.study(self.make(3))), "the same seed")

    def test_other_seed(self) -> None:
        """Another seed suggests others."""
        one, other = (self.course(self.study(self.make(seed)), 5) for seed in (3, 4))
        require(one != other, "seeds 3 and 4 suggest the same settings: does the sampler use its seed?")

    def test_global_random_state(self) -> None:
        """The global generators of Python, NumPy and torch are neither drawn from nor changed."""
        one, other = under_two_states(lambda: self.course(self.study()))
        same(one, other, "another state of the global generators")

    @pytest.mark.parametrize("kind", [*KINDS, "all"])
    def test_within_range(self, kind: str) -> None:
        """What is suggested is within its range, on its steps and of its type."""
        space = KINDS if kind == "all" else {kind: KINDS[kind]}
        for params in self.course(self.study(), space=space):
            within(params, space)

    @pytest.mark.parametrize("trouble", ["failed", "pruned", "nan"])
    def test_trouble(self, trouble: str) -> None:
        """Trials that failed, were pruned or had no number, the first ones among them, are survived."""
        study = self.study()
        for index in range(self.evaluations):
            trial = study.ask(dict(MIXED))
            within(trial.params, MIXED)
            if index >= 3 and index % 3:
                study.tell(trial, value(trial.params))
            elif trouble == "pruned":
                trial.report(value(trial.params), 1)
                study.tell(trial, state=TrialState.PRUNED)
            elif trouble == "failed":
                study.tell(trial, state=TrialState.FAIL)
            else:
                with warnings.catch_warnings(action="ignore"):  # Optuna says what it makes of it
                    study.tell(trial, math.nan)
        for params in self.course(study, 3):
            within(params, MIXED)

    def test_several_at_once(self) -> None:
        """Several trials may be asked for before one is told, and told in any order."""
        study = self.study()
        for _ in range(max(2, self.evaluations // 4)):
            trials = [study.ask(dict(MIXED)) for _ in range(4)]
            for trial in reversed(trials):
                within(trial.params, MIXED)
                study.tell(trial, value(trial.params))

    def test_maximize(self) -> None:
        """Where ``-f`` is maximised, the same settings are suggested as where ``f`` is minimised."""
        least, most = self.course(self.study()), self.course(self.study(direction="maximize"))
        same(least, most, "maximising -f instead of minimising f")

    @pytest.mark.parametrize("way", ["deepcopy", "pickle"])
    def test_copied(self, way: str) -> None:
        """A sampler that was copied or pickled in the middle goes on alike."""
        study = self.study()
        self.course(study)
        twin = self.study(_COPIES[way](study.sampler))
        twin.add_trials(study.trials)
        same(self.course(study, 4), self.course(twin, 4), f"a {way} in the middle")

    def test_recommend(self) -> None:
        """``recommend(study)``, where there is one, names settings of the space, always the same, and changes none."""
        study = self.study()
        recommend = getattr(study.sampler, "recommend", None)
        if recommend is None:
            pytest.skip("it has no recommend(study): the best that was observed is taken")
        course = self.course(study)
        before = copy.deepcopy(study.trials)
        first, second = dict(recommend(study)), dict(recommend(study))
        require(first.keys() == MIXED.keys(), f"recommend(study) named {sorted(first)} instead of {sorted(MIXED)}")
        within(first, MIXED)
        same([first], [second], "recommend(study) a second time")
        require(study.trials == before, "recommend(study) changed the study's trials")
        asked = self.study()
        named: Any = getattr(asked.sampler, "recommend", None)
        require(callable(named), "recommend(study) is there once and not again")
        often = self.course(asked, after=lambda: named(asked))
        same(course, often, "recommend(study) after each")


class SamplerConformance(SamplerChecks, BasicSamplerTestCase, RelativeSamplerTestCase):
    """What Optuna and a comparison expect of a sampler: derive from it, name the sampler, and let pytest collect it.

    Runs Optuna's own ``BasicSamplerTestCase`` and ``RelativeSamplerTestCase``, whose checks of sampling settings
    together are skipped where the sampler does not, and what :class:`SamplerChecks` adds. Several objectives are left
    to Optuna's own classes: a comparison has one.

    Attributes:
        sampler: a class, function or ``functools.partial`` that is called as ``sampler(seed=seed, **settings)``.
        settings: passed to every construction. Let it learn from the first evaluation on if it can, as in the example:
            then relative sampling is checked, and the suite is faster.
        evaluations: how many are made in most checks: more than the sampler makes at random before it learns.
        exceptions: checks that are known to fail, with the reason: ``{"maximize": "..."}``, or one case only,
            ``{"within_range[choice]": "..."}``. They are reported as expected failures; one that passes is an error.

    Raises:
        TypeError: ``exceptions`` names a check that there is not.

    Examples:
        >>> class TestTPE(SamplerConformance):
        ...     sampler = optuna.samplers.TPESampler
        ...     settings = {"n_startup_trials": 1}
        ...     evaluations = 6
    """

    sampler: ClassVar[Callable[..., BaseSampler]]  # type: ignore[assignment]  # Optuna has its fixture there

    @pytest.fixture(name="sampler")
    def _sampler(self) -> Callable[[], BaseSampler]:
        return self.make

    @pytest.fixture(autouse=True)
    def _relative(self, request: pytest.FixtureRequest) -> None:
        if not request.node.originalname.startswith("test_sample_relative"):
            return
        study, space = self.study(), {name: KINDS[name] for name in ("float", "log")}
        self.course(study, 1, space=space)
        number = study.ask().number
        if not study.sampler.sample_relative(study, study.trials[number], space):
            pytest.skip("it does not sample settings together after one evaluation")


_COPIES: Final[Mapping[str, Callable[[BaseSampler], BaseSampler]]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda sampler: pickle.loads(pickle.dumps(sampler)),  # noqa: S301  # made on the spot
}


def same(courses: list[dict[str, Any]], others: list[dict[str, Any]], why: str) -> None:
    """Fails the check unless the same was suggested, to rounding."""
    for index, (one, other) in enumerate(zip(courses, others, strict=True), 1):
        for name, setting in one.items():
            alike = (
                math.isclose(setting, other[name], rel_tol=1e-6)
                if isinstance(setting, float)
                else (setting == other[name])
            )
            require(alike, f"{why}: evaluation {index} has {name}={other[name]!r} instead of {setting!r}")


def within(params: Params, space: Mapping[str, BaseDistribution]) -> None:
    """Fails the check unless settings are within a space, on its steps and of its types."""
    require(params.keys() == space.keys(), f"{sorted(params)} were suggested for {sorted(space)}")
    for name, setting in params.items():
        kind = space[name]
        text = f"{name}={setting!r} was suggested for {kind}"
        if isinstance(kind, CategoricalDistribution):
            require(setting in kind.choices, text)
        elif isinstance(kind, FloatDistribution | IntDistribution):
            type_ = float if isinstance(kind, FloatDistribution) else int
            require(isinstance(setting, type_) and kind.low <= setting <= kind.high, text)
            if kind.step:
                steps = (setting - kind.low) / kind.step
                require(math.isclose(steps, round(steps), abs_tol=1e-9), text)
