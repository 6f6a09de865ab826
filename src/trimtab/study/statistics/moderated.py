r"""Differences between several candidates, whose spreads lend each other what they have in common.

For candidates :math:`a, b` with :math:`n` seeds in common,

.. math:: V_{ab} = \frac{d\, v_{ab} + d_q\, (\tilde s_a^2 + \tilde s_b^2)}{d + d_q}, \qquad
          t = \bar d_{ab} / \sqrt{V_{ab} / n} \quad \text{with } d + d_q \text{ degrees of freedom},

where :math:`v_{ab}` is the variance of the paired differences with its :math:`d = n - 1` degrees of freedom, and
:math:`\tilde s^2` are the candidates' variances, moderated (:mod:`trimtab.study.statistics.variances`) and, where a
seed moves all candidates alike, without that (:mod:`trimtab.study.statistics.seed_effects`). How much the pairs' own
variances count is learnt from them: where the ratios :math:`v_{ab} / (\tilde s_a^2 + \tilde s_b^2)` differ by no more
than chance, the candidates' spreads say all that is known; where some pairs follow each other more closely than others,
the ratios differ more, :math:`d_q` becomes small and the test the paired one. :math:`d_q` is Smyth's prior of the
ratios, and at most the degrees of freedom that the less certain of the two candidates has borrowed.

So shared seeds count for each pair as far as they are seen to. A common correlation of all pairs, as genomics has it
for duplicate spots (Smyth, Michaud & Scott, 2005, "Use of within-array replicate spots"), does not fit training runs:
over 60 seeds of one task it is 0.8 among Adam's relatives and nothing between them and others.

Two candidates have nobody to borrow from, and what is the same number with every seed has no spread to lend: if that
is so of more than half of them, all are compared by :func:`~trimtab.study.statistics.paired.paired_difference`.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trimtab.study.statistics.arrays import Array
from trimtab.study.statistics.paired import Estimate, estimate
from trimtab.study.statistics.seed_effects import own_variances, seeds_matter
from trimtab.study.statistics.variances import Moderated, moderated, not_negligible, prior_by_moments

_LITTLE = 0.2
"""Of a pair's own degrees of freedom: less is none, for a little of a large variance would hide a small one."""

_FEW = 3
"""Candidates without which what a seed does to all of them cannot be told from what it does to each."""

Places: TypeAlias = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class ModeratedEstimate(Estimate):
    """A difference between two of several candidates.

    Args:
        pairing: how many times as many seeds it would take to know the difference as well if no two runs shared one.
    """

    pairing: float


def moderated_estimates(samples: Sequence[Array], *, span: float | None = None) -> list[ModeratedEstimate]:
    """Estimates the difference of each two candidates, in the order of ``itertools.combinations``.

    Args:
        samples: a score a seed for each candidate, in the same order of seeds; ``nan`` where there is none. Each two
            candidates have two seeds or more in common.
        span: the largest size that a difference can have.

    Raises:
        ValueError: as for a pair of samples.
    """
    places = list(itertools.combinations(range(len(samples)), 2))
    alone = [estimate(*in_common(samples[a], samples[b]), span=span) for a, b in places]
    if not places:
        return []
    spreads = _Spreads.of(np.stack(samples), places, alone)
    if len(samples) < 3 or np.median(spreads.own) == 0:
        return [spreads.worth(each, spreads.own[[a, b]].sum()) for (a, b), each in zip(places, alone, strict=True)]
    return spreads.moderate(places, alone)


def in_common(first: Array, second: Array) -> tuple[Array, Array]:
    """Returns the scores of two candidates with the seeds that both have."""
    both = ~(np.isnan(first) | np.isnan(second))
    return first[both], second[both]


