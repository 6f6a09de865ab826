"""What a network is trained on: functions drawn from a Gaussian process whose settings are drawn as well."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.study.checks import check_number, check_whole
from trimtab.study.errors import InputError


class Prior(Protocol):
    """A distribution of functions on the unit cube, of which observations can be drawn."""

    @property
    def d_max(self) -> int:
        """The largest number of inputs."""

    def sample(
        self, functions: int, points: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, "functions points d"], Float[Tensor, "functions points"]]:
        """Draws functions, and of each so many points and observations; all have the same number of inputs d."""


@dataclass(frozen=True)
class GaussianProcessPrior:
    r"""Functions of a Gaussian process with a Matérn-5/2 kernel, one length scale an input, and little noise.

    .. math::
        y \sim \mathcal N(0, K + \sigma^2 I), \qquad
        k(x, x') = \Bigl(1 + \sqrt 5\, r + \tfrac53 r^2\Bigr) e^{-\sqrt 5\, r}, \quad
        r^2 = \sum_i \frac{(x_i - x_i')^2}{\ell_i^2}

    Length scales are log-normal. A function may depend on some of its inputs only; how many inputs there are is drawn
    for all functions together, from ``d_min`` to ``d_max``, each as often as it has inputs. Points are uniform in the
    unit cube.

    Differs from the paper's prior: that has a Matérn-3/2 kernel, length scales and output scales from Gamma
    distributions, and its noise is log-normal.

    Args:
        d_max: the largest number of inputs.
        d_min: the smallest number of inputs.
        median: of length scales of one and two inputs; they grow with :math:`\sqrt{d/2}`, as distances do.
        spread: standard deviation of the length scales' logarithm.
        least: to which length scales are clipped before they grow.
        most: as ``least``.
        noise: variance of what is added to each observation.
        unused: probability that a function does not depend on an input. Where that would leave none, it depends on all.

    Raises:
        InputError: a setting is outside its range; the message names it.
    """

    d_max: int = 2
    d_min: int = 1
    median: float = 0.4
    spread: float = 0.5
    least: float = 0.08
    most: float = 3.0
    noise: float = 1e-4
    unused: float = 0.3

    def __post_init__(self) -> None:
        check_whole("d_max", self.d_max)
        check_whole("d_min", self.d_min, most=self.d_max)
        for name in ("median", "spread", "least", "most", "noise", "unused"):
            check_number(name, getattr(self, name))
        for name in ("median", "least", "noise"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}={getattr(self, name)}: a positive number is needed")
        if self.spread < 0 or not self.least < self.most:
            raise InputError(f"spread={self.spread}, least={self.least}, most={self.most}: spread >= 0, least < most")
        if not 0 <= self.unused < 1:
            raise InputError(f"unused={self.unused}: a probability in [0, 1) is needed")

    def sample(
        self, functions: int, points: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, "functions points d"], Float[Tensor, "functions points"]]:
        """Draws functions, and of each so many points and observations, in double precision."""
        choices = torch.arange(self.d_min, self.d_max + 1)
        d = int(choices[torch.multinomial(choices.double(), 1, generator=generator)])
        x = torch.rand(functions, points, d, generator=generator, dtype=torch.float64)
        y, _ = self.observations(x, generator)
        return x, y

    def observations(
        self, x: Float[Tensor, "functions points d"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "functions points"], Float[Tensor, "functions d"]]:
        """Draws observations of one function a row at given points; returns the functions' length scales as well."""
        functions, points, d = x.shape
        scales = self.length_scales(functions, d, generator)
        factor = torch.linalg.cholesky(self.covariance(x, scales))
        normal = torch.randn(functions, points, 1, generator=generator, dtype=torch.float64)
        return (factor @ normal).squeeze(-1), scales

    def covariance(
        self, x: Float[Tensor, "functions points d"], scales: Float[Tensor, "functions d"]
    ) -> Float[Tensor, "functions points points"]:
        """Returns the covariance of observations of functions of given length scales."""
        scaled = x / scales.unsqueeze(1)
        squares = (scaled**2).sum(-1)
        squared = squares.unsqueeze(-1) + squares.unsqueeze(-2) - 2 * scaled @ scaled.mT
        distance = (5 * squared.clamp(min=0)).sqrt()
        covariance = (1 + distance + distance**2 / 3) * torch.exp(-distance)
        covariance.diagonal(dim1=-2, dim2=-1).add_(self.noise)
        return covariance

    def length_scales(self, functions: int, d: int, generator: torch.Generator) -> Float[Tensor, "functions d"]:
        """Draws a length scale of each input of each function; infinity of an input that is not used."""
        normal = torch.randn(functions, d, generator=generator, dtype=torch.float64)
        scales = (self.median * torch.exp(self.spread * normal)).clamp(self.least, self.most) * math.sqrt(max(d, 2) / 2)
        used = torch.rand(functions, d, generator=generator) >= self.unused
        used |= ~used.any(-1, keepdim=True)
        return torch.where(used, scales, math.inf)
