"""The posterior of functions that is given by finitely many of them, and its sampler."""

from typing import Any

import torch
from botorch.exceptions.errors import UnsupportedError
from botorch.posteriors.ensemble import EnsemblePosterior
from botorch.sampling.get_sampler import GetSampler
from botorch.sampling.index_sampler import IndexSampler
from jaxtyping import Float, Int
from torch import Tensor


class DrawsPosterior(EnsemblePosterior):
    """An ensemble posterior whose samplers share their members among all batches, and which can have noise.

    A sample is a function: one member at all points of a batch. BoTorch's own sampler draws members anew for every
    batch, so that the value of a candidate depends on its place among others, and builds a table of samples by batches
    by members for it, of a gigabyte where acquisitions are begun.

    Args:
        values: of each member, ``batch x members x q x m``.
        noise_variance: of an observation, to be added to variances and samples; none for the functions themselves.
    """

    def __init__(
        self,
        values: Float[Tensor, "*batch members q m"],
        noise_variance: Float[Tensor, "*#batch #q m"] | None = None,
    ) -> None:
        super().__init__(values=values)
        self.noise_variance = noise_variance

    @property
    def variance(self) -> Float[Tensor, "*batch q m"]:
        """The variance among members, and of the noise if there is any."""
        variance: Tensor = super().variance
        return variance if self.noise_variance is None else variance + self.noise_variance

    def rsample(self, sample_shape: torch.Size | None = None) -> Float[Tensor, "*samples batch q m"]:
        """Draws members, and noise if there is any, from torch's global generator as all posteriors do."""
        if self.noise_variance is None:
            return super().rsample(sample_shape)
        functions = EnsemblePosterior(self.values).rsample(sample_shape)
        return functions + self.noise_variance.sqrt() * torch.randn_like(functions)

    def rsample_from_base_samples(
        self, sample_shape: torch.Size, base_samples: Int[Tensor, "*samples batch"]
    ) -> Float[Tensor, "*samples batch q m"]:
        """Returns the values of the members that ``base_samples`` numbers.

        Raises:
            UnsupportedError: there is noise, which numbers of members do not tell.
        """
        if self.noise_variance is not None:
            raise UnsupportedError("observation_noise: use rsample, or get_sampler; numbers of members have no noise")
        return super().rsample_from_base_samples(sample_shape, base_samples)


class DrawsSampler(IndexSampler):
    """Picks members by its seed, each as often as any other but for one, and the same for all batches.

    With ``n`` samples of ``n`` members an average over samples is that over members, without Monte-Carlo error.
    """

    base_samples: Any
    _members: int | None = None

    def forward(self, posterior: Any) -> Float[Tensor, "*samples batch q m"]:
        """Returns samples of the posterior."""
        chosen = self._chosen(posterior.ensemble_size).to(posterior.device)
        batch = posterior.batch_shape
        members = chosen.reshape(self.sample_shape + (1,) * len(batch)).expand(self.sample_shape + batch)
        functions = EnsemblePosterior(posterior.values).rsample_from_base_samples(self.sample_shape, members)
        if posterior.noise_variance is None:
            return functions
        shape = self.sample_shape + (1,) * len(batch) + functions.shape[-2:]
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(self.seed + 1), dtype=functions.dtype)
        observed: Tensor = functions + posterior.noise_variance.sqrt() * noise.to(functions)
        return observed

    def _construct_base_samples(self, posterior: Any) -> None:
        self._chosen(posterior.ensemble_size)

    def _chosen(self, members: int) -> Int[Tensor, "*samples"]:
        """Returns the numbers of the members, drawn once for as many members as there are."""
        if self.base_samples is None or self._members != members:
            generator = torch.Generator().manual_seed(self.seed)
            rounds = max(1, -(-self.sample_shape.numel() // members))
            shuffled = torch.cat([torch.randperm(members, generator=generator) for _ in range(rounds)])
            self.register_buffer("base_samples", shuffled[: self.sample_shape.numel()].reshape(self.sample_shape))
            self._members = members
        chosen: Tensor = self.base_samples
        return chosen


@GetSampler.register(DrawsPosterior)  # type: ignore[untyped-decorator]  # the dispatcher has no types
def _sampler(
    posterior: DrawsPosterior,  # noqa: ARG001 - the dispatcher goes by its type
    sample_shape: torch.Size,
    **options: Any,
) -> DrawsSampler:
    return DrawsSampler(sample_shape=sample_shape, **options)
