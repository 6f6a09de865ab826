"""A distribution of piecewise constant density, whose tails are half-normal: what a prior-data fitted network predicts.

Müller et al. (2022), arXiv:2112.10510, section 4.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.special import erfcx, log_ndtr, ndtri

from trimtab.study.errors import InputError

_HALF_NORMAL_MEDIAN = 0.6744897501960817
_ROOT = math.sqrt(2 / math.pi)
"""Mean of the half-normal distribution."""


def check_borders(borders: Tensor) -> None:
    """Raises InputError unless borders are finite, at least three and strictly increasing."""
    if borders.dim() != 1 or len(borders) < 3:
        raise InputError(f"borders of shape {tuple(borders.shape)}: at least three borders in one dimension are needed")
    if not bool(torch.isfinite(borders).all() and (borders.diff() > 0).all()):
        raise InputError(f"borders={borders.tolist()}: finite and strictly increasing borders are needed")


class BarDistribution:
    r"""Buckets :math:`[b_k, b_{k+1}]`, each of which has a mass :math:`p_k` and within it a density that is the same.

    .. math::
        p(y) = \frac{p_k}{b_{k+1} - b_k} \quad\text{for } b_k \le y < b_{k+1},\; 0 < k < B - 1

    In the first and the last bucket, half-normal distributions that begin at :math:`b_1` and :math:`b_{B-1}` and point
    outwards stand for the flat density. Half of each lies within the bucket: their scale is
    :math:`s = (b_{k+1} - b_k) / \Phi^{-1}(3/4)`. So every number has a density.

    All methods take logits, ``softmax(logits)`` being the masses, and broadcast what they are asked for against the
    logits' leading dimensions.

    The expected improvement of the two tails is that of the half-normal distributions themselves. The packages ``pfns``
    and ``pfns4bo`` have it wrong wherever the incumbent lies within the support: too small in the last bucket by the
    distance to it, and not zero in the first.

    Args:
        borders: :math:`b_0 < \dots < b_B`, (B + 1,).
        tails: whether the outermost buckets have half-normal tails; without them they are as all others.

    Raises:
        InputError: the borders are fewer than three, not finite or not strictly increasing.
    """

    def __init__(self, borders: Float[Tensor, "buckets_and_1"], tails: bool = True) -> None:
        check_borders(borders)
        self.borders = borders
        self.tails = tails

    @property
    def _widths(self) -> Float[Tensor, "buckets"]:
        return self.borders.diff()

    @property
    def _scales(self) -> tuple[Tensor, Tensor]:
        return self._widths[0] / _HALF_NORMAL_MEDIAN, self._widths[-1] / _HALF_NORMAL_MEDIAN

    def log_prob(self, logits: Float[Tensor, "*shape buckets"], value: Tensor | float) -> Float[Tensor, "*shape"]:
        """Returns the log density at a value; minus infinity outside the borders if there are no tails."""
        value = self._tensor(value)
        at = torch.searchsorted(self.borders, value.detach().contiguous(), right=True) - 1
        inside = (at >= 0) & (at < len(self._widths))
        at = at.clamp(0, len(self._widths) - 1)
        density = -self._widths.log()[at]
        if self.tails:
            first, last = self._scales
            below, above = (self.borders[1] - value) / first, (value - self.borders[-2]) / last
            density = torch.where(at == 0, _log_half_normal(below) - first.log(), density)
            density = torch.where(at == len(self._widths) - 1, _log_half_normal(above) - last.log(), density)
        elif not bool(inside.all()):
            density = torch.where(inside | (value == self.borders[-1]), density, -math.inf)
        masses = logits.log_softmax(-1)
        masses, at = _together(masses, at)
        return masses.gather(-1, at).squeeze(-1) + density

    def mean(self, logits: Float[Tensor, "*shape buckets"]) -> Float[Tensor, "*shape"]:
        """Returns the mean."""
        return logits.softmax(-1) @ self._moments()[0]

    def variance(self, logits: Float[Tensor, "*shape buckets"]) -> Float[Tensor, "*shape"]:
        """Returns the variance: that of the buckets' means, and the mean of the variances within them."""
        masses, (means, variances) = logits.softmax(-1), self._moments()
        centred = means - (masses @ means).unsqueeze(-1)
        return (masses * (centred**2 + variances)).sum(-1)

    def cdf(self, logits: Float[Tensor, "*shape buckets"], value: Tensor | float) -> Float[Tensor, "*shape"]:
        """Returns the probability of at most a value."""
        share = -torch.expm1(self.log_share_above(value))
        return (logits.softmax(-1) * share).sum(-1)

    def prob_above(self, logits: Float[Tensor, "*shape buckets"], value: Tensor | float) -> Float[Tensor, "*shape"]:
        """Returns the probability of more than a value."""
        return self.log_prob_above(logits, value).exp()

    def log_prob_above(self, logits: Float[Tensor, "*shape buckets"], value: Tensor | float) -> Float[Tensor, "*shape"]:
        """Returns the logarithm of :meth:`prob_above`, which does not underflow."""
        return (logits.log_softmax(-1) + self.log_share_above(value)).logsumexp(-1)

    def icdf(self, logits: Float[Tensor, "*shape buckets"], value: Tensor | float) -> Float[Tensor, "*shape"]:
        """Returns the quantile of a probability.

        Raises:
            InputError: a probability is not in [0, 1].
        """
        share = self._tensor(value)
        if not bool(((share >= 0) & (share <= 1)).all()):
            raise InputError("value: a probability in [0, 1] is needed")
        masses = logits.softmax(-1)
        masses, share = _together(masses, share)
        up_to = masses.cumsum(-1)
        at = torch.searchsorted(up_to.detach().contiguous(), share.detach().contiguous()).clamp(
            max=masses.shape[-1] - 1
        )
        mass = masses.gather(-1, at)
        part = ((share - up_to.gather(-1, at) + mass) / mass).clamp(0, 1)
        found = self.borders[at] + part * self._widths[at]
        if self.tails:
            first, last = self._scales
            found = torch.where(at == 0, self.borders[1] + first * ndtri(part / 2), found)
            found = torch.where(at == masses.shape[-1] - 1, self.borders[-2] - last * ndtri((1 - part) / 2), found)
        quantile: Tensor = found.squeeze(-1)
        return quantile

    def sample(self, logits: Float[Tensor, "*shape buckets"], generator: torch.Generator) -> Float[Tensor, "*shape"]:
        """Draws a value from each distribution."""
        uniform = torch.rand(logits.shape[:-1], dtype=logits.dtype, device=logits.device, generator=generator)
        return self.icdf(logits, uniform)

    def ei(self, logits: Float[Tensor, "*shape buckets"], value: Tensor | float) -> Float[Tensor, "*shape"]:
        r"""Returns the expected improvement over a value :math:`f`, :math:`\mathbb E \max(y - f, 0)`.

        A bucket contributes, with :math:`c` the value clipped to it,

        .. math::
            \frac{(b_{k+1}^2 - c^2) / 2 - f (b_{k+1} - c)}{b_{k+1} - b_k}

        and the tails what half-normal distributions do, :math:`t = f - b_{B-1}` and :math:`r = b_1 - f`:

        .. math::
            \text{last: } & 2 s\,[\varphi(t/s) - (t/s) \Phi(-t/s)] \;\text{ if } t \ge 0, \quad
                -t + s \sqrt{2/\pi} \;\text{ else} \\
            \text{first: } & 0 \;\text{ if } r \le 0, \quad
                r - s \sqrt{2/\pi} + 2 s\,[\varphi(r/s) - (r/s) \Phi(-r/s)] \;\text{ else}
        """
        return self.log_ei(logits, value).exp()

    def log_ei(self, logits: Float[Tensor, "*shape buckets"], value: Tensor | float) -> Float[Tensor, "*shape"]:
        """Returns the logarithm of :meth:`ei`, which does not underflow."""
        return (logits.log_softmax(-1) + self.log_improvements(value)).logsumexp(-1)

    def _tensor(self, value: Tensor | float) -> Tensor:
        tensor = torch.as_tensor(value, dtype=self.borders.dtype, device=self.borders.device)
        if bool(tensor.isnan().any()):
            raise InputError("value: a number is needed, and one is NaN")
        return tensor

    def _moments(self) -> tuple[Float[Tensor, "buckets"], Float[Tensor, "buckets"]]:
        """The mean of each bucket and the variance within it."""
        means, variances = (self.borders[:-1] + self.borders[1:]) / 2, self._widths**2 / 12
        if self.tails:
            first, last = self._scales
            outer = torch.stack([self.borders[1] - _ROOT * first, self.borders[-2] + _ROOT * last])
            means = torch.cat([outer[:1], means[1:-1], outer[1:]])
            spread = torch.stack([first, last]) ** 2 * (1 - 2 / math.pi)
            variances = torch.cat([spread[:1], variances[1:-1], spread[1:]])
        return means, variances

    def log_share_above(self, value: Tensor | float) -> Float[Tensor, "*shape buckets"]:
        """Returns the logarithm of which share of each bucket is above a value."""
        value = self._tensor(value).unsqueeze(-1)
        share = _safe_log(((self.borders[1:] - value) / self._widths).clamp(0, 1))
        if not self.tails:
            return share
        first, last = self._scales
        below = _log_lower_tail((self.borders[1] - value) / first)
        above = _log_upper_tail((value - self.borders[-2]) / last)
        return torch.cat([below, share[..., 1:-1], above], -1)

    def log_improvements(self, value: Tensor | float) -> Float[Tensor, "*shape buckets"]:
        """Returns the logarithm of the expected improvement over a value if all mass were in a bucket, for each."""
        value = self._tensor(value).unsqueeze(-1)
        low, high = self.borders[:-1], self.borders[1:]
        clipped = torch.minimum(torch.maximum(value, low), high)
        # (high² - c²) / 2 - f (high - c), without the difference of squares, which cancels
        logs = _safe_log((high - clipped) * ((high + clipped) / 2 - value) / self._widths)
        if not self.tails:
            return logs
        first, last = self._scales
        t, r = value - low[-1], high[0] - value
        inside = -torch.minimum(t, torch.zeros_like(t)) + _ROOT * last
        above = torch.where(t >= 0, _log_half_normal_improvement(t.clamp(min=0) / last) + last.log(), inside.log())
        beyond = r.clamp(min=0)
        below = _safe_log(beyond - _ROOT * first + first * _log_half_normal_improvement(beyond / first).exp())
        below = torch.where(r > 0, below, -math.inf)
        return torch.cat([below, logs[..., 1:-1], above], -1)


