"""What a Gaussian process says of fixed points together with any new ones, fast where its structure is known."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from botorch.exceptions.errors import UnsupportedError
from botorch.models.gpytorch import GPyTorchModel
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from jaxtyping import Float
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor

from trimtab.search.bo_tutorial.structure import Structure, structure_of
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

    A :class:`~botorch.models.SingleTaskGP`, or a class that has its prior, and a ``GradientObservationGP`` need one
    Cholesky decomposition here, and then for each new point as many operations as its own variance takes anyway. Any
    other model is asked for the joint posterior of fixed and new points, which takes the square of their number each
    time.

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
    structure = structure_of(model)
    return _Asked(model, points, weights) if structure is None else _Direct(model, structure, points, weights)


def noise_of_a_look(
    model: Model, observation_noise: float | Tensor | None, points: Float[Tensor, "p d"]
) -> Float[Tensor, ""]:
    r"""Returns :math:`\lambda^2`, the variance of the noise at a new point, in the units of what was observed.

    Args:
        model: whose likelihood is asked, and whose outcome transform is undone. Of given variances (``train_Yvar``) the
            mean is taken, as BoTorch's fantasies have it.
        observation_noise: the variance, where it is known better.
        points: where a model that is not known from inside is asked for its posterior with and without noise.

    Raises:
        InputError: the variance is negative, not finite or not one number.
    """
    if observation_noise is not None:
        noise = torch.as_tensor(observation_noise, dtype=points.dtype, device=points.device).detach()
        if noise.numel() != 1 or not bool(torch.isfinite(noise).all()) or bool((noise < 0).any()):
            raise InputError(f"observation_noise={observation_noise!r}: one finite variance >= 0 is needed")
        return noise.reshape(())
    structure = structure_of(model)
    if structure is not None:
        return structure.noise[structure.values].mean().mul(structure.scale.square())
    with torch.no_grad():
        asked: Any = model.posterior
        noisy = asked(points[:1], observation_noise=True).variance
        difference: Tensor = noisy - asked(points[:1]).variance
        return difference.clamp_min(0).reshape(())


class _Direct:
    r"""Of a model whose prior is a mean and a kernel.

    With data of covariance :math:`A = K + D = L L^\top` and :math:`v = k(x) L^{-\top}`, where :math:`k(x)` are the
    covariances of :math:`f(x)` with the data, the covariance of :math:`x` with :math:`P` is
    :math:`K(x, P) - v L^{-1} k(P)^\top`. Where the values at all of :math:`P` are data, that is :math:`v L^{-1} D` in
    their columns: no difference of numbers that are nearly the same, and no kernel.
    """

    def __init__(
        self, model: Any, structure: Structure, points: Float[Tensor, "p d"], weights: Float[Tensor, "k p"] | None
    ) -> None:
        self._transform, self._prior, self._weights = model.transform_inputs, structure, weights
        with torch.no_grad():
            self._points = model.transform_inputs(points)
            noise = structure.noise
            root = psd_safe_cholesky(structure.kernel + noise.diag())
            identity = torch.eye(len(root), dtype=root.dtype, device=root.device)
            self._inverse_root = torch.linalg.solve_triangular(root, identity, upper=False)
            self._solved = self._inverse_root.T @ (self._inverse_root @ (structure.data - structure.data_mean))
            same = (self._points[:, None] == structure.inputs).all(-1)
            self._trained = bool(same.any(-1).all())
            if self._trained:
                columns = torch.arange(len(noise), device=noise.device)[structure.values][same.byte().argmax(-1)]
                reduced = (self._inverse_root * noise)[:, columns]
                mean = structure.data[columns] - (noise * self._solved)[columns]
            else:
                between = structure.with_data(self._points)
                reduced = self._inverse_root @ between.T
                mean = structure.mean(self._points) + between @ self._solved
            self._reduced = reduced if weights is None else reduced @ weights.T
            mean = structure.offset + structure.scale * mean
            self.mean = mean if weights is None else weights @ mean
            largest = structure.variance(self._points).max() * structure.scale.square()
            self.floor = float(torch.finfo(mean.dtype).eps * largest)

    def __call__(self, X: Float[Tensor, "*batch q d"]) -> Joint:
        prior = self._prior
        inputs = self._transform(X)
        flat = inputs.reshape(-1, inputs.shape[-1])
        kernel = prior.with_data(flat)
        rooted = kernel @ self._inverse_root.T
        mean = prior.mean(flat) + kernel @ self._solved
        if self._trained:
            cross = rooted @ self._reduced
        else:
            between = prior.covariance(flat, self._points)
            cross = (between if self._weights is None else between @ self._weights.T) - rooted @ self._reduced
        rooted = rooted.reshape(*X.shape[:-1], rooted.shape[-1])
        if X.shape[-2] == 1:
            variance = prior.variance(flat).reshape(X.shape[:-1])
            covariance = (variance - rooted.square().sum(-1))[..., None]
        else:
            covariance = prior.covariance(inputs, inputs) - rooted @ rooted.transpose(-1, -2)
        square = prior.scale.square()
        return Joint(
            prior.offset + prior.scale * mean.reshape(X.shape[:-1]),
            square * cross.reshape(*X.shape[:-1], cross.shape[-1]),
            square * covariance,
        )


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
