r"""Tests that look at the seeds as they come, and are right in 95 of 100 cases all the same.

Whoever looks at each new seed and stops at the first p-value below 5 % is wrong more often than that: in 20 of 100
cases with ten seeds. So each look has a level of its own. After a share :math:`t` of the seeds, a test of level
:math:`\alpha` has used :math:`\alpha t^3` (Lan & DeMets, 1983, "Discrete sequential boundaries for clinical trials";
the cube is from Kim & DeMets, 1987, "Design and analysis of group sequential tests based on the type I error spending
rate function"): little at first, when a few seeds could easily mislead, and two thirds of it at the last looks. What
level that leaves for each look follows from how the tests depend on each other (:mod:`~trimtab.study.statistics.
sequential_t`), and is exact for two candidates, whose differences are normal; where more of them lend each other what
they know of their spread, the tests depend on each other more closely, and are wrong less often.

Several pairs are corrected together by Holm's method, applied to *sequential p-values*: the smallest :math:`\alpha` at
which a pair would have been shown to differ at this look or at an earlier one (Liu & Anderson, 2008, "On adaptive
extensions of group sequential trials for clinical investigations"; that Holm's method keeps its promise with them is
shown by Maurer & Bretz, 2013, "Multiple testing in group sequential trials using graphical approaches"). It keeps it
whoever leaves, and why: leaving early can only miss differences.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import interpolate, special

from trimtab.study.checks import MANY, check_whole
from trimtab.study.statistics.moderated import ModeratedEstimate
from trimtab.study.statistics.multiple import CorrectedDifference, holm, within
from trimtab.study.statistics.paired import Estimate
from trimtab.study.statistics.sequential_t import nominal_levels

FEWEST = 3
"""Seeds that a race needs: with two, the first look is the last."""

_POWER = 3
_GROWTH = 1.1
"""Seeds of a look over those of the one before, at least where it makes a difference of one."""

_MISSED = 1.25
"""What a race finds four times out of five, over what all seeds would, had nobody left: with 2 to 10 normal
candidates and 3 to 20 seeds, 65 to 91 % of such differences are found (``benchmarks/racing.py``)."""

_LEVELS = np.geomspace(1e-9, 0.9, 14)
_CLOSEST = math.nextafter(1.0, 0.0)


def looks(seeds: int) -> tuple[int, ...]:
    """Returns the numbers of seeds at which a race of so many is looked at: each up to ten, then every tenth more.

    Raises:
        InputError: fewer than three seeds.
    """
    check_whole("seeds", seeds, least=FEWEST, most=MANY)
    found = [seeds]
    while found[-1] > 2:
        found.append(max(2, min(found[-1] - 1, int(found[-1] / _GROWTH))))
    return tuple(reversed(found))


class Boundaries:
    """The levels of a sequence of looks.

    Args:
        seeds: in all.
    """

    def __init__(self, seeds: int) -> None:
        self.looks = looks(seeds)
        shares = (np.array(self.looks) / seeds) ** _POWER
        logs = np.log([nominal_levels(self.looks, level * shares) for level in _LEVELS])
        self._lowest, self._highest = logs[0], logs[-1]
        self._level = interpolate.PchipInterpolator(np.log(_LEVELS), logs, axis=0)
        self._inverse = [interpolate.PchipInterpolator(column, np.log(_LEVELS)) for column in logs.T]

    def level(self, look: int, alpha: float) -> float:
        """Returns the level of the test at a look, if all looks together have the level ``alpha``.

        Args:
            look: which of them, from 0.
            alpha: in (0, 0.9].
        """
        if alpha < _LEVELS[0]:  # there levels are in proportion
            return math.exp(self._lowest[look]) * alpha / float(_LEVELS[0])
        return math.exp(float(self._level(math.log(alpha))[look]))

    def p_value(self, look: int, p_value: float) -> float:
        """Returns at which level of all looks together a p-value of one look is just significant."""
        if p_value <= 0:
            return 0.0
        log = math.log(p_value)
        if log > self._highest[look]:
            return 1.0
        if log < self._lowest[look]:
            return float(_LEVELS[0]) * math.exp(log - self._lowest[look])
        return math.exp(float(self._inverse[look](log)))


@functools.lru_cache(maxsize=64)
def boundaries(seeds: int) -> Boundaries:
    """Returns the levels of a race of so many seeds; those of ten take half a second, once."""
    return Boundaries(seeds)


@dataclass(frozen=True)
class Looked:
    """A difference as it was at one look.

    Args:
        look: which, from 0.
        estimate: of the difference.
        p_value: sequential p-value: of this look and those before.
    """

    look: int
    estimate: ModeratedEstimate
    p_value: float

    def then(self, look: int, found: ModeratedEstimate, bounds: Boundaries) -> "Looked":
        """Returns the difference after another look: the one that shows it best, if any does, else the last one."""
        p_value = bounds.p_value(look, found.p_value)
        if p_value < self.p_value or self.p_value == 1:
            return Looked(look, found, p_value)
        return replace(self, look=look, estimate=found) if self.p_value >= _HARDLY else self


_HARDLY = 0.05
"""Sequential p-values above show nothing, whatever else is tested: then the last look says most of the difference."""


def looked(look: int, found: ModeratedEstimate, bounds: Boundaries) -> Looked:
    """Returns a difference at its first look."""
    return Looked(look, found, bounds.p_value(look, found.p_value))


def predictive_power(look: int, found: Estimate, bounds: Boundaries, alpha: float) -> float:
    r"""Returns the chance that all seeds will show a difference, from what is known of it.

    With :math:`n` of :math:`N` seeds, a difference that is taken to be any number, none more likely than another
    beforehand, and a standard error with :math:`\nu` degrees of freedom,

    .. math:: P\left( \left| \sqrt{N/n}\; t_n + \sqrt{(N - n)/n}\; T_\nu \right| > t^*_N \right)

    with :math:`T_\nu` of a t distribution and the critical value :math:`t^*_N` of the last look (Spiegelhalter,
    Freedman & Blackburn, 1986, "Monitoring clinical trials: conditional or predictive power?"). The standard error is
    taken to stay as it is; with three seeds of two candidates, that makes a chance of 61 % one of 71 %.

    Args:
        look: which, from 0.
        found: the difference as it is.
        bounds: of the looks.
        alpha: level of all looks together.
    """
    n, most = bounds.looks[look], bounds.looks[-1]
    if n == most:
        return float(found.p_value < bounds.level(look, alpha))
    limit = -float(special.stdtrit(_freedom(found, most), bounds.level(len(bounds.looks) - 1, alpha) / 2))
    # scores that were zero each time have no error at all, and like any other constant no difference
    expected = math.sqrt(most / n) * found.mean / found.error if found.mean else 0.0
    spread = math.sqrt((most - n) / n)
    above, below = (expected - limit) / spread, (-expected - limit) / spread
    return float(special.stdtr(found.freedom, above) + special.stdtr(found.freedom, below))


def corrected_looks(
    tests: Sequence[Looked], bounds: Boundaries, confidence: float = 0.95, *, raced: Sequence[bool] | None = None
) -> list[CorrectedDifference]:
    """Tests several differences together, each as it was at the look that counts for it.

    Intervals are those of Jennison & Turnbull (1989, "Interim analyses: the repeated confidence interval approach"):
    all looks' together hold the difference with the confidence that is asked for, so that those of early looks are
    wide. What is detectable is what a race over all seeds finds four times out of five where it is run for that pair;
    of others, what the look at which they stopped would have found.

    Args:
        tests: sequential tests of the pairs.
        bounds: of the looks.
        confidence: of all intervals together, in (0, 1).
        raced: for which pairs seeds are run; by default for all.
    """
    alpha = 1 - confidence
    p_values = holm([each.p_value for each in tests]).tolist()
    found = []
    for each, p_value, on in zip(tests, p_values, raced or [True] * len(tests), strict=True):
        alone, together = (each.estimate.at(_confidence(bounds, each.look, level)) for level in _two(alpha, len(tests)))
        low, high = within(together, shown=p_value < alpha)
        least, least_together = alone.smallest_detectable, together.smallest_detectable
        if on:
            whole, last = _whole(each.estimate, bounds.looks[-1]), len(bounds.looks) - 1
            least, least_together = (
                _MISSED * whole.at(_confidence(bounds, last, level)).smallest_detectable
                for level in _two(alpha, len(tests))
            )
        alone = replace(alone, smallest_detectable=least)
        found.append(CorrectedDifference(alone, p_value, low, high, least_together))
    return found


def _two(alpha: float, tests: int) -> tuple[float, float]:
    return alpha, alpha / max(1, tests)


def _confidence(bounds: Boundaries, look: int, alpha: float) -> float:
    return min(1 - bounds.level(look, alpha), _CLOSEST)


def _freedom(found: Estimate, seeds: int) -> float:
    """Degrees of freedom when there are more seeds: those of the runs grow, and with them what they lend."""
    return found.freedom * (seeds - 1) / (found.n - 1)


def _whole(found: Estimate, seeds: int) -> Estimate:
    """The difference as it would be known from all seeds."""
    return replace(found, error=found.error * math.sqrt(found.n / seeds), freedom=_freedom(found, seeds), n=seeds)
