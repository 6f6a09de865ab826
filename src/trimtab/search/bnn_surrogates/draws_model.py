"""Surrogates whose posterior is a number of networks: HMC, SGHMC and ensembles."""

from abc import abstractmethod
from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.exceptions.errors import UnsupportedError
from botorch.models.ensemble import EnsembleModel
from botorch.posteriors.ensemble import EnsemblePosterior
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bnn_surrogates.draws_posterior import DrawsPosterior
from trimtab.search.bnn_surrogates.network_model import NetworkModel
from trimtab.search.bnn_surrogates.weight_posterior import WeightPosterior


class DrawsModel(NetworkModel, EnsembleModel):
    """A model that keeps draws of a network's weights.

    Args:
        train_X: points, ``n x d``.
        train_Y: outputs, ``n x m``.
        draws: how many are kept.
        **options: of :class:`~trimtab.search.bnn_surrogates.network_model.NetworkModel`.
    """

    weight_draws: Tensor

    def __init__(
        self, train_X: Float[Tensor, "n d"], train_Y: Float[Tensor, "n m"], draws: int, **options: Any
    ) -> None:
        super().__init__(train_X, train_Y, **options)
        self.register_buffer("weight_draws", self.inputs.new_zeros(draws, self.network.n_weights))

    @abstractmethod
    def draw(self, posterior: WeightPosterior, generator: torch.Generator) -> Float[Tensor, "draws weights"]:
        """Returns weights that stand for their posterior."""

    def forward(self, X: Float[Tensor, "*batch q d"]) -> Float[Tensor, "*batch draws q m"]:
        """Returns the outputs of all networks, in units of the outcome transform."""
        return self.evaluate(self.weight_draws, self.scaled(X))

    def posterior(  # type: ignore[override] # the order of the arguments is that of all other models
        self,
        X: Float[Tensor, "*batch q d"],
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> EnsemblePosterior:
        """Returns the posterior of the latent functions, or of observations.

        Args:
            X: points; those of one batch are seen by the same networks.
            output_indices: which outputs are wanted; all without.
            observation_noise: whether noise is added; a tensor is its variance, in units of the outcome transform.
            posterior_transform: what is to be made of the posterior.

        Raises:
            RuntimeError: the model is not fitted.
            UnsupportedError: there is noise, and the outcome transform is not linear.
        """
        self.check_fitted()
        self.eval()
        X = self.transform_inputs(X)
        values = self.forward(X)
        noise = self._noise(observation_noise, values[..., 0, :, :])
        transform: Any = getattr(self, "outcome_transform", None)
        if noise is not None and transform is not None and not transform._is_linear:
            raise UnsupportedError(
                "observation_noise: the outcome transform is not linear, so noise depends on the draw"
            )
        if transform is not None:
            values, noise = transform.untransform(values, noise, X=X)
        if output_indices is not None:
            values = values[..., output_indices]
            noise = None if noise is None else noise[..., output_indices]
        posterior = DrawsPosterior(values, noise)
        if posterior_transform is None:
            return posterior
        return posterior_transform(posterior=posterior, X=X)  # type: ignore[no-any-return]  # BoTorch types no transform's call

    def _weights(self, X: Tensor, Y: Tensor, prior_var: float, noise_var: float) -> Float[Tensor, "draws weights"]:
        return self.draw(WeightPosterior(self.network, X, Y, prior_var, noise_var), self.generator())

    def _settle(self, X: Tensor, Y: Tensor, prior_var: float, noise_var: float) -> None:
        self.weight_draws.copy_(self._weights(X, Y, prior_var, noise_var))
        self.prior_var.fill_(prior_var)
        self.noise_var.fill_(noise_var)

    def _predict(
        self, X: Tensor, Y: Tensor, held_out: Tensor, prior_var: float, noise_var: float
    ) -> tuple[Tensor, Tensor]:
        values = EnsemblePosterior(self.evaluate(self._weights(X, Y, prior_var, noise_var), held_out))
        return values.mean, values.variance
