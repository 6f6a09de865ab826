"""diffGrad: shorter steps where the gradient hardly changes (Dubey et al., 2019, arXiv:1909.11015).

Adapts   the step size of every coordinate.
Signal   the change of the gradient since the last step.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Unpack

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.primitives.directions import adam, adam_scalars
from trimtab.primitives.flat.flat_step import EngineOptions, FlatOptimizer, WeightDecay
from trimtab.primitives.hyperparameters import FRACTION, REPRESENTABLE, flag, one_of, pair
from trimtab.study.tunable import LogUniform, Tunables


class DiffGrad(FlatOptimizer):
    r"""Friction where gradients stay the same.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2,
            \qquad m_0 = v_0 = g_0 = 0 \\
        \xi_t &= \frac{1}{1 + \exp(-|g_{t-1} - g_t|)} \in [\tfrac12, 1) \\
        \theta_t &= \theta_{t-1} - \alpha\, \xi_t\, \frac{m_t / (1 - \beta_1^t)}
            {\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    Adam with a friction :math:`\xi` that halves the step where the gradient stays the same, on a plateau or near an
    optimum, and leaves it alone where the gradient changes fast. Three values are kept per parameter, where Adam keeps
    two.

    Coming from AdamW, multiply ``lr`` by up to 2, because the friction takes up to half of it. The decay of weights
    belongs to the gradient, as in the official code, and is another quantity than AdamW's: 1e-4 is a customary value.
    To keep AdamW's, set ``decoupled=True`` and divide ``weight_decay`` by what you multiplied ``lr`` by.

    Differences:
        * :math:`\epsilon` is where the paper has it. The official code adds it to the root of the *uncorrected*
          average, which makes it :math:`1 / \sqrt{1 - \beta_2^t}` times larger, 32 times at the first step:
          ``eps_mode="code"``.
        * The first official code compared each gradient with itself, so that :math:`\xi = \tfrac12` from the second
          step on; its successor compares it with the last one, as do the paper and this class. The journal's
          experiments, says the repository, ran the first: Adam with half the ``lr``.
        * The official code adds the decay to ``.grad``; here gradients stay as they are. As there, the decay is part of
          the gradients that are compared.
        * ``decoupled`` is ours. ``eps=0`` is refused: without a gradient it gives 0/0. State is float32 for 16-bit
          parameters. The paper's other formulas for the friction are not here.

    Warning:
        * The friction depends on the absolute size of gradients: where they are small against 1, as in most networks,
          :math:`\xi \approx \tfrac12 + |g_{t-1} - g_t| / 4`, and diffGrad is Adam with half the ``lr``. Compare it
          with that. A loss that is a sum over samples instead of their mean, or the accumulation of gradients, changes
          the friction. Unscale gradients before the step, as ``GradScaler`` does.
        * With small batches the change of the gradient is mostly noise, and friction a matter of its size.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: :math:`\alpha \ge 0`, a number or a tensor of one element. The default is the paper's.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1). The default is the paper's.
        eps: :math:`\epsilon`, at least 1e-37. The default is the paper's.
        weight_decay: :math:`\lambda \ge 0`. The default is the official code's.
        decoupled: shrink the parameter by :math:`\alpha\lambda`; otherwise :math:`\lambda\theta` is added to the
            gradient.
        eps_mode: ``"paper"`` or ``"code"``.
        **options: of the engine: ``state_dtype``, ``rounding_seed``, ``compile``, ``check_finite``, ``maximize``; see
            :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`.

    Raises:
        TypeError: a hyper-parameter has the wrong type; the message names it.
        ValueError: a hyper-parameter is outside its range; the message names it, its value and the range.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(6e-5, 2e-1), "weight_decay": LogUniform(1e-5, 1e-2)}

    state_names = ("exp_avg", "exp_avg_sq", "previous_grad")
    hyperparameters: ClassVar = {
        "betas": pair(FRACTION),
        "eps": REPRESENTABLE,
        "decoupled": flag,
        "eps_mode": one_of("paper", "code"),
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled: bool = False,
        eps_mode: Literal["paper", "code"] = "paper",
        **options: Unpack[EngineOptions],
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            decoupled=decoupled,
            eps_mode=eps_mode,
            **options,
        )

    @classmethod
    def weight_decay_for(cls, hypers: Mapping[str, Any], /) -> WeightDecay:
        """Returns which of the two kinds of weight decay ``decoupled`` means."""
        return "decoupled" if hypers["decoupled"] else "coupled"

    @staticmethod
    def scalars(step: int, /, *, betas: tuple[float, float], eps: float, eps_mode: str, **_: Any) -> dict[str, float]:
        """Returns the coefficients of ``scale * m / (spread * sqrt(v) + eps)``."""
        scalars = adam_scalars(step, betas, eps)
        if eps_mode == "code":
            scalars |= {"scale": scalars["scale"] / scalars["spread"], "spread": 1.0}
        return scalars

    @staticmethod
    def direction(
        grad: Float[Tensor, "..."],
        exp_avg: Float[Tensor, "..."],
        exp_avg_sq: Float[Tensor, "..."],
        previous_grad: Float[Tensor, "..."],
        **scalars: float,
    ) -> tuple[Float[Tensor, "..."], ...]:
        """Returns Adam's direction times the friction, the moments, and the gradient that comes to be the last one."""
        direction, m, v = adam(grad, exp_avg, exp_avg_sq, **scalars)
        return friction(grad, previous_grad) * direction, m, v, grad


def friction(grad: Float[Tensor, "..."], previous_grad: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    r"""Returns :math:`\xi`: 1/2 where two gradients are equal, and up to 1 the more they differ."""
    return torch.sigmoid((previous_grad - grad).abs())
