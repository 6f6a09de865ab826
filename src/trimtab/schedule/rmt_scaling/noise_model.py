"""The two laws of noisy curvature, fitted to what was measured of a batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import torch

from trimtab.primitives.lanczos import Spectrum
from trimtab.schedule.rmt_scaling.rmt_scaling import (
    batch_extremal,
    inverse_batch,
    marchenko_pastur_extremal,
    marchenko_pastur_knee,
    wigner_knee,
    without_noise,
)

_SAME = 0.98
"""Of the largest Ritz value: what is above counts as the same outlier, found from another start."""


@dataclass(frozen=True)
class Wigner:
    """Noise that is as large in every element, for the Hessian.

    Args:
        eigenvalue: the largest, without noise.
        noise: of a single sample.
        samples: of the data; ``None`` for very many.
    """

    eigenvalue: float
    noise: float
    samples: int | None

    @property
    def knee(self) -> float:
        """See :func:`~trimtab.schedule.rmt_scaling.rmt_scaling.wigner_knee`."""
        return wigner_knee(self.eigenvalue, self.noise, self.samples)

    def extremal(self, batch_size: int) -> float:
        """See :func:`~trimtab.schedule.rmt_scaling.rmt_scaling.batch_extremal`."""
        return batch_extremal(self.eigenvalue, self.noise * inverse_batch(batch_size, self.samples))

    def is_outlier(self, batch_size: int) -> bool:
        """Tells whether the largest eigenvalue stands out of the noise of such a batch."""
        return self.eigenvalue > math.sqrt(self.noise * inverse_batch(batch_size, self.samples))

    @classmethod
    def fitted(cls, largest: float, noise: float, batch_size: int, samples: int | None = None) -> Self:
        """Makes the law of which a batch was measured.

        Args:
            largest: eigenvalue of that batch's curvature.
            noise: of a single sample.
            batch_size: of that batch.
            samples: of the data; ``None`` for very many.
        """
        return cls(without_noise(largest, noise * inverse_batch(batch_size, samples)), noise, samples)


@dataclass(frozen=True)
class MarchenkoPastur:
    """The noise of a mean of matrices without negative eigenvalues, for the Gauss-Newton matrix.

    Args:
        eigenvalue: the largest, without noise.
        variance: of the other directions.
        directions: how many these are.
        samples: of the data; ``None`` for very many.
    """

    eigenvalue: float
    variance: float
    directions: float
    samples: int | None

    @property
    def knee(self) -> float:
        """See :func:`~trimtab.schedule.rmt_scaling.rmt_scaling.marchenko_pastur_knee`."""
        return marchenko_pastur_knee(self.eigenvalue, self.variance, self.directions, self.samples)

    def extremal(self, batch_size: int) -> float:
        """See :func:`~trimtab.schedule.rmt_scaling.rmt_scaling.marchenko_pastur_extremal`."""
        ratio = self.directions * inverse_batch(batch_size, self.samples)
        return marchenko_pastur_extremal(self.eigenvalue, self.variance, ratio)

    def is_outlier(self, batch_size: int) -> bool:
        """Tells whether the largest eigenvalue stands out of the noise of such a batch."""
        ratio = self.directions * inverse_batch(batch_size, self.samples)
        return self.eigenvalue > self.variance * (1 + math.sqrt(ratio))

    @classmethod
    def fitted(cls, spectrum: Spectrum, batch_size: int, samples: int | None = None) -> Self:
        r"""Makes the law of which a batch was measured.

        The trace without the outlier is spread evenly over all :math:`P` parameters, :math:`\sigma^2 = t/P`. Far above
        the threshold, where outliers of networks are, only the product counts, :math:`\lambda' \approx \lambda + t/B`,
        which is also the curvature that the mean squared error of SGD feels along the outlier.

        Args:
            spectrum: of that batch's Gauss-Newton matrix, for random starts.
            batch_size: of that batch.
            samples: of the data; ``None`` for very many.

        Raises:
            ValueError: the spectrum has no positive eigenvalue.
        """
        largest, rows = float(spectrum.ritz[-1]), spectrum.dimension
        if largest <= 0:
            raise ValueError(f"the largest eigenvalue is {largest:g}: there is no curvature to speak of")
        rest = spectrum.ritz < _SAME * largest  # every start has found the outlier, with a weight that is due to chance
        variance = min(max(0.0, float((spectrum.weights * spectrum.ritz)[rest].sum())), largest)
        ratio = rows * inverse_batch(batch_size, samples)
        return cls(_outlier(largest, variance, ratio), variance, float(rows), samples)


def _outlier(extremal: float, variance: float, ratio: float) -> float:
    """The inverse of ``marchenko_pastur_extremal``; at the edge, the threshold."""
    edge = variance * (1 + math.sqrt(ratio)) ** 2
    if extremal <= edge:
        return variance * (1 + math.sqrt(ratio))
    middle = extremal + variance - ratio * variance
    return float(middle + math.sqrt(max(0.0, middle**2 - 4 * extremal * variance))) / 2


NoiseModel: TypeAlias = Wigner | MarchenkoPastur


def pooled(spectra: Sequence[Spectrum]) -> Spectrum:
    """Returns the mean of what several starts found: all their Ritz values, with weights that add up to one."""
    ritz, order = torch.cat([each.ritz for each in spectra]).sort()
    weights = torch.cat([each.weights for each in spectra])[order] / len(spectra)
    return Spectrum(ritz, weights, spectra[0].dimension)
