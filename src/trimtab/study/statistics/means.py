"""The mean of a few runs, and where the mean of all possible ones plausibly lies."""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from trimtab.study.checks import check_bounds
from trimtab.study.statistics.arrays import check_open_unit, finite, moments, rounding
from trimtab.study.statistics.power import critical

Bounds: TypeAlias = tuple[float | None, float | None]
"""The least and the largest value that something can have; ``None`` where there is none."""


def mean_interval(
    values: ArrayLike, confidence: float = 0.95, bounds: Bounds = (None, None)
) -> tuple[float, float, float]:
    r"""Returns the mean and the lower and upper end of its interval.

    Without bounds it is the t interval :math:`\bar x \pm m`, :math:`m = t_{n-1,\,1-\alpha/2}\, s / \sqrt n`. The mean
    of bounded values is bounded as well, and the t interval may not be. With bounds the t interval is made on a scale
    that has none, :math:`g = \log(x - a)`, :math:`-\log(b - x)` or :math:`\log \frac{x - a}{b - x}`, for
    :math:`g(\bar x)` with the margin :math:`m\, g'(\bar x)` (the delta method), and turned back. Far from a bound, in
    comparison with :math:`m`, that is the t interval again.

    One value, or several that are all equal, say nothing about their spread: the interval is then the whole range,
    ``(value, -inf, inf)`` without bounds.

    Args:
        values: at least one finite number.
        confidence: of the interval, in (0, 1).
        bounds: of the values.

    Raises:
        ValueError: no or non-finite values, values outside the bounds, bounds that are not in order, or ``confidence``
            outside its range.
    """
    known = finite("values", values, 1)
    check_open_unit("confidence", confidence)
    check_bounds("bounds", bounds)
    low, high = (-math.inf if bounds[0] is None else bounds[0]), (math.inf if bounds[1] is None else bounds[1])
    if known.min() < low or known.max() > high:
        raise ValueError(f"values lie from {known.min():g} to {known.max():g}, which is not within bounds={bounds!r}")
    mean, deviation = moments(known)
    if float(np.ptp(known)) <= rounding(known):
        return mean, low, high
    margin = critical(len(known) - 1, confidence) * (deviation / math.sqrt(len(known)))
    if math.isinf(low) and math.isinf(high):
        return mean, mean - margin, mean + margin
    below, above = mean - low, high - mean
    if math.isinf(high):
        return mean, low + below * _exp(-margin / below), low + below * _exp(margin / below)
    if math.isinf(low):
        return mean, high - above * _exp(margin / above), high - above * _exp(-margin / above)
    half = margin * (1 / below + 1 / above)
    odds = below / above
    ends = (1 / (1 + _exp(half) / odds), 1 / (1 + _exp(-half) / odds))
    return mean, low + (high - low) * ends[0], low + (high - low) * ends[1]


def _exp(exponent: float) -> float:
    try:
        return math.exp(exponent)
    except OverflowError:
        return math.inf
