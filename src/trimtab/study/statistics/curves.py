"""What sweeps and learning curves say in a number."""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

from trimtab.study.checks import check_number
from trimtab.study.statistics.arrays import check_not_negative, numbers


def decades_within(rates: Sequence[float], losses: Sequence[float], tolerance: float = 0.01) -> float:
    r"""How forgiving a learning rate is: the width in decades of the range that is nearly as good as the best.

    The range is contiguous, contains the best rate, and holds losses of at most
    :math:`L = \ell^* + \mathrm{tolerance} \cdot |\ell^*|`. Between the last rate inside and the first outside, the loss
    is taken as linear in :math:`\log_{10}` of the rate, and the range ends where it crosses :math:`L`. It does not
    extend beyond the rates tried, so that a range which reaches the end of the sweep is a lower bound.

    A run that diverged (``nan`` or ``inf``) is outside, and the range ends at the last rate inside: the limit of the
    interpolation as the loss outside grows. Of several runs at one rate the best counts; of several ranges around
    equally good rates, the widest. A best loss of zero leaves no room, and only other zeros are within.

    Made for a sweep of the rate alone. Where other settings vary along, a bad draw of those also ends the range, and
    the width is an underestimate.

    Args:
        rates: learning rates > 0, in any order.
        losses: the loss that each led to; lower is better; at least one is finite.
        tolerance: relative to the absolute value of the best loss, >= 0.

    Raises:
        ValueError: no rates, unequally many losses, a rate <= 0, no finite loss, or a negative tolerance.
    """
    rates, losses = numbers("rates", rates).tolist(), numbers("losses", losses).tolist()
    if len(rates) == 0 or len(rates) != len(losses):
        raise ValueError(f"rates has {len(rates)} values and losses has {len(losses)}: as many and >= 1 are needed")
    if not all(math.isfinite(rate) and rate > 0 for rate in rates):
        raise ValueError(f"rates={list(rates)} must be finite and > 0")
    check_not_negative("tolerance", tolerance)
    best_at = dict.fromkeys(sorted(rates), math.inf)
    for rate, loss in zip(rates, losses, strict=True):
        if math.isfinite(loss):
            best_at[rate] = min(best_at[rate], loss)
    best = min(best_at.values())
    if math.isinf(best):
        raise ValueError("losses has no finite value: there is no best rate")
    curve = [(math.log10(rate), loss) for rate, loss in best_at.items()]
    limit = best + tolerance * abs(best)
    starts = [i for i, (_, loss) in enumerate(curve) if loss == best]
    return max(_end_of_range(curve[i:], limit) - _end_of_range(curve[i::-1], limit) for i in starts)


def first_reaching(
    costs: Sequence[float], values: Sequence[float], target: float, direction: Literal["max", "min"]
) -> float | None:
    """The lowest cost at which a curve was seen at its target or beyond, or ``None`` if it never was.

    Nothing is interpolated: nobody has seen the value between two evaluations. What is not finite reaches nothing.

    Args:
        costs: where the curve was evaluated.
        values: the curve.
        target: what is to be reached.
        direction: ``"max"`` if more is better, ``"min"`` if less is.

    Raises:
        ValueError: unequally many costs and values, a target that is not finite, or an unknown direction.
    """
    costs, values = numbers("costs", costs).tolist(), numbers("values", values).tolist()
    if len(costs) != len(values):
        raise ValueError(f"costs has {len(costs)} values and values has {len(values)}: as many are needed")
    if direction not in ("max", "min"):
        raise ValueError(f"direction={direction!r} must be 'max' or 'min'")
    check_number("target", target)
    reached = (
        float(cost)
        for cost, value in zip(costs, values, strict=True)
        if math.isfinite(value) and (value >= target if direction == "max" else value <= target)
    )
    return min(reached, default=None)


def _end_of_range(curve: Sequence[tuple[float, float]], limit: float) -> float:
    """Where a curve that starts within the limit first crosses it, or its last position."""
    for (inside, loss), (outside, next_loss) in itertools.pairwise(curve):
        if next_loss > limit:
            # a loss of infinity makes the fraction zero
            return inside + (outside - inside) * ((limit - loss) / (next_loss - loss))
    return curve[-1][0]
