r"""BoTorch's default Gaussian process, fitted by hand-written gradients in a fraction of the time.

The model is that of ``SingleTaskGP`` of BoTorch 0.18 (Hvarfner, Hellsten & Nardi, 2024, arXiv:2402.02229): standardised
outcomes, a constant mean, a kernel :math:`\exp(-\frac12 \sum_j (x_j - x'_j)^2 / \ell_j^2)`, Gaussian noise, and priors

.. math::
    \ell_j \sim \operatorname{LogNormal}(\sqrt 2 + \tfrac12 \log d,\ \sqrt 3), \quad \ell_j \ge 0.025, \qquad
    \lambda^2 \sim \operatorname{LogNormal}(-4,\ 1), \quad \lambda^2 \ge 10^{-4}.

Hyper-parameters are the maximum a posteriori: BoTorch's, the mode of the density of :math:`\ell` and :math:`\lambda^2`,
or on demand the mode of the density of their logarithms. The two differ by a factor of
:math:`\lambda^2 \prod_j \ell_j`, and by how much they take for noise: where a third of the variance is noise, the first
often explains all of it by lengthscales at their bound. It is the better one to search with, as it looks again where
something was seen (on Hartmann's function in six dimensions with noise it leads to a third of the regret), and the
worse one to believe (see :func:`~trimtab.search.bo_tutorial.recommendation.recommend`).

What else differs from ``fit_gpytorch_mll`` is how the maximum is found: over logarithms, by L-BFGS-B with gradients
written out, with the mean profiled out, from a second start with much noise beside BoTorch's (the modes of the priors),
and with repeated inputs merged. With :math:`c_g` observations at input :math:`g`, of mean :math:`\bar y_g`, and
:math:`S` the squares about these means, the likelihood of all of them is exactly

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
from jaxtyping import Bool, Float
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
        return spread if spread >= 1e-8 * max(1.0, abs(self.centre)) else 1.0

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
    objective = roughly if few is data else negative_log_posterior(data, of_logarithms=of_logarithms)
    theta = _minimise(objective, min(found, key=lambda each: objective(each)[0]), _FINELY)
    return Hyperparameters(np.exp(theta[:-1]), float(np.exp(theta[-1])))


def _minimise(objective: Objective, theta: Float[np.ndarray, " h"], tolerance: float) -> Float[np.ndarray, " h"]:
    bounds = [(math.log(SHORTEST), math.log(_LONGEST))] * (len(theta) - 1)
    bounds.append((math.log(LEAST_NOISE), math.log(_MOST_NOISE)))
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
        kernel = _kernel(points * np.sqrt(scales))
        root = _root(kernel, noise / counts)
        half_log_determinant = np.log(root.diagonal()).sum()
        solved, _ = dpotrs(root, both, lower=1)
        constant = solved[:, 0] @ means / solved[:, 0].sum()
        weights = solved[:, 1] - constant * solved[:, 0]
        fit_term = 0.5 * ((means - constant) @ weights) + half_log_determinant + offset
        repeat_term = 0.5 * repeats * theta[-1] + 0.5 * data.scatter / noise
        away, noise_away = theta[:-1] - location, theta[-1] - _NOISE_MEAN
        prior = natural * theta.sum() + 0.5 * (away @ away) / _SCALE**2 + 0.5 * noise_away**2 / _NOISE_SCALE**2

        inverse = _triangle_of_inverse(root)
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


def _kernel(
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


def _root(kernel: Float[np.ndarray, "n n"], noise: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n n"]:
    """Returns the lower Cholesky factor of a kernel with its noise; what is above the diagonal means nothing."""
    covariance = kernel.copy()
    covariance.flat[:: len(kernel) + 1] += noise
    root, failed = dpotrf(covariance.T, lower=1, clean=0, overwrite_a=1)  # transposed it is as LAPACK has it
    if failed:
        raise np.linalg.LinAlgError("a covariance is not positive definite")
    return np.asarray(root)


def _triangle_of_inverse(root: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Returns the upper triangle of the inverse; what is below the diagonal means nothing. The root is overwritten."""
    inverse, _ = dpotri(root, lower=1, overwrite_c=1)
    return np.asarray(inverse).T


