"""What a Gaussian process says of fixed points together with any new ones, fast where its structure is known."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from botorch.exceptions.errors import UnsupportedError
from botorch.models import SingleTaskGP
from botorch.models.gpytorch import GPyTorchModel
from botorch.models.model import Model
from botorch.models.transforms.outcome import Standardize
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood, GaussianLikelihood
from jaxtyping import Float
from torch import Tensor

from trimtab.study.errors import InputError


@dataclass(frozen=True)
class Joint:
    """The posterior of new points, and how they go together with the fixed ones.

    Args:
        mean: of the new points.
        cross: their covariances with the fixed points.
        covariance: their covariances with each other.
    """

    mean: Float[Tensor, "*batch q"]
    cross: Float[Tensor, "*batch q k"]
    covariance: Float[Tensor, "*batch q q"]


class JointPosterior(Protocol):
    """Knows fixed points, or weighted sums of their values, and is asked of new ones.

    ``mean`` is theirs. A variance of no more than ``floor`` is a rounding error.
    """

    mean: Float[Tensor, " k"]
    floor: float

    def __call__(self, X: Float[Tensor, "*batch q d"]) -> Joint:
        """Returns the posterior of new points."""


def joint_posterior(
    model: Model, points: Float[Tensor, "p d"], weights: Float[Tensor, "k p"] | None = None
) -> JointPosterior:
    """Prepares what does not depend on the new points.

    A :class:`~botorch.models.SingleTaskGP`, or a class that has its prior, needs one Cholesky decomposition here, and
    then for each new point as many operations as its own variance takes anyway. Any other model is asked for the joint
    posterior of fixed and new points, which takes the square of their number each time.

    Args:
        model: with one output, without batches, whose posterior is Gaussian.
        points: the fixed points.
        weights: :math:`G`, where what counts is not the values :math:`f` of the points but :math:`G f`.

    Raises:
        UnsupportedError: the posterior is not Gaussian, or the model has batches or several values at a point.
        InputError: the model has several outputs.
    """
    if model.num_outputs != 1:
        raise InputError(f"model has {model.num_outputs} outputs: a model with one is needed")
    if not isinstance(model, GPyTorchModel) or model.batch_shape:
        raise UnsupportedError(
            f"model={type(model).__name__}: a Gaussian process of GPyTorch without batches is needed"
        )
    model.eval()
    with torch.no_grad():
        posterior = model.posterior(points)
    if type(posterior) is not GPyTorchPosterior and not hasattr(posterior, "distribution"):
        raise UnsupportedError(f"model's posterior is a {type(posterior).__name__}, which is not Gaussian")
    if posterior.mean.shape[-2] != len(points):
        raise UnsupportedError("model has an input transform that makes several points of one, which has no one value")
    return (_Direct if _has_known_structure(model) else _Asked)(model, points, weights)


def noise_of_a_look(model: Model, observation_noise: float | Tensor | None) -> Float[Tensor, ""]:
    r"""Returns :math:`\lambda^2`, the variance of the noise at a new point, in the units of what was observed.

    Args:
        model: whose likelihood is asked, and whose outcome transform is undone. Of given variances (``train_Yvar``) the
            mean is taken, as BoTorch's fantasies have it.
        observation_noise: the variance, where it is known better.

    Raises:
        InputError: the variance is negative, not finite or not one number.
    """
    like: Any = model.train_targets
    if observation_noise is not None:
        noise = torch.as_tensor(observation_noise, dtype=like.dtype, device=like.device)
        if noise.numel() != 1 or not bool(torch.isfinite(noise).all()) or bool((noise < 0).any()):
            raise InputError(f"observation_noise={observation_noise!r}: one finite variance >= 0 is needed")
        return noise.detach().reshape(())
    likelihood: Any = model.likelihood
    if not isinstance(likelihood, GaussianLikelihood | FixedNoiseGaussianLikelihood):
        raise UnsupportedError(f"model's likelihood is a {type(likelihood).__name__}: give observation_noise")
    transform = getattr(model, "outcome_transform", None)
    noise = torch.as_tensor(likelihood.noise).detach().mean()
    if transform is None:
        return noise
    if not isinstance(transform, Standardize) or transform.stdvs.numel() != 1:
        raise UnsupportedError(f"model's outcome transform is a {type(transform).__name__}: give observation_noise")
    return noise.mul(transform.stdvs.detach().square().reshape(()))


def _has_known_structure(model: Any) -> bool:
    transform = getattr(model, "outcome_transform", None)
    return (
        isinstance(model, SingleTaskGP)
        and type(model).forward is SingleTaskGP.forward
        and type(model).posterior is SingleTaskGP.posterior
        and type(model.likelihood) in (GaussianLikelihood, FixedNoiseGaussianLikelihood)
        and (transform is None or (type(transform) is Standardize and transform.stdvs.numel() == 1))
    )


class _Direct:
    r"""Of a model whose prior is a mean and a kernel.

    With training inputs :math:`T`, :math:`A = K(T, T) + D = L L^\top` and :math:`v = K(x, T) L^{-\top}`, the covariance
    of :math:`x` with :math:`P` is :math:`K(x, P) - v L^{-1} K(T, P)`. Where all of :math:`P` were trained on, that is
    :math:`v L^{-1} D` in the columns of :math:`P`: no difference of numbers that are nearly the same, and no kernel.
    """

    def __init__(self, model: Any, points: Float[Tensor, "p d"], weights: Float[Tensor, "k p"] | None) -> None:
        self._model, self._weights = model, weights
        with torch.no_grad():
            self._points = model.transform_inputs(points)
            self._inputs = model.train_inputs[0]
            kernel = self._kernel(self._inputs, self._inputs)
            noise = model.likelihood.noise.expand(len(kernel))
            root = torch.linalg.cholesky(kernel + noise.diag())
            identity = torch.eye(len(kernel), dtype=kernel.dtype, device=kernel.device)
            self._inverse_root = torch.linalg.solve_triangular(root, identity, upper=False)
            residual = model.train_targets - model.mean_module(self._inputs)
            self._solved = self._inverse_root.T @ (self._inverse_root @ residual)
            transform = getattr(model, "outcome_transform", None)
            self._offset = kernel.new_zeros(()) if transform is None else transform.means.reshape(())
            self._scale = kernel.new_ones(()) if transform is None else transform.stdvs.reshape(())
            same = (self._points[:, None] == self._inputs).all(-1)
            self._trained = bool(same.any(-1).all())
            if self._trained:
                columns = same.to(torch.uint8).argmax(-1)
                reduced = (self._inverse_root * noise)[:, columns]
                mean = model.train_targets[columns] - (noise * self._solved)[columns]
                scale = kernel.diagonal()
            else:
                between = self._kernel(self._inputs, self._points)
                reduced = self._inverse_root @ between
                mean = model.mean_module(self._points) + between.T @ self._solved
                scale = model.covar_module(self._points, diag=True)
            self._reduced = reduced if weights is None else reduced @ weights.T
            mean = self._offset + self._scale * mean
            self.mean = mean if weights is None else weights @ mean
            self.floor = float(torch.finfo(scale.dtype).eps * scale.max() * self._scale.square())

    def __call__(self, X: Float[Tensor, "*batch q d"]) -> Joint:
        inputs = self._model.transform_inputs(X)
        flat = inputs.reshape(-1, inputs.shape[-1])
        kernel = self._kernel(flat, self._inputs)
        rooted = kernel @ self._inverse_root.T
        mean = self._model.mean_module(flat) + kernel @ self._solved
        if self._trained:
            cross = rooted @ self._reduced
        else:
            prior = self._kernel(flat, self._points)
            cross = (prior if self._weights is None else prior @ self._weights.T) - rooted @ self._reduced
        rooted = rooted.reshape(*X.shape[:-1], rooted.shape[-1])
        if X.shape[-2] == 1:
            variance = self._model.covar_module(flat, diag=True).reshape(X.shape[:-1])
            covariance = (variance - rooted.square().sum(-1))[..., None]
        else:
            covariance = self._kernel(inputs, inputs) - rooted @ rooted.transpose(-1, -2)
        square = self._scale.square()
        return Joint(
            self._offset + self._scale * mean.reshape(X.shape[:-1]),
            square * cross.reshape(*X.shape[:-1], -1),
            square * covariance,
        )

    def _kernel(self, first: Tensor, second: Tensor) -> Tensor:
        dense: Tensor = self._model.covar_module(first, second).to_dense()
        return dense


class _Asked:
    """Of any model: from the joint posterior of fixed and new points."""

    def __init__(self, model: Any, points: Float[Tensor, "p d"], weights: Float[Tensor, "k p"] | None) -> None:
        self._model, self._points, self._weights = model, points, weights
        with torch.no_grad():
            posterior = model.posterior(points)
            mean = posterior.mean[..., 0]
            self.mean = mean if weights is None else weights @ mean
            self.floor = float(torch.finfo(mean.dtype).eps * posterior.variance.max())

    def __call__(self, X: Float[Tensor, "*batch q d"]) -> Joint:
        fixed = len(self._points)
        posterior = self._model.posterior(torch.cat([self._points.expand(*X.shape[:-2], -1, -1), X], -2))
        covariance = posterior.distribution.covariance_matrix
        cross = covariance[..., fixed:, :fixed]
        return Joint(
            posterior.mean[..., fixed:, 0],
            cross if self._weights is None else cross @ self._weights.T,
            covariance[..., fixed:, fixed:],
        )