def _together(masses: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Masses of shape (..., B) and values of shape (..., 1), whose leading dimensions are the same."""
    shape = (masses[..., :1] + value.unsqueeze(-1)).shape[:-1]
    return masses.expand(*shape, -1), value.expand(shape).unsqueeze(-1)


def _safe_log(value: Tensor) -> Tensor:
    """The logarithm, minus infinity of what is not positive, and without NaN in its gradient there."""
    positive = value > 0
    return torch.where(positive, torch.where(positive, value, 1.0).log(), -math.inf)


def _log_half_normal(z: Tensor) -> Tensor:
    return math.log(_ROOT) - z**2 / 2


def _log_upper_tail(z: Tensor) -> Tensor:
    """The log of which share of the half-normal distribution is above z."""
    return torch.where(z > 0, math.log(2) + log_ndtr(-z.clamp(min=0)), 0.0)


def _log_lower_tail(z: Tensor) -> Tensor:
    """The log of which share of the half-normal distribution is below z."""
    return torch.where(z > 0, _safe_log(torch.erf(z.clamp(min=0) / math.sqrt(2))), -math.inf)


def _log_half_normal_improvement(z: Tensor) -> Tensor:
    """The log of 2 [phi(z) - z Phi(-z)] for z >= 0."""
    share: Tensor = _ROOT - z * erfcx(z / math.sqrt(2))
    return share.log() - z**2 / 2
