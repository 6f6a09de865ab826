r"""A Gaussian process that is conditioned on values and on gradients, and speaks of values alone (Frazier, 2018).

Adapts   what is believed of a function between points that were evaluated.
Signal   the function's value and its gradient at each of them.
"""

from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.exceptions.errors import UnsupportedError
from botorch.models.gpytorch import GPyTorchModel
from botorch.models.utils import gpt_posterior_settings, validate_input_scaling
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.constraints import GreaterThan
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from gpytorch.kernels import Kernel, RBFKernelGrad
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood, MultitaskGaussianLikelihood
from gpytorch.means import ConstantMeanGrad
from gpytorch.models import ExactGP
from gpytorch.priors import LogNormalPrior
from jaxtyping import Float
from linear_operator.operators import DiagLinearOperator
from torch import Tensor

from trimtab.study.errors import InputError

ROUNDING = 1e-12
"""Of the largest value: what varies by less than this does so by rounding."""

LEAST_NOISE = 1e-4
"""As in BoTorch's models, and like theirs of standardised values."""


class GradientObservationGP(ExactGP, GPyTorchModel):  # type: ignore[misc]  # gpytorch has no types
    r"""A Gaussian process with observations of :math:`f` and of :math:`\nabla f` at each point.

    The gradient of a Gaussian process is one, jointly with it: with a kernel :math:`k`,
    :math:`\operatorname{cov}(f(x), \partial_j f(x')) = \partial k / \partial x'_j` and
    :math:`\operatorname{cov}(\partial_i f(x), \partial_j f(x')) = \partial^2 k / \partial x_i \partial x'_j`. A point
    in :math:`d` dimensions is :math:`d + 1` observations, and what is believed of :math:`f` follows from all of them.
    The posterior has :math:`f` as its one output, so that acquisition functions take the model for any other; the noise
    of an evaluation is that of its value, and what its gradient will add is not counted in advance.

    Fit it with ``fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))``. Values are standardised
    inside, and gradients divided by the same standard deviation; points are to lie in the unit cube, as for
    :class:`~botorch.models.SingleTaskGP`, and gradients to be those with respect to what is in it.

    Args:
        train_X: points.
        train_Y: values.
        train_dY: gradients.
        train_Yvar: variances of the values' noise, where they are known; then ``train_dYvar`` is needed, too.
        train_dYvar: variances of the gradients' noise. Where one is very large, that derivative counts for nothing.
        covar_module: a kernel with derivatives of GPyTorch, ``RBFKernelGrad`` or ``Matern52KernelGrad``, or one of them
            in a ``ScaleKernel``. The default is ``RBFKernelGrad`` with the prior of BoTorch's own default kernel.

    Raises:
        TypeError: something is not a tensor of floating-point numbers.
        ValueError: shapes do not fit, a number is not finite, a variance is negative, or only one kind of variances is
            given.

    Differences from BoTorch's models: where variances are inferred, that of the values has BoTorch's prior, log-normal
    (-4, 1), and those of the derivatives, one for each coordinate, a wider one of ours, log-normal (-4, 3), because
    nothing makes derivatives of standardised values be of unit size. The model cannot be conditioned on further
    observations (``fantasize``): build a new one.

    Source:
        Frazier, "A Tutorial on Bayesian Optimization", 2018, arXiv:1807.02811.
    """

    _num_outputs = 1
    offset: Tensor
    scale: Tensor
    likelihood: Any
    train_targets: Tensor

    def __init__(
        self,
        train_X: Float[Tensor, "n d"],
        train_Y: Float[Tensor, "n 1"],
        train_dY: Float[Tensor, "n d"],
        *,
        train_Yvar: Float[Tensor, "n 1"] | None = None,
        train_dYvar: Float[Tensor, "n d"] | None = None,
        covar_module: Kernel | None = None,
    ) -> None:
        _check(train_X, train_Y, train_dY, train_Yvar, train_dYvar)
        scale = train_Y.std() if len(train_Y) > 1 else train_Y.new_ones(())
        scale = torch.where(scale > ROUNDING * train_Y.abs().max(), scale, 1.0)
        offset = train_Y.mean()
        values = (train_Y - offset) / scale
        validate_input_scaling(train_X=train_X, train_Y=values, check_nans_only=covar_module is not None)
        dimensions = train_X.shape[-1]
        if train_Yvar is None or train_dYvar is None:
            likelihood = _inferred_noise(dimensions)
        else:
            likelihood = _GivenNoise(torch.cat([train_Yvar, train_dYvar], -1).flatten() / scale.square())
        super().__init__(train_X, torch.cat([values, train_dY / scale], -1), likelihood)
        self.mean_module = ConstantMeanGrad()
        self.covar_module = _kernel(dimensions) if covar_module is None else covar_module
        self.register_buffer("offset", offset)
        self.register_buffer("scale", scale)
        self.to(train_X)

    def forward(self, x: Float[Tensor, "*batch q d"]) -> Any:
        """Returns the prior of values and gradients."""
        return MultitaskMultivariateNormal(self.mean_module(x), self.covar_module(x))

    def posterior(  # type: ignore[override]  # as in BoTorch's own models of GPyTorch
        self,
        X: Float[Tensor, "*batch q d"],
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
        **_kwargs: Any,
    ) -> Any:
        """Returns the posterior of the values.

        Args:
            X: points.
            observation_noise: whether to add the noise of a value, or its variance at each point.
            posterior_transform: applied at the end.
        """
        self.eval()
        with gpt_posterior_settings():
            both = self(X)
        each = X.shape[-1] + 1
        covariance = both.covariance_matrix[..., ::each, ::each] * self.scale.square()
        if observation_noise is not False:
            given = observation_noise if isinstance(observation_noise, Tensor) else self.noise_of_values()
            noise = given.reshape(X.shape[:-1]) if given.dim() else given
            covariance = covariance + torch.diag_embed(noise.expand(covariance.shape[:-1]))
        posterior = GPyTorchPosterior(MultivariateNormal(self.offset + self.scale * both.mean[..., 0], covariance))
        return posterior if posterior_transform is None else posterior_transform(posterior=posterior, X=X)

    def noise_variances(self) -> Float[Tensor, " m"]:
        """Returns the variances of all observations, standardised: of a value and its derivatives, point by point."""
        likelihood = self.likelihood
        noise: Tensor = likelihood.noise if isinstance(likelihood, _GivenNoise) else likelihood.task_noises
        return noise.detach().repeat(self.train_targets.numel() // len(noise))

    def noise_of_values(self) -> Float[Tensor, ""]:
        """Returns the variance of a new value's noise, in the squared units of values; of given ones their mean."""
        mean = self.noise_variances()[:: self.train_targets.shape[-1]].mean()
        return mean.mul(self.scale.square())

    def condition_on_observations(self, *_args: Any, **_kwargs: Any) -> Any:
        """Is not possible.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError("a GradientObservationGP is not conditioned on further observations: build a new one")


class _GivenNoise(FixedNoiseGaussianLikelihood):  # type: ignore[misc]  # gpytorch has no types
    """Variances of values and derivatives, which are more than there are points."""

    def _shaped_noise_covar(self, _shape: Any, *_params: Any, **_kwargs: Any) -> Any:
        return DiagLinearOperator(self.noise)


def _inferred_noise(dimensions: int) -> Any:
    prior = LogNormalPrior(
        torch.full((dimensions + 1,), -4.0, dtype=torch.float64),
        torch.tensor([1.0] + dimensions * [3.0], dtype=torch.float64),
    )
    least = GreaterThan(LEAST_NOISE, transform=None, initial_value=0.01)
    likelihood = MultitaskGaussianLikelihood(dimensions + 1, noise_constraint=least, has_global_noise=False)
    # GPyTorch's own way to give a prior leaves out how a draw is set, which fitting again after a failure needs
    likelihood.register_prior("task_noises_prior", prior, _task_noises, _set_task_noises)
    return likelihood


def _task_noises(likelihood: Any) -> Any:
    return likelihood.task_noises


def _set_task_noises(likelihood: Any, value: Tensor) -> None:
    likelihood.task_noises = value


def _kernel(dimensions: int) -> Any:
    like = get_covar_module_with_dim_scaled_prior(ard_num_dims=dimensions)
    return RBFKernelGrad(
        ard_num_dims=dimensions,
        lengthscale_prior=like.lengthscale_prior,
        lengthscale_constraint=like.raw_lengthscale_constraint,
    )


def _check(
    points: object, values: object, gradients: object, value_variances: object, gradient_variances: object
) -> None:
    given = {"train_X": points, "train_Y": values, "train_dY": gradients}
    if (value_variances is None) != (gradient_variances is None):
        raise InputError("train_Yvar and train_dYvar: both are needed, or none")
    if value_variances is not None:
        given |= {"train_Yvar": value_variances, "train_dYvar": gradient_variances}
    for name, tensor in given.items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise TypeError(f"{name} is of type {kind}: a tensor of floating-point numbers is needed")
        if not bool(tensor.isfinite().all()):
            raise InputError(f"{name} holds a number that is not finite")
        if name.endswith("var") and bool((tensor < 0).any()):
            raise InputError(f"{name} holds {tensor.min().item()}: variances are >= 0")
    assert isinstance(points, Tensor)  # noqa: S101 - for the type checker
    if points.dim() != 2 or not points.numel():
        raise InputError(f"train_X has the shape {tuple(points.shape)}: at least one point is needed, as (n, d)")
    for name, tensor in given.items():
        shape = (len(points), points.shape[1] if "X" in name or "dY" in name else 1)
        if isinstance(tensor, Tensor) and tensor.shape != shape:
            raise InputError(f"{name} has the shape {tuple(tensor.shape)}: {shape} is needed")
