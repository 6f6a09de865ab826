"""What every part of the suite for samplers uses: kinds of settings, a study, and what was suggested."""

import inspect
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import Study
from optuna.trial import Trial

from trimtab.testing.exceptions import Excepting, require

Params = Mapping[str, Any]
Space = Mapping[str, BaseDistribution]

KINDS: Final[Space] = {
    "float": FloatDistribution(-5.0, 10.0),
    "log": FloatDistribution(1e-5, 1.0, log=True),
    "step": FloatDistribution(0.0, 1.0, step=0.25),
    "int": IntDistribution(1, 9),
    "int_step": IntDistribution(2, 10, step=2),
    "int_log": IntDistribution(1, 256, log=True),
    "choice": CategoricalDistribution(["near", "far", "none"]),
}
"""A setting of every kind that there is."""

MIXED: Final = ("float", "log", "int", "choice")
"""The settings of most checks, as far as the sampler takes their kinds."""

_NAME: Final = "search"

_CHOICES: Final = {"near": 0.0, "far": 2.0, "none": 1.0}


def value(params: Params) -> float:
    """Returns a number for settings of any of the kinds above: a bowl, without noise."""
    return sum(_CHOICES[at] if name == "choice" else (place(name, at) - 0.3) ** 2 for name, at in params.items())


def place(name: str, setting: Any) -> float:
    """Returns where a setting lies between the ends of its kind's range, which are 0 and 1."""
    kind = KINDS[name]
    if isinstance(kind, CategoricalDistribution):
        return kind.choices.index(setting) / (len(kind.choices) - 1)
    if not isinstance(kind, FloatDistribution | IntDistribution):
        raise TypeError(f"{kind!r} has no range")
    low, high, at = (math.log(each) if kind.log else each for each in (kind.low, kind.high, setting))
    return (at - low) / (high - low)


def suggest(trial: Trial, space: Space) -> None:
    """Asks a trial for settings one after the other, as an objective that is defined by its run does."""
    for name, kind in space.items():
        if isinstance(kind, CategoricalDistribution):
            trial.suggest_categorical(name, kind.choices)
        elif isinstance(kind, FloatDistribution):
            trial.suggest_float(name, kind.low, kind.high, step=kind.step, log=kind.log)
        elif isinstance(kind, IntDistribution):
            trial.suggest_int(name, kind.low, kind.high, step=kind.step, log=kind.log)


class SamplerSuite(Excepting):
    """What the parts of the suite share; its attributes are those of ``SamplerConformance``."""

    sampler: ClassVar[Callable[..., BaseSampler]]
    settings: ClassVar[Mapping[str, Any]] = {}
    evaluations: ClassVar[int] = 15
    kinds: ClassVar[Sequence[str]] = tuple(KINDS)

    @property
    def space(self) -> Space:
        """The settings of most checks: those of ``MIXED`` that the sampler takes, or else all that it takes."""
        names = [name for name in MIXED if name in self.kinds]
        return {name: KINDS[name] for name in (names if len(names) > 1 else self.kinds)}

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

    def stored(self) -> tuple[Study, BaseStorage]:
        """Returns an empty study, and where it is kept."""
        storage = InMemoryStorage()
        return optuna.create_study(sampler=self.make(), storage=storage, study_name=_NAME), storage

    @staticmethod
    def moved(storage: BaseStorage, into: BaseStorage, sampler: BaseSampler) -> Study:
        """Copies a stored study with all that a sampler keeps in it, and loads it from there with another sampler."""
        optuna.copy_study(from_study_name=_NAME, from_storage=storage, to_storage=into)
        return optuna.load_study(study_name=_NAME, storage=into, sampler=sampler)

    def course(
        self,
        study: Study,
        count: int | None = None,
        *,
        space: Space | None = None,
        after: Callable[[], object] = lambda: None,
    ) -> list[dict[str, Any]]:
        """Asks and tells so many times, does something after each, and returns the settings that were suggested."""
        sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
        found = []
        for _ in range(self.evaluations if count is None else count):
            trial = study.ask(dict(self.space if space is None else space))
            study.tell(trial, sign * value(trial.params))
            found.append(trial.params)
            after()
        return found


def named(recommended: Any) -> dict[str, Any]:
    """Returns the settings of a recommendation, which may have more to say, as its ``params``."""
    return dict(getattr(recommended, "params", recommended))


def same(courses: Sequence[Params], others: Sequence[Params], why: str, *, exactly: bool = False) -> None:
    """Fails the check unless the same was suggested, to rounding or bit for bit."""
    for index, (one, other) in enumerate(zip(courses, others, strict=True), 1):
        require(one.keys() == other.keys(), f"{why}: evaluation {index} has {sorted(other)} instead of {sorted(one)}")
        for name, setting in one.items():
            rounded = isinstance(setting, float) and not exactly
            alike = math.isclose(setting, other[name], rel_tol=1e-6) if rounded else setting == other[name]
            require(alike, f"{why}: evaluation {index} has {name}={other[name]!r} instead of {setting!r}")


def within(params: Params, space: Space) -> None:
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
