"""Engineering designs as problems: which sampler finds the best design that meets all constraints?"""

import copy
from typing import ClassVar, Self

import numpy as np
from optuna.distributions import FloatDistribution
from scipy.stats import qmc

from trimtab.lab.blackbox.engineering import ENGINEERING_DESIGNS, EngineeringDesign
from trimtab.lab.blackbox.observation import Observation
from trimtab.lab.blackbox.problem import BlackBox, Params
from trimtab.study.metric import Metric

SOLVED, TOLERANCE = 1e-2, 1e-4
"""Regrets that count as solved, and as none: shares of the best value, or of how far an ordinary design is from it if
that is less."""

LARGE = 5
"""So many settings take more evaluations."""


class EngineeringProblem(BlackBox):
    """An engineering design with constraints; each seed turns some of its ranges round."""

    metric = Metric("value", "min")
    design: ClassVar[EngineeringDesign]

    def __init__(self) -> None:
        design = self.design
        if design.optimal_value is None:
            raise ValueError(f"{design.name}: nothing is feasible")
        self._turned = np.zeros(design.dimension, dtype=bool)
        self.constraints = design.constraint_count
        self.optimum = design.optimal_value
        unit = qmc.Sobol(design.dimension, scramble=True, rng=np.random.default_rng(0)).random_base2(10)
        low, high = design.bounds
        ordinary = float(np.median(np.abs(design.objective(low + unit * (high - low)) - self.optimum)))
        scale = min(ordinary, abs(self.optimum) or ordinary)
        self.solved, self.tolerance = SOLVED * scale, TOLERANCE * scale
        self.summary = (
            f"An engineering design; the best one that meets all constraints has {self.optimum:.6g}. Each seed turns "
            "some of its ranges round."
        )

    def placed(self, generator: np.random.Generator) -> Self:
        """Returns the design with some of its ranges turned round: low settings mean what high ones meant."""
        found = copy.copy(self)
        found._turned = generator.random(len(self._turned)) < 1 / 2
        return found

    def evaluate(self, params: Params, _generator: np.random.Generator, /) -> Observation:
        """Returns the value of a design, and its constraints."""
        low, high = self.design.bounds
        given = np.array([params[name] for name in self.space])
        point = np.where(self._turned, low + high - given, given)
        constraints = tuple(float(each) for each in self.design.constraints(point))
        return Observation(float(self.design.objective(point)), constraints)


def _problem(design: EngineeringDesign) -> type[EngineeringProblem]:
    names = [f"x{place}" for place in range(1, design.dimension + 1)]
    space = {n: FloatDistribution(float(a), float(b)) for n, (a, b) in zip(names, design.bounds.T, strict=True)}
    more = {"evaluations": 80} if design.dimension >= LARGE else {}
    held = {"name": design.name, "design": design, "space": space, "__module__": __name__, **more}
    return type(design.name, (EngineeringProblem,), held)


PROBLEMS = {name: _problem(design) for name, design in ENGINEERING_DESIGNS.items()}
"""The class of each."""

globals().update(PROBLEMS)  # as each is found by its name
