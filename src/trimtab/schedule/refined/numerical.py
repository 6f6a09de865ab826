"""The schedule that minimises the bound on the last iterate itself, found numerically (Defazio et al., 2023)."""

import numpy as np
from numpy.typing import ArrayLike

from trimtab.schedule.refined.refined import Numbers, checked_norms, smoothed_norms
from trimtab.study.errors import InputError

LONGEST = 2000
SMALLEST_STEP = 1e-8


def numerical_schedule(norms: ArrayLike, smoothing: float = 0.1) -> Numbers:
    r"""Returns the multipliers that minimise the bound on the last iterate's error, in any shape.

    :func:`~trimtab.schedule.refined.refined.refine_schedule` takes its schedule from a family with one weight a step,
    for which the best weights are known. Here the step sizes :math:`\lambda_t` themselves are what is sought, by
    L-BFGS-B, of

    .. math::
        \frac{D^2 + \sum_t G_t^2 \lambda_t^2}{2 \sum_t \lambda_t} + \frac{1}{2} \sum_{k=1}^{T-1}
            \frac{a_k Q_k}{C_k (C_k - a_k)}

    in reversed time: :math:`a_k = \lambda_{T-k}`, :math:`C_k = \sum_{j \le k} a_j` and
    :math:`Q_k = \sum_{j \le k} G_{T-j}^2 a_j^2`. Since :math:`a_k / (C_k (C_k - a_k)) = 1 / C_{k-1} - 1 / C_k`, this is

    .. math::
        \frac{D^2}{2 C_{T-1}} + \frac{1}{2} G_T^2 a_0 + \frac{1}{2} \sum_{k=1}^{T-1}
            \frac{G_{T-k}^2 a_k^2}{C_{k-1}},

    which is what is computed. The distance :math:`D` to the optimum scales all step sizes alike, and so is not needed.

    Differences from the official code: none that matters is known; the form of the objective is ours.

    Args:
        norms: Euclidean norms of the gradients, one a step, from 3 to 2000; shape ``[steps]``.
        smoothing: as in :func:`~trimtab.schedule.refined.refined.refine_schedule`.

    Returns:
        Multipliers in [0, 1], the largest of them 1.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: as for ``refine_schedule``; or norms are infinite, or too few or too many.
    """
    from scipy.optimize import minimize

    values = checked_norms(norms)
    if not np.isfinite(values).all():
        raise InputError("norms are infinite in places: leave these steps out")
    if not 3 <= len(values) <= LONGEST:
        raise InputError(
            f"norms has {len(values)} values: from 3 to {LONGEST} are possible; refine_schedule has no limit"
        )
    smooth = smoothed_norms(values, smoothing)
    squares = (smooth / np.sqrt(np.mean(smooth**2))) ** 2
    start = np.full(len(values), 1 / np.sqrt(len(values)))
    found = minimize(
        last_iterate_bound,
        start,
        args=(squares,),
        jac=True,
        method="L-BFGS-B",
        bounds=[(SMALLEST_STEP, None)] * len(values),
        options={"maxiter": 2000, "maxfun": 20_000, "ftol": 1e-12, "gtol": 1e-8},
    )
    multipliers: Numbers = found.x / found.x.max()
    return multipliers


def last_iterate_bound(steps: Numbers, squared_norms: Numbers) -> tuple[float, Numbers]:
    r"""Returns the bound for :math:`D = 1`, and its gradient with respect to the step sizes; both in linear time.

    Args:
        steps: step sizes :math:`\lambda_t`, positive.
        squared_norms: :math:`G_t^2`.
    """
    a, g = steps[::-1], squared_norms[::-1]
    sums = np.cumsum(a)
    before, whole = sums[:-1], sums[-1]
    terms = g[1:] * a[1:] ** 2 / before
    value = 0.5 * (1 / whole + g[0] * a[0] + terms.sum())
    gradient = np.full_like(a, -0.5 / whole**2)
    gradient[0] += 0.5 * g[0]
    gradient[1:] += g[1:] * a[1:] / before
    # a_j is in every sum from C_j on, which are those of the terms after it
    gradient[:-1] -= 0.5 * np.cumsum((terms / before)[::-1])[::-1]
    return float(value), gradient[::-1].copy()
