"""EXAdam: Adam whose two moments correct each other (Adly, 2024, arXiv:2412.20302).

Adapts   the step size of every coordinate.
Signal   the size of each moment beside the other, the current gradient, and the number of steps.
"""

import math
from typing import ClassVar, Literal, Unpack

from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.primitives.flat.flat_step import EngineOptions, FlatOptimizer
from trimtab.primitives.hyperparameters import FRACTION, REPRESENTABLE, one_of, pair
from trimtab.study.tunable import LogUniform, Tunables


class EXAdam(FlatOptimizer):
    r"""Adaptive cross-moments.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2,
            \qquad m_0 = v_0 = 0 \\
        d_t &= 1 + \beta_2^t\, \frac{v_t}{v_t + \epsilon}, \qquad
            \tilde{m}_t = \frac{m_t}{1 - \beta_1^t}\, d_t, \qquad
            \tilde{g}_t = \frac{g_t}{1 - \beta_1^t}\, d_t \\
        \tilde{v}_t &= \frac{v_t}{1 - \beta_2^t} \Bigl(1 + \beta_1^t\, \frac{m_t^2}{m_t^2 + \epsilon}\Bigr) \\
        \theta_t &= (1 - \alpha\lambda)\,\theta_{t-1}
            - \alpha\, c_t\, \frac{\tilde{m}_t + \tilde{g}_t}{\sqrt{\tilde{v}_t} + \epsilon}

    Three things are new beside Adam: each moment's bias correction depends on the other moment, the current gradient
    joins the momentum, and the step grows. Both published versions are here: ``step_size="dynamic"`` is the first,
    with :math:`c_t = \ln\sqrt{2(t + 1)}`; ``"constant"`` is the second, with :math:`c_t = 1`.

    Coming from AdamW, divide ``lr`` by 10 and multiply ``weight_decay`` by as much. At an equal ``lr`` EXAdam takes far
    longer steps. Where gradients stay the same, so that Adam moves by ``lr``, the dynamic version moves by 7 to 11
    ``lr`` for thirty thousand steps, and then ever more; the constant one by 16 ``lr`` at the first step, 4 at the
    fiftieth and 2 in the end: for long runs divide by less. The author's repository suggests 1e-3 with decay 1e-4 for
    images, 3e-4 with 1e-5 for language and 5e-4 without decay for reinforcement learning.

    Differences:
        * The default is the first version. The author withdrew the growing step from the second one and from the code.
        * The first version's formula is that of the author's first code and notebooks. Decoupled decay is the code's:
          the paper has none. It does not grow with :math:`c_t`.
        * ``eps=0`` is refused: without a gradient it gives 0/0. State is float32 for 16-bit parameters.

    Warning:
        * :math:`c_t` has no bound (2.7 after a hundred steps, 5 after ten thousand). Long runs need a schedule in which
          ``lr`` falls. A parameter that gets its first gradient late starts with :math:`c_1 = \ln 2`.
        * The current gradient is not averaged, so its noise is not either: where gradients are nothing but noise, the
          constant version's step is nine times Adam's for some hundred steps and five times later.
        * :math:`d_t` takes a few times :math:`1 / (1 - \beta_2)` steps from 2 to 1: more a larger ``lr`` than a
          correction.
        * The scale of gradients matters more than to Adam: ``eps`` is compared with their *squares*. Where they are
          below about 1e-3, the moments hardly correct each other, and the first step is 10 or 11 ``lr`` instead of 16.
          Unscale gradients before the step, as ``GradScaler`` does.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: :math:`\alpha \ge 0`, a number or a tensor of one element. The default is the author's code's.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1). The default is the author's code's.
        eps: :math:`\epsilon`, at least 1e-37. The default is the author's code's.
        weight_decay: decoupled, :math:`\lambda \ge 0`. The default is the author's code's.
        step_size: ``"dynamic"`` or ``"constant"``; other paces are a matter of schedulers.
        **options: of the engine: ``state_dtype``, ``rounding_seed``, ``compile``, ``check_finite``, ``maximize``; see
            :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`.

    Raises:
        TypeError: a hyper-parameter has the wrong type; the message names it.
        ValueError: a hyper-parameter is outside its range; the message names it, its value and the range.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(3e-6, 1e-2), "weight_decay": LogUniform(5e-2, 50.0)}

    state_names = ("exp_avg", "exp_avg_sq")
    weight_decay = "decoupled"
    hyperparameters: ClassVar = {
        "betas": pair(FRACTION),
        "eps": REPRESENTABLE,
        "step_size": one_of("dynamic", "constant"),
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        step_size: Literal["dynamic", "constant"] = "dynamic",
        **options: Unpack[EngineOptions],
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            step_size=step_size,
            **options,
        )

    @staticmethod
    def scalars(step: int, /, *, betas: tuple[float, float], eps: float, step_size: str) -> dict[str, float]:
        """Returns the powers of the betas, and the coefficients of ``scale * (m + g) / (spread * sqrt(v) + eps)``."""
        beta1, beta2 = betas
        power1, power2 = beta1**step, beta2**step
        growth = step_growth(step) if step_size == "dynamic" else 1.0
        return {
            "beta1": beta1,
            "beta2": beta2,
            "eps": eps,
            "power1": power1,
            "power2": power2,
            "scale": growth / (1 - power1),
            "spread": 1 / math.sqrt(1 - power2),
        }

    @staticmethod
    def direction(
        grad: Float[Tensor, "..."],
        exp_avg: Float[Tensor, "..."],
        exp_avg_sq: Float[Tensor, "..."],
        *,
        beta1: float,
        beta2: float,
        eps: float,
        power1: float,
        power2: float,
        scale: float,
        spread: float,
    ) -> tuple[Float[Tensor, "..."], ...]:
        """Returns momentum and gradient over the root of the second moment, and the moments."""
        m = beta1 * exp_avg + (1 - beta1) * grad
        v = beta2 * exp_avg_sq + (1 - beta2) * grad**2
        # v / (v + eps), in a form that is one, and not NaN, where a square is beyond the format
        first = 1 + power2 * (1 - eps / (v + eps))
        second = 1 + power1 * (1 - eps / (m**2 + eps))
        return scale * first * ((m + grad) / (spread * (v * second).sqrt() + eps)), m, v


def step_growth(step: int) -> float:
    r"""Returns what the first version multiplies the step by, :math:`c_t = \ln(\sqrt 2 \sqrt{t + 1})`."""
    return math.log(2 * (step + 1)) / 2
