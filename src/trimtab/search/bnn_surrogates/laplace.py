"""Linearised Laplace: a network trained once, and a Gaussian around it (Li et al., 2023, arXiv:2305.20028).

The method is that of Immer, Korzepa, Bauer, 2021, arXiv:2008.08216.
"""

import math
from typing import Any, ClassVar

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from jaxtyping import Float
from scipy.optimize import brentq
from torch import Tensor

from trimtab.search.bnn_surrogates.data import check_positive
from trimtab.search.bnn_surrogates.network_model import NetworkModel
from trimtab.search.bnn_surrogates.tangent_kernel import Tangent
from trimtab.search.bnn_surrogates.weight_posterior import WeightPosterior, maximised
from trimtab.study.checks import check_number, check_whole
from trimtab.study.errors import InputError

LEAST_PRIOR_VAR, LARGEST_PRIOR_VAR = 1e-6, 1e6


class LinearizedLaplace(NetworkModel):
    r"""A network at the maximum of the posterior, and a Gaussian around it through its derivatives by the weights.

    .. math::
        f(x) \sim N\bigl(f_{w_*}(x),\ J(x) \Sigma J(x')^\top\bigr), \qquad
        \Sigma^{-1} = \frac{1}{s_n^2} \sum_i J(x_i)^\top J(x_i) + \frac{1}{s_p^2} I,

    jointly over points and outputs, and :math:`10^{-4}` on the diagonal. With :math:`k = J J^\top` it is computed as

    .. math::
        J \Sigma J'^\top = s_p^2 \bigl(k(x, x') - k(x, X)\,(k(X, X) + \tfrac{s_n^2}{s_p^2} I)^{-1} k(X, x')\bigr),

    which takes :math:`nm` equations, however many weights there are. Of a linear network this is the exact posterior.

    The weights come from 1 000 steps of Adam whose rate falls from 0.1 to zero along half a cosine. The variance of the
    prior is then that which maximises Laplace's approximation of the marginal likelihood,

    .. math::
        -\tfrac12 \log\det\bigl(I + \tfrac{s_p^2}{s_n^2} k(X, X)\bigr) - \frac{\lVert w_* \rVert^2}{2 s_p^2},

    which is concave in :math:`\log s_p^2`; the weights stay what they are.

    Differences from the official code: :math:`\Sigma` has all of the generalised Gauss-Newton matrix, where it has a
    Kronecker-factored part; the weights are decayed by the prior, :math:`1/s_p^2`, where it decays them by 1e-3 of the
    mean squared error; the maximum over :math:`s_p^2` is found exactly, between 1e-6 and 1e6, where it takes 50 steps;
    outputs are standardised.

    Args:
        train_X: points in the unit cube, ``n x d``, float64, ``n >= 2``.
        train_Y: outputs, ``n x m``.
        hidden: widths of the hidden layers, as in :class:`~trimtab.search.bnn_surrogates.hmc.HMCSurrogate`.
        activation: ``"tanh"`` or ``"relu"``.
        prior_var: :math:`s_p^2 > 0` of all weights and biases.
        noise_var: :math:`s_n^2 > 0`, in units of the standardised outputs.
        tune: ``"marginal_likelihood"`` chooses ``prior_var`` once the weights are found, as the official code does;
            ``"grid"`` chooses both variances from {0.1, 1, 10} by the last 20 % of the points; ``None`` leaves them.
        steps: of Adam. The default is the official code's.
        lr: the first rate. The default is the official code's.
        jitter: what is added to the latent variance, :math:`\ge 0`, in units of the standardised outputs. The default
            is the official code's.
        **options: ``outcome_transform``, ``input_transform`` and ``seed``, as in
            :class:`~trimtab.search.bnn_surrogates.hmc.HMCSurrogate`.

    Raises:
        InputError: an argument is out of its range; the message names it. It is a ``ValueError``.
        UnsupportedError: ``train_X`` has batches.

    Warns:
        InputDataWarning: points are outside the unit cube, and there is no input transform.
    """

    ways: ClassVar[tuple[str | None, ...]] = ("marginal_likelihood", "grid", None)

    weights: Tensor
    factor: Tensor

    def __init__(
        self,
        train_X: Float[Tensor, "n d"],
        train_Y: Float[Tensor, "n m"],
        *,
        hidden: tuple[int, ...] = (128,) * 3,
        activation: str = "tanh",
        prior_var: float = 1.0,
        noise_var: float = 0.1,
        tune: str | None = "marginal_likelihood",
        steps: int = 1000,
        lr: float = 0.1,
        jitter: float = 1e-4,
        **options: Any,
    ) -> None:
        check_whole("steps", steps)
        check_positive(lr=lr)
        check_number("jitter", jitter)
        if jitter < 0:
            raise InputError(f"jitter={jitter!r}: a number >= 0 is needed")
        variances: dict[str, Any] = {"prior_var": prior_var, "noise_var": noise_var, "tune": tune}
        super().__init__(train_X, train_Y, hidden=hidden, activation=activation, **variances, **options)
        self.steps, self.lr, self.jitter = steps, lr, jitter
        rows = self.targets.numel()
        self.register_buffer("weights", self.inputs.new_zeros(1, self.network.n_weights))
        self.register_buffer("factor", self.inputs.new_zeros(rows, rows))

    def posterior(
        self,
        X: Float[Tensor, "*batch q d"],
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> Posterior:
        """Returns the posterior of the latent function, or of observations.

        Args:
            X: points, jointly those of one batch.
            output_indices: which outputs are wanted; all without.
            observation_noise: whether noise is added; a tensor is its variance, in units of the outcome transform.
            posterior_transform: what is to be made of the posterior.

        Raises:
            RuntimeError: the model is not fitted.
        """
        self.check_fitted()
        self.eval()
        X = self.transform_inputs(X)
        mean, covariance = self._moments(self.weights, self.factor, self.inputs, X, float(self.prior_var))
        diagonal = self.jitter * torch.ones_like(mean)
        noise = self._noise(observation_noise, mean)
        covariance = covariance + torch.diag_embed((diagonal if noise is None else diagonal + noise).flatten(-2))
        transform = getattr(self, "outcome_transform", None)
        if output_indices is not None:
            mean, covariance = _subset(mean, covariance, output_indices)
            transform = None if transform is None else transform.subset_output(idcs=output_indices)
        posterior: Posterior = GPyTorchPosterior(_normal(mean, covariance))
        if transform is not None:
            posterior = transform.untransform_posterior(posterior, X=X)
        return posterior if posterior_transform is None else posterior_transform(posterior=posterior, X=X)

    def _settle(self, X: Tensor, Y: Tensor, prior_var: float, noise_var: float) -> None:
        weights, prior_var, factor = self._trained(X, Y, prior_var, noise_var)
        self.weights.copy_(weights)
        self.factor.copy_(factor)
        self.prior_var.fill_(prior_var)
        self.noise_var.fill_(noise_var)

    def _predict(
        self, X: Tensor, Y: Tensor, held_out: Tensor, prior_var: float, noise_var: float
    ) -> tuple[Tensor, Tensor]:
        weights, prior_var, factor = self._trained(X, Y, prior_var, noise_var)
        mean, covariance = self._moments(weights, factor, X, held_out, prior_var)
        return mean, covariance.diagonal().view_as(mean) + self.jitter

    def _trained(self, X: Tensor, Y: Tensor, prior_var: float, noise_var: float) -> tuple[Tensor, float, Tensor]:
        """Returns the weights, the variance of the prior, and what the equations are solved with."""
        posterior = WeightPosterior(self.network, X, Y, prior_var, noise_var)
        start = self.network.initial(1, self.generator()).to(X)
        weights = maximised(posterior, start, steps=self.steps, lr=self.lr, cosine=True)
        tangent = Tangent.of(self.network, weights, X)
        products = tangent.products(tangent)
        if self.tune == "marginal_likelihood":
            prior_var = likeliest_prior_var(products, float(weights.square().sum()), noise_var)
        ridge = noise_var / prior_var * torch.eye(len(products), dtype=X.dtype, device=X.device)
        return weights, prior_var, torch.linalg.cholesky(products + ridge)

    def _moments(
        self, weights: Tensor, factor: Tensor, inputs: Tensor, X: Float[Tensor, "*batch q d"], prior_var: float
    ) -> tuple[Float[Tensor, "*batch q m"], Float[Tensor, "*batch q*m q*m"]]:
        mean = self.evaluate(weights, X).squeeze(-3)
        here, data = Tangent.of(self.network, weights, X), Tangent.of(self.network, weights, inputs)
        explained = torch.linalg.solve_triangular(factor, data.products(here.flat()), upper=False)
        explained = explained.unflatten(1, (*X.shape[:-2], -1)).movedim(0, -2)
        return mean, prior_var * (here.products(here) - explained.mT @ explained)


def likeliest_prior_var(products: Float[Tensor, "rows rows"], squared_norm: float, noise_var: float) -> float:
    r"""Returns the variance of the prior that maximises the approximate marginal likelihood.

    There :math:`\lVert w \rVert^2 / s_p^2` is the number of weights that the data determine,
    :math:`\sum_i \lambda_i s_p^2 / (\lambda_i s_p^2 + s_n^2)`.

    Args:
        products: :math:`k(X, X)`, with eigenvalues :math:`\lambda_i`.
        squared_norm: :math:`\lVert w \rVert^2`.
        noise_var: :math:`s_n^2`.
    """
    eigenvalues = torch.linalg.eigvalsh(products).clamp_min(0)

    def excess(log_var: float) -> float:
        scaled = eigenvalues * math.exp(log_var)
        return squared_norm / math.exp(log_var) - float((scaled / (scaled + noise_var)).sum())

    low, high = math.log(LEAST_PRIOR_VAR), math.log(LARGEST_PRIOR_VAR)
    if excess(low) <= 0:
        return LEAST_PRIOR_VAR
    if excess(high) >= 0:
        return LARGEST_PRIOR_VAR
    return math.exp(brentq(excess, low, high))


def _subset(mean: Tensor, covariance: Tensor, outputs: list[int]) -> tuple[Tensor, Tensor]:
    q, m = mean.shape[-2:]
    rows = torch.arange(q * m, device=mean.device).view(q, m)[:, outputs].flatten()
    return mean[..., outputs], covariance[..., rows[:, None], rows]


def _normal(mean: Float[Tensor, "*batch q m"], covariance: Tensor) -> MultivariateNormal:
    if mean.shape[-1] == 1:
        return MultivariateNormal(mean.squeeze(-1), covariance)
    return MultitaskMultivariateNormal(mean, covariance)
