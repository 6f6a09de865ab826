"""The posterior of a network's weights under a Gaussian prior and Gaussian noise, and where it is largest."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from trimtab.search.bnn_surrogates.network import Network


class WeightPosterior:
    r"""The log density of weights given data, without its constant.

    .. math::
        \log p(w \mid D) = -\frac{1}{2 s_n^2} \sum_i \lVert y_i - f_w(x_i) \rVert^2 - \frac{\lVert w \rVert^2}{2 s_p^2}

    Args:
        network: :math:`f`.
        X: points, the same for all networks or each network's own.
        Y: what was observed there.
        prior_var: :math:`s_p^2 > 0` of every weight and every bias.
        noise_var: :math:`s_n^2 > 0` of every output.
    """

    def __init__(
        self,
        network: Network,
        X: Float[Tensor, "*draws points inputs"],
        Y: Float[Tensor, "*draws points outputs"],
        prior_var: float,
        noise_var: float,
    ) -> None:
        self.network = network
        self.X, self.Y = X, Y
        self.prior_var, self.noise_var = prior_var, noise_var

    def evaluate(
        self, weights: Float[Tensor, "draws weights"]
    ) -> tuple[Float[Tensor, "draws"], Float[Tensor, "draws weights"]]:
        """Returns the log densities and their gradients."""
        residuals, gradient = self._residuals_and_gradient(weights)
        misfit = residuals.square().sum((-2, -1)) / self.noise_var
        return -(misfit + torch.linalg.vector_norm(weights, dim=1).square() / self.prior_var) / 2, gradient

    def gradient(self, weights: Float[Tensor, "draws weights"]) -> Float[Tensor, "draws weights"]:
        """Returns the gradients of the log densities."""
        return self._residuals_and_gradient(weights)[1]

    def estimated_gradient(
        self, weights: Float[Tensor, "draws weights"], rows: Int[Tensor, "batch"]
    ) -> Float[Tensor, "draws weights"]:
        """Returns unbiased estimates of the gradients, from some of the data."""
        made = self.network.record(weights, self.X[..., rows, :])
        share = len(rows) / self.Y.shape[-2]
        cotangents = (self.Y[..., rows, :] - made.outputs) / (self.noise_var * share)
        return self._with_prior(self.network.gradient(made, cotangents), weights)

    def _residuals_and_gradient(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        made = self.network.record(weights, self.X)
        residuals = self.Y - made.outputs
        return residuals, self._with_prior(self.network.gradient(made, residuals / self.noise_var), weights)

    def _with_prior(self, gradient: Tensor, weights: Tensor) -> Tensor:
        return torch.add(gradient, weights, alpha=-1 / self.prior_var)


def maximised(
    posterior: WeightPosterior,
    weights: Float[Tensor, "draws weights"],
    *,
    steps: int,
    lr: float,
    cosine: bool = False,
) -> Float[Tensor, "draws weights"]:
    """Returns weights after steps of Adam towards the maximum of the log density, of each network on its own.

    Args:
        posterior: whose maximum is wanted.
        weights: where to begin; left as they are.
        steps: of Adam, each with all data.
        lr: of the first step.
        cosine: whether the rate falls to zero along half a cosine.
    """
    weights = weights.clone()
    optimizer = torch.optim.Adam([weights], lr=lr, maximize=True, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for _ in range(steps):
        weights.grad = posterior.gradient(weights)
        optimizer.step()
        if cosine:
            schedule.step()
    weights.grad = None
    return weights
