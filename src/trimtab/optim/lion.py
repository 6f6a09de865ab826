"""Lion: a step of the same size in every coordinate (Chen et al., 2023, arXiv:2302.06675).

Adapts   the direction of the step.
Signal   the sign of an interpolation between momentum and gradient.
"""

from typing import ClassVar, Unpack

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.primitives.flat.flat_step import EngineOptions, FlatOptimizer
from trimtab.primitives.hyperparameters import FRACTION, pair
from trimtab.study.tunable import LogUniform, Tunables


class Lion(FlatOptimizer):
    r"""Evolved sign momentum.

    .. math::
        \theta_t &= (1 - \alpha\lambda)\,\theta_{t-1}
            - \alpha \operatorname{sign}(\beta_1 m_{t-1} + (1 - \beta_1)\, g_t) \\
        m_t &= \beta_2 m_{t-1} + (1 - \beta_2)\, g_t, \qquad m_0 = 0

    The momentum that is kept and the one that is followed forget at different rates; with
    :math:`\beta_1 = \beta_2` this is Signum. One value is kept per parameter, where Adam keeps two. Scaling all
    gradients by the same factor changes nothing, so there is neither a bias correction nor an epsilon.

    Coming from AdamW, divide ``lr`` by 3 to 10 (the initial, the peak and the final one) and multiply ``weight_decay``
    by as much. A coordinate moves by at most ``lr`` a step: a run of a few hundred steps needs a larger ``lr`` than the
    default, often 1e-3 to 1e-2.

    Differences: none from the paper, and none from the official PyTorch code in float32. For float16 and bfloat16
    parameters the official code keeps the momentum in the parameter's type; here it is float32, unless ``state_dtype``
    says otherwise.

    Warning:
        * Only a coordinate whose gradients were all zero rests: after its last gradient a row of an embedding keeps
          moving at full speed until its momentum underflows. Give rarely used rows another optimizer.
        * Clipping the norm of the gradient does not shorten the step; it only changes how much one gradient weighs
          against the momentum.
        * ``torch.sign`` of NaN is zero. A coordinate that once had a NaN gradient stands still from then on, and the
          parameter shows nothing of it.
        * The paper sees no gain over AdamW with batches below 64, with strong augmentation, and for ResNets.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: :math:`\alpha \ge 0`, a number or a tensor of one element. The default is the official code's.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1). The default is the paper's; it uses (0.95, 0.98) for language
            models and where training is unstable.
        weight_decay: decoupled, :math:`\lambda \ge 0`. The default is the official code's.
        **options: of the engine: ``state_dtype`` (the paper stores the momentum as ``torch.bfloat16``),
            ``rounding_seed``, ``compile``, ``check_finite``, ``maximize``; see
            :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`.

    Raises:
        TypeError: a hyper-parameter has the wrong type; the message names it.
        ValueError: a hyper-parameter is outside its range; the message names it, its value and the range.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(1e-5, 3.3e-2), "weight_decay": LogUniform(1.4e-2, 14.0)}

    state_names = ("momentum",)
    weight_decay = "decoupled"
    hyperparameters: ClassVar = {"betas": pair(FRACTION)}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        **options: Unpack[EngineOptions],
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, weight_decay=weight_decay, **options)

    @staticmethod
    def scalars(_step: int, /, *, betas: tuple[float, float]) -> dict[str, float]:
        """Returns the two rates of forgetting, which are the same at every step."""
        return {"beta1": betas[0], "beta2": betas[1]}

    @staticmethod
    def direction(
        grad: Float[Tensor, "..."], momentum: Float[Tensor, "..."], *, beta1: float, beta2: float
    ) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
        """Returns the sign of what is followed, and what is kept."""
        return torch.sign(beta1 * momentum + (1 - beta1) * grad), beta2 * momentum + (1 - beta2) * grad
