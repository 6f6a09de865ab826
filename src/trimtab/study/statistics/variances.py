r"""Variances that several samples lend each other, where they seem to have something in common.

A variance of three seeds is known badly, but of sixteen candidates there are sixteen of them. If the true ones come
from a common distribution, :math:`\sigma_c^2 \sim d_0 s_0^2 / \chi^2_{d_0}`, a sample variance :math:`s_c^2` with
:math:`d_c` degrees of freedom follows :math:`s_0^2 F_{d_c, d_0}`, and the posterior of :math:`1 / \sigma_c^2` has the
mean :math:`1 / \tilde s_c^2` with

.. math:: \tilde s_c^2 = \frac{d_0 s_0^2 + d_c s_c^2}{d_0 + d_c}

and :math:`d_0 + d_c` degrees of freedom (Smyth, 2004, "Linear models and empirical Bayes methods for assessing
differential expression in microarray experiments"). :math:`d_0` is large where the sample variances are about as alike
as chance lets them be, and small where they differ more. A sample whose variance lies far above the others neither
lends nor borrows (Phipson, Lee, Majewski, Alexander & Smyth, 2016, "Robust hyperparameter estimation protects against
hypervariable genes and improves power to detect differential expression").

Where we differ, because those work with thousands of variances and here are a handful: what is borrowed has no more
degrees of freedom than the other samples that lend have together (limma counts the sample's own as well); the prior is
estimated by moments of what is not far out, and Winsorized moments only find that (their estimate of :math:`d_0` from
sixteen variances costs a tenth of the power); what is far out borrows nothing, where the paper leaves it a little; and
that a larger variance never borrows more follows from a running maximum of the shares, where limma takes running means.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from trimtab.study.statistics.arrays import Array

TAILS = (0.05, 0.1)
"""Shares below and above which logarithms of variances are Winsorized, as in limma."""

FAR_OUT = 0.1
"""Chance at which a family of variances that come from one distribution would have one that is left out."""

_NODES, _WEIGHTS = (each / 2 for each in np.polynomial.legendre.leggauss(64))
_LEAST, _MOST = 0.1, 1e4
"""Degrees of freedom between which those of the prior are sought; more are as good as infinitely many."""

_SMALLEST = 1e-5
"""Of the median: variances as small as that say nothing of the others."""


@dataclass(frozen=True)
class Prior:
    """What the true variances seem to have in common.

    Args:
        variance: the centre :math:`s_0^2` of their distribution.
        freedom: its degrees of freedom :math:`d_0`; infinite where the true variances seem to be equal.
    """

    variance: float
    freedom: float

    def tail(self, variances: Array, freedoms: Array) -> Array:
        """Returns the chance of a sample variance this large or larger."""
        ratio = variances / self.variance
        if math.isinf(self.freedom):
            return np.asarray(special.chdtrc(freedoms, freedoms * ratio))
        return np.asarray(special.fdtrc(freedoms, self.freedom, ratio))


@dataclass(frozen=True)
class Moderated:
    """Variances after they were moderated.

    Args:
        variances: of each sample.
        borrowed: degrees of freedom that each has in addition to its own.
        prior: what they have in common.
    """

    variances: Array
    borrowed: Array
    prior: Prior


def moderated(variances: Array, freedoms: Array) -> Moderated:
    """Shrinks sample variances towards what they have in common, each by as much as it seems to have part in that.

    Args:
        variances: of two samples or more, not all of them zero.
        freedoms: degrees of freedom of each, > 0.
    """
    lending = _lending(variances, freedoms)
    prior = prior_by_moments(variances[lending], freedoms[lending])
    lent = np.where(lending, freedoms, 0.0)
    others = lent.sum() - lent
    borrowed = _share_in(prior, variances, freedoms) * np.minimum(prior.freedom, others)
    return Moderated((borrowed * prior.variance + freedoms * variances) / (borrowed + freedoms), borrowed, prior)


def not_negligible(variances: Array) -> NDArray[np.bool_]:
    """Tells which variances are not negligible beside their median: no others have a logarithm that says anything."""
    known = variances[variances > 0]
    return variances > _SMALLEST * (float(np.median(known)) if len(known) else 0.0)


def _lending(variances: Array, freedoms: Array) -> NDArray[np.bool_]:
    """Tells which variances say what all have in common: those that are neither negligible nor far above the others."""
    speaking = not_negligible(variances)
    prior = winsorized_prior(variances[speaking], freedoms[speaking])
    near = speaking & (prior.tail(variances, freedoms) >= FAR_OUT / speaking.sum())
    return near if near.any() else speaking


def prior_by_moments(variances: Array, freedoms: Array) -> Prior:
    r"""Estimates the prior from the mean and the variance of logarithms, by Smyth's equations.

    With :math:`e_c = \log s_c^2 - \psi(d_c/2) + \log(d_c/2)`, :math:`\psi'(d_0/2)` is the variance of the :math:`e_c`
    less the mean of :math:`\psi'(d_c/2)`, and :math:`\log s_0^2 = \bar e + \psi(d_0/2) - \log(d_0/2)`. Where nothing is
    left of the former, :math:`d_0` is infinite and :math:`s_0^2` is :math:`e^{\bar e}`, where limma takes the pooled
    variance: the limit of large :math:`d_0`, which for a few samples lies above that on average and makes up for what
    the estimated :math:`d_0` promises too much.
    """
    half = freedoms / 2
    logarithms = np.log(variances) - special.digamma(half) + np.log(half)
    spread = logarithms.var(ddof=1) if len(variances) > 1 else 0.0
    centre, excess = float(logarithms.mean()), float(spread - special.polygamma(1, half).mean())
    if excess <= float(special.polygamma(1, _MOST / 2)):
        return Prior(math.exp(centre), math.inf)
    half_prior = _inverse_trigamma(excess)
    return Prior(math.exp(centre + float(special.digamma(half_prior)) - math.log(half_prior)), 2 * half_prior)


def winsorized_prior(variances: Array, freedoms: Array) -> Prior:
    """Estimates the prior from the Winsorized mean and variance of logarithms, on which no few have much influence.

    Samples of unequal sizes count as if all had the mean degrees of freedom.
    """
    freedom = float(freedoms.mean())
    logarithms = np.log(variances)
    low, high = np.quantile(logarithms, (TAILS[0], 1 - TAILS[1]))
    within = np.clip(logarithms, low, high)
    centre, spread = float(within.mean()), float(within.var(ddof=1)) if len(within) > 1 else 0.0

    def excess(log_freedom: float) -> float:
        return spread - _winsorized_moments(freedom, math.exp(log_freedom))[1]

    if spread <= _winsorized_moments(freedom, math.inf)[1]:
        prior = math.inf
    elif excess(math.log(_LEAST)) >= 0:
        prior = _LEAST
    elif excess(math.log(_MOST)) <= 0:
        prior = math.inf
    else:
        prior = math.exp(float(optimize.brentq(excess, math.log(_LEAST), math.log(_MOST), xtol=1e-6)))
    return Prior(math.exp(centre - _winsorized_moments(freedom, prior)[0]), prior)


@functools.lru_cache  # both ends of the search, and no prior at all, are asked for with all samples of a size
def _winsorized_moments(freedom: float, prior: float) -> tuple[float, float]:
    """Mean and variance of the Winsorized logarithm of an F variable."""
    low, high = TAILS[0], 1 - TAILS[1]
    places = np.concatenate([[low, high], low + (high - low) * (_NODES + 0.5)])
    if math.isinf(prior):
        quantiles = special.chdtri(freedom, 1 - places) / freedom
    else:
        quantiles = special.fdtri(freedom, prior, places)
    weights = np.concatenate([TAILS, (high - low) * _WEIGHTS])
    logarithms = np.log(quantiles)
    mean = float(weights @ logarithms)
    return mean, float(weights @ (logarithms - mean) ** 2)


def _share_in(prior: Prior, variances: Array, freedoms: Array) -> Array:
    """How surely each variance comes from the prior: its tail beside that which its rank would have, 1 at most.

    The larger a variance, the smaller its share.
    """
    tail = prior.tail(variances, freedoms)
    order = np.argsort(tail, kind="stable")
    expected = (np.arange(len(tail)) + 0.5) / len(tail)
    share = np.empty_like(tail)
    share[order] = np.maximum.accumulate(np.minimum(tail[order] / expected, 1.0))
    return share


def _inverse_trigamma(value: float) -> float:
    """The number whose trigamma is this, by Newton's method on its reciprocal, which is nearly linear."""
    root = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, root))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, root))
        root += step
        if abs(step) < 1e-12 * root:
            break
    return root
