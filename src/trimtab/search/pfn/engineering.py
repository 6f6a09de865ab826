"""Constrained engineering designs as test problems of BoTorch."""

import torch
from botorch.test_functions.synthetic import ConstrainedSyntheticTestFunction
from jaxtyping import Float
from torch import Tensor

from trimtab.lab.blackbox.engineering import EngineeringDesign, Variant, engineering_design


class EngineeringProblem(ConstrainedSyntheticTestFunction):
    """An engineering design that is minimised, feasible where all slacks are >= 0.

    The objective can be differentiated. ``optimal_value`` and ``optimizers`` are there where a point is feasible.

    Args:
        design: formulas, bounds and optimum.
        noise_std: standard deviation of what is added to the objective.
        constraint_noise_std: standard deviations of what is added to the slacks.
        negate: whether the objective is to be maximised.
        dtype: of the bounds.
    """

    def __init__(
        self,
        design: EngineeringDesign,
        noise_std: float | None = None,
        constraint_noise_std: float | list[float] | None = None,
        negate: bool = False,
        dtype: torch.dtype = torch.double,
    ) -> None:
        self.dim = design.dimension
        self.num_constraints = design.constraint_count
        self.continuous_inds = list(range(design.dimension))
        self._bounds = [(float(low), float(high)) for low, high in design.bounds.T]
        self._optimal_value = design.optimal_value
        self._optimizers = None if design.optimal_point is None else [tuple(design.optimal_point.tolist())]
        super().__init__(noise_std=noise_std, constraint_noise_std=constraint_noise_std, negate=negate, dtype=dtype)
        self.design = design

    def _evaluate_true(self, X: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:  # BoTorch's name
        value: Tensor = self.design.objective(X, torch)
        return value

    def _evaluate_slack_true(self, X: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch constraints"]:
        constraints: Tensor = self.design.constraints(X, torch)
        return -constraints


def engineering_problem(name: str, variant: Variant = "literature") -> EngineeringProblem:
    """Returns an engineering design as a test problem of BoTorch.

    Args:
        name: one of ``trimtab.lab.blackbox.engineering.ENGINEERING_DESIGNS``: ``"jlh1"``, ``"jlh2"``, ``"gkxwc1"``,
            ``"gkxwc2"``, ``"ackley2"``, ``"ackley6"``, ``"ackley10"``, ``"keane_bump"``, ``"three_truss"``,
            ``"reinforced_concrete_beam"``, ``"compression_spring"``, ``"pressure_vessel"``, ``"welded_beam"``,
            ``"speed_reducer"``, ``"heat_exchanger"``, ``"cantilever_beam"``, ``"car_side_impact"``.
        variant: ``"literature"``, or ``"official"`` with the slips of the paper's published files.

    Raises:
        InputError: there is no such design, or no such variant.

    Source: Yu, Picard and Ahmed (2024), arXiv:2404.04495.
    """
    return EngineeringProblem(engineering_design(name, variant))
