"""A kernel for several sources of information about one objective (Poloczek, Wang & Frazier, 2017; Frazier, 2018)."""

from typing import Any

import torch
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from gpytorch.kernels import Kernel, ScaleKernel
from gpytorch.priors import LogNormalPrior
from jaxtyping import Float
from torch import Tensor


class AdditiveDiscrepancyKernel(Kernel):  # type: ignore[misc]  # gpytorch has no types
    r"""The objective, and independent discrepancies of other sources from it.

    .. math::
        k\big((x, s), (x', s')\big) = k_0(x, x') + \mathbb{1}[s = s' \ne 0]\, k_s(x, x')

    Source 0 is the objective itself. The last column of a point is the number of its source.

    Args:
        dimensions: coordinates of a point beside its source.
        sources: how many there are, with the objective.

    Differences from the source: the kernels are BoTorch's default, Gaussian with one length a coordinate; those of
    discrepancies have a scale, with a log-normal prior (-1.5, 1) of ours: their variance is in the median a fifth of
    the objective's.

    Source:
        Poloczek, Wang & Frazier, "Multi-Information Source Optimization", 2017, arXiv:1603.00389.
    """

    def __init__(self, dimensions: int, sources: int) -> None:
        super().__init__()
        self.objective = get_covar_module_with_dim_scaled_prior(ard_num_dims=dimensions)
        self.discrepancies = torch.nn.ModuleList(
            ScaleKernel(
                get_covar_module_with_dim_scaled_prior(ard_num_dims=dimensions),
                outputscale_prior=LogNormalPrior(-1.5, 1.0),
            )
            for _ in range(1, sources)
        )

    def forward(
        self, x1: Float[Tensor, "*batch n c"], x2: Float[Tensor, "*batch m c"], diag: bool = False, **params: Any
    ) -> Any:
        """Returns the covariances of points, or those of each with itself."""
        first, second, of_first, of_second = x1[..., :-1], x2[..., :-1], x1[..., -1], x2[..., -1]
        total = _dense(self.objective(first, second, diag=diag, **params))
        for source, discrepancy in enumerate(self.discrepancies, start=1):
            both = of_first == source, of_second == source
            shared = both[0] & both[1] if diag else both[0][..., :, None] & both[1][..., None, :]
            if bool(shared.any()):
                total = total + shared * _dense(discrepancy(first, second, diag=diag, **params))
        return total


def _dense(covariance: Any) -> Tensor:
    dense: Tensor = covariance if isinstance(covariance, Tensor) else covariance.to_dense()
    return dense
