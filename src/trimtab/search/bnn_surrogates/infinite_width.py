"""Infinite width: a Gaussian process that is a Bayesian network with infinitely many units (Li et al., 2023).

arXiv:2305.20028; the kernels are those of Lee et al., 2018, arXiv:1711.00165, Cho and Saul, 2009, and Williams, 1997.
"""

import math
from typing import Any, Self

import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.kernels.infinite_width_bnn import InfiniteWidthBNNKernel
from botorch.models.transforms.input import InputTransform
from gpytorch.mlls import ExactMarginalLogLikelihood
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bnn_surrogates.data import check_positive, checked_inputs, global_seed, settled_seed
from trimtab.study.checks import check_flag, check_whole
from trimtab.study.errors import InputError


class ErfKernel(InfiniteWidthBNNKernel):
    r"""The kernel of an infinitely wide network whose activation is the error function.

    .. math::
        K^0 = \sigma_b^2 + \sigma_w^2 \frac{x \cdot x'}{d}, \qquad
        K^\ell = \sigma_b^2 + \frac{2 \sigma_w^2}{\pi}
            \arcsin \frac{2 K_{12}^{\ell-1}}{\sqrt{(1 + 2 K_{11}^{\ell-1})(1 + 2 K_{22}^{\ell-1})}}

    It has the parameters of BoTorch's kernel of rectified units, from which it differs in the step from layer to layer.
    """

    def k(self, x1: Float[Tensor, "*batch n d"], x2: Float[Tensor, "*batch r d"]) -> Float[Tensor, "*batch n r"]:
        """Returns the covariances between two sets of points."""
        between = self.weight_var * (x1 @ x2.mT) / x1.shape[-1] + self.bias_var
        first, second = self._initialize_var(x1), self._initialize_var(x2)
        for _ in range(self.depth):
            between = self._next(between, (1 + 2 * first).sqrt() * (1 + 2 * second).sqrt().mT)
            first, second = self._next(first, 1 + 2 * first), self._next(second, 1 + 2 * second)
        return between

    def forward(
        self, x1: Tensor, x2: Tensor, diag: bool | None = False, last_dim_is_batch: bool | None = False, **params: Any
    ) -> Tensor:
        """Returns the covariances, or those of each point with itself."""
        if not diag:
            return super().forward(x1, x2, diag=diag, last_dim_is_batch=last_dim_is_batch, **params)
        variance = self._initialize_var(x1)
        for _ in range(self.depth):
            variance = self._next(variance, 1 + 2 * variance)
        return variance.squeeze(-1)

    def _next(self, covariance: Tensor, scale: Tensor) -> Tensor:
        return self.weight_var * 2 / math.pi * torch.asin(2 * covariance / scale) + self.bias_var


LEAST_ANGLE = 1e-14
r"""By how much :math:`\cos\theta` is kept from one. BoTorch's 1e-7 makes variances too small by as much, so that the
matrix of 80 points on a line had an eigenvalue of -1.4e-4, beyond the least noise; with this one none is below zero."""

KERNELS = {"relu": InfiniteWidthBNNKernel, "erf": ErfKernel}


class InfiniteWidthBNN(SingleTaskGP):
    r"""An exact Gaussian process with the kernel that a Bayesian network has in the limit of infinite width.

    With ``"relu"``, and :math:`\cos\theta = K_{12} / \sqrt{K_{11} K_{22}}`,

    .. math::
        K^0 = \sigma_b^2 + \sigma_w^2 \frac{x \cdot x'}{d}, \qquad
        K^\ell = \sigma_b^2 + \frac{\sigma_w^2}{2\pi} \sqrt{K_{11}^{\ell-1} K_{22}^{\ell-1}}
            \bigl(\sin\theta + (\pi - \theta) \cos\theta\bigr),

    BoTorch's ``InfiniteWidthBNNKernel``; with ``"erf"`` it is :class:`ErfKernel`. ``covar_module`` is this kernel
    itself. Lengths and angles tell points apart, not distances: there is no lengthscale to learn in any dimension.
    Weights have the variance :math:`\sigma_w^2/\text{fan-in}`.

    Differences from the official code: the cosine is kept from one by 1e-14, where it has 1e-7, which makes matrices of
    close points indefinite.

    The variances of the network are those given, as in the paper's experiments; ``fit`` learns the constant mean and
    the noise, which has the prior of ``SingleTaskGP``. Several outputs are independent, each with its own.

    Args:
        train_X: points in the unit cube, ``n x d``, float64, ``n >= 2``.
        train_Y: outputs, ``n x m``.
        train_Yvar: known variances of the observations, ``n x m``, in place of a learned one.
        activation: ``"relu"`` or ``"erf"``.
        depth: hidden layers, :math:`\ge 1`. The default is the official code's, as are those of both variances.
        weight_var: :math:`\sigma_w^2 > 0`.
        bias_var: :math:`\sigma_b^2 > 0`; the code has 1.6 for many dimensions.
        learn_variances: whether ``fit`` learns both as well; they have no prior.
        input_transform: as in ``SingleTaskGP``.
        seed: of the starts that ``fit`` draws where the first one fails.
        **options: ``outcome_transform``, as in ``SingleTaskGP``.

    Raises:
        InputError: an argument is out of its range; the message names it. It is a ``ValueError``.
        UnsupportedError: ``train_X`` has batches.

    Warns:
        InputDataWarning: points are outside the unit cube, and there is no input transform.
    """

    def __init__(
        self,
        train_X: Float[Tensor, "n d"],
        train_Y: Float[Tensor, "n m"],
        train_Yvar: Float[Tensor, "n m"] | None = None,
        *,
        activation: str = "relu",
        depth: int = 3,
        weight_var: float = 10.0,
        bias_var: float = 1.3,
        learn_variances: bool = False,
        input_transform: InputTransform | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        if activation not in KERNELS:
            raise InputError(f"activation={activation!r}: one of {', '.join(KERNELS)} is needed")
        check_whole("depth", depth)
        check_positive(weight_var=weight_var, bias_var=bias_var)
        check_flag("learn_variances", learn_variances)
        settled = settled_seed(seed)
        checked_inputs(train_X, train_Y, input_transform)
        outputs = train_Y.shape[-1]
        batch = torch.Size([outputs] if outputs > 1 else [])
        kernel = KERNELS[activation](depth=depth, batch_shape=batch, acos_eps=LEAST_ANGLE)
        super().__init__(train_X, train_Y, train_Yvar, covar_module=kernel, input_transform=input_transform, **options)
        self.seed = settled
        # the kernel is float64 by now, in which the variances are what they were given as
        kernel.weight_var = torch.full_like(kernel.raw_weight_var, weight_var)
        kernel.bias_var = torch.full_like(kernel.raw_bias_var, bias_var)
        kernel.raw_weight_var.requires_grad_(learn_variances)
        kernel.raw_bias_var.requires_grad_(learn_variances)
        # how SingleTaskGP takes a subset of the outputs
        self._subset_batch_dict = {
            "mean_module.raw_constant": -1,
            "covar_module.raw_weight_var": -3,
            "covar_module.raw_bias_var": -3,
        } | ({"likelihood.noise_covar.raw_noise": -2} if train_Yvar is None else {})

    def fit(self) -> Self:
        """Maximises the marginal likelihood, from the seed and without touching global states.

        Returns:
            The model.
        """
        with global_seed(self.seed, self.train_targets.device):
            fit_gpytorch_mll(ExactMarginalLogLikelihood(self.likelihood, self))
        return self
