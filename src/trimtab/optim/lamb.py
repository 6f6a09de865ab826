"""LAMB: the same relative change in every layer, with Adam's directions (You et al., 2020, arXiv:1904.00962).

Adapts   the learning rate of every layer.
Signal   the norm of its weights over the norm of its proposed update.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.primitives.directions import adam, adam_scalars
from trimtab.primitives.flat.flat_step import EngineOptions, FlatOptimizer
from trimtab.primitives.flat.walk import Norm, NormScaling, norm_ratio
from trimtab.primitives.hyperparameters import FRACTION, NON_NEGATIVE, POSITIVE, flag, one_of, optional, pair
from trimtab.study.tunable import LogUniform, Tunables

ADAPTED = one_of("matrices", True, False)
BOUNDS = optional(pair(NON_NEGATIVE))


class Lamb(FlatOptimizer):
    r"""Layer-wise adaptive moments.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
        u_t &= \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} + \lambda\theta_{t-1} \\
        \theta_t &= \theta_{t-1} - \alpha\, \frac{\phi(\lVert\theta_{t-1}\rVert)}{\lVert u_t\rVert}\, u_t

    A layer is one parameter tensor. Where either norm is zero, the quotient is one. With :math:`\phi` the identity,
    every step changes a layer by the fraction :math:`\alpha` of its norm.

    Coming from AdamW, keep ``betas`` and ``weight_decay``. ``lr`` means something else, the fraction by which a step
    changes the norm of a layer: start between 1e-3 and 1e-2, with a warm-up, and for larger batches multiply by the
    square root of their ratio, as the paper does. Averages of an AdamW run load into LAMB; see
    :func:`~trimtab.optim.conversion.conversion.convert_state_dict`.

    Differences:
        * Parameters with fewer than two dimensions take AdamW's step, as is usual; the paper does not say.
        * Version 3 of the paper leaves the bias corrections out; ``bias_correction=False`` does so.

    Warning:
        * A tensor that starts at zero takes its first step unscaled and very small ones after it. With
          ``adapt="matrices"`` this concerns last layers that start at zero.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: :math:`\alpha \ge 0`, a number or a tensor of one element. The default is the official code's.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1).
        eps: :math:`\epsilon > 0`. The default is the official code's.
        weight_decay: :math:`\lambda \ge 0`, inside the normalised direction. The paper trains BERT with 0.01.
        bias_correction: divide the averages by :math:`1 - \beta^t`.
        phi_bounds: the smallest and the largest value of :math:`\phi`; None leaves the norm as it is.
        adapt: which parameters have their step scaled: all (True), none (False), or ``"matrices"``, those with at least
            two dimensions.
        **options: of the engine: ``state_dtype``, ``rounding_seed``, ``compile``, ``check_finite``, ``maximize``; see
            :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`.

    Raises:
        TypeError: a hyper-parameter has the wrong type; the message names it.
        ValueError: a hyper-parameter is outside its range; the message names it, its value and the range.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(3e-5, 1e-1), "weight_decay": LogUniform(5e-3, 5.0)}

    state_names = ("exp_avg", "exp_avg_sq")
    weight_decay = "direction"
    hyperparameters: ClassVar = {
        "betas": pair(FRACTION),
        "eps": POSITIVE,
        "bias_correction": flag,
        "phi_bounds": BOUNDS,
        "adapt": ADAPTED,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        bias_correction: bool = True,
        phi_bounds: tuple[float, float] | None = None,
        adapt: Literal["matrices"] | bool = "matrices",
        **options: Unpack[EngineOptions],
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            bias_correction=bias_correction,
            phi_bounds=phi_bounds,
            adapt=adapt,
            **options,
        )

    @classmethod
    def norm_scaling_for(cls, hypers: Mapping[str, Any], /) -> NormScaling | None:
        """Returns the trust ratio."""
        trust = partial(trust_ratio, bounds=ordered(hypers["phi_bounds"]))
        return NormScaling("direction", trust, adapts(hypers["adapt"])) if hypers["adapt"] else None

    @staticmethod
    def scalars(
        step: int, /, *, betas: tuple[float, float], eps: float, bias_correction: bool, **_: Any
    ) -> dict[str, float]:
        """Returns Adam's, with or without bias corrections."""
        return adam_scalars(step, betas, eps, bias_correction=bias_correction)

    direction = staticmethod(adam)


def trust_ratio(
    weight_norm: Norm,
    direction_norm: Norm,
    *,
    bounds: tuple[float, float] | None,
    **_: float,
) -> Norm:
    """Returns the norm of the weight, kept within bounds, over that of the direction; one where either is zero."""
    ratio = norm_ratio(weight_norm, direction_norm)
    if bounds is None:
        return ratio
    if isinstance(weight_norm, float):
        return norm_ratio(min(max(weight_norm, bounds[0]), bounds[1]), direction_norm) if weight_norm > 0 else ratio
    bounded = norm_ratio(weight_norm.clamp(*bounds), direction_norm)
    return torch.where(weight_norm > 0, bounded, ratio)


def adapts(which: Literal["matrices"] | bool) -> Any:
    """Returns the function that says whether a parameter's step is scaled."""
    return _is_matrix if which == "matrices" else _always


def ordered(bounds: tuple[float, float] | None) -> tuple[float, float] | None:
    """Returns its argument.

    Raises:
        ValueError: the lower bound lies above the upper one.
    """
    if bounds is not None and bounds[0] > bounds[1]:
        raise ValueError(f"phi_bounds={bounds!r} must be a smaller and a larger value")
    return bounds


def _is_matrix(param: Tensor) -> bool:
    return param.ndim > 1


def _always(_: Tensor) -> bool:
    return True
