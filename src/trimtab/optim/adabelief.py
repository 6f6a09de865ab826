"""AdaBelief: large steps where the momentum predicts the gradient (Zhuang et al., 2020, arXiv:2010.07468).

Adapts   the step size of every coordinate.
Signal   the error of the momentum as a prediction of the gradient.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.primitives.flat.flat_step import EngineOptions, FlatOptimizer, WeightDecay
from trimtab.primitives.hyperparameters import FRACTION, REPRESENTABLE, flag, pair
from trimtab.study.tunable import LogUniform, Tunables


class AdaBelief(FlatOptimizer):
    r"""Step sizes by the belief in observed gradients.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
        s_t &= \beta_2 s_{t-1} + (1 - \beta_2)(g_t - m_t)^2 + \epsilon \\
        \theta_t &= (1 - \alpha\lambda)\,\theta_{t-1} - \alpha\, \frac{m_t / (1 - \beta_1^t)}
            {\sqrt{s_t / (1 - \beta_2^t)} + \epsilon}, \qquad m_0 = s_0 = 0

    Adam with one line changed: the second average is that of :math:`(g_t - m_t)^2` instead of :math:`g_t^2`.

    ``eps`` is the hidden hyper-parameter. It is added to the *stored* average at every step, so :math:`s` settles at
    :math:`\epsilon / (1 - \beta_2) = 1000\,\epsilon` or above. With 1e-16 this floor is hardly ever felt; with 1e-8 it
    is 3e-3 on the scale of gradients, and AdaBelief resembles SGD where gradients are smaller than that. The authors
    use 1e-8 for image classification, 1e-12 for small GANs and LSTMs of two or three layers, 1e-16 for Transformers.

    Coming from AdamW, keep ``lr``, ``betas`` and ``weight_decay``, and replace ``eps`` by its square.

    Differences:
        * The default is ``rectify=False``, the paper's algorithm; the authors' package has ``True``.
        * With ``rectify`` and ``amsgrad`` together the authors' package computes the maximum and does not use it; here
          it is used.
        * ``eps=0`` is refused: without a gradient it gives 0/0. State is float32 for 16-bit parameters: float16 would
          round 1e-16 to zero, and bfloat16 would lose what a step adds to :math:`s`, unless it is rounded
          stochastically (``rounding_seed``).
        * With ``fixed_decay``, ``lr = 0`` leaves the parameters as they are; in the package they still decay.

    Warning:
        * Where the gradient is constant, as for a bias in which the loss is linear, or where gradients are clipped by
          *value*, :math:`g - m` vanishes and the step grows to :math:`\alpha g / \sqrt{1000\,\epsilon}`: three million
          times ``lr`` for a gradient of 1 and the default ``eps``. Clipping by norm is harmless.
        * The first step is :math:`\alpha / \beta_1` in every coordinate, 11 % more than Adam's.
        * With :math:`\beta_1 = 0` the prediction is never wrong, and :math:`s` holds nothing but epsilons.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: :math:`\alpha \ge 0`, a number or a tensor of one element. The default is the authors' package's.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1). The default is the paper's; for GANs it uses
            :math:`\beta_1 = 0.5`.
        eps: :math:`\epsilon`, at least 1e-37. The default is that of the authors' package since 0.1 (1e-8 before).
        weight_decay: :math:`\lambda \ge 0`. The default is the authors' package's.
        decoupled: shrink the parameter; otherwise :math:`\lambda\theta` is added to the gradient.
        fixed_decay: shrink by :math:`1 - \lambda` instead of :math:`1 - \alpha\lambda`.
        rectify: scale the step as RAdam does while :math:`s` rests on few gradients (fewer than five, effectively).
        degenerated_to_sgd: what ``rectify`` does until then: follow the momentum (True), or rest (False).
        amsgrad: divide by the largest :math:`s` so far.
        eps_in_state: False leaves :math:`\epsilon` out of :math:`s`, as in the first version of the paper.
        **options: of the engine: ``state_dtype``, ``rounding_seed``, ``compile``, ``check_finite``, ``maximize``; see
            :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`.

    Raises:
        TypeError: a hyper-parameter has the wrong type; the message names it.
        ValueError: a hyper-parameter is outside its range (the message names it, its value and the range), or
            ``fixed_decay`` is set without ``decoupled``.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(3e-5, 1e-1), "weight_decay": LogUniform(5e-3, 5.0)}

    state_names = ("exp_avg", "exp_avg_var")
    hyperparameters: ClassVar = {
        "betas": pair(FRACTION),
        "eps": REPRESENTABLE,
        "decoupled": flag,
        "fixed_decay": flag,
        "rectify": flag,
        "degenerated_to_sgd": flag,
        "amsgrad": flag,
        "eps_in_state": flag,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-16,
        weight_decay: float = 0.0,
        *,
        decoupled: bool = True,
        fixed_decay: bool = False,
        rectify: bool = False,
        degenerated_to_sgd: bool = True,
        amsgrad: bool = False,
        eps_in_state: bool = True,
        **options: Unpack[EngineOptions],
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            decoupled=decoupled,
            fixed_decay=fixed_decay,
            rectify=rectify,
            degenerated_to_sgd=degenerated_to_sgd,
            amsgrad=amsgrad,
            eps_in_state=eps_in_state,
            **options,
        )

    @classmethod
    def state_names_for(cls, hypers: Mapping[str, Any], /) -> tuple[str, ...]:
        """Returns the two averages and, with ``amsgrad``, the largest second one."""
        return (*cls.state_names, "max_exp_avg_var") if hypers["amsgrad"] else cls.state_names

    @classmethod
    def weight_decay_for(cls, hypers: Mapping[str, Any], /) -> WeightDecay:
        """Returns which of the three kinds of weight decay the two flags mean."""
        if hypers["decoupled"]:
            return "fixed" if hypers["fixed_decay"] else "decoupled"
        if hypers["fixed_decay"]:
            raise ValueError("fixed_decay=True must go with decoupled=True: coupled decay is part of the gradient")
        return "coupled"

    @staticmethod
    def scalars(
        step: int,
        /,
        *,
        betas: tuple[float, float],
        eps: float,
        rectify: bool,
        degenerated_to_sgd: bool,
        eps_in_state: bool,
        **_: Any,
    ) -> dict[str, float]:
        """Returns the coefficients of ``scale * m / (spread * sqrt(s) + floor)``."""
        beta1, beta2 = betas
        scale, spread, floor = 1 / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step), eps
        if rectify:
            rectification = variance_rectification(step, beta2)
            if rectification is not None:
                # As in the authors' code, the factor contains the bias correction of s.
                scale, spread = scale * rectification, 1.0
            else:
                scale, spread, floor = scale if degenerated_to_sgd else 0.0, 0.0, 1.0
        return {
            "beta1": beta1,
            "beta2": beta2,
            "stored_eps": eps if eps_in_state else 0.0,
            "scale": scale,
            "spread": spread,
            "floor": floor,
        }

    @staticmethod
    def direction(
        grad: Float[Tensor, "..."],
        exp_avg: Float[Tensor, "..."],
        exp_avg_var: Float[Tensor, "..."],
        max_exp_avg_var: Float[Tensor, "..."] | None = None,
        *,
        beta1: float,
        beta2: float,
        stored_eps: float,
        scale: float,
        spread: float,
        floor: float,
    ) -> tuple[Float[Tensor, "..."], ...]:
        """Returns the momentum over the root of its prediction error, and the averages."""
        m = beta1 * exp_avg + (1 - beta1) * grad
        s = beta2 * exp_avg_var + (1 - beta2) * (grad - m) ** 2 + stored_eps
        largest = s if max_exp_avg_var is None else torch.maximum(max_exp_avg_var, s)
        # With a spread of zero s does not count, though its square may be beyond the format; zero times that is NaN.
        # (The compiler makes a slow loop of nan_to_num.)
        root = spread * largest.sqrt().clamp(max=torch.finfo(largest.dtype).max)
        direction = scale * m / (root + floor)
        return (direction, m, s) if max_exp_avg_var is None else (direction, m, s, largest)


def variance_rectification(step: int, beta2: float) -> float | None:
    r"""Returns RAdam's factor for the step size (Liu et al., 2020, arXiv:1908.03265), with the bias correction of s.

    .. math::
        \rho_\infty = \frac{2}{1 - \beta_2} - 1, \qquad
        \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \qquad
        r_t = \sqrt{(1 - \beta_2^t)
            \frac{(\rho_t - 4)(\rho_t - 2)\,\rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2)\,\rho_t}}

    Returns:
        The factor, or ``None`` while :math:`\rho_t < 5`: too few gradients for the variance to mean anything.
    """
    power = beta2**step
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * step * power / (1 - power)
    if rho < 5:
        return None
    return math.sqrt((1 - power) * (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
