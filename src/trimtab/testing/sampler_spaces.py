"""What a sampler has to keep where the space is defined by the run: settings that come and go, ranges that move."""

from collections.abc import Callable, Mapping
from typing import Final

import pytest
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from trimtab.testing.sampler_support import SamplerSuite, Space, place, suggest, value, within

RANGES: Final[Mapping[str, tuple[BaseDistribution, ...]]] = {
    "float": (FloatDistribution(-1.0, 1.0), FloatDistribution(20.0, 30.0)),
    "log": (FloatDistribution(1e-3, 1e-2, log=True), FloatDistribution(10.0, 1e4, log=True)),
    "step": (FloatDistribution(0.25, 0.5, step=0.25), FloatDistribution(3.0, 5.0, step=0.5)),
    "int": (IntDistribution(3, 4), IntDistribution(50, 60)),
    "int_step": (IntDistribution(4, 6, step=2), IntDistribution(21, 41, step=5)),
    "int_log": (IntDistribution(4, 8, log=True), IntDistribution(512, 4096, log=True)),
}
"""A range within that of each kind, and one beyond it; choices must always be the same."""


class SpaceChecks(SamplerSuite):
    """What is suggested where trials have neither the same settings nor the same ranges."""

    @pytest.mark.parametrize("case", ["branches", "late", "gone", "ranges"])
    def test_define_by_run(self, case: str) -> None:
        """Settings that only one choice has, that come later, that go, and ranges that move are all met."""
        study = self.study()
        for index in range(self.evaluations + 3):
            trial = study.ask()
            asked = RUNS[case](trial, self.space, index, self.evaluations)
            within(trial.params, asked)
            study.tell(trial, value(trial.params))


def branches(trial: Trial, space: Space, _index: int = 0, _count: int = 0) -> Space:
    """Lets one setting decide which of the others there are: one half of them, the other half, or none.

    Returns:
        What was asked for.
    """
    switch = "choice" if "choice" in space else next(iter(space))
    suggest(trial, {switch: space[switch]})
    others = [name for name in space if name != switch]
    half = (others[::2], others[1::2], [])[min(2, int(3 * place(switch, trial.params[switch])))]
    suggest(trial, {name: space[name] for name in half})
    return {name: space[name] for name in (switch, *half)}


def _late(trial: Trial, space: Space, index: int, count: int) -> Space:
    names = list(space) if index >= count // 2 else list(space)[:-1]
    asked = {name: space[name] for name in names}
    suggest(trial, asked)
    return asked


def _gone(trial: Trial, space: Space, index: int, count: int) -> Space:
    names = list(space)[1:] if index >= count // 2 else list(space)
    asked = {name: space[name] for name in names}
    suggest(trial, asked)
    return asked


def _ranges(trial: Trial, space: Space, index: int, _count: int) -> Space:
    asked = {name: (kind, *RANGES.get(name, (kind, kind)))[index % 3] for name, kind in space.items()}
    suggest(trial, asked)
    return asked


RUNS: Final[Mapping[str, Callable[[Trial, Space, int, int], Space]]] = {
    "branches": branches,
    "late": _late,
    "gone": _gone,
    "ranges": _ranges,
}
"""What a trial is asked for, by its index and how many there are; each returns it."""
