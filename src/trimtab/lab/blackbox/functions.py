"""Functions whose minimum is known: how far from it does a sampler end?"""

import copy
from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

import numpy as np
from optuna.distributions import FloatDistribution

from trimtab.lab.blackbox.problem import BlackBox, Params
from trimtab.study.checks import check_number
from trimtab.study.errors import InputError
from trimtab.study.metric import Metric, Split

SHIFT = 0.1
"""Share of its width by which a range is shifted at most, either way."""


class KnownFunction(BlackBox):
    """A function of which the least value is known; what counts is the regret, the distance from it.

    With each seed the function lies elsewhere: it is shifted by up to a tenth of each range. A minimum stays within.

    Args:
        noise: standard deviation of what Gaussian noise adds to each evaluation, >= 0.
    """

    metric = Metric("value", "min")
    space: Mapping[str, FloatDistribution]

    def __init__(self, noise: float = 0.0) -> None:
        check_number("noise", noise)
        if noise < 0:
            raise InputError(f"noise={noise}: a standard deviation is >= 0")
        self.noise = noise
        self.shift: Mapping[str, float] = MappingProxyType({})
        self.summary = f"{type(self).__doc__} Each seed shifts it, by up to a tenth of each range." + (
            f" Gaussian noise of standard deviation {noise:g} is added to each evaluation." if noise else ""
        )

    @abstractmethod
    def value(self, params: Params) -> float:
        """Returns the value of settings, where the function is not shifted."""

    def placed(self, generator: np.random.Generator) -> Self:
        """Returns the function shifted."""
        found = copy.copy(self)
        widths = {name: each.high - each.low for name, each in self.space.items()}
        found.shift = {name: float(generator.uniform(-SHIFT, SHIFT)) * width for name, width in widths.items()}
        return found

    @property
    def exact(self) -> bool:
        """Whether there is no noise."""
        return not self.noise

    def evaluate(self, params: Params, generator: np.random.Generator) -> float:
        """Returns the value, with noise."""
        return self.true_value(params, "validation") + (self.noise * float(generator.normal()) if self.noise else 0.0)

    def true_value(self, params: Params, _split: Split, /) -> float:
        """Returns the value."""
        return self.value({name: value + self.shift.get(name, 0.0) for name, value in params.items()})


class Branin(KnownFunction):
    """Branin's function of two settings, with three minima of equal depth."""

    name = "branin"
    space: Mapping[str, FloatDistribution] = {"x": FloatDistribution(-5, 10), "y": FloatDistribution(0, 15)}
    evaluations = 40
    optimum = 0.39788735772973816
    solved = 0.05

    def value(self, params: Params) -> float:
        """Returns the value of settings."""
        x, y = params["x"], params["y"]
        bend = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
        return float(bend**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10)


_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_WIDTHS = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


class Hartmann6(KnownFunction):
    """Hartmann's function of six settings, with four wells of different depth."""

    name = "hartmann6"
    space: Mapping[str, FloatDistribution] = {f"x{i}": FloatDistribution(0, 1) for i in range(1, 7)}
    evaluations = 80
    optimum = -3.322368011415515
    solved = 0.1

    def value(self, params: Params) -> float:
        """Returns the value of settings."""
        point = np.array([params[f"x{i}"] for i in range(1, 7)])
        return -float(_WEIGHTS @ np.exp(-(_WIDTHS * (point - _CENTRES) ** 2).sum(axis=1)))
