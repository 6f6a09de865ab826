r"""Which point of a finite set is evaluated next, for many functions at once.

Each function has the same Gaussian process as its prior, or one of its own, and all are at the same number of
evaluations, so that a belief is a batch of means and covariances, and a policy a few products of them.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from trimtab.primitives.envelope import expected_gain

FANTASIES = 32
"""Of the values at evaluated points. BoTorch's default is 20; 32 draws in a row of a Sobol sequence are balanced."""

FANTASY_NOISE = 1e-7
"""The variance that BoTorch gives fantasies, which have none, to have a Cholesky root."""


class Belief:
    """The posteriors of functions on their finite sets of points.

    Args:
        covariance: of the priors, whose means are zero.
        noise: variance of an evaluation's noise.

    Attributes:
        prior: as given.
        noise: as given.
        mean: of the posteriors.
        covariance: of the posteriors.
        evaluated: which points were.
    """

    def __init__(self, covariance: Float[Tensor, "b m m"], noise: float) -> None:
        self.prior, self.noise = covariance, noise
        self.mean = covariance.new_zeros(covariance.shape[:-1])
        self.covariance = covariance.clone()
        self.evaluated = torch.zeros(self.mean.shape, dtype=torch.bool)

    @property
    def variance(self) -> Float[Tensor, "b m"]:
        """Variances of the function values, without noise."""
        return self.covariance.diagonal(dim1=-2, dim2=-1).clamp_min(1e-15)

    def tell(self, points: Int[Tensor, " b"], values: Float[Tensor, " b"]) -> None:
        """Conditions each posterior on an evaluation."""
        at = points[:, None]
        moved = self.covariance.gather(-1, at[:, None].expand(-1, self.mean.shape[-1], 1))[..., 0]
        variance = moved.gather(-1, at) + self.noise
        self.mean = self.mean + moved * ((values[:, None] - self.mean.gather(-1, at)) / variance)
        self.covariance.baddbmm_((-moved / variance)[..., None], moved[:, None])
        self.evaluated = self.evaluated.scatter(-1, at, True)

    def points(self) -> Int[Tensor, "b n"]:
        """Returns the points that were evaluated, each once; the first one again where a function has fewer."""
        most = int(self.evaluated.sum(-1).max())
        found = self.evaluated.byte().argsort(dim=-1, descending=True, stable=True)[:, :most]
        return torch.where(self.evaluated.gather(-1, found), found, found[:, :1])

    def best(self) -> Int[Tensor, " b"]:
        """Returns the evaluated point with the largest posterior mean."""
        return self.mean.masked_fill(~self.evaluated, -torch.inf).argmax(-1)


Policy = Callable[[Belief, np.random.Generator], Tensor]
"""Returns a score for each point; the highest is evaluated next."""


def at_random(belief: Belief, generator: np.random.Generator) -> Float[Tensor, "b m"]:
    """Prefers no point, but does not evaluate one twice."""
    return torch.from_numpy(generator.random(belief.mean.shape)).masked_fill(belief.evaluated, -1.0)


def plug_in(belief: Belief, _: np.random.Generator) -> Float[Tensor, "b m"]:
    """Expected improvement of the function over the largest posterior mean of now, as a logarithm."""
    known = belief.mean.gather(-1, belief.points()).amax(-1, keepdim=True)
    return log_improvement(belief.mean, belief.variance, known)


def fantasised(belief: Belief, generator: np.random.Generator, fantasies: int = FANTASIES) -> Float[Tensor, "b m"]:
    """Expected improvement averaged over draws of the values at evaluated points (Letham et al., 2019), as a logarithm.

    It is what BoTorch's ``LogNoisyExpectedImprovement`` computes, one function after the other.
    """
    from botorch.utils.sampling import draw_sobol_normal_samples

    points = belief.points()
    functions, count = points.shape
    seed = int(generator.integers(2**31))
    draws = draw_sobol_normal_samples(count, functions * fantasies, dtype=torch.float64, seed=seed)
    jitter = FANTASY_NOISE * torch.eye(count, dtype=torch.float64)
    root = torch.linalg.cholesky(_rows(_rows(belief.covariance, points).mT, points) + jitter)
    values = belief.mean.gather(-1, points)[:, None] + draws.reshape(functions, fantasies, count) @ root.mT
    with_all = _rows(belief.prior, points)
    weights = torch.cholesky_solve(with_all, torch.linalg.cholesky(_rows(with_all.mT, points) + jitter))
    means = values @ weights
    prior = belief.prior.diagonal(dim1=-2, dim2=-1)
    variance = (prior - (weights * with_all).sum(-2)).clamp_min(1e-15)[:, None]
    improvements = log_improvement(means, variance, values.amax(-1, keepdim=True))
    return improvements.logsumexp(-2) - math.log(fantasies)


def decision_theoretic(belief: Belief, _: np.random.Generator) -> Float[Tensor, "b m"]:
    """The expected rise of the largest posterior mean over evaluated points (Frazier, 2018), as a logarithm.

    It is :class:`~trimtab.search.PosteriorMeanImprovement`.
    """
    points, variance = belief.points(), belief.variance
    known = belief.mean.gather(-1, points)
    deviation = (variance + belief.noise).sqrt()
    slopes = torch.cat([_rows(belief.covariance, points), variance[:, None]], -2) / deviation[:, None]
    means = torch.cat([known[..., None].expand(-1, -1, belief.mean.shape[-1]), belief.mean[:, None]], -2)
    ahead = (belief.mean - known.amax(-1, keepdim=True)).clamp_min(0.0)
    return torch.logaddexp(expected_gain(means.mT, slopes.mT, log=True), ahead.log())


def knowledge_gradient(belief: Belief, _: np.random.Generator) -> Float[Tensor, "b m"]:
    """The expected rise of the largest posterior mean over all points, as a logarithm.

    It is :class:`~trimtab.search.DiscreteKnowledgeGradient`.
    """
    slopes = belief.covariance / (belief.variance + belief.noise).sqrt()[..., None]
    return expected_gain(belief.mean[:, None], slopes, log=True)


def log_improvement(
    mean: Float[Tensor, "*batch m"], variance: Float[Tensor, "*batch m"], best: Float[Tensor, "*batch 1"]
) -> Float[Tensor, "*batch m"]:
    r"""Returns the logarithm of :math:`E \max(0, \mu + \sigma Z - f^*)`.

    It is also the expected gain of two lines, but those of all fantasies would take ten times as long.
    """
    deviation = variance.sqrt()
    ahead = mean - best
    away = (ahead / deviation).abs()
    # with Mills' ratio R, the expected loss beyond t is (1 - t R(t)) times the density at t
    scaled = 1 - away * math.sqrt(math.pi / 2) * torch.special.erfcx(away / math.sqrt(2))
    loss = scaled.clamp_min(1e-15).log() - 0.5 * away.square() - 0.5 * math.log(2 * math.pi) + deviation.log()
    return torch.logaddexp(loss, ahead.clamp_min(0.0).log())


def _rows(matrices: Float[Tensor, "b k l"], rows: Int[Tensor, "b n"]) -> Float[Tensor, "b n l"]:
    return matrices.gather(1, rows[..., None].expand(-1, -1, matrices.shape[-1]))


POLICIES: dict[str, Policy] = {
    "random": at_random,
    "plug-in EI": plug_in,
    "fantasy EI": fantasised,
    "noisy EI": decision_theoretic,
    "knowledge gradient": knowledge_gradient,
}
"""By name; ``noisy EI`` is the method's."""
