r"""Hyper-parameters of BoTorch's default Gaussian process, fitted by hand-written gradients in a fraction of the time.

The model is that of ``SingleTaskGP`` of BoTorch 0.18 (Hvarfner, Hellsten & Nardi, 2024, arXiv:2402.02229): standardised
outcomes, a constant mean, a kernel :math:`\exp(-\frac12 \sum_j (x_j - x'_j)^2 / \ell_j^2)`, Gaussian noise, and priors

.. math::
    \ell_j \sim \operatorname{LogNormal}(\sqrt 2 + \tfrac12 \log d,\ \sqrt 3), \quad \ell_j \ge 0.025, \qquad
    \lambda^2 \sim \operatorname{LogNormal}(-4,\ 1), \quad \lambda^2 \ge 10^{-4}.

Hyper-parameters are the maximum a posteriori: BoTorch's, the mode of the density of :math:`\ell` and :math:`\lambda^2`,
or on demand the mode of the density of their logarithms. The two differ by a factor of
:math:`\lambda^2 \prod_j \ell_j`, and by how much they take for noise: where a third of the variance is noise, the first
often explains all of it by lengthscales at their bound. It is the better one to search with, as it looks again where
something was seen, and the worse one to believe; see :func:`~trimtab.search.bo_tutorial.recommendation.recommend`.

Two things differ from ``fit_gpytorch_mll``. Where the data are likelier without noise than with any, the prior of the
noise left out, the noise is at its bound: with that prior a function without noise would be believed to have some. And
the maximum is found in another way: over logarithms, by L-BFGS-B with gradients written out, with the mean profiled
out, from a second start with much noise beside BoTorch's (the modes of the priors), and with repeated inputs merged.
With :math:`c_g` observations at input :math:`g`, of mean :math:`\bar y_g`, and :math:`S` the squares about these means,
the likelihood of all of them is exactly

.. math::
    \log N\big(\bar y;\ m, K + \lambda^2 \operatorname{diag}(1 / c)\big)
    - \frac{S}{2 \lambda^2} - \tfrac12 \sum_g \big[(c_g - 1) \log(2 \pi \lambda^2) + \log c_g\big] .
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import scipy.optimize
from jaxtyping import Float
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

SHORTEST: Final = 0.025
LEAST_NOISE: Final = 1e-4
"""BoTorch's bounds."""

_LONGEST, _MOST_NOISE = 1e4, 1e2
"""Where a search in logarithms ends; the priors have their modes at 0.2 and 0.007."""

_SCALE, _NOISE_MEAN, _NOISE_SCALE = math.sqrt(3), -4.0, 1.0
_LITTLE_NOISE: Final = math.exp(_NOISE_MEAN - _NOISE_SCALE**2)
_NOISY: Final = (0.5, 0.3)
"""Lengthscales and noise of the second start."""

_ROUGHLY, _FINELY = 1e-3, 1e-5
"""Relative change of the objective at which a search ends."""

_ROUNDING: Final = 1e-12
"""Of the largest value: what varies by less than this does so by rounding."""

_FEW: Final = 80
"""Inputs that the searches begin with: they find in a tenth of the time nearly the same."""

FITTED: Final = 300
"""Inputs to which hyper-parameters are fitted at most; more than these move them by little."""


Objective = Callable[[Float[np.ndarray, " h"]], tuple[float, Float[np.ndarray, " h"]]]
"""Of the logarithms of lengthscales and noise: a value and its gradient."""


