r"""What a handful of paired runs shows, and what it cannot show.

Two candidates that run with the same seeds share data order and initial weights, so their difference is tested within
seeds, by the paired t test (Student, 1908, "The probable error of a mean"). With so few seeds the interval matters: the
95 % percentile bootstrap declares a difference between equals in 25 % of comparisons with 3 seeds (whenever the three
differences share a sign), 16 % with 5 and 9 % with 10; the t interval in 5 %, whatever the number, for normal
differences. Where none is shown, the smallest difference that would likely have been found says what that is worth.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import integrate, optimize, special

from trimtab.lab.checks import check_number

Verdict: TypeAlias = Literal["confirmed", "refuted", "inconclusive", "underpowered"]

POWER = 0.8  # the customary chance of finding an effect that is there (Cohen, 1988, Statistical Power Analysis)


@dataclass(frozen=True)
class PairedDifference:
    """The mean of a paired difference, and how surely it is known.

    Args:
        mean: of the differences.
        low: lower end of the t interval.
        high: upper end of the t interval.
        p_value: of the two-sided paired t test against no difference.
        smallest_detectable: the smallest true effect, in absolute value, that a two-sided test at the level
            ``1 - confidence`` with this many pairs finds with 80 % power, if the differences' true standard deviation
            is the observed one. From few pairs it is rough: the 95 % limits of the true deviation are 0.52 and 6.3
            times the observed one with 3 pairs, 0.69 and 1.8 times with 10.
        n: number of pairs.
        confidence: of the interval.
    """

    mean: float
    low: float
    high: float
    p_value: float
    smallest_detectable: float
    n: int
    confidence: float


def paired_difference(first: ArrayLike, second: ArrayLike, confidence: float = 0.95) -> PairedDifference:
    r"""Tests whether ``first - second`` is zero on average.

    With the differences' mean :math:`\bar d` and standard deviation :math:`s` (divisor :math:`n - 1`),

    .. math:: t = \sqrt n\, \bar d / s, \qquad
              \bar d \pm t_{n-1,\,1-\alpha/2}\; s / \sqrt n, \qquad \alpha = 1 - \mathrm{confidence},

    and the smallest detectable effect is :math:`\delta s / \sqrt n`, where :math:`\delta` is the noncentrality at which
    a noncentral t variable :math:`T` with :math:`n - 1` degrees of freedom has
    :math:`P(|T| > t_{n-1,\,1-\alpha/2}) = 0.8`. (At :math:`n = 3` it is 5.65, twice the normal approximation's 2.80.)

    Differences that are all equal leave no doubt under the test's model: the interval is the point, any effect is
    detectable, and the p-value is 1 if they are zero and 0 if not.

    Args:
        first: one number for each pair, >= 2 of them.
        second: the numbers to subtract, in the same order.
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: too few, unequally many or non-finite numbers, or ``confidence`` outside its range.
    """
    minuend, subtrahend = _finite("first", first, 2), _finite("second", second, 2)
    if len(minuend) != len(subtrahend):
        raise ValueError(f"first has {len(minuend)} values and second has {len(subtrahend)}: pairs are needed")
    with np.errstate(over="ignore"):
        differences = _finite("first - second", minuend - subtrahend, 2)
    n, (mean, deviation) = len(differences), _moments(differences)
    error = deviation / math.sqrt(n)
    margin = _critical(n, confidence) * error
    if deviation > 0:
        p_value = 2 * float(special.stdtr(n - 1, -abs(mean / deviation) * math.sqrt(n)))
    else:
        p_value = 1.0 if mean == 0 else 0.0
    detectable = _detectable_noncentrality(n, confidence) * error
    return PairedDifference(mean, mean - margin, mean + margin, p_value, detectable, n, confidence)


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float, float]:
    """Returns the mean and the lower and upper end of its t interval.

    One value says nothing about its spread, so that its interval is the whole line: ``(value, -inf, inf)``.

    Args:
        values: at least one finite number.
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: no or non-finite values, or ``confidence`` outside its range.
    """
    known = _finite("values", values, 1)
    _check_open_unit("confidence", confidence)
    if len(known) == 1:
        return float(known[0]), -math.inf, math.inf
    mean, deviation = _moments(known)
    margin = _critical(len(known), confidence) * (deviation / math.sqrt(len(known)))
    return mean, mean - margin, mean + margin


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
    raw = _probabilities("p_values", _numbers("p_values", p_values))
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
    means = _finite("scores", scores, 1)
    matrix = _numbers("p_adjusted", p_adjusted, 2)
    _check_open_unit("alpha", alpha)
    if matrix.shape != (len(means), len(means)):
        raise ValueError(f"p_adjusted has shape {matrix.shape}; {len(means)} scores need {(len(means), len(means))}")
    np.fill_diagonal(matrix, 1.0)
    if not np.array_equal(_probabilities("p_adjusted", matrix), matrix.T):
        raise ValueError("p_adjusted is not symmetric: a pair has one p-value, in whichever order it is named")
    better = (means[None, :] < means[:, None]) & (matrix < alpha)
    return [1 + int(count) for count in better.sum(axis=1)]


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
    _check_not_negative("claimed", claimed)
    if difference.mean >= claimed and difference.low > 0:
        return "confirmed"
    if difference.high < claimed:
        return "refuted"
    return "underpowered" if 0 < claimed < difference.smallest_detectable else "inconclusive"


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
    rates, losses = _numbers("rates", rates).tolist(), _numbers("losses", losses).tolist()
    if len(rates) == 0 or len(rates) != len(losses):
        raise ValueError(f"rates has {len(rates)} values and losses has {len(losses)}: as many and >= 1 are needed")
    if not all(math.isfinite(rate) and rate > 0 for rate in rates):
        raise ValueError(f"rates={list(rates)} must be finite and > 0")
    _check_not_negative("tolerance", tolerance)
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
    costs, values = _numbers("costs", costs).tolist(), _numbers("values", values).tolist()
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


def _moments(values: NDArray[np.float64]) -> tuple[float, float]:
    """The mean and the standard deviation with divisor n - 1."""
    if bool((values == values[0]).all()):  # rounding would leave equal numbers such as 0.1 a spread of 1e-17
        return float(values[0]), 0.0
    # squares of very small or large numbers leave the range of floats; multiplying by powers of two is exact
    exponent = int(np.frexp(np.abs(values).max())[1])
    scaled = np.ldexp(values, -exponent)
    with np.errstate(over="ignore"):
        return float(np.ldexp(scaled.mean(), exponent)), float(np.ldexp(scaled.std(ddof=1), exponent))


def _critical(n: int, confidence: float) -> float:
    """What |t| must exceed to be significant; also the interval's half-width in standard errors."""
    _check_open_unit("confidence", confidence)
    return -float(special.stdtrit(n - 1, (1 - confidence) / 2))


@functools.lru_cache(maxsize=256)
def _detectable_noncentrality(n: int, confidence: float) -> float:
    """The smallest detectable effect in standard errors."""
    critical, freedom = _critical(n, confidence), n - 1
    if 1 - confidence >= POWER:  # so lax a test finds something that often even where there is nothing
        return 0.0

    def excess_power(noncentrality: float) -> float:
        # T = (Z + noncentrality) / S, with Z normal and S^2 chi-square over its degrees of freedom. P(|T| > critical)
        # is the mean over S, whose quantiles are smooth in the normal score. SciPy's nct is nan in places, at n = 2
        def weighted_power(score: float) -> float:
            threshold = critical * math.sqrt(special.chdtri(freedom, special.ndtr(-score)) / freedom)
            power = special.ndtr(noncentrality - threshold) + special.ndtr(-noncentrality - threshold)
            return float(power) * math.exp(-(score**2) / 2) / math.sqrt(2 * math.pi)

        return float(integrate.quad(weighted_power, -9.0, 9.0, epsabs=1e-9, epsrel=1e-9)[0]) - POWER

    upper = critical + 1.0
    while excess_power(upper) < 0:
        upper *= 2
    return float(optimize.brentq(excess_power, 0.0, upper, xtol=1e-9))


def _finite(name: str, values: ArrayLike, least: int) -> NDArray[np.float64]:
    array = _numbers(name, values)
    if len(array) < least:
        raise ValueError(f"{name} has shape {array.shape}; a flat list of at least {least} numbers is needed")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]}; all its values must be finite")
    return array


def _numbers(name: str, values: ArrayLike, dimensions: int = 1) -> NDArray[np.float64]:
    """Values as an array, if they are numbers already: a text that could be read as one is not."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError):  # lists of unequal lengths, for example
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or array.ndim != dimensions:
        kind = "a flat list" if dimensions == 1 else "a square matrix"
        raise ValueError(f"{name} has shape {array.shape}: {kind} of numbers is needed, got {str(values)[:80]}")
    return array.astype(np.float64)


def _probabilities(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    outside = values[~((values >= 0) & (values <= 1))]  # the negation also catches nan
    if outside.size:
        raise ValueError(f"{name} holds {outside[0]}; p-values lie in [0, 1]")
    return values


def _check_not_negative(name: str, value: float) -> None:
    check_number(name, value)
    if value < 0:
        raise ValueError(f"{name}={value!r} must be finite and >= 0")


def _check_open_unit(name: str, value: float) -> None:
    check_number(name, value)
    if not 0 < value < 1:
        raise ValueError(f"{name}={value!r} must lie in (0, 1)")
