"""SGHMC: a network's weights are sampled with a few points a step (Li, Rudner, Wilson, 2023, arXiv:2305.20028).

The sampler is that of Springenberg, Klein, Falkner, Hutter, 2016, as the paper's code has it.
"""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bnn_surrogates.data import is_probability
from trimtab.search.bnn_surrogates.draws_model import DrawsModel
from trimtab.search.bnn_surrogates.weight_posterior import WeightPosterior
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError

LEAST_NOISE = 1e-16


class SGHMCSurrogate(DrawsModel):
    r"""A Bayesian neural network, sampled by scale-adapted stochastic-gradient Hamiltonian Monte Carlo.

    With :math:`\nabla` an estimate of the gradient of :math:`-\log p(w \mid D)` from a few points, begin at
    :math:`\tau = g = v = 1, p = 0`. Each step of the burn-in first takes :math:`r = 1/(\tau + 1)`, and then

    .. math::
        \tau \leftarrow \tau - \tau g^2 / v + 1, \qquad g \leftarrow g + r (\nabla - g), \qquad
        v \leftarrow v + r (\nabla^2 - v),

    and every step

    .. math::
        p \leftarrow p - \varepsilon^2 v^{-1/2} \nabla - c\,p
            + N\bigl(0, \max(2 \varepsilon^2 c\, v^{-1/2} - \varepsilon^4, 10^{-16})\bigr), \qquad w \leftarrow w + p.

    Both inputs and outputs are standardised. The points of a step are drawn without replacement.

    Differences from the official code: :math:`s_n^2` is fixed, as in the other surrogates, where its network has one
    more output for the logarithm of the noise; the prior of the weights is the plain Gaussian, where it divides the
    logarithm of theirs by the number of weights, which all but takes the prior away.

    Warning:
        * There is no step that accepts or refuses: the draws are those of the posterior only as ``lr`` goes to zero.
          Where :math:`\varepsilon^2 > 2 c\,v^{-1/2}`, as with much data of little noise, no noise is added at all.
        * 1 000 steps of ``lr=1e-2`` go a short way; the draws depend on each other.

    Args:
        train_X: points, ``n x d``, float64, ``n >= 2``.
        train_Y: outputs, ``n x m``.
        hidden: widths of the hidden layers, as in :class:`~trimtab.search.bnn_surrogates.hmc.HMCSurrogate`.
        activation: ``"tanh"`` or ``"relu"``.
        prior_var: :math:`s_p^2 > 0` of all weights and biases.
        noise_var: :math:`s_n^2 > 0`, in units of the standardised outputs.
        tune: ``"grid"`` chooses both variances from {0.1, 1, 10} by the last 20 % of the points, ``None`` leaves them.
        steps: of the sampler. All defaults from here on are the official code's.
        burn_in: how many of them come before the first draw, fewer than ``steps``.
        keep_every: of the others, each of this number is kept: :math:`(2000 - 1000)/5 = 200` by default.
        batch_size: points of a step; all of them where there are fewer.
        lr: :math:`\varepsilon` in (0, 1].
        friction: :math:`c` in (0, 1].
        **options: ``outcome_transform``, ``input_transform`` and ``seed``, as in
            :class:`~trimtab.search.bnn_surrogates.hmc.HMCSurrogate`.

    Raises:
        InputError: an argument is out of its range; the message names it. It is a ``ValueError``.
        UnsupportedError: ``train_X`` has batches.
        RuntimeError: by ``fit``, when the weights do not stay finite.

    Warns:
        InputDataWarning: points are outside the unit cube, and there is no input transform.
    """

    standardises_inputs: ClassVar[bool] = True

    def __init__(
        self,
        train_X: Float[Tensor, "n d"],
        train_Y: Float[Tensor, "n m"],
        *,
        hidden: tuple[int, ...] = (128,) * 3,
        activation: str = "tanh",
        prior_var: float = 1.0,
        noise_var: float = 0.1,
        tune: str | None = None,
        steps: int = 2000,
        burn_in: int = 1000,
        keep_every: int = 5,
        batch_size: int = 5,
        lr: float = 1e-2,
        friction: float = 0.05,
        **options: Any,
    ) -> None:
        for name, value in {"steps": steps, "keep_every": keep_every, "batch_size": batch_size}.items():
            check_whole(name, value)
        check_whole("burn_in", burn_in, least=0)
        if burn_in + keep_every > steps:
            raise InputError(
                f"steps={steps}: more than burn_in={burn_in} by keep_every={keep_every} or more are needed"
            )
        for name, share in {"lr": lr, "friction": friction}.items():
            if not is_probability(share):
                raise InputError(f"{name}={share!r}: a number in (0, 1] is needed")
        draws = (steps - burn_in) // keep_every
        variances: dict[str, Any] = {"prior_var": prior_var, "noise_var": noise_var, "tune": tune}
        super().__init__(train_X, train_Y, draws, hidden=hidden, activation=activation, **variances, **options)
        self.steps, self.burn_in, self.keep_every = steps, burn_in, keep_every
        self.batch_size, self.lr, self.friction = batch_size, lr, friction

    def draw(self, posterior: WeightPosterior, generator: torch.Generator) -> Float[Tensor, "draws weights"]:
        """Returns the states of a chain that are kept.

        Raises:
            RuntimeError: its weights do not stay finite.
        """
        sampler = ScaleAdaptedSampler(self.network.initial(1, generator).to(posterior.X), self.lr, self.friction)
        points = len(posterior.Y)
        batch = min(self.batch_size, points)
        kept = []
        for step in range(1, self.steps + 1):
            rows = torch.randperm(points, generator=generator)[:batch].to(posterior.X.device)
            gradient = -posterior.estimated_gradient(sampler.weights, rows)
            sampler.step(gradient, generator, adapt=step <= self.burn_in)
            if step > self.burn_in and (step - self.burn_in) % self.keep_every == 0:
                kept.append(sampler.weights)
        draws = torch.cat(kept)
        if not torch.isfinite(draws).all():
            raise RuntimeError(f"SGHMC: the weights did not stay finite with lr={self.lr}; give a smaller one")
        return draws


class ScaleAdaptedSampler:
    """The state of one or more chains.

    Args:
        weights: where they begin.
        lr: :math:`ε`.
        friction: :math:`c`.
    """

    def __init__(self, weights: Float[Tensor, "chains weights"], lr: float, friction: float) -> None:
        self.weights = weights
        self.lr, self.friction = lr, friction
        self.momentum = torch.zeros_like(weights)
        self.memory = torch.ones_like(weights)
        self.mean = torch.ones_like(weights)
        self.square = torch.ones_like(weights)

    def step(self, gradient: Float[Tensor, "chains weights"], generator: torch.Generator, *, adapt: bool) -> None:
        """Takes a step.

        Args:
            gradient: an estimate of that of the negative log density.
            generator: of the noise, on the CPU.
            adapt: whether the scales are still being found.
        """
        if adapt:
            rate = 1 / (self.memory + 1)
            self.memory = self.memory - self.memory * self.mean**2 / self.square + 1
            self.mean = self.mean + rate * (gradient - self.mean)
            self.square = self.square + rate * (gradient**2 - self.square)
        scale = self.square.rsqrt()
        variance = (2 * self.lr**2 * self.friction * scale - self.lr**4).clamp_min(LEAST_NOISE)
        noise = torch.randn(self.weights.shape, generator=generator, dtype=self.weights.dtype).to(self.weights)
        push = -(self.lr**2) * scale * gradient - self.friction * self.momentum
        self.momentum = self.momentum + push + variance.sqrt() * noise
        self.weights = self.weights + self.momentum
