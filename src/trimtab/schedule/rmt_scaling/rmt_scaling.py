r"""Learning rates from batch sizes by random matrix theory (Granziol, Zohren & Roberts, 2020, arXiv:2006.09092).

Adapts   the learning rate, the damping or the batch size when one of them changes.
Signal   the largest curvature, and how much curvature differs from batch to batch.

A batch of :math:`B` of :math:`N` samples has the curvature :math:`H_B = H + E`, and the noise :math:`E` makes its
largest eigenvalue larger than that of :math:`H`. A step of gradient descent is stable below :math:`2/\lambda_1(H_B)`.
Which random matrix stands for :math:`E` decides what follows:

* **Wigner** (the Hessian; :func:`batch_extremal`): :math:`\lambda' = \lambda + s^2/\lambda` for :math:`\lambda > s`,
  where :math:`s^2(B) = \lVert E \rVert_F^2 / P` on average. This branch is at most :math:`2\lambda`, so that by itself
  it cannot bring forth a linear law over decades; below the threshold the eigenvalue is lost in the edge :math:`2s` of
  the noise, and the rate grows like :math:`\sqrt B`.
* **Marchenko and Pastur** (a matrix without negative eigenvalues: the generalised Gauss-Newton matrix, the Fisher
  matrix; :func:`marchenko_pastur_extremal`): :math:`\lambda'` is proportional to :math:`1/B` while noise prevails, so
  that the rate is linear in :math:`B` up to the *knee* :math:`B^*`, and constant beyond.

A method that divides by the root of the curvature, as Adam does roughly, sees :math:`\lambda'/\sqrt{\lambda'}`, and its
rate grows like :math:`\sqrt B` below the knee.
"""

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

from trimtab.primitives.hyperparameters import (
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Interval,
    one_of,
    optional,
    whole_number,
)

Rule: TypeAlias = Literal["sgd", "adaptive"]
End: TypeAlias = Literal["top", "bottom"]

EXPONENTS = {"sgd": 1.0, "adaptive": 0.5}
"""What power of the batch size the learning rate follows below the knee."""

_FINITE = Interval(-math.inf, open=True)
_rule: Callable[[str, object], str] = one_of("sgd", "adaptive")
_end: Callable[[str, object], str] = one_of("top", "bottom")
_batch: Callable[[str, object], int] = whole_number(1)
_knee: Callable[[str, object], float | None] = optional(POSITIVE)


def scale_learning_rate(
    lr: float,
    from_batch: int,
    to_batch: int,
    rule: Rule = "sgd",
    *,
    knee: float | None = None,
    exponent: float | None = None,
) -> float:
    r"""Returns the learning rate for another batch size.

    .. math:: \alpha' = \alpha \left( \frac{\min(B', B^*)}{\min(B, B^*)} \right)^k

    with :math:`k = 1` for SGD, with momentum or without, and :math:`k = \tfrac12` for adaptive methods. It holds from
    rates that are as close to the largest stable one before as they are to be after, and while both batches are small
    beside the data. Without ``knee`` it goes on for ever, which is too much for large batches.

    Args:
        lr: :math:`\alpha \ge 0`, which is good with ``from_batch``.
        from_batch: :math:`B \ge 1`.
        to_batch: :math:`B' \ge 1`.
        rule: ``"sgd"`` or ``"adaptive"``.
        knee: :math:`B^* > 0`, from :func:`wigner_knee` or :func:`marchenko_pastur_knee`.
        exponent: another :math:`k > 0`. Users' experience with Adam is mixed: some found :math:`\sqrt B` too much,
            others too little.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """
    lr = NON_NEGATIVE("lr", lr)
    ratio = _growth(from_batch, to_batch, _knee("knee", knee))
    return float(lr * ratio ** _power(rule, exponent))


