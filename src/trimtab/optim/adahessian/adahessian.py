"""AdaHessian: Adam's step with curvature in the place of the squared gradient (Yao et al., 2020, arXiv:2006.00719).

Adapts   the step size of every coordinate.
Signal   a random estimate of the Hessian's diagonal.
"""

from typing import Any, ClassVar, Unpack

from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.optim.adahessian.hessian_diagonal import HessianDiagonalOptimizer
from trimtab.primitives.curvature import Block
from trimtab.primitives.directions import adam_scalars
from trimtab.primitives.flat.flat_step import EngineOptions
from trimtab.primitives.hyperparameters import FRACTION, NON_NEGATIVE, SHARE, pair
from trimtab.study.tunable import LogUniform, Tunables


class AdaHessian(HessianDiagonalOptimizer):
    r"""Adaptive steps by the diagonal of the Hessian.

    .. math::
        D_t &= \overline{\lvert z_t \odot H_t z_t \rvert}, \qquad z_t \in \{-1, 1\}^n \text{ at random} \\
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, D_t^2 \\
        \theta_t &= (1 - \alpha\lambda)\,\theta_{t-1} - \alpha\, \frac{m_t / (1 - \beta_1^t)}
            {\sqrt{v_t / (1 - \beta_2^t)}^{\,k} + \epsilon}

    The bar is a mean over blocks of elements, the kernels of convolutions say. The expectation of :math:`z \odot H z`
    is the diagonal of the Hessian. The product takes a second backward pass, through the graph of the gradients, which
    has to be kept:

    .. code-block:: python

        loss.backward(create_graph=optimizer.needs_graph)
        optimizer.step()

    A :class:`~trimtab.lab.session.Session` does so by itself, and charges the second pass. Torch warns of a reference
    cycle through the graph at the first such call in a process; a step cuts it.

    Gradients that are added up over micro-batches keep all their graphs until the step. To free each at once, call
    ``accumulate_curvature()`` after each ``backward``; its methods are described with
    :class:`~trimtab.optim.adahessian.hessian_diagonal.HessianDiagonalOptimizer`.

    Under ``torch.amp.GradScaler`` gradients and curvature are those of a scaled loss, and the step takes that back.
    ``scaler.unscale_`` changes gradients and not their graph: call ``accumulate_curvature(scaler.get_scale())`` before
    it. Clipping changes gradients and not the curvature; hooks on parameters change both alike.

    Coming from AdamW, ``lr`` means something else: with :math:`k = 1` a step divides by curvature, as Newton's does, so
    that :math:`\alpha = 1` would leap to where the gradient vanishes; start between 0.05 and 0.3.

    The signs of a step are a function of ``seed``, of which parameters take part and of how many steps each has taken:
    a run resumes bit for bit, and no other random numbers are touched.

    Differences:
        * With ``every > 1`` the last :math:`D` counts again in :math:`v` at the steps between (as in timm;
          pytorch-optimizer leaves :math:`v` alone).
        * The official code averages rows of matrices for some tasks and not for others; here ``block`` says so.
        * With ``samples > 1`` signed estimates are averaged first, and the magnitude is taken then, as in timm.

    Warning:
        * Where there is no curvature, :math:`v = 0` and the step is :math:`\alpha\,m / \epsilon`, ten thousand times as
          long with the defaults. A ReLU network's loss has none in dead units; there gradients vanish as well.
        * Fused attention on CPU and recurrent layers of cuDNN have no second derivative; the error says what to do.
        * ``DistributedDataParallel`` cannot keep the graph of gradients, and fully sharded parameters cannot either:
          these are refused.
        * In float16 the curvature of a scaled loss may overflow where its gradients do not; that is refused.
        * Where every micro-batch adds to the gradients, each of them must keep its graph.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: :math:`\alpha \ge 0`, a number or a tensor of one element. The default is the official code's.
        betas: :math:`(\beta_1, \beta_2)`, each in [0, 1). The paper uses (0.9, 0.98) for translation.
        eps: :math:`\epsilon \ge 0`. With zero, a coordinate with neither gradient nor curvature becomes NaN.
        weight_decay: decoupled, :math:`\lambda \ge 0`.
        hessian_power: :math:`k` in [0, 1]; with 0 it is SGD with momentum.
        block: elements that share one :math:`D`: the kernels of convolutions (``"conv"``), these and the rows of
            matrices (``"row"``), so many elements after one another (a number that divides every parameter of two
            dimensions or more; the paper takes 32 for translation), or each alone (``"none"``). See
            :func:`~trimtab.primitives.curvature.block_mean`.
        samples: estimates that are averaged, >= 1, each of which costs a backward pass.
        every: steps from one estimate to the next, >= 1. Above 1, a third value is kept for each parameter.
        seed: of the random signs.
        **options: of the engine: ``state_dtype``, ``rounding_seed``, ``compile``, ``check_finite`` (which looks at the
            diagonal as well), ``maximize``; see :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`.

    Raises:
        TypeError: a hyper-parameter has the wrong type (the message names it), or a parameter is divided over processes
            (FSDP2).
        ValueError: a hyper-parameter is outside its range (the message names it, its value and the range), or ``block``
            does not divide a parameter.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(1e-3, 3.3), "weight_decay": LogUniform(5e-4, 5e-1)}

    state_names = ("exp_avg", "exp_hessian_diag_sq")
    weight_decay = "decoupled"
    hyperparameters: ClassVar = {
        "betas": pair(FRACTION),
        "eps": NON_NEGATIVE,
        "hessian_power": SHARE,
        **HessianDiagonalOptimizer.hyperparameters,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.15,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-4,
        weight_decay: float = 0.0,
        *,
        hessian_power: float = 1.0,
        block: Block = "conv",
        samples: int = 1,
        every: int = 1,
        seed: int = 0,
        **options: Unpack[EngineOptions],
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            hessian_power=hessian_power,
            block=block,
            samples=samples,
            every=every,
            seed=seed,
            **options,
        )

    @staticmethod
    def scalars(
        step: int, /, *, betas: tuple[float, float], eps: float, hessian_power: float, **_: Any
    ) -> dict[str, float]:
        """Returns the coefficients of ``scale * m / ((spread * sqrt(v)) ** power + eps)``; no power if it is one."""
        # A power takes longer than all the rest, and most often it is one.
        power = {} if hessian_power == 1 else {"power": hessian_power}
        return adam_scalars(step, betas, eps) | power

    @staticmethod
    def direction(
        grad: Float[Tensor, "..."],
        exp_avg: Float[Tensor, "..."],
        exp_hessian_diag_sq: Float[Tensor, "..."],
        hessian_diag: Float[Tensor, "..."],
        *,
        beta1: float,
        beta2: float,
        eps: float,
        scale: float,
        spread: float,
        power: float | None = None,
    ) -> tuple[Float[Tensor, "..."], ...]:
        """Returns the momentum over a power of the root mean square of the diagonal, and the averages."""
        m = beta1 * exp_avg + (1 - beta1) * grad
        v = beta2 * exp_hessian_diag_sq + (1 - beta2) * hessian_diag**2
        root = spread * v.sqrt()
        return scale * m / ((root if power is None else root**power) + eps), m, v
