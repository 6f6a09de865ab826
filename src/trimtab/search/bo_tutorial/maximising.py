"""The point at which an acquisition function is largest, where some columns are not continuous."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from botorch.acquisition.acquisition import OneShotAcquisitionFunction
from botorch.optim.optimize import optimize_acqf
from botorch.utils.sampling import draw_sobol_samples
from jaxtyping import Float
from torch import Tensor

MOST_CHOICES = 3
"""Of more choices, those are left out whose best value at quasi-random points is lower."""


def maximised(
    acquisition: Any,
    columns: int,
    choices: Sequence[dict[int, float]],
    *,
    num_restarts: int,
    raw_samples: int,
    max_steps: int,
    seed: int,
) -> Float[Tensor, " c"]:
    """Returns the best point of the unit cube that is found from several starts.

    Args:
        acquisition: a function of one point.
        columns: of a point.
        choices: what columns that are not continuous can be, together.
        num_restarts: starts of a search by gradients, for each choice that is searched.
        raw_samples: quasi-random points from which the starts are chosen.
        max_steps: of each search.
        seed: of these points.
    """
    bounds = torch.tensor([[0.0], [1.0]], dtype=torch.float64).repeat(1, columns)
    for choice in choices:
        for column, value in choice.items():
            bounds[1, column] = max(float(bounds[1, column]), value)
    best, highest = None, -torch.inf
    for choice in _promising(acquisition, bounds, choices, raw_samples, seed):
        with warnings.catch_warnings():
            # once all is known, values are logarithms of rounding errors, on which a line search finds no way
            warnings.filterwarnings("ignore", message="Optimization failed", category=RuntimeWarning)
            point, reached = optimize_acqf(
                acquisition,
                bounds=bounds,
                q=1,
                num_restarts=num_restarts,
                raw_samples=raw_samples,
                fixed_features=choice or None,
                options={"seed": seed, "maxiter": max_steps},
            )
        assert reached is not None  # noqa: S101 - for the type checker
        if best is None or float(reached) > highest:
            best, highest = point[0].detach(), float(reached)
    assert best is not None  # noqa: S101 - for the type checker
    return best


def _promising(
    acquisition: Any, bounds: Float[Tensor, "2 c"], choices: Sequence[dict[int, float]], raw_samples: int, seed: int
) -> Sequence[dict[int, float]]:
    if len(choices) <= MOST_CHOICES or isinstance(acquisition, OneShotAcquisitionFunction):
        return choices
    points = draw_sobol_samples(bounds, max(raw_samples // len(choices), 8), 1, seed=seed)
    values = []
    with torch.no_grad():
        for choice in choices:
            for column, value in choice.items():
                points[..., column] = value
            values.append(float(acquisition(points).max()))
    order = sorted(range(len(choices)), key=lambda number: -values[number])
    return [choices[number] for number in order[:MOST_CHOICES]]
