"""Deep kernels: a Gaussian process on what a network makes of its inputs (Li et al., 2023, arXiv:2305.20028).

The idea is that of Wilson, Hu, Salakhutdinov, Xing, 2016, arXiv:1511.02222.
"""

from typing import Any, Self

import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms.input import InputTransform
from botorch.models.utils.gpytorch_modules import (
    get_gaussian_likelihood_with_gamma_prior,
    get_matern_kernel_with_gamma_prior,
)
from botorch.optim.fit import fit_gpytorch_mll_torch
from gpytorch.distributions import MultivariateNormal
from gpytorch.mlls import ExactMarginalLogLikelihood
from jaxtyping import Float
from torch import Tensor, nn

from trimtab.search.bnn_surrogates.data import check_positive, checked_inputs, global_seed, settled_seed
from trimtab.search.bnn_surrogates.network import Network, check_network
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError

MODULES = {"tanh": nn.Tanh, "relu": nn.ReLU}
RATE = 1e-3


class DeepKernelGP(SingleTaskGP):
    r"""An exact Gaussian process of one output on the features of a network, which are learned with it.

    .. math::
        k(x, x') = s\, k_{\text{Matérn-5/2}}(\phi_w(x), \phi_w(x')), \qquad
        w, \theta = \operatorname{argmax} \log p(y \mid X, w, \theta) + \log p(\theta)

    with a length for each feature. :math:`\phi` is the network without its last layer. ``fit`` first trains the whole
    network by squared error, then drops its last layer, and trains the rest and the process together, both with Adam.
    The priors are those of BoTorch before 0.12, as in the paper: Gamma(3, 6) for the lengths, Gamma(2, 0.15) for
    :math:`s`, Gamma(1.1, 0.05) for the noise, which is at least 1e-4. ``covar_module`` acts on features.

    Warning:
        Thousands of weights are fitted to few points without a prior: features of points that were not seen can be
        those of points that were, with as little uncertainty.

    Args:
        train_X: points in the unit cube, ``n x d``, float64, ``n >= 2``.
        train_Y: outputs, ``n x 1``. The paper has a network for each output: see
            :func:`~trimtab.search.bnn_surrogates.make.make_surrogate`.
        train_Yvar: known variances of the observations, ``n x 1``, in place of a learned one.
        hidden: widths of the hidden layers, of which the last is the number of features; with ``()`` the inputs are the
            features.
        activation: ``"tanh"`` or ``"relu"``.
        extractor: a module of one's own from ``... x n x d`` to ``... x n x features``, in place of ``hidden`` and
            ``activation``; it is trained in place.
        pretrain_steps: of Adam on the squared error. The default is the official code's, as are the next two.
        steps: of Adam on the marginal likelihood.
        lr: of both, :math:`> 0`; the code has 1e-4 for many dimensions.
        covar_module: a kernel on features; by default the one above.
        likelihood: by default the one above.
        input_transform: as in ``SingleTaskGP``.
        seed: of the weights that training begins with.
        **options: ``outcome_transform`` and ``mean_module``, as in ``SingleTaskGP``.

    Raises:
        InputError: an argument is out of its range; the message names it. It is a ``ValueError``.
        UnsupportedError: ``train_X`` has batches.

    Warns:
        InputDataWarning: points are outside the unit cube, and there is no input transform.
    """

    def __init__(
        self,
        train_X: Float[Tensor, "n d"],
        train_Y: Float[Tensor, "n 1"],
        train_Yvar: Float[Tensor, "n 1"] | None = None,
        *,
        hidden: tuple[int, ...] = (128,) * 3,
        activation: str = "tanh",
        extractor: nn.Module | None = None,
        pretrain_steps: int = 1000,
        steps: int = 5000,
        lr: float = RATE,
        covar_module: nn.Module | None = None,
        likelihood: nn.Module | None = None,
        input_transform: InputTransform | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        check_network(hidden, activation)
        check_whole("pretrain_steps", pretrain_steps, least=0)
        check_whole("steps", steps, least=0)
        check_positive(lr=lr)
        settled = settled_seed(seed)
        inputs = checked_inputs(train_X, train_Y, input_transform)
        if train_Y.shape[-1] != 1:
            raise InputError(
                f'train_Y has {train_Y.shape[-1]} outputs: one is possible; use make_surrogate("deep_kernel")'
            )
        if extractor is None:
            extractor = feature_network(inputs.shape[-1], hidden, activation, torch.Generator().manual_seed(settled))
        extractor = extractor.to(inputs)
        with torch.no_grad():
            features = extractor(inputs)
        if features.ndim != 2 or len(features) != len(inputs):
            shape = tuple(features.shape)
            raise InputError(
                f"extractor={extractor!r} makes {shape} of {tuple(inputs.shape)}: points times features are needed"
            )
        if likelihood is None and train_Yvar is None:
            likelihood = get_gaussian_likelihood_with_gamma_prior()
        super().__init__(
            train_X,
            train_Y,
            train_Yvar,
            likelihood=likelihood,
            covar_module=covar_module or get_matern_kernel_with_gamma_prior(features.shape[-1]),
            input_transform=input_transform,
            **options,
        )
        self.extractor = extractor
        self.pretrain_steps, self.steps, self.lr = pretrain_steps, steps, lr
        self.seed = settled

    def forward(self, x: Float[Tensor, "*batch n d"]) -> MultivariateNormal:
        """Returns the prior at points."""
        features = self.extractor(self.transform_inputs(x) if self.training else x)
        return MultivariateNormal(self.mean_module(features), self.covar_module(features))

    def fit(self) -> Self:
        """Trains the network, and then the network and the process.

        Returns:
            The model.
        """
        self.train()
        if any(weight.requires_grad for weight in self.extractor.parameters()):
            self._pretrain()
        if self.steps:
            mll = ExactMarginalLogLikelihood(self.likelihood, self)
            with global_seed(self.seed, self.train_targets.device):
                fit_gpytorch_mll_torch(mll, step_limit=self.steps, stopping_criterion=None, optimizer=self._adam)
        return self.eval()

    def _pretrain(self) -> None:
        """Trains the network with a last layer, which is then forgotten, by squared error."""
        with torch.no_grad():
            X = self.transform_inputs(self.train_inputs[0])
            features = self.extractor(X).shape[-1]
        head = linear(features, 1, torch.Generator().manual_seed(self.seed)).to(X)
        weights = [weight for weight in self.extractor.parameters() if weight.requires_grad]
        optimizer = self._adam([*weights, *head.parameters()])
        for _ in range(self.pretrain_steps):
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.mse_loss(head(self.extractor(X)).squeeze(-1), self.train_targets))
            optimizer.step()
        optimizer.zero_grad()

    def _adam(self, weights: list[Tensor]) -> torch.optim.Adam:
        return torch.optim.Adam(weights, lr=self.lr)


def feature_network(
    n_inputs: int, hidden: tuple[int, ...], activation: str, generator: torch.Generator
) -> nn.Sequential:
    """Returns the hidden layers of a network, with weights to begin training with."""
    widths = (n_inputs, *hidden)
    layers: list[nn.Module] = []
    for inputs, outputs in zip(widths, hidden, strict=False):
        layers += [linear(inputs, outputs, generator), MODULES[activation]()]
    return nn.Sequential(*layers)


def linear(n_inputs: int, n_outputs: int, generator: torch.Generator) -> nn.Linear:
    """Returns a layer whose weights come from a generator, distributed as torch's own."""
    layer = nn.Linear(n_inputs, n_outputs, device="meta").to_empty(device="cpu").double()
    weights = Network(n_inputs, (), n_outputs, "tanh")
    (drawn,) = weights.layers(weights.initial(1, generator))
    layer.weight.data.copy_(drawn.weight[0].mT)
    layer.bias.data.copy_(drawn.bias[0, 0])
    return layer
