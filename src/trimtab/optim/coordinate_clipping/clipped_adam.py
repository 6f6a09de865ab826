"""Adam with coordinate-wise clipping of the numerator (Pan & Li, 2023, arXiv:2306.00204).

Adapts   how far each coordinate may move.
Signal   the distribution of the gradient's magnitudes, and their history.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.optim.coordinate_clipping.coordinate_clipping import CHECKS, Scope, clipped, pools, require_one, thresholds
from trimtab.primitives.directions import adam_scalars
from trimtab.primitives.flat.flat_step import EngineOptions, FlatOptimizer, Inputs, WeightDecay
from trimtab.primitives.hyperparameters import FRACTION, POSITIVE, pair
from trimtab.study.tunable import Choice, LogUniform, Tunables


class ClippedAdam(FlatOptimizer):
    r"""Adam whose first moment sees a clipped gradient.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) \operatorname{clip}(g_t, \tau_t), \qquad
            v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
        \theta_t &= (1 - \alpha\lambda)\,\theta_{t-1} - \alpha\, \frac{m_t / (1 - \beta_1^t)}
            {\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    The second moment sees the gradient as it is. At every step :math:`\tau_t` is the magnitude that a share
    ``fraction`` of all coordinates exceeds; see
    :func:`~trimtab.optim.coordinate_clipping.coordinate_clipping.clip_coordinates_`. Around AdamW,
    :class:`~trimtab.optim.coordinate_clipping.coordinate_clipping.CoordinateClip` would clip both moments.

    Coming from AdamW, keep all settings; with ``fraction=0`` it is AdamW, and with no weight decay Adam. A clipped
    coordinate moves less for a while, because its second moment is as large as ever.

    Differences: weight decay is decoupled, and outside of what is clipped; the paper does not say.

    Warning:
        * A clipped gradient is biased: where gradients are noisy, the point at which it vanishes on average is not a
          stationary point.
        * Where more than a share :math:`1 - p` of the coordinates is zero, so is the threshold, and nothing enters the
          first moment; a warning says so, and ``ignore_zeros=True`` helps.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: :math:`\alpha \ge 0`, a number or a tensor of one element. The default is Adam's.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1).
        eps: :math:`\epsilon > 0`.
        weight_decay: decoupled, :math:`\lambda \ge 0`.
        fraction: share of the coordinates above the threshold, in [0, 1). The default is the paper's for gradients (a
            secondary source).
        threshold: an absolute threshold > 0, with ``fraction=None``.
        scope: ``"global"``, one threshold for all parameters with the same settings of clipping, or ``"tensor"``.
        scale: factor on the threshold, > 0.
        ignore_zeros: whether only coordinates other than zero are counted.
        **options: of the engine: ``state_dtype``, ``rounding_seed``, ``compile``, ``check_finite``, ``maximize``; see
            :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`.

    Raises:
        TypeError: a hyper-parameter has the wrong type; the message names it.
        ValueError: a hyper-parameter is outside its range (the message names it, its value and the range), or not
            exactly one of ``fraction`` and ``threshold`` is given.
    """

    tunables: ClassVar[Tunables] = {
        "lr": LogUniform(3e-5, 1e-1),
        "weight_decay": LogUniform(5e-3, 5.0),
        "fraction": Choice((0.01, 0.1, 0.5)),
    }

    state_names = ("exp_avg", "exp_avg_sq")
    read_only = ("clipped",)
    weight_decay = "decoupled"
    hyperparameters: ClassVar = {"betas": pair(FRACTION), "eps": POSITIVE, **CHECKS}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        fraction: float | None = 0.1,
        threshold: float | None = None,
        scope: Scope = "global",
        scale: float = 1.0,
        ignore_zeros: bool = False,
        **options: Unpack[EngineOptions],
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            fraction=fraction,
            threshold=threshold,
            scope=scope,
            scale=scale,
            ignore_zeros=ignore_zeros,
            **options,
        )

    @classmethod
    def weight_decay_for(cls, hypers: Mapping[str, Any], /) -> WeightDecay:
        """Returns that weights decay by themselves; checks that either a fraction or a threshold is set."""
        require_one(hypers)
        return cls.weight_decay

    @staticmethod
    def scalars(step: int, /, *, betas: tuple[float, float], eps: float, **_: Any) -> dict[str, float]:
        """Returns Adam's."""
        return adam_scalars(step, betas, eps)

    @staticmethod
    def direction(
        grad: Float[Tensor, "..."],
        exp_avg: Float[Tensor, "..."],
        exp_avg_sq: Float[Tensor, "..."],
        clipped: Float[Tensor, "..."],
        *,
        beta1: float,
        beta2: float,
        eps: float,
        scale: float,
        spread: float,
    ) -> tuple[Float[Tensor, "..."], ...]:
        """Returns the average of clipped gradients over the root mean square of whole ones, and both averages."""
        m = beta1 * exp_avg + (1 - beta1) * clipped
        v = beta2 * exp_avg_sq + (1 - beta2) * grad**2
        return scale * m / (spread * v.sqrt() + eps), m, v

    def read_beside_gradients(self, grads: Sequence[Sequence[Tensor | None]]) -> Sequence[Inputs]:
        """Returns the clipped gradients, with the sign of a minimisation.

        Raises:
            RuntimeError: a fraction is asked for of parameters that are divided over processes.
        """
        settings = [{name: group[name] for name in CHECKS} for group in self.param_groups]
        numerators: dict[Tensor, Tensor] = {}
        for chosen, params in pools(self.param_groups, settings, type(self).__name__):
            given = [param.grad for param in params if param.grad is not None]
            for param, grad, limit in zip(params, given, thresholds(given, chosen), strict=True):
                numerators[param] = clipped(grad, limit)
        inputs: list[Inputs] = []
        for group, own in zip(self.param_groups, grads, strict=True):
            params = [param for param, grad in zip(group["params"], own, strict=True) if grad is not None]
            inputs.append([[-numerators[p] if group["maximize"] else numerators[p] for p in params]])
        return inputs
