"""A prior-data fitted network as a model of BoTorch: all outputs in one pass, and nothing is fitted."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from botorch.exceptions.errors import UnsupportedError
from botorch.models.model import Model
from botorch.posteriors.posterior import Posterior
from jaxtyping import Float
from torch import Tensor

from trimtab.search.pfn.bar_distribution import BarDistribution
from trimtab.search.pfn.network import PFN
from trimtab.study.errors import InputError


class BarPosterior(Posterior):
    """The distribution of each output at each of several points, one by one.

    Args:
        distribution: over which buckets.
        logits: of the buckets, (..., 1, m, B).
    """

    def __init__(self, distribution: BarDistribution, logits: Float[Tensor, "*batch 1 m buckets"]) -> None:
        self.distribution = distribution
        self.logits = logits

    @property
    def device(self) -> torch.device:
        """Where the logits are."""
        return self.logits.device

    @property
    def dtype(self) -> torch.dtype:
        """The logits' type."""
        return self.logits.dtype

    @property
    def mean(self) -> Float[Tensor, "*batch 1 m"]:
        """The mean of each output at each point."""
        return self.distribution.mean(self.logits)

    @property
    def variance(self) -> Float[Tensor, "*batch 1 m"]:
        """The variance of each output at each point."""
        return self.distribution.variance(self.logits)

    def quantile(self, value: Tensor) -> Float[Tensor, "k *batch 1 m"]:
        """Returns the quantiles of k probabilities."""
        return self.distribution.icdf(self.logits, self._before(value))

    def density(self, value: Tensor) -> Float[Tensor, "k *batch 1 m"]:
        """Returns the densities at k values."""
        return self.distribution.log_prob(self.logits, self._before(value)).exp()

    def rsample(
        self, sample_shape: torch.Size | None = None, *, generator: torch.Generator | None = None
    ) -> Float[Tensor, "*sample_shape batch 1 m"]:
        """Draws values of each output at each point, one independent of another.

        Raises:
            InputError: there is no generator: the global one is not drawn from.
        """
        if generator is None:
            raise InputError("generator=None: a torch.Generator is needed; the global one is not drawn from")
        shape = (*(sample_shape or ()), *self.logits.shape)
        return self.distribution.sample(self.logits.expand(shape), generator)

    def _before(self, value: Tensor) -> Tensor:
        return value.reshape(-1, *[1] * (self.logits.dim() - 1))


class PFNSurrogate(Model):
    """Predicts outputs by a prior-data fitted network that sees the observations as they are.

    The network was trained on functions of about mean 0 and variance 1: transform outputs first, for example by
    :class:`~trimtab.search.pfn.transforms.OutputTransform`. Observations of all outputs are encoded once, as one batch,
    and each call of :meth:`posterior` is one pass of the queries over all of them.

    What is predicted is what would be observed, with the noise of the prior, and each point for itself: the network has
    no joint distribution over points, so acquisition functions for several points at once are refused.

    Args:
        train_X: inputs in the unit cube, (n, d), n >= 1.
        train_Y: outputs, (n, m).
        pfn: the network; the smallest that ships and takes so many inputs by default.

    Raises:
        InputError: there are no observations or too many inputs for the network, inputs are outside the unit cube,
            shapes do not fit, or something is not finite.

    Warns:
        UserWarning: there are more observations than the network was trained on.
    """

    def __init__(
        self,
        train_X: Float[Tensor, "n d"],  # BoTorch's names
        train_Y: Float[Tensor, "n m"],
        pfn: PFN | None = None,
    ) -> None:
        super().__init__()
        if train_X.dim() != 2 or train_Y.dim() != 2 or len(train_X) != len(train_Y) or train_Y.shape[1] == 0:
            shapes = f"{tuple(train_X.shape)} and {tuple(train_Y.shape)}"
            raise InputError(f"train_X and train_Y of shapes {shapes}: (n, d) and (n, m) are needed")
        self.pfn = PFN.load(inputs=train_X.shape[1]) if pfn is None else pfn
        if len(train_X) > (most := self.pfn.sizes.most_context):
            warnings.warn(
                f"{len(train_X)} observations: the network was trained on at most {most}, and predicts worse with more",
                stacklevel=2,
            )
        self.train_inputs = (train_X,)
        self.train_targets = train_Y
        m = train_Y.shape[1]
        self._distribution = self.pfn.distribution()
        self._context = self.pfn.encode(train_X.expand(m, -1, -1), train_Y.mT)

    @property
    def num_outputs(self) -> int:
        """How many outputs there are."""
        return int(self.train_targets.shape[1])

    @property
    def batch_shape(self) -> torch.Size:
        """Of one data set."""
        return torch.Size()

    def posterior(
        self,
        X: Float[Tensor, "*batch 1 d"],
        output_indices: Sequence[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any = None,
    ) -> BarPosterior:
        """Returns the distributions of outputs at points of the unit cube.

        Args:
            X: the points, one by one.
            output_indices: of which outputs; all by default.
            observation_noise: whether the noise is asked for, which what is predicted has in any case.
            posterior_transform: none.

        Raises:
            UnsupportedError: several points are asked for at once, the noise's variance is given, or a transform is.
            InputError: points are outside the unit cube, or have another number of inputs than the observations.
        """
        if isinstance(observation_noise, Tensor):
            raise UnsupportedError("observation_noise: its variance is the prior's and cannot be given")
        if posterior_transform is not None:
            raise UnsupportedError("posterior_transform: a bar distribution cannot be transformed")
        if X.dim() < 2 or X.shape[-2] != 1:
            raise UnsupportedError(f"X of shape {tuple(X.shape)}: only single points, (..., 1, d), have a distribution")
        if X.shape[-1] != self.train_inputs[0].shape[1]:
            raise InputError(f"X of shape {tuple(X.shape)}: {self.train_inputs[0].shape[1]} inputs were observed")
        self.pfn.check(X, "X")
        outputs = range(self.num_outputs) if output_indices is None else output_indices
        context = self._context
        if output_indices is not None:
            chosen = list(output_indices)
            context = [(keys[chosen], values[chosen]) for keys, values in context]
        points = X.reshape(-1, X.shape[-1])
        logits = self.pfn.query(context, points.expand(len(outputs), -1, -1)).double()
        return BarPosterior(self._distribution, logits.transpose(0, 1).reshape(*X.shape[:-1], len(outputs), -1))
