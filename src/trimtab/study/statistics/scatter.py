"""Whether a few runs agree with each other."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from trimtab.study.statistics.arrays import Array, check_not_negative, finite, numbers

FAR = 5.0
"""So many times the spread of its neighbours away, a value is not one of them."""


def far_out(values: ArrayLike, spread: float) -> list[int]:
    """Returns the places of values that lie far from where two thirds of them are.

    Far is five times the width of the narrowest range that holds two thirds, or five times ``spread`` if that is more.
    Two values tell of no range in which the others are, so that none of them is far.

    Args:
        values: at least one finite number.
        spread: by how much others like them differ: of three values, two may be close to each other by chance.

    Raises:
        ValueError: no or non-finite values, or a negative ``spread``.
    """
    known = finite("values", values, 1)
    check_not_negative("spread", spread)
    low, high = _core(known)
    limit = FAR * max(high - low, spread)
    return [place for place, value in enumerate(known) if max(low - value, value - high) > limit]


def risen_again(curve: Sequence[float]) -> bool:
    """Tells whether a run ends far above the lowest loss that it has seen: more than half of the way back to its start.

    A run that never falls below its start, and ends above it, does.

    Args:
        curve: the losses of a run in the order of its course, from the start; what is not finite is left out.

    Raises:
        ValueError: something that is not a flat list of numbers.
    """
    known = [loss for loss in numbers("curve", curve).tolist() if math.isfinite(loss)]
    if len(known) < 2:
        return False
    lowest = min(known)
    return bool(known[-1] - lowest > (known[0] - lowest) / 2)


def _core(values: Array) -> tuple[float, float]:
    """The narrowest range that holds two thirds of the values."""
    ordered = np.sort(values)
    count = len(ordered) - len(ordered) // 3
    widths = ordered[count - 1 :] - ordered[: len(ordered) - count + 1]
    first = int(np.argmin(widths))
    return float(ordered[first]), float(ordered[first + count - 1])
