"""An objective of Optuna's, as people have it: a function of a trial, which suggests what it searches while it runs."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FixedTrial, FrozenTrial, Trial

from trimtab.lab.blackbox.observation import Observation, observation
from trimtab.lab.blackbox.problem import BlackBox, Params
from trimtab.lab.blackbox.spaces import Distribution, middle
from trimtab.primitives.global_randomness import seeded_globally
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError
from trimtab.study.metric import Metric, Split

Function: TypeAlias = Callable[[Any], Any]


class Objective(BlackBox):
    """Somebody's objective.

    What it searches is found by a look at it: it is evaluated once at the middle of its ranges. Its randomness from the
    global generators of Python, NumPy and torch follows from the seed of a run. In the end of a run it is evaluated
    anew with what was recommended, and the mean counts; one that is the same as before is without noise, and enough.

    Args:
        function: the objective.
        direction: what is searched for.
        evaluations: length of a run.
        repeats: evaluations of what was recommended, in the end of a run.
        workers: how many evaluations are under way at a time.
        metric: what it returns, for readers.
    """

    judged_last: ClassVar = True

    def __init__(
        self,
        function: Function,
        *,
        direction: Literal["minimize", "maximize"] = "minimize",
        evaluations: int = 40,
        repeats: int = 3,
        workers: int = 1,
        metric: str = "value",
    ) -> None:
        if direction not in ("minimize", "maximize"):
            raise InputError(f"direction={direction!r}: minimize or maximize is expected")
        check_whole("repeats", repeats)
        check_whole("evaluations", evaluations)
        self._function = function
        self.metric = Metric(metric, "max" if direction == "maximize" else "min")
        self.evaluations, self.repeats, self.workers = evaluations, repeats, workers
        own = getattr(function, "__name__", "objective")
        self.name = Path(inspect.getfile(function)).stem if own == "objective" else own
        self.summary = (
            f"{inspect.cleandoc(function.__doc__ or 'An objective of your own.').partition(chr(10))[0]} What is "
            f"recommended in the end is evaluated anew, up to {repeats} time{'s' * (repeats > 1)}, and the mean counts."
        )

    @cached_property
    def _first_look(self) -> tuple[Mapping[str, Distribution], Observation]:
        study = optuna.create_study(sampler=_Middle(), direction=self.direction)
        trial = study.ask()
        found = self.observe(trial, np.random.default_rng(0))
        return cast(dict[str, Distribution], dict(trial.distributions)), found  # Optuna has these three

    @property
    def distributions(self) -> Mapping[str, Distribution]:
        """What it suggests at the middle of its ranges; other settings may appear elsewhere."""
        return self._first_look[0]

    @property
    def constraint_count(self) -> int:
        """How many it tells of there."""
        return len(self._first_look[1].constraints)

    @property
    def exact(self) -> bool:
        """Whether it is known to be without noise, which it is not."""
        return False

    def source(self) -> str:
        """Returns what changes when its file does."""
        return super().source() + hashlib.sha256(Path(inspect.getfile(self._function)).read_bytes()).hexdigest()[:16]

    def ask(self, study: Study) -> Trial:
        """Begins an evaluation, which will suggest its settings itself."""
        return study.ask()

    def observe(self, trial: Trial, generator: np.random.Generator) -> Observation:
        """Evaluates it, with the global generators seeded, and as they were afterwards."""
        return self._called(trial, generator)

    def evaluate(self, params: Params, generator: np.random.Generator) -> Observation:
        """Evaluates settings."""
        return self._called(FixedTrial(dict(params)), generator)

    def _called(self, trial: Any, generator: np.random.Generator) -> Observation:
        with seeded_globally(int(generator.integers(2**32))):
            value = observation(self._function(trial), 0).value
        told = dict(getattr(trial, "constraints", {}))
        return Observation(value, tuple(told.values()), None, tuple(told))

    def settled(self, params: Params, _split: Split, known: Observation | None, /) -> Observation:
        """Returns the mean of new evaluations, of one where it is what was known before."""
        found = [self.evaluate(params, np.random.default_rng([0, 0]))]
        if known is not None and found[0].value == known.value:
            return found[0]
        found += [self.evaluate(params, np.random.default_rng([0, place])) for place in range(1, self.repeats)]
        constraints = zip(*(each.constraints for each in found), strict=True)
        means = tuple(float(np.mean(each)) for each in constraints)
        return Observation(float(np.mean([each.value for each in found])), means, None, found[0].names)

    def check(self, place: str) -> None:
        """Looks at it once.

        Raises:
            InputError: it raises there, returns no number or several, or suggests nothing.
        """
        try:
            space, _ = self._first_look
        except Exception as error:
            raise InputError(f"{place}, in the middle of its ranges, raised {type(error).__name__}: {error}") from error
        if not space:
            raise InputError(f"{place} suggests nothing: there is nothing to search")
        self._check_parts(place)


class _Middle(BaseSampler):
    """Suggests the middle of each range."""

    def infer_relative_search_space(self, *_: Any) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, *_: Any) -> dict[str, Any]:
        return {}

    def sample_independent(self, _study: Study, _trial: FrozenTrial, /, name: str, kind: BaseDistribution) -> Any:
        return middle({name: cast(Distribution, kind)})[name]
