r"""Acquisition functions of a :class:`~trimtab.search.bo_tutorial.fast_gp.FastGP`, as logarithms, with their gradients.

The same numbers come from :class:`~trimtab.search.bo_tutorial.posterior_mean_improvement.PosteriorMeanImprovement` and
from BoTorch's ``LogExpectedImprovement`` on the same model. Here the gradients are written out. For the improvement of
the largest posterior mean they are short: with break points :math:`t_k \ge 0` between an inner line and the next one
outwards, and :math:`s_k > 0` the difference of their slopes,

.. math::
    g = \sum_k s_k h(-t_k), \qquad \frac{\partial g}{\partial s_k} = \varphi(t_k), \qquad
    \frac{\partial g}{\partial (a_{\text{out}} - a_{\text{in}})} = \Phi(-t_k),

where :math:`s_k` moves at fixed intercepts. All terms carry the factor :math:`\exp(-t_k^2 / 2)`, of which the largest
is taken out, so that the logarithm has a gradient where the value underflows.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import erfcx, log_ndtr

from trimtab.search.bo_tutorial.fast_gp import FastGP
from trimtab.search.bo_tutorial.mixed_search import Criterion, Points

_LOWEST: Final = -1e100
"""The logarithm of nothing, for searches, which need numbers."""

_LEAST_VARIANCE: Final = 1e-12
_LARGEST_EXPONENT: Final = 700.0
_FAR: Final = 50.0
"""From here on the series is more accurate than the difference of two numbers near one."""


class LogNoisyImprovement:
    """The logarithm of how far the largest posterior mean of what may be reported is expected to rise.

    Args:
        process: of what is observed; its inputs are what was evaluated, pending points among them.
        reported: which of its inputs may be reported, at least one.
    """

    def __init__(self, process: FastGP, reported: Bool[np.ndarray, " n"]) -> None:
        self._process = process
        self._rows = np.flatnonzero(reported)
        self._known = process.means[self._rows]
        self._best = float(self._known.max())
        self._noises = process.noises[self._rows]

    def values(self, points: Points) -> Float[np.ndarray, " m"]:
        """Returns the values at points."""
        return self._value(points, gradient=False)[0]

    def values_and_gradients(self, points: Points) -> tuple[Float[np.ndarray, " m"], Points]:
        """Returns the values at points, and their gradients."""
        return self._value(points, gradient=True)

    def _value(self, points: Points, *, gradient: bool) -> tuple[Float[np.ndarray, " m"], Points]:
        process = self._process
        kernel = process.kernel(points)
        solved = kernel @ process.inverse
        mean = process.constant + kernel @ process.weights
        variance = np.maximum(1 - np.einsum("mn,mn->m", solved, kernel), _LEAST_VARIANCE)
        deviation = np.sqrt(variance + process.hyperparameters.noise)
        slopes = np.empty((len(points), len(self._rows) + 1))
        slopes[:, :-1] = solved[:, self._rows] * self._noises / deviation[:, None]
        slopes[:, -1] = variance / deviation
        lines = np.empty_like(slopes)
        lines[:, :-1] = self._known
        lines[:, -1] = mean
        gain = _Gain(lines, slopes)
        ahead = np.maximum(mean - self._best, 0.0)
        with np.errstate(divide="ignore"):
            value = np.maximum(np.logaddexp(gain.log_value, np.log(ahead)), _LOWEST)
        if not gradient:
            return value, points
        line, slope = gain.gradients()
        share = np.exp(gain.log_value - value)[:, None]
        inverse = np.exp(np.where(ahead > 0, np.minimum(-value, _LARGEST_EXPONENT), -np.inf))
        mean_gradient = line[:, -1] * share[:, 0] + inverse
        slope *= share
        pulled = (slope[:, :-1] * slopes[:, :-1]).sum(1)
        variance_gradient = slope[:, -1] * (1 / deviation - 0.5 * variance / deviation**3)
        variance_gradient -= 0.5 * pulled / deviation**2
        kernel_gradient = np.zeros_like(kernel)
        kernel_gradient[:, self._rows] = slope[:, :-1] * self._noises / deviation[:, None]
        kernel_gradient = kernel_gradient @ process.inverse
        kernel_gradient += mean_gradient[:, None] * process.weights
        kernel_gradient -= 2 * variance_gradient[:, None] * solved
        return value, process.pull_back(points, kernel, kernel_gradient)


class LogImprovement:
    """The logarithm of the expected improvement of the function over the largest posterior mean of now.

    Args:
        process: of what is observed.
        reported: which of its inputs may be reported, at least one.
    """

    def __init__(self, process: FastGP, reported: Bool[np.ndarray, " n"]) -> None:
        self._process = process
        self._best = float(process.means[reported].max())

    def values(self, points: Points) -> Float[np.ndarray, " m"]:
        """Returns the values at points."""
        return self.values_and_gradients(points)[0]

    def values_and_gradients(self, points: Points) -> tuple[Float[np.ndarray, " m"], Points]:
        """Returns the values at points, and their gradients."""
        moments = _Moments(self._process, points)
        standard = (moments.mean - self._best) / moments.deviation
        log_loss = _log_loss(standard)
        value = np.log(moments.deviation) + log_loss
        mean_gradient = np.exp(log_ndtr(standard) - log_loss) / moments.deviation
        deviation_gradient = np.exp(_log_density(standard) - log_loss) / moments.deviation
        return np.maximum(value, _LOWEST), moments.pull_back(mean_gradient, deviation_gradient)


class LogFeasibility:
    """The logarithm of the probability that all constraints are kept, as if they were independent.

    Args:
        margins: processes of what is 0 or more where a constraint is kept.
    """

    def __init__(self, margins: Sequence[FastGP]) -> None:
        self._margins = margins

    def values(self, points: Points) -> Float[np.ndarray, " m"]:
        """Returns the values at points."""
        return self.values_and_gradients(points)[0]

    def values_and_gradients(self, points: Points) -> tuple[Float[np.ndarray, " m"], Points]:
        """Returns the values at points, and their gradients."""
        total, gradient = np.zeros(len(points)), np.zeros_like(points)
        for process in self._margins:
            moments = _Moments(process, points)
            border = -process.data.centre / process.data.spread
            standard = (moments.mean - border) / moments.deviation
            value = log_ndtr(standard)
            total += value
            slope = np.exp(_log_density(standard) - value) / moments.deviation
            gradient += moments.pull_back(slope, -slope * standard)
        return np.maximum(total, _LOWEST), gradient


class Sum:
    """Of criteria."""

    def __init__(self, criteria: Sequence[Criterion]) -> None:
        self._criteria = criteria

    def values(self, points: Points) -> Float[np.ndarray, " m"]:
        """Returns the values at points."""
        return np.asarray(np.sum([each.values(points) for each in self._criteria], axis=0))

    def values_and_gradients(self, points: Points) -> tuple[Float[np.ndarray, " m"], Points]:
        """Returns the values at points, and their gradients."""
        found = [each.values_and_gradients(points) for each in self._criteria]
        return np.sum([value for value, _ in found], axis=0), np.sum([gradient for _, gradient in found], axis=0)


class PosteriorMean:
    """What a process expects, standardised."""

    def __init__(self, process: FastGP) -> None:
        self._process = process

    def values(self, points: Points) -> Float[np.ndarray, " m"]:
        """Returns the values at points."""
        return self._process.constant + self._process.kernel(points) @ self._process.weights

    def values_and_gradients(self, points: Points) -> tuple[Float[np.ndarray, " m"], Points]:
        """Returns the values at points, and their gradients."""
        kernel = self._process.kernel(points)
        weights = np.broadcast_to(self._process.weights, kernel.shape)
        value = self._process.constant + kernel @ self._process.weights
        return value, self._process.pull_back(points, kernel, weights)


class _Moments:
    """Mean and standard deviation at points, and the way back from their gradients."""

    def __init__(self, process: FastGP, points: Points) -> None:
        self._process, self._points = process, points
        self._kernel = process.kernel(points)
        self._solved = self._kernel @ process.inverse
        self.mean = process.constant + self._kernel @ process.weights
        variance = 1 - np.einsum("mn,mn->m", self._solved, self._kernel)
        self.deviation = np.sqrt(np.maximum(variance, _LEAST_VARIANCE))

    def pull_back(self, mean: Float[np.ndarray, " m"], deviation: Float[np.ndarray, " m"]) -> Points:
        kernel = mean[:, None] * self._process.weights - (deviation / self.deviation)[:, None] * self._solved
        return self._process.pull_back(self._points, self._kernel, kernel)


class _Gain:
    """The expected maximum of lines over a standard normal variable, less the largest intercept; a row a set of lines.

    The envelope is followed outwards from the line that is highest at 0, to the right and to the left.
    """

    def __init__(self, lines: Float[np.ndarray, "m l"], slopes: Float[np.ndarray, "m l"]) -> None:
        start = lines.argmax(1)
        right, left = _walk(lines, slopes, start), _walk(lines, -slopes, start)
        self._shape = lines.shape
        self._inner = np.concatenate([right[:-1], left[:-1]])
        self._outer = np.concatenate([right[1:], left[1:]])
        self._sides = np.repeat([1.0, -1.0], [len(right) - 1, len(left) - 1])[:, None]
        row = np.arange(len(lines))
        broken = self._inner != self._outer
        self._steps = np.where(broken, np.abs(slopes[row, self._outer] - slopes[row, self._inner]), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            points = (lines[row, self._inner] - lines[row, self._outer]) / self._steps
        self._points = np.where(broken, points, np.inf)
        first = np.min(self._points, axis=0, initial=np.inf)
        some = np.isfinite(first)
        first = np.where(some, first, 0.0)
        finite = np.where(broken, self._points, first)
        with np.errstate(over="ignore", under="ignore"):
            height = np.exp(0.5 * (first - finite) * (first + finite)) / math.sqrt(2 * math.pi)
        self._height = np.where(broken, height, 0.0)
        self._mills = math.sqrt(math.pi / 2) * erfcx(finite / math.sqrt(2))
        self._total = (self._steps * self._height * _scaled_loss(finite, self._mills)).sum(0)
        with np.errstate(divide="ignore"):
            self.log_value = np.where(some, np.log(self._total) - 0.5 * first**2, -np.inf)

    def gradients(self) -> tuple[Float[np.ndarray, "m l"], Float[np.ndarray, "m l"]]:
        """Returns those of the logarithm with respect to lines and slopes."""
        line, slope = np.zeros(self._shape), np.zeros(self._shape)
        row = np.arange(self._shape[0])
        height = self._height / np.where(self._total > 0, self._total, 1.0)
        for inner, outer, side, tall, mills in zip(
            self._inner, self._outer, self._sides, height, self._mills, strict=True
        ):
            slope[row, outer] += side * tall
            slope[row, inner] -= side * tall
            line[row, outer] += tall * mills
            line[row, inner] -= tall * mills
        return line, slope


def _walk(
    lines: Float[np.ndarray, "m l"], slopes: Float[np.ndarray, "m l"], start: Int[np.ndarray, " m"]
) -> Int[np.ndarray, "k m"]:
    """Returns the lines of each row's envelope towards ever larger arguments; the last one fills up the row."""
    path, current = [start], start
    rows = np.arange(len(lines))
    going = rows
    for _ in range(lines.shape[1] - 1):
        at = np.arange(len(going))
        here = current[going]
        steps = slopes - slopes[at, here][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            points = np.where(steps > 0, (lines[at, here][:, None] - lines) / steps, np.inf)
        nearest = points.min(1)
        more = np.isfinite(nearest)
        if not more.any():
            break
        if not more.all():
            going, lines, slopes = going[more], lines[more], slopes[more]
            points, nearest, steps = points[more], nearest[more], steps[more]
        # of lines through one point the steepest goes on
        following = np.where(points <= (nearest * (1 + 1e-14))[:, None], steps, -1.0).argmax(1)
        current = current.copy()
        current[going] = following
        path.append(current)
    return np.stack(path)


def _scaled_loss(points: Float[np.ndarray, "..."], mills: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    r""":math:`h(-t) / \varphi(t) = 1 - t R(t)` for t >= 0, where R is Mills' ratio."""
    inverse = 1 / np.square(np.maximum(points, _FAR))
    series = inverse * (1 - 3 * inverse * (1 - 5 * inverse * (1 - 7 * inverse)))
    return np.asarray(np.where(points < _FAR, 1 - points * mills, series))


def _log_loss(standard: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    r""":math:`\log h(u)`, :math:`h(u) = \varphi(u) + u \Phi(u)`."""
    below = np.maximum(-standard, 0.0)
    mills = math.sqrt(math.pi / 2) * erfcx(below / math.sqrt(2))
    low = np.log(_scaled_loss(below, mills)) + _log_density(below)
    above = np.maximum(standard, 0.0)
    high = np.log(np.exp(_log_density(above)) + above * np.exp(log_ndtr(above)))
    return np.asarray(np.where(standard < 0, low, high))


def _log_density(standard: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    return np.asarray(-0.5 * np.square(standard) - 0.5 * math.log(2 * math.pi))
