"""A schedule in two numbers: how long it warms up, and with which power it falls."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trimtab.schedule.refined.refined import Numbers, resampled

_POINTS = 500
_WARM_UPS = np.linspace(0.0, 0.95, 96)
_POWERS = (0.05, 20.0)


@dataclass(frozen=True)
class PolynomialFit:
    """The warm-up and the power of a polynomial decay that come closest to a schedule.

    Args:
        warmup: share of the run over which the multiplier rises from zero to one, in [0, 1).
        power: of what is left of the run, with which it falls to zero; 1 is linear decay.
        error: root mean square of the difference. Above some hundredths the two numbers do not tell the shape.
    """

    warmup: float
    power: float
    error: float


def fit_polynomial(schedule: ArrayLike) -> PolynomialFit:
    r"""Returns the warm-up :math:`W` and the power :math:`p` that describe a schedule, by least squares.

    .. math::
        m(u) = \begin{cases} u / W & u < W \\ ((1 - u) / (1 - W))^p & u \ge W \end{cases}, \qquad u = t / (T - 1)

    The paper's authors describe the schedules of their runs so, fitted by hand; the criterion here is ours.

    Args:
        schedule: multipliers with a largest value of 1; shape ``[steps]``.

    Raises:
        TypeError: ``schedule`` is no sequence of numbers.
        ValueError: there are fewer than two, or one is negative or not finite.
    """
    from scipy.optimize import minimize_scalar

    values = resampled(schedule, None)
    if len(values) > _POINTS:
        values = resampled(values, _POINTS)

    def best_power(warmup: float) -> tuple[float, float]:
        found = minimize_scalar(
            lambda power: _error(values, warmup, power), bounds=_POWERS, method="bounded", options={"xatol": 1e-6}
        )
        return float(found.fun), float(found.x)

    coarse = min(_WARM_UPS, key=lambda warmup: best_power(float(warmup))[0])
    width = float(_WARM_UPS[1])
    fine = minimize_scalar(
        lambda warmup: best_power(warmup)[0],
        bounds=(max(0.0, coarse - width), min(0.999, coarse + width)),
        method="bounded",
        options={"xatol": 1e-5},
    )
    # the search stays off its bounds, and no warm-up is one of them
    warmup = min((float(fine.x), float(coarse)), key=lambda each: best_power(each)[0])
    error, power = best_power(warmup)
    return PolynomialFit(warmup, power, float(np.sqrt(error)))


def polynomial(steps: int, warmup: float, power: float) -> Numbers:
    """Returns the multipliers of a warm-up and a polynomial decay; shape ``[steps]``."""
    u = np.linspace(0, 1, steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(u < warmup, u / warmup, np.clip((1 - u) / (1 - warmup), 0, None) ** power)


def _error(values: Numbers, warmup: float, power: float) -> float:
    return float(np.mean((polynomial(len(values), warmup, power) - values) ** 2))
