"""What surrogates that hold weights of networks have in common: data, network, variances, and when they are fitted."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from botorch.models.model import Model
from botorch.models.transforms.input import InputTransform
from botorch.models.transforms.outcome import OutcomeTransform
from botorch.utils.types import DEFAULT
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bnn_surrogates.data import check_positive, checked_inputs, settled_seed, standardised
from trimtab.search.bnn_surrogates.network import Network, check_network
from trimtab.search.bnn_surrogates.tuning import tuned_variances
from trimtab.study.errors import InputError

_CHUNK = 2**22
"""Numbers in the widest layer of what is evaluated at once, 32 MB: less memory, and no slower."""


class NetworkModel(Model):
    """A BoTorch model with a network, unit-variance outputs and two variances.

    What was fitted is in its ``state_dict``, the data included; ``load_state_dict`` of a model that was made with data
    of the same shape restores it bit for bit.

    Args:
        train_X: points, ``n x d``, float64.
        train_Y: outputs, ``n x m``.
        hidden: widths of the hidden layers.
        activation: of these.
        prior_var: of every weight.
        noise_var: of every output, in units of the outcome transform.
        tune: how the variances are chosen, one of ``ways``.
        outcome_transform: as in ``SingleTaskGP``.
        input_transform: as in ``SingleTaskGP``.
        seed: of everything that is drawn.
    """

    ways: ClassVar[tuple[str | None, ...]] = ("grid", None)
    standardises_inputs: ClassVar[bool] = False

    fitted: Tensor
    inputs: Tensor
    targets: Tensor
    prior_var: Tensor
    noise_var: Tensor
    input_shift: Tensor
    input_scale: Tensor

    def __init__(
        self,
        train_X: Float[Tensor, "n d"],
        train_Y: Float[Tensor, "n m"],
        *,
        hidden: Sequence[int],
        activation: str,
        prior_var: float,
        noise_var: float,
        tune: str | None,
        outcome_transform: OutcomeTransform | object | None = DEFAULT,
        input_transform: InputTransform | None = None,
        seed: int | None = None,
    ) -> None:
        check_network(hidden, activation)
        check_positive(prior_var=prior_var, noise_var=noise_var)
        if tune not in self.ways:
            raise InputError(f"tune={tune!r}: one of {', '.join(map(repr, self.ways))} is needed")
        self_seed = settled_seed(seed)
        inputs = checked_inputs(train_X, train_Y, input_transform)
        transform, targets = standardised(outcome_transform, train_Y, inputs)
        super().__init__()
        self.seed = self_seed
        self.tune = tune
        self.asked = (float(prior_var), float(noise_var))
        self._num_outputs = targets.shape[1]
        self.network = Network(inputs.shape[1], tuple(hidden), targets.shape[1], activation)
        if transform is not None:
            self.outcome_transform = transform
        if input_transform is not None:
            self.input_transform = input_transform
        scale = inputs.std(0) if self.standardises_inputs else torch.ones_like(inputs[0])
        for name, value in {
            "inputs": inputs.detach().clone(),
            "targets": targets.detach().clone(),
            "input_shift": inputs.mean(0) if self.standardises_inputs else torch.zeros_like(inputs[0]),
            "input_scale": scale.where(scale > 0, torch.ones_like(scale)),
            "prior_var": inputs.new_tensor(prior_var),
            "noise_var": inputs.new_tensor(noise_var),
            "fitted": torch.tensor(False, device=inputs.device),
        }.items():
            self.register_buffer(name, value)

    @property
    def num_outputs(self) -> int:
        """How many outputs there are."""
        return self._num_outputs

    @property
    def batch_shape(self) -> torch.Size:
        """Empty: there is one data set."""
        return torch.Size()

    @torch.no_grad()
    def fit(self) -> Self:
        """Fits the model to its data, from its seed: the same every time it is called.

        Returns:
            The model.

        Raises:
            RuntimeError: a Markov chain hardly moves, or no variances of the grid can be scored.
        """
        X, Y = self.scaled(self.inputs), self.targets
        variances = tuned_variances(self._predict, X, Y) if self.tune == "grid" else self.asked
        self._settle(X, Y, *variances)
        self.fitted.fill_(True)
        return self.eval()

    def scaled(self, X: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Returns points as the network is given them."""
        return (X - self.input_shift) / self.input_scale

    def generator(self) -> torch.Generator:
        """Returns a generator that begins at the model's seed; it is on the CPU, so that all devices draw the same."""
        return torch.Generator().manual_seed(self.seed)

    def check_fitted(self) -> None:
        """Raises RuntimeError unless the model was fitted or has loaded what was."""
        if not self.fitted:
            raise RuntimeError(f"{type(self).__name__} is not fitted: call fit() first")

    def evaluate(
        self, weights: Float[Tensor, "draws weights"], X: Float[Tensor, "*batch q d"]
    ) -> Float[Tensor, "*batch draws q m"]:
        """Returns the outputs of networks with these weights."""
        points = X.reshape(-1, X.shape[-1])
        each = max(1, _CHUNK // max(1, len(points) * self.network.widest))
        parts = [self.network(weights[start : start + each], points) for start in range(0, len(weights), each)]
        return torch.cat(parts).reshape(-1, *X.shape[:-1], self.num_outputs).movedim(0, -3)

    @abstractmethod
    def _settle(self, X: Tensor, Y: Tensor, prior_var: float, noise_var: float) -> None:
        """Fits to all data with these variances, and keeps what was found."""

    @abstractmethod
    def _predict(
        self, X: Tensor, Y: Tensor, held_out: Tensor, prior_var: float, noise_var: float
    ) -> tuple[Tensor, Tensor]:
        """Fits to some data, keeps nothing, and returns the mean and the variance at other points."""

    def _noise(self, observation_noise: bool | Tensor, values: Float[Tensor, "*batch q m"]) -> Tensor | None:
        """Returns the variance of observations, in units of the outcome transform."""
        if isinstance(observation_noise, Tensor):
            return observation_noise.to(values)
        return self.noise_var.expand(values.shape[-2:]) if observation_noise else None

    # BoTorch transforms a GP's training inputs anew when the mode changes; here they are what the network was fitted to
    def _set_transformed_inputs(self) -> None:
        return None

    def _revert_to_original_inputs(self) -> None:
        return None