def scale_batch_size(
    batch_size: int,
    from_lr: float,
    to_lr: float,
    rule: Rule = "sgd",
    *,
    knee: float | None = None,
    exponent: float | None = None,
) -> int:
    """Returns the batch size that makes another learning rate as stable, the inverse of :func:`scale_learning_rate`.

    Args:
        batch_size: which ``from_lr`` is good with, >= 1.
        from_lr: > 0.
        to_lr: > 0.
        rule: as for :func:`scale_learning_rate`.
        knee: as for :func:`scale_learning_rate`.
        exponent: as for :func:`scale_learning_rate`.

    Returns:
        A whole number, rounded up, >= 1.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range, or no batch is large enough because of the knee.
    """
    batch_size, knee = _batch("batch_size", batch_size), _knee("knee", knee)
    growth = POSITIVE("to_lr", to_lr) / POSITIVE("from_lr", from_lr)
    begin = batch_size if knee is None else min(batch_size, knee)
    wanted = float(begin * growth ** (1 / _power(rule, exponent)))
    if knee is not None and wanted > knee * (1 + 1e-12):
        raise ValueError(
            f"to_lr={to_lr!r} takes a batch of {wanted:.4g}, and beyond the knee={knee:g} a larger batch allows no "
            f"larger learning rate: at most {from_lr * (knee / begin) ** _power(rule, exponent):.4g}"
        )
    return max(1, math.ceil(wanted * (1 - 1e-12)))


def scale_damping(damping: float, from_batch: int, to_batch: int, from_lr: float = 1.0, to_lr: float = 1.0) -> float:
    r"""Returns the damping :math:`\delta' = \delta\, \frac{B}{B'} \frac{\alpha'}{\alpha}` for another batch and rate.

    Of second-order and adaptive steps, :math:`(\lambda' + \delta)^{-1}` times the gradient: the least :math:`\delta`
    that keeps them stable is proportional to :math:`\alpha/B`. Where the rate follows the batch linearly, the damping
    stays. The authors' recipe for K-FAC, 16 at a batch of 16 and 1 at 256, is this rule at a fixed rate.

    Args:
        damping: :math:`\delta \ge 0`.
        from_batch: :math:`B \ge 1`.
        to_batch: :math:`B' \ge 1`.
        from_lr: :math:`\alpha > 0`.
        to_lr: :math:`\alpha' > 0`.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """
    damping = NON_NEGATIVE("damping", damping)
    ratio = _batch("from_batch", from_batch) / _batch("to_batch", to_batch)
    return damping * ratio * POSITIVE("to_lr", to_lr) / POSITIVE("from_lr", from_lr)


def inverse_batch(batch_size: int, samples: int | None = None) -> float:
    r"""Returns :math:`\frac1B - \frac1N`, which the noise of a batch drawn without replacement is proportional to.

    Args:
        batch_size: :math:`1 \le B \le N`.
        samples: :math:`N`; ``None`` for as many as ever are asked for.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range; the message names both.
    """
    size = _batch("batch_size", batch_size)
    if samples is None:
        return 1 / size
    total = _batch("samples", samples)
    if size > total:
        raise ValueError(f"batch_size={size} must be at most the number of samples, {total}")
    return 1 / size - 1 / total


def batch_extremal(eigenvalue: float, noise: float, end: End = "top") -> float:
    r"""Returns the extreme eigenvalue of a matrix with symmetric noise added (the spiked Wigner model).

    .. math:: \lambda' = \lambda + \frac{s^2}{\lambda} \quad (\lambda > s), \qquad \lambda' = 2 s \quad (\lambda \le s)

    and the mirror image at the bottom. Exact for large :math:`P` where noise has the same variance in all elements
    (Benaych-Georges & Nadakuditi, 2011).

    Args:
        eigenvalue: :math:`\lambda`, the largest without noise, or the smallest.
        noise: :math:`s^2 \ge 0`, the mean over rows of the sum of the squared elements of a row; see
            :func:`~trimtab.schedule.rmt_scaling.batch_curvature.hessian_noise`.
        end: ``"top"`` or ``"bottom"`` of the spectrum.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """
    value, variance = _FINITE("eigenvalue", eigenvalue), NON_NEGATIVE("noise", noise)
    sign = 1.0 if _end("end", end) == "top" else -1.0
    beyond = sign * value
    if variance == 0:
        return max(beyond, 0.0) * sign
    return sign * (beyond + variance / beyond if beyond > math.sqrt(variance) else 2 * math.sqrt(variance))


def without_noise(extremal: float, noise: float) -> float:
    r"""Returns :math:`\lambda`, the inverse of :func:`batch_extremal` at the top.

    Within the noise, where it cannot be told, that is :math:`s`, the largest that it may be.

    Args:
        extremal: :math:`\lambda'`, the largest with noise.
        noise: :math:`s^2 \ge 0`.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """
    value, variance = _FINITE("extremal", extremal), NON_NEGATIVE("noise", noise)
    edge = 2 * math.sqrt(variance)
    return edge / 2 if value <= edge and variance else (value + math.sqrt(max(0.0, value**2 - edge**2))) / 2


