"""What is searched: names and ranges, their middle, and points that are spread over them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import BaseTrial
from scipy.stats import qmc

from trimtab.primitives.unit_cube import UnitCube
from trimtab.study.errors import InputError
from trimtab.study.tunable import Choice, LogOneMinus, LogUniform, Tunable, Uniform, Whole

Params: TypeAlias = Mapping[str, Any]
"""Settings by name."""

Distribution: TypeAlias = FloatDistribution | IntDistribution | CategoricalDistribution
"""What a setting is drawn from."""

Space: TypeAlias = Mapping[str, Distribution | Tunable]
"""Names and ranges: Optuna's distributions, or a method's tunables."""


def distributions(space: Space) -> dict[str, Distribution]:
    """Returns a space as Optuna's samplers know it.

    Raises:
        InputError: a range is none that Optuna knows, or its bounds stand the wrong way round.
    """
    return {name: _distribution(name, each) for name, each in space.items()}


def _distribution(name: str, given: Distribution | Tunable) -> Distribution:
    if isinstance(given, Distribution):
        return given
    if isinstance(given, Choice):
        return CategoricalDistribution(given.values)
    if isinstance(given, Whole):
        return IntDistribution(given.low, given.high, log=given.log)
    if isinstance(given, Uniform) and not isinstance(given, LogOneMinus):
        return FloatDistribution(given.low, given.high, log=isinstance(given, LogUniform))
    raise InputError(
        f"space: {name!r} needs one of optuna.distributions' FloatDistribution, IntDistribution and "
        f"CategoricalDistribution, or one of trimtab's Uniform, LogUniform, Whole and Choice, not {given!r}"
    )


def middle(space: Mapping[str, Distribution]) -> dict[str, Any]:
    """Returns the middle of a space: of ranges on their own scale, of choices the first one."""
    return {name: _middle(distribution) for name, distribution in space.items()}


def _middle(distribution: Distribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    low, high = distribution.low, distribution.high
    value = float(np.sqrt(low * high) if distribution.log else (low + high) / 2)
    if distribution.step and not distribution.log:
        value = low + distribution.step * round((value - low) / distribution.step)
    value = min(max(value, low), high)
    return round(value) if isinstance(distribution, IntDistribution) else value


def suggest(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    """Has a trial suggest a setting, as an objective would."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    low, high, log, step = (getattr(distribution, each) for each in ("low", "high", "log", "step"))
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, low, high, log=log, step=step)
    return trial.suggest_float(name, low, high, log=log, step=step)


def spread(space: Mapping[str, Distribution], count: int, seed: int) -> list[dict[str, Any]]:
    """Returns points that are spread over a space: the first of a scrambled Sobol' sequence."""
    cube = UnitCube(space)
    if not cube.dimension:
        return [middle(space)] * count
    sequence = qmc.Sobol(cube.dimension, scramble=True, rng=np.random.default_rng(seed))
    return cube.from_unit(sequence.random_base2(max(0, count - 1).bit_length())[:count])


def written(distribution: Distribution) -> str:
    """Returns where a setting lies, for readers."""
    if isinstance(distribution, CategoricalDistribution):
        return f"in {{{', '.join(map(str, distribution.choices))}}}"
    scale = ", on a logarithmic scale" if distribution.log else ""
    return f"in [{distribution.low:g}, {distribution.high:g}]{scale}"
