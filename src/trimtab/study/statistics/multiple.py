"""Many tests at once: corrected p-values, intervals that hold together, ranks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trimtab.study.statistics.arrays import check_open_unit, finite, numbers, probabilities
from trimtab.study.statistics.paired import Estimate, PairedDifference


@dataclass(frozen=True)
class CorrectedDifference:
    """A difference, by itself and among the others that were tested with it.

    Args:
        alone: what it would be if nothing else had been tested.
        p_value: corrected by Holm's method.
        low: lower end of its simultaneous interval: with the confidence that was asked for, the intervals of all pairs
            hold together.
        high: upper end.
        smallest_detectable: the smallest true effect that is found with 80 % power at the level that Bonferroni's
            correction leaves for each test. Holm's finds it at least as often.
    """

    alone: PairedDifference
    p_value: float
    low: float
    high: float
    smallest_detectable: float


def corrected(estimates: Sequence[Estimate], confidence: float = 0.95) -> list[CorrectedDifference]:
    r"""Tests several differences together.

    The p-values are Holm's. The intervals have Bonferroni's level :math:`1 - \alpha / m` for :math:`m` pairs; where
    Holm's method shows a difference that Bonferroni's would not, the end on the other side of zero is put at zero,
    which is the form that bounds of step-down tests have (Strassburger & Bretz, 2008, "Compatible simultaneous lower
    confidence bounds for the Holm procedure and other Bonferroni-based closed tests"). So an interval reaches beyond
    zero on both sides exactly where no difference is shown.

    Bonferroni's intervals hold together with probability :math:`1 - \alpha` or more, however the pairs depend on each
    other. One whose end was moved to zero still holds a difference of zero: it fails only where a difference is shown
    in the wrong direction.

    Args:
        estimates: of the differences.
        confidence: of all intervals together, in (0, 1).

    Raises:
        ValueError: ``confidence`` is outside its range.
    """
    check_open_unit("confidence", confidence)
    p_values = holm([each.p_value for each in estimates]).tolist()
    level = confidence
    if len(estimates) > 1:
        level = min(1 - (1 - confidence) / len(estimates), math.nextafter(1.0, 0.0))
    return [_corrected(each, p_value, confidence, level) for each, p_value in zip(estimates, p_values, strict=True)]


def _corrected(found: Estimate, p_value: float, confidence: float, level: float) -> CorrectedDifference:
    together = found.at(level)
    low, high = within(together, shown=p_value < 1 - confidence)
    return CorrectedDifference(found.at(confidence), p_value, low, high, together.smallest_detectable)


def within(together: PairedDifference, *, shown: bool) -> tuple[float, float]:
    """Returns a simultaneous interval that leaves out zero exactly where a difference is shown."""
    low, high = together.low, together.high
    if shown:
        return (max(0.0, low), high) if together.mean > 0 else (low, min(0.0, high))
    return low, high


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    r"""Adjusts p-values for their number, by Holm's step-down method; returns them in the order given.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)}), \qquad p_{(1)} \le \dots \le p_{(m)}.

    Calling significant what is below :math:`\alpha` keeps the chance of even one false alarm below :math:`\alpha`,
    however the tests depend on each other and however many effects are real (Holm, 1979, "A simple sequentially
    rejective multiple test procedure"). It assumes no more than Bonferroni's correction and is never weaker.

    Args:
        p_values: raw p-values; may be empty.

    Raises:
        ValueError: something that is not a p-value.
    """
    raw = probabilities("p_values", numbers("p_values", p_values))
    order = np.argsort(raw, kind="stable")
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)), 1.0)
    return adjusted


def ranks(scores: ArrayLike, p_adjusted: ArrayLike, alpha: float = 0.05) -> list[int]:
    """Ranks candidates: one plus the number of candidates that are significantly better.

    "Significantly better" is a lower mean score with an adjusted p-value below ``alpha``. Rank 1 reads "nothing is
    shown to be better"; the best mean always has it, and shares it with all that nothing is shown to beat.

    "Not shown to differ" is not transitive: with A, B, C in order of their means, A may beat C while B is told apart
    from neither. Ranks are therefore counted, not grouped into ties. Pairs also differ in how precisely they are
    measured: C may lose to B and yet not to the noisier A, and then has rank 2 without being told apart from the best.

    Args:
        scores: one mean per candidate; lower is better.
        p_adjusted: symmetric matrix of the pairs' p-values after correction; its diagonal is not read.
            ``scipy.spatial.distance.squareform`` makes it from pairs in the order of ``itertools.combinations``.
        alpha: level of significance, in (0, 1).

    Raises:
        ValueError: no or non-finite scores, a matrix of another shape or not symmetric, or ``alpha`` outside its range.
    """
    means = finite("scores", scores, 1)
    matrix = numbers("p_adjusted", p_adjusted, 2)
    check_open_unit("alpha", alpha)
    if matrix.shape != (len(means), len(means)):
        raise ValueError(f"p_adjusted has shape {matrix.shape}; {len(means)} scores need {(len(means), len(means))}")
    np.fill_diagonal(matrix, 1.0)
    if not np.array_equal(probabilities("p_adjusted", matrix), matrix.T):
        raise ValueError("p_adjusted is not symmetric: a pair has one p-value, in whichever order it is named")
    better = (means[None, :] < means[:, None]) & (matrix < alpha)
    return [1 + int(count) for count in better.sum(axis=1)]
