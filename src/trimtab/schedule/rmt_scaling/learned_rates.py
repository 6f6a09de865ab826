"""The learning rate and the momentum that are best on a quadratic, from what is known of its spectrum."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from trimtab.primitives.lanczos import Spectrum

Variant: TypeAlias = Literal["sgd", "heavy_ball", "nesterov"]
Smallest: TypeAlias = Literal["minimum", "median"]
Correction: TypeAlias = Callable[[Spectrum], float]

NEGLIGIBLE = 1e-12
"""Of the largest curvature in size: what of positive curvature is rounding, however precise products are."""


@dataclass(frozen=True)
class Learned:
    r"""What a spectrum says about learning rate and momentum.

    Args:
        lr: :math:`\alpha`.
        momentum: :math:`\rho`.
        largest: :math:`L`.
        smallest: :math:`\mu`.
    """

    lr: float
    momentum: float
    largest: float
    smallest: float


def learned_from(
    spectrum: Spectrum,
    variant: Variant = "heavy_ball",
    smallest: Smallest = "minimum",
    *,
    bulk: float = 0.5,
    correction: Correction | None = None,
    rounding: float = NEGLIGIBLE,
) -> Learned | None:
    r"""Returns the rate and the momentum that are best on a quadratic with this spectrum.

    With :math:`L = \max_i \lvert \theta_i \rvert` and :math:`\mu` from Ritz values that are positive beyond rounding:

    * ``"sgd"``: :math:`\alpha = 2 / (L + \mu)`, :math:`\rho = 0`, where :math:`\mu` is the median of
      :math:`\lvert \theta_i \rvert` unless ``smallest="minimum"``.
    * ``"heavy_ball"``: :math:`\alpha = \big( 2 / (\sqrt L + \sqrt\mu) \big)^2`,
      :math:`\rho = \big( (\sqrt L - \sqrt\mu) / (\sqrt L + \sqrt\mu) \big)^2` (Polyak, 1964).
    * ``"nesterov"``: :math:`\alpha = 1/L`, :math:`\rho = (\sqrt L - \sqrt\mu) / (\sqrt L + \sqrt\mu)`.

    Args:
        spectrum: of a batch.
        variant: which method.
        smallest: :math:`\mu` is the ``"minimum"``, without the Ritz value that has more than ``bulk`` of the weight, if
            any has; or the ``"median"``.
        bulk: the weight above which a Ritz value stands for the many directions without curvature.
        correction: from the spectrum to the :math:`L` of another batch size.
        rounding: by how much of :math:`L` a Ritz value may be off, see
            :func:`~trimtab.schedule.rmt_scaling.batch_curvature.product_rounding`. Where curvature is zero, as it is in
            some direction of every model with more parameters than it has data, Ritz values are that small with
            either sign, and no speed of convergence. At least :math:`10^{-12}` are taken.

    Returns:
        ``None`` where there is nothing to learn from: no Ritz value that is positive beyond rounding.
        The unit of the loss, and so of curvature, does not matter.
    """
    ritz = spectrum.ritz.tolist()
    sizes = sorted(abs(value) for value in ritz)
    zero = max(NEGLIGIBLE, rounding) * sizes[-1]
    if max(ritz) <= zero or not math.isfinite(4 / sizes[-1]):
        return None
    largest = sizes[-1] if correction is None else float(correction(spectrum))
    if len(ritz) == 1:
        return Learned(1 / largest, 0.0, largest, largest)
    low = min(_smallest(spectrum, smallest, bulk, sizes, zero), largest)
    big, small = math.sqrt(largest), math.sqrt(low)
    if variant == "sgd":
        return Learned(2 / (largest + low), 0.0, largest, low)
    momentum = (big - small) / (big + small)
    if variant == "nesterov":
        return Learned(1 / largest, momentum, largest, low)
    return Learned((2 / (big + small)) ** 2, momentum**2, largest, low)


def _smallest(spectrum: Spectrum, rule: str, bulk: float, sizes: list[float], zero: float) -> float:
    if rule == "median":
        middle = len(sizes) // 2
        return sizes[middle] if len(sizes) % 2 else (sizes[middle - 1] + sizes[middle]) / 2
    pairs = zip(spectrum.ritz.tolist(), spectrum.weights.tolist(), strict=True)
    kept = [value for value, weight in pairs if value > zero and weight <= bulk]
    return min(kept) if kept else sizes[-1]
