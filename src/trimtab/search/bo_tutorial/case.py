"""What an acquisition function is made from."""

from dataclasses import dataclass
from typing import Any

import torch
from botorch.models.model_list_gp_regression import ModelListGP
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.sampling import draw_sobol_samples
from jaxtyping import Bool, Float
from torch import Tensor

from trimtab.search.bo_tutorial.space import Space


@dataclass(frozen=True)
class Effort:
    """How much work goes into one point.

    Args:
        num_restarts: starts of a search by gradients.
        raw_samples: quasi-random points from which they are chosen.
        draws: of quasi-Monte Carlo acquisition functions.
        fantasies: of the knowledge gradient over a continuum.
        max_steps: of a search by gradients.
    """

    num_restarts: int = 10
    raw_samples: int = 512
    draws: int = 128
    fantasies: int = 64
    max_steps: int = 200


@dataclass(frozen=True)
class Case:
    """All that an acquisition function may ask for, on the unit cube and with large values good.

    Args:
        space: where points are.
        model: of the objective.
        X: the evaluated points, of the task in question where there are tasks.
        Y: their values.
        feasible: which of them were seen to satisfy all constraints.
        constraints: models of the constraints, or None.
        pending: points that are being evaluated, or None.
        effort: how much work goes into it.
        seed: of quasi-random points.
        task: which, where there are tasks.
    """

    space: Space
    model: Any
    X: Float[Tensor, "n c"]
    Y: Float[Tensor, "n 1"]
    feasible: Bool[Tensor, " n"]
    constraints: Any
    pending: Float[Tensor, "m c"] | None
    effort: Effort
    seed: int
    task: int = 0

    @property
    def sampler(self) -> SobolQMCNormalSampler:
        """Draws that are the same for all points."""
        return SobolQMCNormalSampler(torch.Size([self.effort.draws]), seed=self.seed)

    def all_outputs(self) -> Any:
        """Returns the model of the objective, with those of the constraints behind it where there are any."""
        return self.model if self.constraints is None else ModelListGP(self.model, *self.constraints.models)

    def spread(self, count: int, columns: int) -> Float[Tensor, "count columns"]:
        """Returns quasi-random points of a unit cube."""
        return draw_sobol_samples(unit_box(columns), count, 1, seed=self.seed)[:, 0]


def target_of(case: Case) -> tuple[int, float]:
    """Returns the coordinate of the fidelity, and its target in the unit cube."""
    fidelity = case.space.fidelity
    assert fidelity is not None  # noqa: S101 - for the type checker
    low, high = case.space.bounds[:, fidelity.dim].tolist()
    return fidelity.dim, (fidelity.target - low) / (high - low)


def unit_box(columns: int) -> Float[Tensor, "2 columns"]:
    """Returns the bounds of a unit cube."""
    return torch.tensor([[0.0], [1.0]], dtype=torch.float64).repeat(1, columns)
