"""An objective of Optuna's, as people have it: a function of a trial, which suggests what it searches while it runs."""

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, TypeAlias, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from trimtab.lab.blackbox.observation import Observation, observation
from trimtab.lab.blackbox.problem import BlackBox, Params
from trimtab.lab.blackbox.spaces import Distribution, middle
from trimtab.primitives.global_randomness import seeded_globally
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError
from trimtab.study.metric import Metric, Split

Function: TypeAlias = Callable[[Any], Any]

_LOOKS: Final = 4
"""At an objective before it is said not to work: in the middle, and at random."""


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
        written, own = _written(function), getattr(function, "__name__", "objective")
        self.name = Path(inspect.getfile(written)).stem if own == "objective" else own
        self.summary = (
            f"{inspect.cleandoc(written.__doc__ or 'An objective of your own.').partition(chr(10))[0]} What is "
            f"recommended in the end is evaluated anew, up to {repeats} time{'s' * (repeats > 1)}, and the mean counts."
        )

    @cached_property
    def _first_look(self) -> tuple[Mapping[str, Distribution], Observation]:
        study = optuna.create_study(sampler=_Middle(), direction=self.direction)
        try:
            return self._look(study)
        except Exception:  # it may work elsewhere, and an evaluation that does not is only lost
            study.sampler = RandomSampler(seed=0)
            for _ in range(_LOOKS - 1):
                with suppress(Exception):
                    return self._look(study)
            raise

    def _look(self, study: Study) -> tuple[Mapping[str, Distribution], Observation]:
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
        return (
            super().source()
            + hashlib.sha256(Path(inspect.getfile(_written(self._function))).read_bytes()).hexdigest()[:16]
        )

    def ask(self, study: Study) -> Trial:
        """Begins an evaluation, which will suggest its settings itself."""
        return study.ask()

    def observe(self, trial: Trial, generator: np.random.Generator) -> Observation:
        """Evaluates it, with the global generators seeded, and as they were afterwards."""
        return self._called(trial, generator)

    def evaluate(self, params: Params, generator: np.random.Generator) -> Observation:
        """Evaluates settings."""
        study = optuna.create_study(sampler=_Middle(), direction=self.direction, pruner=optuna.pruners.NopPruner())
        study.enqueue_trial(dict(params))
        return self._called(study.ask(), generator)

    def _called(self, trial: Trial, generator: np.random.Generator) -> Observation:
        with seeded_globally(int(generator.integers(2**32))):
            try:
                value = observation(_as_optuna_has_it(self._function(trial)), 0).value
            except SystemExit as ended:  # of a program that was made an objective
                raise RuntimeError(f"it ended the process, by sys.exit({ended.code!r})") from ended
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
            said = f"{type(error).__name__}{f': {error}' if str(error) else ''}"
            raise InputError(
                f"{place}, in the middle of its ranges, raised {said}; it is looked at there to see what it suggests, "
                f"and {_LOOKS - 1} looks elsewhere had no value either"
            ) from error
        if not space:
            raise InputError(f"{place} suggests nothing: there is nothing to search")
        self._check_parts(place)


def _written(function: Function) -> Any:
    """Returns what stands in a file of an objective: a function, or the class of an object that is called."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if inspect.isroutine(function) else type(function)


def _as_optuna_has_it(found: Any) -> Any:
    """Returns a number where Optuna makes one of what was returned, such as of a tensor without dimensions."""
    if isinstance(found, str | tuple | list):
        return found
    try:
        return float(found)
    except (TypeError, ValueError, RuntimeError):  # the last of tensors with several elements
        return found


class _Middle(BaseSampler):
    """Suggests the middle of each range."""

    def infer_relative_search_space(self, *_: Any) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, *_: Any) -> dict[str, Any]:
        return {}

    def sample_independent(self, _study: Study, _trial: FrozenTrial, /, name: str, kind: BaseDistribution) -> Any:
        return middle({name: cast(Distribution, kind)})[name]
