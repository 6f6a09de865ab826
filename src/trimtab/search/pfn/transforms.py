"""The scale on which a prior-data fitted network sees an output: Yeo and Johnson's power transform, standardised."""

import warnings

import numpy as np
from jaxtyping import Float
from scipy import optimize, stats

from trimtab.study.errors import InputError

_LARGE = 1000.0
_FARTHEST = 1000.0


class OutputTransform:
    r"""Makes observations of one output look like draws from the prior: about normal, of mean 0 and variance 1.

    Yeo and Johnson's power transform (2000), whose exponent has the largest likelihood, as SciPy finds it, and then
    standardisation. An objective is standardised first where its standard deviation or its mean is beyond 1000; a
    constraint never is, because the power transform tells values apart best about zero, which is where a constraint
    begins to hold. Where the transform of an observation would not be finite, all are standardised only; the paper's
    code then subtracts the mean and leaves the scale. The transform is strictly increasing, and fitted to the
    observations alone.

    Args:
        values: the observations, (n,), n >= 1, finite.
        about_zero: whether it is zero that has to be told from its neighbours, as of a constraint.

    Raises:
        InputError: there are none, or one is not finite.
    """

    def __init__(self, values: Float[np.ndarray, "n"], *, about_zero: bool = False) -> None:
        values = np.asarray(values, dtype=np.float64)
        if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
            raise InputError(f"values of shape {values.shape}: at least one observation is needed, and all finite")
        mean, deviation = _moments(values)
        beyond = not about_zero and max(abs(mean), deviation) > _LARGE
        self._shift, self._scale = (mean, deviation) if beyond else (0.0, 1.0)
        self._exponent: float | None = None
        self._middle, self._spread = 0.0, 1.0
        scaled = (values - self._shift) / self._scale
        if np.ptp(scaled) > 0:
            self._fit(scaled)
        if self._exponent is None:
            self._shift, self._scale = mean, deviation

    def _fit(self, scaled: Float[np.ndarray, "n"]) -> None:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            exponent = _most_likely_exponent(scaled)
            powers = stats.yeojohnson(scaled, exponent)
            middle, spread = float(powers.mean()), float(powers.std())
        if np.isfinite([exponent, middle, spread]).all() and spread > 1e-12 * abs(powers).max():
            self._exponent, self._middle, self._spread = exponent, middle, spread

    def __call__(self, values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Returns where values stand, which need not be those it was fitted to; at most 1000 away from 0."""
        scaled = (np.asarray(values, dtype=np.float64) - self._shift) / self._scale
        if self._exponent is not None:
            with np.errstate(all="ignore"):
                powers = stats.yeojohnson(scaled, self._exponent)
            scaled = (powers - self._middle) / self._spread
        return np.asarray(np.clip(scaled, -_FARTHEST, _FARTHEST))


def _most_likely_exponent(values: Float[np.ndarray, "n"]) -> float:
    """The exponent in [-8, 10] after which values are most likely normal (that of their mirror image is 2 less it).

    ``scipy.stats.yeojohnson_normmax`` finds the same, in ten times the time, which is most of a suggestion's.
    """
    logs = np.sign(values) * np.log1p(abs(values))
    weight, positive = logs.mean(), values >= 0
    sizes = abs(logs)

    def cost(exponent: float) -> float:
        power = np.where(positive, exponent, 2 - exponent)
        small = abs(power) < 1e-12
        powers = np.where(small, sizes, np.expm1(power * sizes) / np.where(small, 1.0, power))
        return float(0.5 * np.log(np.where(positive, powers, -powers).var()) - (exponent - 1) * weight)

    found = optimize.minimize_scalar(cost, bounds=(-8.0, 10.0), method="bounded", options={"xatol": 1e-6})
    return float(found.x)


def _moments(values: Float[np.ndarray, "n"]) -> tuple[float, float]:
    """The mean and the standard deviation, which is 1 where all values are alike."""
    largest = float(abs(values).max()) or 1.0  # so that squares do not overflow
    mean, deviation = float((values / largest).mean()) * largest, float((values / largest).std()) * largest
    return mean, deviation if deviation > 1e-12 * largest else 1.0
