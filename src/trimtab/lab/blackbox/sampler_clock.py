"""How long a sampler takes itself, whenever Optuna asks it."""

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

P = ParamSpec("P")
Result = TypeVar("Result")

_ASKED = ("before_trial", "infer_relative_search_space", "sample_relative", "sample_independent", "after_trial")


class SamplerClock:
    """Counts the seconds in those methods of a sampler that Optuna calls for a trial.

    Optuna asks for the settings of a trial when they are suggested, which an objective does in the middle of an
    evaluation: neither asking for the trial nor evaluating it takes the sampler's time alone.

    Args:
        sampler: whose methods are replaced by ones that are timed.
        first: number of the first trial that it chooses; what it takes for those before is no part of ``chosen``.

    Attributes:
        seconds: of all trials.
        chosen: of those that it chooses.
    """

    def __init__(self, sampler: BaseSampler, first: int) -> None:
        self.seconds = self.chosen = 0.0
        self._first, self._inside = first, False
        for name in _ASKED:
            setattr(sampler, name, self._timed(getattr(sampler, name)))

    def _timed(self, method: Callable[P, Result]) -> Callable[P, Result]:
        @functools.wraps(method)
        def timed(*args: P.args, **kwargs: P.kwargs) -> Result:
            if self._inside:  # one method of the sampler calls another
                return method(*args, **kwargs)
            self._inside, start = True, time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self._count(time.perf_counter() - start, (*args, *kwargs.values()))
                self._inside = False

        return timed

    def _count(self, seconds: float, given: tuple[object, ...]) -> None:
        self.seconds += seconds
        if any(isinstance(each, FrozenTrial) and each.number >= self._first for each in given):
            self.chosen += seconds
