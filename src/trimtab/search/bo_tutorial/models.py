"""The Gaussian process that belongs to a space and to what was observed in it, fitted."""

from collections.abc import Callable
from typing import Any

import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.gp_regression_fidelity import SingleTaskMultiFidelityGP
from botorch.models.kernels.linear_truncated_fidelity import LinearTruncatedFidelityKernel
from botorch.models.model_list_gp_regression import ModelListGP
from botorch.models.multitask import MultiTaskGP
from botorch.models.transforms.outcome import StratifiedStandardize
from botorch.settings import validate_input_scaling
from botorch.utils.sampling import manual_seed
from gpytorch.kernels import Kernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bo_tutorial.gradient_gp import GradientObservationGP
from trimtab.search.bo_tutorial.observations import Observations
from trimtab.search.bo_tutorial.sources import AdditiveDiscrepancyKernel
from trimtab.search.bo_tutorial.space import Space

_LEAST_VARIANCE = 1e-6
"""Of standardised values: GPyTorch raises given variances to it anyway, with a warning."""

MakeKernel = Callable[[int], Kernel]


def fitted_model(
    space: Space, seen: Observations, *, sign: int, kernel: MakeKernel | None, seed: int, task: int = 0
) -> Any:
    """Returns the model of the objective, on the unit cube, of whose values large ones are good.

    Args:
        space: where the observations are.
        seen: at least two.
        sign: -1 where small values are good.
        kernel: of a number of coordinates, in the place of BoTorch's default, where the model is a ``SingleTaskGP``.
        seed: of what fitting draws where it has to begin again.
        task: the output of the model where there are tasks.
    """
    X, Y = space.to_unit(seen.X), sign * seen.Y
    with manual_seed(seed), _scaled_already():
        if seen.dY is not None:
            slopes = sign * seen.dY * (space.bounds[1] - space.bounds[0])
            return fitted(GradientObservationGP(X, Y, slopes))
        return fitted(_unfitted(space, X, Y, variances=_variances(seen, Y), kernel=kernel, task=task))


def fitted_constraints(space: Space, seen: Observations, seed: int) -> Any:
    """Returns the models of all constraints, which are taken to be independent, as a list."""
    assert seen.C is not None  # noqa: S101 - for the type checker
    X = space.to_unit(seen.X)
    with manual_seed(seed), _scaled_already():
        return ModelListGP(*[fitted(SingleTaskGP(X, column)) for column in seen.C.T[..., None]])


def fitted(model: Any) -> Any:
    """Returns a model with hyper-parameters of the largest posterior density."""
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model.eval()


def _scaled_already() -> Any:
    """BoTorch would warn of values that are all the same, which first observations and constraints may well be."""
    return validate_input_scaling(False)


def _unfitted(
    space: Space,
    X: Float[Tensor, "n c"],
    Y: Float[Tensor, "n 1"],
    *,
    variances: Float[Tensor, "n 1"] | None,
    kernel: MakeKernel | None,
    task: int,
) -> Any:
    if space.fidelity is not None:
        return _definite(SingleTaskMultiFidelityGP(X, Y, train_Yvar=variances, data_fidelities=[space.fidelity.dim]))
    if space.costs is not None:
        covariance = AdditiveDiscrepancyKernel(space.dimensions, space.labels)
        return SingleTaskGP(X, Y, train_Yvar=variances, covar_module=covariance)
    if space.tasks is not None:
        return MultiTaskGP(
            X,
            Y,
            task_feature=space.dimensions,
            train_Yvar=variances,
            output_tasks=[task],
            outcome_transform=StratifiedStandardize(space.dimensions, torch.unique(X[:, -1].long())),
        )
    made = None if kernel is None else kernel(space.dimensions)
    return SingleTaskGP(X, Y, train_Yvar=variances, covar_module=made)


def _definite(model: SingleTaskMultiFidelityGP) -> SingleTaskMultiFidelityGP:
    r"""Returns a model with a fidelity whose kernel is a kernel.

    BoTorch's has the factor :math:`(1 - s)(1 - s')(1 + s s')^p` of fidelities, and fits :math:`p`. Of a broken one the
    power series has negative coefficients, and matrices of covariances have negative eigenvalues: of 36 points one of
    -4e-4, beyond the noise, so that variances were negative and draws NaN. With :math:`p = 1`, the mean of its prior,
    there is none.
    """
    for part in model.covar_module.modules():
        if isinstance(part, LinearTruncatedFidelityKernel):
            part.power = torch.ones_like(part.power)
            part.raw_power.requires_grad_(False)
    return model


def _variances(seen: Observations, Y: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"] | None:
    if seen.Yvar is None:
        return None
    spread = Y.var() if len(Y) > 1 else Y.new_ones(())
    return seen.Yvar.clamp_min(float(2 * _LEAST_VARIANCE * torch.where(spread > 0, spread, 1.0)))