@dataclass(frozen=True)
class Data:
    """Observations, those of one input merged.

    Args:
        points: distinct inputs, in the unit cube.
        means: of the observations at each.
        counts: how many these are.
        scatter: the sum of the squares of all observations about the mean of their input.
    """

    points: Float[np.ndarray, "n d"]
    means: Float[np.ndarray, " n"]
    counts: Float[np.ndarray, " n"]
    scatter: float = 0.0

    @cached_property
    def centre(self) -> float:
        """The mean of all observations."""
        return float(np.average(self.means, weights=self.counts))

    @cached_property
    def spread(self) -> float:
        """Their standard deviation, of n - 1 degrees of freedom; 1 where they are all the same, as BoTorch has it."""
        total = float(self.counts.sum())
        squares = float(self.counts @ np.square(self.means - self.centre)) + self.scatter
        spread = math.sqrt(squares / (total - 1)) if total > 1 else 0.0
        return spread if spread > _ROUNDING * float(np.abs(self.means).max()) else 1.0

    def standardised(self) -> "Data":
        """Returns the same with mean 0 and standard deviation 1."""
        means = (self.means - self.centre) / self.spread
        return Data(self.points, means, self.counts, self.scatter / self.spread**2)

    def thinned(self, most: int) -> "Data":
        """Returns every k-th input, so many at most; a choice by value would make a winner of whoever was lucky."""
        if len(self.points) <= most:
            return self
        chosen = np.linspace(0, len(self.points) - 1, most).round().astype(int)
        share = self.counts[chosen].sum() - most, self.counts.sum() - len(self.counts)
        scatter = self.scatter * share[0] / share[1] if share[1] else 0.0
        return Data(self.points[chosen], self.means[chosen], self.counts[chosen], scatter)


@dataclass(frozen=True)
class Hyperparameters:
    """Of the process of standardised outcomes; ``noise`` is a variance."""

    lengthscales: Float[np.ndarray, " d"]
    noise: float


def fit(data: Data, *, of_logarithms: bool = False) -> Hyperparameters:
    """Returns the maximum a posteriori of the hyper-parameters, as far as a search finds it.

    Args:
        data: standardised.
        of_logarithms: whether the density is that of the logarithms of the hyper-parameters.
    """
    dimension = data.points.shape[1]
    data = data.thinned(FITTED)
    few = data.thinned(_FEW)
    starts = [_start(dimension, _usual_length(dimension), _LITTLE_NOISE), _start(dimension, *_NOISY)]
    roughly = negative_log_posterior(few, of_logarithms=of_logarithms)
    found = [_minimise(roughly, start, _ROUGHLY) for start in starts]
    certain = _minimise(roughly, np.append(found[0][:-1], math.log(LEAST_NOISE)), _ROUGHLY, most_noise=LEAST_NOISE)
    objective = roughly if few is data else negative_log_posterior(data, of_logarithms=of_logarithms)
    if _without_noise(roughly, certain, min(found, key=lambda each: roughly(each)[0]), of_logarithms):
        theta = _minimise(objective, certain, _FINELY, most_noise=LEAST_NOISE)
    else:
        theta = _minimise(objective, min(found, key=lambda each: objective(each)[0]), _FINELY)
    return Hyperparameters(np.exp(theta[:-1]), float(np.exp(theta[-1])))


def _without_noise(
    objective: Objective, certain: Float[np.ndarray, " h"], noisy: Float[np.ndarray, " h"], of_logarithms: bool
) -> bool:
    """Returns whether the data are likelier without noise, whose prior is then left out, than with it."""
    natural = 0.0 if of_logarithms else 1.0
    prior = natural * certain[-1] + 0.5 * (certain[-1] - _NOISE_MEAN) ** 2 / _NOISE_SCALE**2
    # with noise its prior counts as the density of the logarithm in any case, which has no unit
    return bool(objective(certain)[0] - prior < objective(noisy)[0] - natural * noisy[-1])


def _minimise(
    objective: Objective, theta: Float[np.ndarray, " h"], tolerance: float, *, most_noise: float = _MOST_NOISE
) -> Float[np.ndarray, " h"]:
    bounds = [(math.log(SHORTEST), math.log(_LONGEST))] * (len(theta) - 1)
    bounds.append((math.log(LEAST_NOISE), math.log(most_noise)))
    found = scipy.optimize.minimize(
        objective,
        theta,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 100, "ftol": tolerance, "gtol": 1e-2},
    )
    best: Float[np.ndarray, " h"] = found.x
    return best


def _start(dimension: int, length: float, noise: float) -> Float[np.ndarray, " h"]:
    return np.asarray(np.log(np.append(np.full(dimension, length), noise)))


def _usual_length(dimension: int) -> float:
    return math.exp(_log_length(dimension) - _SCALE**2)


