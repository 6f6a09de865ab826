"""What a sampler has to keep whatever a study holds: extreme values, doubles, trials that others made or left open."""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Final

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.study import Study
from optuna.trial import TrialState, create_trial

from trimtab.testing.global_randomness import global_settings, global_states, require_untouched, same_draws
from trimtab.testing.sampler_support import SamplerSuite, Space, value, within


def valued(worth: float, every: int) -> Callable[[SamplerSuite, Study], Space]:
    """Returns what makes a history in which every so many trials have one value."""

    def make(suite: SamplerSuite, study: Study) -> Space:
        for index in range(suite.evaluations):
            trial = study.ask(dict(suite.space))
            study.tell(trial, worth if index % every == 0 else value(trial.params))
        return suite.space

    return make


def _single(suite: SamplerSuite, study: Study) -> Space:
    _add(study, suite.space, 1)
    return suite.space


def _one_value(suite: SamplerSuite, study: Study) -> Space:
    space = {name: kind if index % 2 else _narrowed(kind) for index, (name, kind) in enumerate(suite.space.items())}
    suite.course(study, space=space)
    return space


def _duplicates(suite: SamplerSuite, study: Study) -> Space:
    (params,) = _drawn(suite.space, 1)
    for index in range(suite.evaluations):
        study.enqueue_trial(params)
        study.tell(study.ask(dict(suite.space)), value(params) + 0.125 * (index % 3))
    return suite.space


def _unfinished(suite: SamplerSuite, study: Study) -> Space:
    for index in range(suite.evaluations):
        trial = study.ask(dict(suite.space))
        if index % 2:
            study.tell(trial, state=TrialState.FAIL)
    return suite.space


def _out_of_order(suite: SamplerSuite, study: Study) -> Space:
    trials = [study.ask(dict(suite.space)) for _ in range(max(4, suite.evaluations // 2))]
    for trial in trials[:0:-2] + trials[:1]:  # the last one first; others are still running
        study.tell(trial, value(trial.params))
    return suite.space


def _partial(suite: SamplerSuite, study: Study) -> Space:
    names = list(suite.space)
    for index in range(suite.evaluations):
        asked = (names[::2], names[1::2], names, [])[index % 4]
        trial = study.ask({name: suite.space[name] for name in asked})
        study.tell(trial, value(trial.params))
    return suite.space


def _foreign(suite: SamplerSuite, study: Study) -> Space:
    _add(study, suite.space, suite.evaluations)
    unknown: dict[str, BaseDistribution] = {"unknown": FloatDistribution(0.0, 1.0)}
    study.add_trial(create_trial(params={"unknown": 0.5}, distributions=unknown, value=0.0))
    study.add_trial(create_trial(params={}, distributions={}, value=-1.0))
    return suite.space


def _add(study: Study, space: Space, count: int) -> None:
    """Adds finished trials that the sampler did not suggest."""
    for params in _drawn(space, count):
        study.add_trial(create_trial(params=params, distributions=dict(space), value=value(params)))


def _drawn(space: Space, count: int) -> list[dict[str, object]]:
    drawing = optuna.create_study(sampler=RandomSampler(seed=7))
    return [drawing.ask(dict(space)).params for _ in range(count)]


def _narrowed(kind: BaseDistribution) -> BaseDistribution:
    """Returns the distribution with its least value alone; choices, which must always be the same, as they are."""
    if isinstance(kind, FloatDistribution):
        return FloatDistribution(kind.low, kind.low, log=kind.log, step=kind.step)
    if isinstance(kind, IntDistribution):
        return IntDistribution(kind.low, kind.low, log=kind.log, step=kind.step)
    return kind


HISTORIES: Final[Mapping[str, Callable[[SamplerSuite, Study], Space]]] = {
    "inf": valued(math.inf, 2),
    "-inf": valued(-math.inf, 2),
    "1e300": valued(1e300, 2),
    "-1e300": valued(-1e300, 2),
    "constant": valued(0.5, 1),
    "single": _single,
    "one_value": _one_value,
    "duplicates": _duplicates,
    "unfinished": _unfinished,
    "out_of_order": _out_of_order,
    "partial": _partial,
    "foreign": _foreign,
}
"""Makers of studies by case; each returns the space in which to go on."""


_UNUSUAL: Final = 271_828
"""A seed of the global generators that no sampler gives them."""


class HistoryChecks(SamplerSuite):
    """What is suggested after what a comparison seldom has, and an interrupted or shared study may."""

    @pytest.mark.parametrize("case", HISTORIES)
    def test_odd_history(self, case: str) -> None:
        """Whatever a study holds, settings are suggested, and they are within the space."""
        self.go_on(case)

    @pytest.mark.parametrize("case", HISTORIES)
    def test_odd_history_global_state(self, case: str) -> None:
        """Whatever a study holds, the global states of Python, NumPy and torch stay as they are."""
        with same_draws(_UNUSUAL):
            states, settings = global_states(), global_settings()
            self.go_on(case)
            require_untouched(states, settings)

    def go_on(self, case: str) -> None:
        """Makes an odd study, and asks for two trials more."""
        study = self.study()
        with warnings.catch_warnings(action="ignore"):  # a sampler may say what it makes of it
            space = HISTORIES[case](self, study)
            for params in self.course(study, 2, space=space):
                within(params, space)
