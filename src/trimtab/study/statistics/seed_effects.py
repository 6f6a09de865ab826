r"""What a seed does to all candidates alike.

Runs with one seed share a split, an order of the data or initial weights. Where that moves all candidates together,
:math:`y_{ci} = \mu_c + b_i + e_{ci}`, their differences do not have it, and the spread that matters is that of
:math:`e_{ci}`. The effect :math:`b_i` is the mean of the deviations :math:`y_{ci} - \bar y_c`, weighted by one over the
variances of :math:`e`: candidates that follow the others count, one that goes its own way hardly does, and its part in
the effect becomes a part of its own variance. With weights :math:`w_c` that sum to one, the residuals of :math:`n`
seeds have :math:`(n - 1)(1 - w_c)` degrees of freedom, and with equal weights all this is the analysis of variance of
candidates by seeds.
"""

import numpy as np
from scipy import special

from trimtab.study.statistics.arrays import Array
from trimtab.study.statistics.variances import moderated

LEVEL = 0.01
"""Of the test for an effect of seeds. Of few candidates and seeds it is nominal, because each candidate's spread is
estimated (with three of both, one in twenty families without an effect passes it): what follows holds either way."""

_ROUNDS = 2
"""Of variances and weights, each from the other; more change nothing that could be measured."""

_MOST_WEIGHT = 0.5
"""Of one candidate: it would otherwise define the effect by itself, and have no variance left."""


def seeds_matter(scores: Array) -> bool:
    """Tells whether seeds move candidates together, by an F test on deviations in units of each candidate's spread.

    Args:
        scores: a row a candidate, a column a seed.
    """
    deviations = scores - scores.mean(axis=1, keepdims=True)
    spread = deviations.std(axis=1, ddof=1)
    standard = deviations[spread > 0] / spread[spread > 0, None]
    candidates, seeds = standard.shape
    if candidates < 2:
        return False
    shared = candidates * float((standard.mean(axis=0) ** 2).sum())
    own = max(float((standard**2).sum()) - shared, 0.0)
    freedom = (seeds - 1) * (candidates - 1)
    if own == 0.0:
        return True
    return bool(special.fdtrc(seeds - 1, freedom, shared / (seeds - 1) / (own / freedom)) < LEVEL)


def own_variances(scores: Array, rounding: Array) -> tuple[Array, Array]:
    """Returns each candidate's variance without what seeds do to all, and its degrees of freedom.

    Args:
        scores: a row a candidate, three or more, and a column a seed.
        rounding: variances that rounding took from each candidate's scores.
    """
    deviations = scores - scores.mean(axis=1, keepdims=True)
    freedom = scores.shape[1] - 1
    freedoms = np.full(len(scores), float(freedom))
    variances = (deviations**2).sum(axis=1) / freedom + rounding
    for _ in range(_ROUNDS):
        weights = 1 / moderated(variances, freedoms).variances
        weights = np.minimum(weights / weights.sum(), _MOST_WEIGHT)
        effect = weights @ deviations / weights.sum()
        freedoms = freedom * (1 - weights)
        variances = ((deviations - effect) ** 2).sum(axis=1) / freedoms + rounding
    return variances, freedoms
