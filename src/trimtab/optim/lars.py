"""LARS: the same relative change in every layer, with momentum (You et al., 2017, arXiv:1708.03888).

Adapts   the learning rate of every layer.
Signal   the norm of its weights over the norm of its gradient.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal, Unpack

from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.optim.lamb import ADAPTED, BOUNDS, adapts, ordered, trust_ratio
from trimtab.primitives import directions
from trimtab.primitives.directions import momentum_scalars
from trimtab.primitives.flat.flat_step import EngineOptions, FlatOptimizer
from trimtab.primitives.flat.walk import Norm, NormScaling, norm_ratio
from trimtab.primitives.hyperparameters import FRACTION, NON_NEGATIVE, POSITIVE, flag, one_of
from trimtab.study.tunable import LogUniform, Tunables


class Lars(FlatOptimizer):
    r"""Layer-wise adaptive rate scaling.

    .. math::
        \rho &= \eta\, \frac{\lVert\theta\rVert}{\lVert g\rVert + \lambda\lVert\theta\rVert + \epsilon} \\
        b_t &= \mu\, b_{t-1} + \rho\,(g_t + \lambda\theta_{t-1}), \qquad \theta_t = \theta_{t-1} - \alpha\, b_t

    A layer is one parameter tensor. Where either norm is zero, :math:`\rho = 1`. There are three definitions:

    * ``"classic"`` is the above, that of most implementations. The text of 2017 has :math:`\alpha` inside the buffer,
      which is the same while :math:`\alpha` is constant.
    * ``"classic_sum"`` divides by the norm of the sum :math:`g + \lambda\theta`, as optax does.
    * ``"paper"`` is Algorithm 1 of the paper on LAMB: it averages, :math:`m_t = \mu m_{t-1} + (1-\mu)(g_t +
      \lambda\theta_{t-1})`, and scales the average, :math:`\theta_t = \theta_{t-1} - \alpha\,
      \phi(\lVert\theta_{t-1}\rVert) / \lVert m_t\rVert\; m_t`. It has no :math:`\eta`.

    Coming from AdamW, nothing carries over. In a layer that is adapted a step changes the norm by about ``lr`` times
    ``trust_coefficient`` (for ``"paper"``: ``lr``) over one minus ``momentum``: with the defaults start between 0.1 and
    10. The decay of weights belongs to the gradient: 1e-4 is a customary value.

    Differences: parameters with fewer than two dimensions take plain momentum's step, as is usual.

    Warning:
        * ``lr`` multiplies ``trust_coefficient`` where a layer is adapted and does not where it is not: give biases and
          gains a group with a smaller ``lr``.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: :math:`\alpha \ge 0`, a number or a tensor of one element.
        momentum: :math:`\mu`, in [0, 1).
        weight_decay: coupled, :math:`\lambda \ge 0`.
        trust_coefficient: :math:`\eta > 0`; without meaning for ``"paper"``.
        variant: ``"classic"``, ``"classic_sum"`` or ``"paper"``.
        nesterov: look ahead along the momentum; not for ``"paper"``.
        eps: :math:`\epsilon \ge 0`; without meaning for ``"paper"``.
        phi_bounds: for ``"paper"``: the smallest and the largest value of :math:`\phi`; None leaves the norm as it is.
        adapt: which parameters have their step scaled: all (True), none (False), or ``"matrices"``, those with at least
            two dimensions.
        **options: of the engine: ``state_dtype``, ``rounding_seed``, ``compile``, ``check_finite``, ``maximize``; see
            :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`.

    Raises:
        TypeError: a hyper-parameter has the wrong type; the message names it.
        ValueError: a hyper-parameter is outside its range; the message names it, its value and the range. Or
            ``nesterov`` is set without momentum or for ``"paper"``.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(3e-3, 1e1), "weight_decay": LogUniform(1e-6, 1e-3)}

    state_names = ("momentum_buffer",)
    weight_decay = "coupled"
    hyperparameters: ClassVar = {
        "momentum": FRACTION,
        "trust_coefficient": POSITIVE,
        "variant": one_of("classic", "classic_sum", "paper"),
        "nesterov": flag,
        "eps": NON_NEGATIVE,
        "phi_bounds": BOUNDS,
        "adapt": ADAPTED,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        trust_coefficient: float = 1e-3,
        variant: Literal["classic", "classic_sum", "paper"] = "classic",
        nesterov: bool = False,
        eps: float = 0.0,
        phi_bounds: tuple[float, float] | None = None,
        adapt: Literal["matrices"] | bool = "matrices",
        **options: Unpack[EngineOptions],
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            trust_coefficient=trust_coefficient,
            variant=variant,
            nesterov=nesterov,
            eps=eps,
            phi_bounds=phi_bounds,
            adapt=adapt,
            **options,
        )

    @classmethod
    def norm_scaling_for(cls, hypers: Mapping[str, Any], /) -> NormScaling | None:
        """Returns the definition's quotient of norms."""
        bounds = ordered(hypers["phi_bounds"])
        if hypers["nesterov"] and (hypers["momentum"] == 0 or hypers["variant"] == "paper"):
            raise ValueError("nesterov=True needs momentum > 0, and another variant than 'paper'")
        if not hypers["adapt"]:
            return None
        applies = adapts(hypers["adapt"])
        if hypers["variant"] == "paper":
            return NormScaling("direction", partial(trust_ratio, bounds=bounds), applies)
        constants = {"trust_coefficient": hypers["trust_coefficient"], "eps": hypers["eps"]}
        if hypers["variant"] == "classic":
            return NormScaling("gradient", partial(of_both_norms, **constants), applies)
        return NormScaling("decayed gradient", partial(of_sum, **constants), applies)

    @staticmethod
    def scalars(_step: int, /, *, momentum: float, variant: str, nesterov: bool, **_: Any) -> dict[str, float]:
        """Returns the coefficients of the buffer and of what is followed."""
        return momentum_scalars(momentum, gain=1 - momentum if variant == "paper" else 1.0, nesterov=nesterov)

    direction = staticmethod(directions.momentum)


def of_both_norms(
    weight_norm: Norm,
    gradient_norm: Norm,
    *,
    weight_decay: float,
    trust_coefficient: float,
    eps: float,
    **_: float,
) -> Norm:
    """Returns the factor of ``"classic"``."""
    divisor = gradient_norm + weight_decay * weight_norm + eps
    # Without a gradient there is nothing to trust, though weight decay makes the divisor positive.
    return norm_ratio(trust_coefficient * weight_norm, divisor * (gradient_norm > 0))


def of_sum(
    weight_norm: Norm,
    decayed_norm: Norm,
    *,
    trust_coefficient: float,
    eps: float,
    **_: float,
) -> Norm:
    """Returns the factor of ``"classic_sum"``."""
    return norm_ratio(trust_coefficient * weight_norm, (decayed_norm + eps) * (decayed_norm > 0))
