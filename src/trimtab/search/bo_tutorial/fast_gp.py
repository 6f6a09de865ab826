"""BoTorch's default Gaussian process on arrays: what it says of any points, and how that changes with them."""

import numpy as np
from jaxtyping import Bool, Float

from trimtab.search.bo_tutorial.fast_fit import (
    LEAST_NOISE,
    Data,
    Hyperparameters,
    fit,
    kernel_of,
    root_of,
    triangle_of_inverse,
)


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
        standard: the data, standardised.
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
        self.standard = standard
        noise = self.hyperparameters.noise / standard.counts
        self.scaled = standard.points / self.hyperparameters.lengthscales
        triangle = triangle_of_inverse(root_of(kernel_of(self.scaled), noise))
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
        standard = self.standard
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
        return kernel_of(points / self.hyperparameters.lengthscales, self.scaled)

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
