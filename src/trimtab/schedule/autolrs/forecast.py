r"""Where a loss will be after many more steps, from the first few (Jin et al., 2021, arXiv:2105.10762).

A loss at a constant learning rate is taken for :math:`L(t) = a e^{bt} + c` with :math:`b < 0`.
"""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from trimtab.primitives.hyperparameters import POSITIVE, flag, one_of
from trimtab.schedule.autolrs.unit_range import UnitRange

Kind: TypeAlias = Literal["train", "validation"]
Array: TypeAlias = NDArray[np.float64]

KIND = one_of("train", "validation")
RATES = 60
"""Rates of decay that are tried before the best is refined."""
FEWEST = 4
"""Losses that three unknowns need."""
FLATTEST = 1e-3
"""An exponential that decays by less than this up to the horizon cannot be told from a line."""


def exponential_forecast(
    losses: Sequence[float], horizon: float, kind: Kind = "train", published: bool = False
) -> float:
    r"""Returns what a loss is expected to be at ``horizon``, from a course that began at time 0.

    By default a parabola finds outliers, as in the paper: the 3 % of points that are farthest from it are left out
    where they lie in the first half of the course, ten times over (``"validation"``: one point, once), for early
    transients are what misleads. Then :math:`a, b, c` are fitted to the *points* that are left: for each of 60 rates
    :math:`-b` from :math:`0.3/n` to 2 the best :math:`a, c` follow from linear least squares, and the best rate is
    refined between its neighbours.

    ``published=True`` is the released code's chain. It fits the exponential to a smoothing spline of the points, which
    for losses of the usual size is one parabola, since SciPy's default smoothing allows a mean squared residual of 1:
    of :math:`2 e^{-0.01 t} + 0.5` without noise it expects 0.385 after 1,000 steps, where 0.5001 is true.

    Nothing depends on the unit of the losses: multiplied by a power of two they have the same forecast times that
    power, bit for bit, and multiplied by another number but for rounding. Losses may be negative, and but for the bound
    of zero below it does not matter where their zero is. The released code's smoothing does depend on the unit; here it
    is that of losses whose range is 1, which is one parabola always.

    Where the losses do not determine an exponential, the answer is a plain one: fewer than 4 losses, the mean of the
    last 3; equal losses, their value; a course as straight as a line, that line, by no more below the lowest loss than
    the losses fell so far. By default the answer lies between the highest loss and the last one minus twice the range
    of the losses; of losses that are all >= 0 no answer is below 0.

    Warning:
        With noise of a tenth of the range of the losses, 100 of them do not determine :math:`c`.

    Args:
        losses: at times 0, 1, 2, ...
        horizon: the time that is asked about, in the same unit, > 0.
        kind: whether they are losses of mini-batches, one a step, or of few validations.
        published: whether to follow the released code.

    Returns:
        The forecast; NaN where a loss is not finite.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: there are no losses, ``horizon`` is not positive, or ``kind`` is neither.
    """
    KIND("kind", kind)
    flag("published", published)
    POSITIVE("horizon", horizon)
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"losses={losses!r} must be a sequence of at least one number")
    if not np.isfinite(values).all():
        return math.nan
    moved = UnitRange.of(values)
    if len(values) < FEWEST:
        found = float(moved.values[-3:].mean())
    elif moved.span == 0:
        found = 0.0
    else:
        found = (_published if published else _corrected)(moved.values, horizon, kind)
    forecast = moved.back(found)
    return max(0.0, forecast) if values.min() >= 0 else forecast


def fit_exponential(times: Array, values: Array) -> tuple[float, float, float]:
    r"""Fits :math:`a e^{bt} + c` by variable projection.

    Args:
        times: ascending, shape ``(n,)`` with n >= 4.
        values: shape ``(n,)``.

    Returns:
        :math:`a`, :math:`b < 0` and :math:`c`.
    """
    from scipy.optimize import minimize_scalar

    def residual(log_rate: float) -> float:
        return _projected(times, values, -math.exp(log_rate))[0]

    grid = np.linspace(math.log(0.3 / len(times)), math.log(2.0), RATES)
    best = int(np.argmin([residual(each) for each in grid]))
    between = (grid[max(0, best - 1)], grid[min(RATES - 1, best + 1)])
    refined = minimize_scalar(residual, bounds=between, method="bounded", options={"xatol": 1e-10})
    log_rate = float(refined.x) if refined.fun <= residual(grid[best]) else float(grid[best])
    b = -math.exp(log_rate)
    _, a, c = _projected(times, values, b)
    return a, b, c


def _projected(times: Array, values: Array, b: float) -> tuple[float, float, float]:
    """Returns the squared residual of the best ``a`` and ``c`` at a rate, and these."""
    decay = np.exp(b * times)
    centred = decay - decay.mean()
    spread = float(centred @ centred)
    a = float(centred @ values) / spread if spread > 0 else 0.0
    c = float(values.mean() - a * decay.mean())
    rest = values - a * decay - c
    return float(rest @ rest), a, c


def _corrected(values: Array, horizon: float, kind: Kind) -> float:
    times = np.arange(len(values), dtype=np.float64)
    kept = _without_outliers(times, values, kind, spline=False)
    times, values = times[kept], values[kept]
    a, b, c = fit_exponential(times, values)
    found = a * math.exp(b * horizon) + c
    if a == 0 or abs(b) * horizon < FLATTEST:
        found = _line(times, values, horizon)
    return float(np.clip(found, values[-1] - 2 * np.ptp(values), values.max()))


def _published(values: Array, horizon: float, kind: Kind) -> float:
    from scipy.interpolate import UnivariateSpline
    from scipy.optimize import minimize

    times = np.arange(len(values), dtype=np.float64)
    kept = _without_outliers(times, values, kind, spline=True)
    smooth = UnivariateSpline(times[kept], values[kept], k=2)(times)

    def residual(log_rate: Float[Array, " 1"]) -> float:
        return _projected(times, smooth, -math.exp(min(float(log_rate[0]), 100.0)))[0]

    fitted = minimize(residual, [0.0], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-5})
    b = -math.exp(min(float(fitted.x[0]), 100.0))
    _, a, c = _projected(times, smooth, b)
    if a == 0 or abs(b) * horizon < FLATTEST:
        return _line(times, smooth, horizon)
    return a * math.exp(b * horizon) + c


def _without_outliers(times: Array, values: Array, kind: Kind, *, spline: bool) -> NDArray[np.int64]:
    """Returns the places of the points that are left."""
    from scipy.interpolate import UnivariateSpline

    kept = np.arange(len(times))
    middle = times[-1] / 2
    for _ in range(10 if kind == "train" else 1):
        dropped = round(0.03 * len(kept)) if kind == "train" else 1
        if dropped == 0 or len(kept) - dropped < FEWEST:
            break
        x, y = times[kept], values[kept]
        curve = UnivariateSpline(x, y, k=2) if spline else np.polynomial.Polynomial.fit(x, y, 2)
        farthest = np.argsort(-np.abs(y - curve(x)), kind="stable")[:dropped]
        kept = np.delete(kept, farthest[x[farthest] < middle])
    return kept


def _line(times: Array, values: Array, horizon: float) -> float:
    slope, start = np.polyfit(times, values, 1)
    return float(max(start + slope * horizon, values.min() - max(0.0, values[0] - values[-1])))
