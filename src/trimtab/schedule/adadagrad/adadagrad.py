"""AdAdaGrad: a batch that grows with the noise in it (Lau, Liu & Kolar, 2024, arXiv:2402.11215).

Adapts   the batch size.
Signal   the variance of the samples' gradients beside the norm of their mean.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

import torch

from trimtab.primitives.gradient_statistics import GradientStatistics, total
from trimtab.primitives.hyperparameters import POSITIVE, Check, Interval, flag, one_of

Test: TypeAlias = Literal["norm", "inner_product", "orthogonality", "augmented", "coordinate"]

FLOOR = 1e-12
"""Of the largest squared coordinate of the mean: what the smallest counts as at least."""

CHECKS: Mapping[str, Check] = {
    "test": one_of("norm", "inner_product", "orthogonality", "augmented", "coordinate"),
    "eta": POSITIVE,
    "theta": POSITIVE,
    "nu": POSITIVE,
    "quantile": Interval(0.0, 1.0, open=True, closed=True),
    "debias": flag,
}


def norm_test(statistics: GradientStatistics, eta: float, *, debias: bool = False) -> float:
    r"""Returns the batch size from which on the norm test is passed, :math:`V / (\eta^2 \lVert\bar g\rVert^2)`.

    The test (Byrd et al., 2012) asks that the batch's gradient be known to a relative error :math:`\eta`:
    :math:`V / b \le \eta^2 \lVert\bar g\rVert^2`.

    Args:
        statistics: of the gradients of a batch.
        eta: :math:`\eta > 0`.
        debias: take :math:`\lVert\bar g\rVert^2 - V / b` for the squared norm of the true gradient, which is right on
            average, where :math:`\lVert\bar g\rVert^2` itself is too large by the noise in it.

    Returns:
        A number that need not be whole; infinite where the mean is zero and the gradients are not.
    """
    return _quotient(statistics.variance, eta**2 * _squared_norm(statistics, debias))


def inner_product_test(statistics: GradientStatistics, theta: float, *, debias: bool = False) -> float:
    r"""Returns :math:`\operatorname{Var}_i\langle g_i, \bar g\rangle / (\theta^2 \lVert\bar g\rVert^4)`.

    From this batch size on the test is passed (Bollapragada et al., 2018, arXiv:1710.11258): it asks that a batch's
    gradient be a direction of descent, and ignores what is orthogonal to the mean. It asks for less than the norm test
    with :math:`\eta = \theta`.

    Args:
        statistics: with inner products.
        theta: :math:`\theta > 0`.
        debias: as for :func:`norm_test`.

    Raises:
        ValueError: the statistics are without inner products.
    """
    return _quotient(statistics.inner_product_variance, (theta * _squared_norm(statistics, debias)) ** 2)


def orthogonality_test(statistics: GradientStatistics, nu: float, *, debias: bool = False) -> float:
    r"""Returns :math:`\sum_j \operatorname{Var}_i(o_{ij}) / (\nu^2 \lVert\bar g\rVert^2)`.

    From this batch size on the test is passed (Bollapragada et al., 2018): it asks that a batch's gradient be nearly
    parallel to the true one; :math:`o_i` is what of :math:`g_i` is orthogonal to :math:`\bar g`.

    Args:
        statistics: with inner products.
        nu: :math:`\nu > 0`.
        debias: as for :func:`norm_test`.

    Raises:
        ValueError: the statistics are without inner products.
    """
    return _quotient(statistics.orthogonal_variance, nu**2 * _squared_norm(statistics, debias))


def augmented_test(statistics: GradientStatistics, theta: float, nu: float, *, debias: bool = False) -> float:
    """Returns the larger of what :func:`inner_product_test` and :func:`orthogonality_test` ask for."""
    return max(inner_product_test(statistics, theta, debias=debias), orthogonality_test(statistics, nu, debias=debias))


def coordinate_test(
    statistics: GradientStatistics,
    eta: float,
    *,
    quantile: float = 1.0,
    by_tensor: bool = False,
    debias: bool = False,
) -> float:
    r"""Returns a quantile over the coordinates of :math:`\operatorname{Var}_i(g_{ij}) / (\eta^2 \bar g_j^2)`.

    The norm test in every coordinate, for optimizers that scale coordinates one by one. With the largest, the published
    form, a single coordinate whose mean happens to be near zero asks for everything.

    Args:
        statistics: of the gradients of a batch.
        eta: :math:`\eta > 0`.
        quantile: which share of the coordinates shall pass, in (0, 1].
        by_tensor: sums variances and squared means over each parameter tensor first; the largest of their quotients is
            returned.
        debias: as for :func:`norm_test`, in each coordinate.
    """
    if not math.isfinite(statistics.variance + statistics.squared_norm):
        return math.nan
    # in float64, where the floor is a number even if the squares of gradients are tiny
    variances = {name: each.double() for name, each in statistics.variances().items()}
    signals = {name: mean.double().square() for name, mean in statistics.mean.items()}
    if debias:
        signals = {n: (each - variances[n] / statistics.samples).clamp_(min=0) for n, each in signals.items()}
    if by_tensor:
        pairs = [(total([variances[name]]), total([signal])) for name, signal in signals.items()]
        return max(_quotient(noise, eta**2 * signal) for noise, signal in pairs)
    floor = FLOOR * max(float(each.max()) for each in signals.values() if each.numel())
    quotients = torch.cat([(variances[n] / each.clamp_(min=floor)).flatten() for n, each in signals.items()])
    quotients.nan_to_num_(nan=0.0, posinf=math.inf)  # there is neither noise nor signal
    return float(quotients.kthvalue(max(1, math.ceil(quantile * len(quotients)))).values) / eta**2


def _squared_norm(statistics: GradientStatistics, debias: bool) -> float:
    bias = statistics.variance / statistics.samples if debias else 0.0
    unbiased = statistics.squared_norm - bias
    return 0.0 if unbiased < 0 else unbiased


def _quotient(noise: float, signal: float) -> float:
    """Returns noise over signal: nothing where there is no noise, and without bound where there is no signal."""
    if not (math.isfinite(noise) and math.isfinite(signal)):
        return math.nan
    if noise == 0:
        return 0.0
    return noise / signal if signal > 0 else math.inf


@dataclass(frozen=True)
class NoiseTest:
    """One of the tests, with its constants; a function of the statistics alone.

    Args:
        test: ``"norm"``, ``"inner_product"``, ``"orthogonality"``, ``"augmented"`` (the last two) or ``"coordinate"``,
            the one for AdaGrad.
        eta: of ``"norm"`` and ``"coordinate"``, > 0. The official settings are 0.1 for MNIST and ImageNet, 0.25 to 0.5
            for CIFAR.
        theta: of the inner products, > 0. The default is the official example's.
        nu: of what is orthogonal, > 0. The default is the official example's.
        quantile: of ``"coordinate"``: the share of coordinates that shall pass, in (0, 1].
        debias: whether the noise in the mean's squared norm is subtracted from it.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """

    test: Test = "norm"
    eta: float = 0.1
    theta: float = 0.5
    nu: float = 1.0
    quantile: float = 1.0
    debias: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            CHECKS[field.name](field.name, getattr(self, field.name))

    @property
    def needs_inner_products(self) -> bool:
        """Whether the statistics have to be with inner products."""
        return self.test in ("inner_product", "orthogonality", "augmented")

    def __call__(self, statistics: GradientStatistics) -> float:
        """Returns the batch size from which on the test is passed: infinite where there is no signal, or NaN."""
        if self.test == "norm":
            return norm_test(statistics, self.eta, debias=self.debias)
        if self.test == "coordinate":
            return coordinate_test(statistics, self.eta, quantile=self.quantile, debias=self.debias)
        if self.test == "augmented":
            return augmented_test(statistics, self.theta, self.nu, debias=self.debias)
        if self.test == "inner_product":
            return inner_product_test(statistics, self.theta, debias=self.debias)
        return orthogonality_test(statistics, self.nu, debias=self.debias)