class FastGP:
    r"""A fitted process: what it says of any points, and how that changes with them.

    With :math:`A = K + \lambda^2 \operatorname{diag}(1/c)`, the covariance of a new point :math:`x` with the inputs is
    :math:`k(x) - k(x) A^{-1} K = k(x) A^{-1} \lambda^2 \operatorname{diag}(1/c)`: no difference of numbers that are
    nearly the same.

    Args:
        data: in any units; larger is better for those who maximise.
        hyperparameters: those of the standardised outcomes; fitted unless given.
        of_logarithms: how they are fitted, see :func:`fit`.

    Attributes:
        data: as given.
        hyperparameters: as given or fitted.
        means: posterior means of the inputs, standardised.
    """

    def __init__(
        self, data: Data, hyperparameters: Hyperparameters | None = None, *, of_logarithms: bool = False
    ) -> None:
        standard = data.standardised()
        self.data = data
        self.hyperparameters = hyperparameters or fit(standard, of_logarithms=of_logarithms)
        self._condition(standard)

    def _condition(self, standard: Data) -> None:
        self._standard = standard
        noise = self.hyperparameters.noise / standard.counts
        self.scaled = standard.points / self.hyperparameters.lengthscales
        triangle = _triangle_of_inverse(_root(_kernel(self.scaled), noise))
        self.inverse = np.where(np.tri(len(triangle), dtype=bool), triangle.T, triangle)
        row_sums = self.inverse.sum(1)
        self.constant = float(row_sums @ standard.means / row_sums.sum())
        self.weights = self.inverse @ (standard.means - self.constant)
        self.noises = noise
        self.means = standard.means - noise * self.weights

    def with_pending(self, points: Float[np.ndarray, "k d"]) -> "FastGP":
        """Returns the process that has also observed, once each, what it expects at points: its means stay."""
        if not len(points):
            return self
        expected, _ = self.predict(points)
        other = object.__new__(FastGP)
        other.data, other.hyperparameters = self.data, self.hyperparameters
        constant = self.constant
        standard = self._standard
        other._condition(
            Data(
                np.vstack([standard.points, points]),
                np.append(standard.means, expected),
                np.append(standard.counts, np.ones(len(points))),
            )
        )
        other.constant = constant
        return other

    @property
    def is_certain(self) -> bool:
        """Whether no noise is left to speak of: it is at its lower bound."""
        return self.hyperparameters.noise <= LEAST_NOISE * (1 + 1e-6)

    def kernel(self, points: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m n"]:
        """Returns the prior covariances of points with the inputs."""
        return _kernel(points / self.hyperparameters.lengthscales, self.scaled)

    def predict(self, points: Float[np.ndarray, "m d"]) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """Returns means and variances of the function, without noise, standardised."""
        kernel = self.kernel(points)
        variance = 1 - np.einsum("mn,mn->m", kernel @ self.inverse, kernel)
        return self.constant + kernel @ self.weights, np.maximum(variance, 0.0)

    def pull_back(
        self,
        points: Float[np.ndarray, "m d"],
        kernel: Float[np.ndarray, "m n"],
        gradient: Float[np.ndarray, "m n"],
    ) -> Float[np.ndarray, "m d"]:
        """Returns the gradient with respect to points of what has a gradient with respect to their kernel."""
        pulled = gradient * kernel
        lengthscales = self.hyperparameters.lengthscales
        scaled = pulled @ self.scaled - pulled.sum(1)[:, None] * (points / lengthscales)
        return np.asarray(scaled / lengthscales)

    def original(self, means: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Returns standardised means in the units of the data."""
        return self.data.centre + self.data.spread * means


def bounded_model(data: Data, most: int, *, of_logarithms: bool = False) -> tuple[FastGP, Bool[np.ndarray, " n"]]:
    """Returns a process of the data, and which inputs it holds: all, or so many around its best.

    Of more inputs than ``most``, a process of evenly spaced ones says where the largest mean is, and those are held
    that are nearest to it, in lengthscales. A choice by value would make a winner of whoever was lucky.
    """
    count = len(data.points)
    if count <= most:
        return FastGP(data, of_logarithms=of_logarithms), np.ones(count, dtype=bool)
    spaced = FastGP(data.thinned(most), of_logarithms=of_logarithms)
    centre = spaced.data.points[np.argmax(spaced.means)]
    away = np.square((data.points - centre) / spaced.hyperparameters.lengthscales).sum(1)
    held = np.zeros(count, dtype=bool)
    held[np.argsort(away, kind="stable")[:most]] = True
    near = Data(data.points[held], data.means[held], data.counts[held])
    return FastGP(near, spaced.hyperparameters), held
