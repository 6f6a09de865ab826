"""The parts of a Gaussian process whose prior is a mean and a kernel, so that its posterior is a few products."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms.outcome import Standardize
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood, GaussianLikelihood
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bo_tutorial.gradient_gp import GradientObservationGP

Covariance = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Structure:
    """A prior, and the data that it was conditioned on; all in the model's own units, after input transforms.

    Args:
        inputs: the points that were observed.
        values: of ``data``, those that are values at these points.
        data: what was observed: values, and whatever else.
        noise: its variances.
        kernel: the covariance matrix of what was observed, without noise.
        data_mean: its prior mean.
        mean: the prior mean of values at points.
        covariance: of values at points with values at other points; points may come in batches.
        variance: of values at points.
        with_data: covariances of values at points with what was observed.
        offset: of what the posterior is in, from the model's own units.
        scale: the factor between them.
    """

    inputs: Float[Tensor, "n d"]
    values: slice
    data: Float[Tensor, " m"]
    noise: Float[Tensor, " m"]
    kernel: Float[Tensor, "m m"]
    data_mean: Float[Tensor, " m"]
    mean: Callable[[Tensor], Tensor]
    covariance: Covariance
    variance: Callable[[Tensor], Tensor]
    with_data: Callable[[Tensor], Tensor]
    offset: Float[Tensor, ""]
    scale: Float[Tensor, ""]


def structure_of(model: Any) -> Structure | None:
    """Returns a model's structure where it is known, in evaluation mode, without gradients of hyper-parameters."""
    with torch.no_grad():
        if isinstance(model, GradientObservationGP):
            return _with_gradients(model)
        return _of_values(model) if _is_plain(model) else None


def _is_plain(model: Any) -> bool:
    transform = getattr(model, "outcome_transform", None)
    return (
        isinstance(model, SingleTaskGP)
        and type(model).forward is SingleTaskGP.forward
        and type(model).posterior is SingleTaskGP.posterior
        and type(model.likelihood) in (GaussianLikelihood, FixedNoiseGaussianLikelihood)
        and (transform is None or (type(transform) is Standardize and transform.stdvs.numel() == 1))
    )


def _of_values(model: Any) -> Structure:
    inputs = model.train_inputs[0]
    transform = getattr(model, "outcome_transform", None)

    def covariance(first: Tensor, second: Tensor) -> Tensor:
        dense: Tensor = model.covar_module(first, second).to_dense()
        return dense

    kernel = covariance(inputs, inputs)
    return Structure(
        inputs=inputs,
        values=slice(None),
        data=model.train_targets,
        noise=model.likelihood.noise.detach().expand(len(inputs)),
        kernel=kernel,
        data_mean=model.mean_module(inputs),
        mean=model.mean_module,
        covariance=covariance,
        variance=lambda points: model.covar_module(points, diag=True),
        with_data=lambda points: covariance(points, inputs),
        offset=kernel.new_zeros(()) if transform is None else transform.means.reshape(()),
        scale=kernel.new_ones(()) if transform is None else transform.stdvs.reshape(()),
    )


def _with_gradients(model: Any) -> Structure:
    inputs = model.train_inputs[0]
    each = inputs.shape[-1] + 1

    def values_with_all(first: Tensor, second: Tensor) -> Tensor:
        dense: Tensor = model.covar_module(first, second).to_dense()
        return dense[..., ::each, :]

    return Structure(
        inputs=inputs,
        values=slice(None, None, each),
        data=model.train_targets.flatten(),
        noise=model.noise_variances(),
        kernel=model.covar_module(inputs, inputs).to_dense(),
        data_mean=model.mean_module(inputs).flatten(),
        mean=lambda points: model.mean_module(points)[..., 0],
        covariance=lambda first, second: values_with_all(first, second)[..., ::each],
        variance=lambda points: model.covar_module(points[..., None, :], diag=True)[..., 0],
        with_data=lambda points: values_with_all(points, inputs),
        offset=model.offset,
        scale=model.scale,
    )
