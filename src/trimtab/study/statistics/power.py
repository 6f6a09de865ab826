"""What a t test with a handful of pairs can find."""

import functools
import math

from scipy import integrate, optimize, special

from trimtab.study.checks import MANY, check_whole
from trimtab.study.statistics.arrays import check_open_unit

POWER = 0.8
"""The customary chance of finding an effect that is there (Cohen, 1988, Statistical Power Analysis)."""


def critical(freedom: float, confidence: float) -> float:
    """Returns what abs(t) must exceed to be significant; also the interval's half-width in standard errors."""
    check_open_unit("confidence", confidence)
    return -float(special.stdtrit(freedom, (1 - confidence) / 2))


def detectable_ratio(n: int, confidence: float = 0.95, *, candidates: int = 2) -> float:
    """Returns the smallest difference that ``n`` seeds find four times out of five, in its standard deviations.

    Args:
        n: number of seeds, from 2 to a million.
        confidence: one minus the level of the two-sided t test, in (0, 1).
        candidates: how many are compared; of more than two, all are taken to agree on the spread.

    Raises:
        InputError: another number of seeds or candidates, or ``confidence`` outside its range.
    """
    check_whole("n", n, least=2, most=MANY)
    check_whole("candidates", candidates, least=2, most=MANY)
    check_open_unit("confidence", confidence)
    return detectable_noncentrality((n - 1) * (candidates if candidates > 2 else 1), confidence) / math.sqrt(n)


def detectable_noncentrality(freedom: float, confidence: float) -> float:
    """Returns the smallest detectable effect in standard errors, for one degree of freedom or more.

    Between whole numbers of degrees of freedom, and below four between eighths, it is interpolated in their reciprocal,
    to less than a thousandth: each takes ten milliseconds, and no two of a thousand pairs have the same.
    """
    parts = 8 if freedom < 4 else 1
    low, high = math.floor(freedom * parts) / parts, math.ceil(freedom * parts) / parts
    least = _noncentrality(low, confidence)
    if low == high:
        return least
    most = _noncentrality(high, confidence)
    return least + (most - least) * (1 / freedom - 1 / low) / (1 / high - 1 / low)


@functools.lru_cache(maxsize=4096)
def _noncentrality(freedom: float, confidence: float) -> float:
    limit = critical(freedom, confidence)
    if 1 - confidence >= POWER:  # so lax a test finds something that often even where there is nothing
        return 0.0

    def excess_power(noncentrality: float) -> float:
        # T = (Z + noncentrality) / S, with Z normal and S^2 chi-square over its degrees of freedom. P(|T| > limit)
        # is the mean over S, whose quantiles are smooth in the normal score. SciPy's nct is nan in places, at n = 2
        def weighted_power(score: float) -> float:
            threshold = limit * math.sqrt(float(special.chdtri(freedom, float(special.ndtr(-score)))) / freedom)
            power = special.ndtr(noncentrality - threshold) + special.ndtr(-noncentrality - threshold)
            return float(power) * math.exp(-(score**2) / 2) / math.sqrt(2 * math.pi)

        return float(integrate.quad(weighted_power, -9.0, 9.0, epsabs=1e-9, epsrel=1e-9)[0]) - POWER

    upper = limit + 1.0
    while excess_power(upper) < 0:
        upper *= 2
    return float(optimize.brentq(excess_power, 0.0, upper, xtol=1e-9))
