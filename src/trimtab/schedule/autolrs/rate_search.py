"""Which learning rate to try next: a Gaussian process over log learning rates, and a lower confidence bound."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from trimtab.schedule.autolrs.unit_range import UnitRange

GRID = 1001
"""Learning rates among which the next one is chosen; their ratio is 1.007 where the bounds are three decades apart."""
LENGTHS = (0.05, 1.0)
"""Of the kernel, in lengths of the whole range. Where losses are alike the likelihood asks for an endless length, by
which all variance is rounding, and the next rate would be a neighbour of one that was tried."""
JITTER = 1e-6
"""Added to the variance of each observation, in units of all observations' variance."""


def next_rate(
    rates: Sequence[float],
    losses: Sequence[float],
    bounds: tuple[float, float],
    *,
    kappa: float,
    generator: torch.Generator,
    kernel: Any = None,
) -> float:
    r"""Returns the learning rate with the lowest :math:`\mu - \kappa \sigma` of those that were not tried.

    The process has a Matérn kernel (5/2) on the logarithm of the rate, whose length and height maximise the likelihood.
    It is scikit-learn's: among the dependencies already, exact, and for a few points on a line a matter of
    milliseconds, where the paper's scikit-optimize would come for this alone and puts the same regressor inside.

    Args:
        rates: those tried so far; without any, the answer is random, as likely at one place of the logarithmic scale as
            at another.
        losses: what was found at these, in any unit: their range alone counts. Infinite where a run diverged, which
            counts as much above the worst of the others as that is above the best.
        bounds: the lowest, > 0, and the highest.
        kappa: how much uncertainty counts, >= 0.
        generator: draws the first rate.
        kernel: another kernel of scikit-learn's, on logarithms that go from 0 to 1.
    """
    low, high = bounds
    if not rates:
        unit = float(torch.rand((), generator=generator, dtype=torch.float64))
        return _rate(unit, low, high)
    grid = np.linspace(0.0, 1.0, GRID)
    places = np.array([math.log(rate / low) / math.log(high / low) for rate in rates])
    mean, deviation = posterior(places, _without_unit(losses), grid, kernel)
    bound = mean - kappa * deviation
    # The same point twice would tell nothing, and make the covariance singular.
    bound[np.abs(grid[:, None] - places[None, :]).min(axis=1) < 1 / GRID] = math.inf
    return _rate(float(grid[int(np.argmin(bound))]), low, high)


def posterior(places: Any, losses: Any, grid: Any, kernel: Any = None) -> tuple[Any, Any]:
    """Returns mean and standard deviation on a grid, of a process that was seen at some places."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    if kernel is None:
        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(0.3, LENGTHS, nu=2.5)
    process = GaussianProcessRegressor(kernel, alpha=JITTER, normalize_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # two points leave the length at a bound
        process.fit(places[:, None], losses)
        mean, deviation = process.predict(grid[:, None], return_std=True)
    return mean, deviation


def _without_unit(losses: Sequence[float]) -> Any:
    found = np.asarray(losses, dtype=np.float64)
    finite = np.isfinite(found)
    moved = np.full(len(found), 2.0)
    if finite.any():
        moved[finite] = UnitRange.of(found[finite]).values
    return moved


def _rate(unit: float, low: float, high: float) -> float:
    return float(min(max(low * (high / low) ** unit, low), high))
