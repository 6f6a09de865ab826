"""The variances of the prior and of the noise, chosen from a grid by points that were held out."""

import math
from itertools import product
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

GRID = (0.1, 1.0, 10.0)
"""Values of each variance; the official code's own are not in its repository."""

FITTED_SHARE = 0.8


class RejectedChainError(RuntimeError):
    """A Markov chain hardly moved, so its states say nothing of the posterior."""


class Predictor(Protocol):
    """Fits a model to points with two variances, and says what it predicts at others."""

    def __call__(
        self,
        X: Float[Tensor, "points inputs"],
        Y: Float[Tensor, "points outputs"],
        held_out: Float[Tensor, "others inputs"],
        prior_var: float,
        noise_var: float,
    ) -> tuple[Float[Tensor, "others outputs"], Float[Tensor, "others outputs"]]:
        """Returns the mean and the variance of the latent function."""


def tuned_variances(
    predict: Predictor, X: Float[Tensor, "points inputs"], Y: Float[Tensor, "points outputs"]
) -> tuple[float, float]:
    r"""Returns the prior's and the noise's variance under which the last fifth of the points is most likely.

    Each pair of the grid is fitted to the first 80 %, in the order that they come in, and scored by

    .. math::
        \sum_i \log N(y_i;\ \mu(x_i),\ \sigma^2(x_i) + s_n^2)

    over the rest; of equal pairs the first counts. A pair whose chain hardly moves loses.

    Raises:
        RuntimeError: no pair gives a finite score.
    """
    fitted = min(len(X) - 1, max(1, math.floor(FITTED_SHARE * len(X))))
    best, chosen = -math.inf, None
    for prior_var, noise_var in product(GRID, GRID):
        try:
            mean, variance = predict(X[:fitted], Y[:fitted], X[fitted:], prior_var, noise_var)
        except RejectedChainError:
            continue
        likelihood = log_likelihood(Y[fitted:], mean, variance + noise_var)
        if likelihood > best:
            best, chosen = likelihood, (prior_var, noise_var)
    if chosen is None:
        raise RuntimeError('tune="grid": no pair of variances gives a finite likelihood of the points held out')
    return chosen


def log_likelihood(
    Y: Float[Tensor, "points outputs"], mean: Float[Tensor, "points outputs"], variance: Float[Tensor, "points outputs"]
) -> float:
    """Returns the logarithm of the density of outputs under a normal distribution of each."""
    return -float(((Y - mean).square() / variance + (2 * math.pi * variance).log()).sum()) / 2