def negative_log_posterior(data: Data, *, of_logarithms: bool = False) -> Objective:
    """Returns the function of the logarithms of lengthscales and noise that is minimised, with its gradient.

    Args:
        data: standardised.
        of_logarithms: whether the density is that of the logarithms, or that of lengthscales and noise themselves.
    """
    points, means, counts = data.points, data.means, data.counts
    squares = np.square(points)
    repeats = float(counts.sum()) - len(counts)
    offset = 0.5 * (counts.sum() * math.log(2 * math.pi) + np.log(counts).sum())
    location, natural = _log_length(points.shape[1]), 0.0 if of_logarithms else 1.0

    # the inverse comes as one triangle, of which all but the diagonal counts twice
    twice = 2 * np.triu(np.ones((len(points), len(points)))) - np.eye(len(points))
    both = np.stack([np.ones_like(means), means], 1)

    def value(theta: Float[np.ndarray, " h"]) -> tuple[float, Float[np.ndarray, " h"]]:
        scales, noise = np.exp(-2 * theta[:-1]), math.exp(theta[-1])
        kernel = kernel_of(points * np.sqrt(scales))
        root = root_of(kernel, noise / counts)
        half_log_determinant = np.log(root.diagonal()).sum()
        solved, _ = dpotrs(root, both, lower=1)
        constant = solved[:, 0] @ means / solved[:, 0].sum()
        weights = solved[:, 1] - constant * solved[:, 0]
        fit_term = 0.5 * ((means - constant) @ weights) + half_log_determinant + offset
        repeat_term = 0.5 * repeats * theta[-1] + 0.5 * data.scatter / noise
        away, noise_away = theta[:-1] - location, theta[-1] - _NOISE_MEAN
        prior = natural * theta.sum() + 0.5 * (away @ away) / _SCALE**2 + 0.5 * noise_away**2 / _NOISE_SCALE**2

        inverse = triangle_of_inverse(root)
        diagonal = np.square(weights) - inverse.diagonal()
        pull = np.outer(weights, weights)
        pull -= inverse
        pull *= kernel
        pull *= twice
        gradient = np.empty_like(theta)
        # the sum over pairs of pull times squared distance, by way of products of matrices
        away_squared = (pull.sum(0) + pull.sum(1)) @ squares - 2 * np.einsum("aj,aj->j", points, pull @ points)
        gradient[:-1] = -0.5 * away_squared * scales + natural + away / _SCALE**2
        gradient[-1] = 0.5 * (repeats - noise * (diagonal / counts).sum() - data.scatter / noise)
        gradient[-1] += natural + noise_away / _NOISE_SCALE**2
        return float(fit_term + repeat_term + prior), gradient

    return value


def _log_length(dimension: int) -> float:
    return math.sqrt(2) + 0.5 * math.log(max(dimension, 1))


def kernel_of(
    scaled: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"] | None = None
) -> Float[np.ndarray, "n m"]:
    """The kernel of inputs that were divided by their lengthscales."""
    other = scaled if others is None else others
    product = scaled @ other.T
    product -= 0.5 * np.einsum("ij,ij->i", scaled, scaled)[:, None]
    product -= 0.5 * np.einsum("ij,ij->i", other, other)
    if others is None:
        np.fill_diagonal(product, 0.0)
    np.minimum(product, 0.0, out=product)
    return np.asarray(np.exp(product, out=product))


def root_of(kernel: Float[np.ndarray, "n n"], noise: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n n"]:
    """Returns the lower Cholesky factor of a kernel with its noise; what is above the diagonal means nothing."""
    covariance = kernel.copy()
    covariance.flat[:: len(kernel) + 1] += noise
    root, failed = dpotrf(covariance.T, lower=1, clean=0, overwrite_a=1)  # transposed it is as LAPACK has it
    if failed:
        raise np.linalg.LinAlgError("a covariance is not positive definite")
    return np.asarray(root)


def triangle_of_inverse(root: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Returns the upper triangle of the inverse; what is below the diagonal means nothing. The root is overwritten."""
    inverse, _ = dpotri(root, lower=1, overwrite_c=1)
    return np.asarray(inverse).T
