"""From an improvement that was measured to what it says of an improvement that was claimed."""

from typing import Literal, TypeAlias

from trimtab.study.statistics.arrays import check_not_negative
from trimtab.study.statistics.paired import PairedDifference

ALPHA = 0.05
"""Level of tests; where several are made, after correction for their number."""

Verdict: TypeAlias = Literal["confirmed", "refuted", "inconclusive", "underpowered"]


def verdict(difference: PairedDifference, claimed: float) -> Verdict:
    """Judges the claim that something improves matters by ``claimed`` or more.

    The first row that applies, with ``mean``, ``low`` and ``high`` of the improvement:

    ================  ========================================  ======================================================
    verdict           condition                                 reads
    ================  ========================================  ======================================================
    ``confirmed``     ``mean >= claimed`` and ``low > 0``       surely an improvement, by the best estimate as large
                                                                as claimed
    ``refuted``       ``high < claimed``                        the data exclude the claimed size; if ``low > 0``, a
                                                                smaller improvement is real
    ``underpowered``  ``0 < claimed < smallest_detectable``     so few seeds would likely have missed it: run more
    ``inconclusive``  anything else                             neither shown nor excluded
    ================  ========================================  ======================================================

    The first two cannot both apply, as ``mean <= high``. At 95 % confidence, an effect of exactly the claimed size is
    refuted in 2.5 % of experiments, but confirmed in at most half, for its estimate falls short in the other half: a
    claim should be stated below what is expected. A mean that reaches a claim > 0 while ``low <= 0`` is
    ``underpowered``: the claim is within the half-width of the interval, which the smallest detectable effect exceeds.

    ``claimed = 0`` claims an improvement of any size, for which no number of seeds is enough: ``low > 0`` confirms it,
    ``high < 0`` refutes it, and else it is ``inconclusive``, also where all differences are exactly zero.

    Args:
        difference: the improvement: positive where the claim's method is better.
        claimed: the smallest improvement that would make the claim true, >= 0, fixed before the data were seen.

    Raises:
        ValueError: ``claimed`` is negative or not finite.
    """
    if not isinstance(difference, PairedDifference):
        raise TypeError(f"difference={difference!r} must be a PairedDifference")
    check_not_negative("claimed", claimed)
    if difference.mean >= claimed and difference.low > 0:
        return "confirmed"
    if difference.high < claimed:
        return "refuted"
    return "underpowered" if 0 < claimed < difference.smallest_detectable else "inconclusive"