def marchenko_pastur_extremal(eigenvalue: float, variance: float, ratio: float) -> float:
    r"""Returns the largest eigenvalue of a covariance that is estimated from few samples (spiked Marchenko-Pastur).

    .. math:: \lambda' = \lambda \left( 1 + \frac{\gamma \sigma^2}{\lambda - \sigma^2} \right) \quad
        (\lambda > \sigma^2 (1 + \sqrt\gamma)), \qquad \lambda' = \sigma^2 (1 + \sqrt\gamma)^2 \quad \text{otherwise}

    Both branches are proportional to :math:`\gamma` where it is large (Baik, Ben Arous & Péché, 2005; Baik &
    Silverstein, 2006).

    Args:
        eigenvalue: :math:`\lambda \ge 0`, the largest without noise.
        variance: :math:`\sigma^2 \ge 0`, of all other directions.
        ratio: :math:`\gamma \ge 0`, directions over samples.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """
    value = NON_NEGATIVE("eigenvalue", eigenvalue)
    bulk, gamma = NON_NEGATIVE("variance", variance), NON_NEGATIVE("ratio", ratio)
    if value > bulk * (1 + math.sqrt(gamma)):
        return value * (1 + gamma * bulk / (value - bulk))
    return bulk * (1 + math.sqrt(gamma)) ** 2


def maximal_learning_rate(eigenvalue: float, momentum: float = 0.0, rule: Rule = "sgd") -> float:
    r"""Returns the rate at which steps along the steepest direction begin to grow.

    :math:`2 (1 + \rho)/\lambda'` for SGD with heavy-ball momentum :math:`\rho`, and
    :math:`2 (1 + \rho)/\sqrt{\lambda'}` for steps that are divided by the root of the curvature. The latter is a
    sketch: its dependence on :math:`\lambda'` says how the rate scales, while its value holds only if the divisor
        really is that root.

    Args:
        eigenvalue: :math:`\lambda' > 0`, of a batch's curvature.
        momentum: :math:`\rho` in [0, 1).
        rule: ``"sgd"`` or ``"adaptive"``.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """
    value, factor = POSITIVE("eigenvalue", eigenvalue), 2 * (1 + FRACTION("momentum", momentum))
    return float(factor / value ** EXPONENTS[_rule("rule", rule)])


def wigner_knee(eigenvalue: float, noise: float, samples: int | None = None) -> float:
    r"""Returns the batch size at which :math:`s^2(B) = \lambda^2`, so that noise doubles the largest eigenvalue.

    Args:
        eigenvalue: :math:`\lambda > 0`, without noise.
        noise: :math:`s^2(B) / (1/B - 1/N) \ge 0`, the noise of a single sample.
        samples: :math:`N`; ``None`` for very many.

    Returns:
        A real number, zero where there is no noise; less than one where even a single sample shows the curvature.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """
    value, variance = POSITIVE("eigenvalue", eigenvalue), NON_NEGATIVE("noise", noise)
    return _knee_at(variance, value**2, samples)


def marchenko_pastur_knee(eigenvalue: float, variance: float, directions: float, samples: int | None = None) -> float:
    r"""Returns the batch size at which :math:`\gamma \sigma^2 = \lambda`, so that noise doubles the largest eigenvalue.

    Args:
        eigenvalue: :math:`\lambda > 0`, without noise.
        variance: :math:`\sigma^2 \ge 0`, of all other directions.
        directions: :math:`\gamma / (1/B - 1/N) \ge 0`, how many these are.
        samples: :math:`N`; ``None`` for very many.

    Returns:
        As for :func:`wigner_knee`.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """
    value, bulk = POSITIVE("eigenvalue", eigenvalue), NON_NEGATIVE("variance", variance)
    return _knee_at(NON_NEGATIVE("directions", directions) * bulk, value, samples)


def _knee_at(noise: float, signal: float, samples: int | None) -> float:
    """Solves ``noise (1/B - 1/N) = signal`` for B."""
    left = 0.0 if samples is None else inverse_batch(samples)
    return noise / (signal + noise * left) if noise else 0.0


def _growth(from_batch: int, to_batch: int, knee: float | None) -> float:
    begin, end = _batch("from_batch", from_batch), _batch("to_batch", to_batch)
    return end / begin if knee is None else min(end, knee) / min(begin, knee)


def _power(rule: str, exponent: float | None) -> float:
    power = EXPONENTS[_rule("rule", rule)]
    return power if exponent is None else POSITIVE("exponent", exponent)
