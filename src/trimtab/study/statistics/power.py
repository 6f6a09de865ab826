"""What a t test with a handful of pairs can find."""

import functools
import math

from scipy import integrate, optimize, special

from trimtab.study.checks import MANY, check_whole
from trimtab.study.statistics.arrays import check_open_unit

POWER = 0.8
"""The customary chance of finding an effect that is there (Cohen, 1988, Statistical Power Analysis)."""


def critical(n: int, confidence: float) -> float:
    """Returns what abs(t) must exceed to be significant; also the interval's half-width in standard errors."""
    check_open_unit("confidence", confidence)
    return -float(special.stdtrit(n - 1, (1 - confidence) / 2))


def detectable_ratio(n: int, confidence: float = 0.95) -> float:
    """Returns the smallest difference that ``n`` pairs find four times out of five, in its standard deviations.

    Args:
        n: number of pairs, from 2 to a million.
        confidence: one minus the level of the two-sided t test, in (0, 1).

    Raises:
        InputError: another number of pairs, or ``confidence`` outside its range.
    """
    check_whole("n", n, least=2, most=MANY)
    check_open_unit("confidence", confidence)
    return detectable_noncentrality(n, confidence) / math.sqrt(n)


@functools.lru_cache(maxsize=256)
def detectable_noncentrality(n: int, confidence: float) -> float:
    """Returns the smallest detectable effect in standard errors."""
    limit, freedom = critical(n, confidence), n - 1
    if 1 - confidence >= POWER:  # so lax a test finds something that often even where there is nothing
        return 0.0

    def excess_power(noncentrality: float) -> float:
        # T = (Z + noncentrality) / S, with Z normal and S^2 chi-square over its degrees of freedom. P(|T| > limit)
        # is the mean over S, whose quantiles are smooth in the normal score. SciPy's nct is nan in places, at n = 2
        def weighted_power(score: float) -> float:
            threshold = limit * math.sqrt(special.chdtri(freedom, special.ndtr(-score)) / freedom)
            power = special.ndtr(noncentrality - threshold) + special.ndtr(-noncentrality - threshold)
            return float(power) * math.exp(-(score**2) / 2) / math.sqrt(2 * math.pi)

        return float(integrate.quad(weighted_power, -9.0, 9.0, epsabs=1e-9, epsrel=1e-9)[0]) - POWER

    upper = limit + 1.0
    while excess_power(upper) < 0:
        upper *= 2
    return float(optimize.brentq(excess_power, 0.0, upper, xtol=1e-9))