@dataclass(frozen=True)
class _Spreads:
    """How each candidate's scores vary, in units in which the largest of them is about one.

    Args:
        scores: a row a candidate, a column a seed.
        exponent: of the power of two that the unit is: squares of scores may leave the range of floats.
        own: variances of the scores as they are.
        freedoms: degrees of freedom of these.
        rounding: variances that rounding took.
    """

    scores: Array
    exponent: int
    own: Array
    freedoms: Array
    rounding: Array

    @classmethod
    def of(cls, scores: Array, places: Places, pairs: Sequence[Estimate]) -> Self:
        """Measures them, with the finest step that a candidate's scores have beside another's."""
        exponent = int(np.frexp(np.nanmax(np.abs(scores)))[1])
        steps = np.full(len(scores), math.inf)
        for place, pair in zip(places, pairs, strict=True):
            steps[list(place)] = np.minimum(steps[list(place)], math.ldexp(pair.step, -exponent))
        scaled = np.ldexp(scores, -exponent)
        known = [row[~np.isnan(row)] for row in scaled]
        equal = np.array([np.ptp(row) for row in known]) <= steps / 2
        own = np.where(equal, 0.0, [row.var(ddof=1) for row in known])
        return cls(scaled, exponent, own, np.array([len(row) - 1.0 for row in known]), steps**2 / 12)

    def moderate(self, places: Places, alone: Sequence[Estimate]) -> list[ModeratedEstimate]:
        """Estimates differences by all that is known of the spreads."""
        apart = moderated(self.own + self.rounding, self.freedoms)
        together = self._without_seed_effects() or apart
        first, second = np.array(places).T
        expected = together.variances[first] + together.variances[second]
        own, freedoms = np.array([self._variance(each) for each in alone]), np.array([each.freedom for each in alone])
        borrowed = np.minimum(together.borrowed[first], together.borrowed[second])
        borrowed = np.minimum(borrowed, _agreement(own / expected, freedoms, np.array([each.equal for each in alone])))
        variances = (freedoms * own + borrowed * expected) / (freedoms + borrowed)
        unshared = apart.variances[first] + apart.variances[second]
        return [
            self.worth(each if each.p_value == 1 else self._with(each, variance, each.freedom + extra), without)
            for each, variance, extra, without in zip(alone, variances, borrowed, unshared, strict=True)
        ]

    def _without_seed_effects(self) -> Moderated | None:
        """The variances without what seeds do to all candidates alike, if they do anything.

        Where some candidates lack seeds, as those do who have left a race, the others are taken by themselves.
        """
        there = ~np.isnan(self.scores)
        shared, complete = self.scores[:, there.all(axis=0)], there.all(axis=1)
        fewer = 0 < complete.sum() < _FEW  # who has all seeds is too few to tell what a seed does to all
        rows = shared if fewer or not complete.any() else self.scores[complete]
        if shared.shape[1] < 2 or not seeds_matter(rows):
            return None
        variances, freedoms = own_variances(shared, self.rounding)
        if rows is not shared:
            variances[complete], freedoms[complete] = own_variances(rows, self.rounding[complete])
        return moderated(variances, freedoms)

    def _variance(self, pair: Estimate) -> float:
        return pair.n * math.ldexp(pair.error, -self.exponent) ** 2

    def _with(self, alone: Estimate, variance: float, freedom: float) -> Estimate:
        error = math.ldexp(math.sqrt(variance / alone.n), self.exponent)
        p_value = 2 * float(special.stdtr(freedom, -abs(alone.mean) / error))
        return replace(alone, error=error, p_value=p_value, freedom=float(freedom))

    def worth(self, found: Estimate, unshared: float) -> ModeratedEstimate:
        """Adds what shared seeds are worth.

        Args:
            found: the estimate.
            unshared: variance of a difference between runs with different seeds.
        """
        used = self._variance(found)
        pairing = float(unshared) / used if unshared > 0 and used > 0 else 1.0
        return ModeratedEstimate(**vars(found), pairing=pairing)


def _agreement(ratios: Array, freedoms: Array, equal: NDArray[np.bool_]) -> float:
    """For how many degrees of freedom it speaks that the pairs' variances are those that the candidates' let expect."""
    known = ~equal & not_negligible(ratios)
    if known.sum() < 2:
        return math.inf
    freedom = prior_by_moments(ratios[known], freedoms[known]).freedom
    return freedom if freedom > _LITTLE * freedoms[known].mean() else 0.0
