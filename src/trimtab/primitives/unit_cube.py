"""Mixed and conditional search spaces as a cube: settings of Optuna's distributions to points of [0, 1]^d and back."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from jaxtyping import Bool, Float
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from trimtab.primitives.cube_scales import MIDDLE, Scale, only, scale_of


class Recorded(Protocol):
    """A trial, as far as its settings go; ``optuna.trial.FrozenTrial`` is one."""

    @property
    def params(self) -> dict[str, Any]:
        """Names and values."""

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Names and ranges."""


@dataclass(frozen=True)
class Axis:
    """One parameter's part of the cube.

    Attributes:
        name: of the parameter.
        scale: how its values stand on its columns.
        columns: which ones these are.
        activity: the column that says whether a setting has the parameter; ``None`` where every setting has it.
    """

    name: str
    scale: Scale
    columns: slice
    activity: int | None = None


class UnitCube:
    r"""A search space as :math:`[0, 1]^d`.

    ==================================  ===========================================================================
    a parameter                         its columns
    ==================================  ===========================================================================
    float                               affine, or affine in its logarithm
    int, or float with a step           value i of m stands at :math:`(i + 1/2) / m`; back goes the cell of width
                                        :math:`1/m` that holds the point
    int on a log scale                  affine in the logarithm, from :math:`\log(low - 1/2)` to
                                        :math:`\log(high + 1/2)`; back goes the nearest whole number
    choice of k                         one-hot: k columns, of which one holds 1; for two choices one column of 0 or 1.
                                        Back goes the largest
    any with a single value             none
    conditional                         its own, at the middle of the cube (one-hot: 1/k each) where a setting lacks
                                        it, and one more, which holds 1 where a setting has it, else 0
    ==================================  ===========================================================================

    Columns stand in the order of the parameters, an activity column behind those of its parameter. Every point of the
    cube, and any point outside it, goes back to valid values; values of a discrete parameter come back exactly (whole
    numbers up to 2^53, which Optuna's storages do not hold exactly either), floats to rounding. An object is never
    changed after it was built, and holds no randomness.

    Args:
        distributions: names and Optuna's distributions.
        conditional: names of those that a setting may lack.

    Raises:
        TypeError: a distribution is none of Optuna's three.
        ValueError: ``conditional`` names none of the parameters.

    Examples:
        >>> space = {"lr": FloatDistribution(1e-4, 1.0, log=True), "layers": IntDistribution(1, 4)}
        >>> cube = UnitCube(space)
        >>> cube.to_unit([{"lr": 1e-2, "layers": 3}])
        array([[0.5  , 0.625]])
        >>> cube.from_unit(np.array([[0.0, 1.0]]))
        [{'lr': 0.0001, 'layers': 4}]
    """

    axes: tuple[Axis, ...]
    dimension: int
    """How many columns there are."""

    _KINDS: ClassVar = (FloatDistribution, IntDistribution, CategoricalDistribution)

    def __init__(self, distributions: Mapping[str, BaseDistribution], conditional: Iterable[str] = ()) -> None:
        self.distributions = dict(distributions)
        self.conditional = frozenset(conditional)
        if unknown := sorted(self.conditional - self.distributions.keys()):
            raise ValueError(f"conditional={unknown}: these are none of the parameters {list(self.distributions)}")
        axes: list[Axis] = []
        column = 0
        for name, distribution in self.distributions.items():
            if not isinstance(distribution, self._KINDS):
                raise TypeError(
                    f"{name}={distribution!r}: a float, int or categorical distribution of Optuna is needed"
                )
            scale = scale_of(distribution)
            if not scale.width and name not in self.conditional:
                continue
            end = column + scale.width
            activity = end if name in self.conditional else None
            axes.append(Axis(name, scale, slice(column, end), activity))
            column = end + (activity is not None)
        self.axes = tuple(axes)
        self.dimension = column
        self.continuous = np.array([axis.columns.start for axis in axes if axis.scale.count is None], dtype=int)
        """The columns of floats without a step, along which a function of the cube may be smooth."""

    @classmethod
    def of_trials(cls, trials: Sequence[Recorded], *, widest: bool = False) -> Self:
        """Makes the cube of all that trials have: a parameter that some of them lack is conditional.

        Args:
            trials: Optuna's, in order.
            widest: what stands where the range of a number changed from trial to trial: the last trial's (``False``),
                of which the others' values may be outside, or the range from the lowest to the highest (``True``),
                without a step where the steps do not meet.
        """
        found: dict[str, BaseDistribution] = {}
        for trial in trials:
            for name, distribution in trial.distributions.items():
                before = found.get(name)
                found[name] = distribution if before is None or not widest else _union(before, distribution)
        lacking = {name for name in found if any(name not in trial.params for trial in trials)}
        return cls(dict(sorted(found.items())), lacking)

    @property
    def discrete(self) -> tuple[Axis, ...]:
        """The parameters of which each value has a place of its own."""
        return tuple(axis for axis in self.axes if axis.scale.count is not None)

    def to_unit(self, params: Sequence[Mapping[str, Any]], *, clip: bool = True) -> Float[np.ndarray, "n dimension"]:
        """Returns the points of settings.

        Args:
            params: names and values of each; names that the space does not have are passed over.
            clip: whether numbers outside their range are moved to its nearest end; else they stand beyond it, on the
                same scale. A choice that there is not (any more) stands in the middle. See :meth:`outside`.

        Raises:
            ValueError: a setting lacks a parameter that is not conditional.
        """
        points = np.empty((len(params), self.dimension))
        for axis in self.axes:
            present = self._present(axis, params)
            block = points[:, axis.columns]
            block[:] = axis.scale.missing
            values = [each[axis.name] for each in params if axis.name in each]
            block[present] = axis.scale.encode(axis.scale.clip(values) if clip else values)
            if axis.activity is not None:
                points[:, axis.activity] = present
        return points

    def from_unit(self, points: Float[np.ndarray, "n dimension"]) -> list[dict[str, Any]]:
        """Returns the settings of points: a conditional parameter is in those whose activity is at least 1/2.

        Raises:
            ValueError: the points have another number of columns, or one of them is not a number.
        """
        points = self._checked(points)
        values = {axis.name: axis.scale.decode(points[:, axis.columns]) for axis in self.axes}
        active = {axis.name: self.active(axis, points) for axis in self.axes}
        alone = {name: only(kind) for name, kind in self.distributions.items() if name not in values}
        return [
            {
                name: alone[name] if name in alone else values[name][row]
                for name in self.distributions
                if name in alone or active[name][row]
            }
            for row in range(len(points))
        ]

    def snap(self, points: Float[np.ndarray, "n dimension"]) -> Float[np.ndarray, "n dimension"]:
        """Returns where the settings of points stand: ``to_unit(from_unit(points))``, but for rounding of floats.

        Raises:
            ValueError: the points have another number of columns, or one of them is not a number.
        """
        points = self._checked(points)
        snapped = np.empty_like(points)
        for axis in self.axes:
            active = self.active(axis, points)
            snapped[:, axis.columns] = np.where(
                active[:, None], axis.scale.snap(points[:, axis.columns]), axis.scale.missing
            )
            if axis.activity is not None:
                snapped[:, axis.activity] = active
        return snapped

    def outside(self, params: Sequence[Mapping[str, Any]]) -> Bool[np.ndarray, " n"]:
        """Returns which settings have a value outside its range, or a choice that there is not."""
        found = np.zeros(len(params), dtype=bool)
        for axis in self.axes:
            present = self._present(axis, params)
            found[present] |= axis.scale.outside([each[axis.name] for each in params if axis.name in each])
        return found

    def active(self, axis: Axis, points: Float[np.ndarray, "n dimension"]) -> Bool[np.ndarray, " n"]:
        """Returns which points have a parameter."""
        if axis.activity is None:
            return np.ones(len(points), dtype=bool)
        return np.asarray(points[:, axis.activity] >= MIDDLE, dtype=bool)

    def _present(self, axis: Axis, params: Sequence[Mapping[str, Any]]) -> Bool[np.ndarray, " n"]:
        present = np.array([axis.name in each for each in params], dtype=bool)
        if axis.activity is None and not present.all():
            raise ValueError(f"{axis.name} is missing in setting {int(np.argmin(present))} and is not conditional")
        return present

    def _checked(self, points: Float[np.ndarray, "n dimension"]) -> Float[np.ndarray, "n dimension"]:
        points = np.asarray(points, dtype=float)
        if points.ndim != 2 or points.shape[1] != self.dimension:
            raise ValueError(f"points of shape {points.shape}: (n, {self.dimension}) is needed")
        if np.isnan(points).any():
            raise ValueError("points must be numbers: one of them is NaN")
        return points


def _union(before: BaseDistribution, after: BaseDistribution) -> BaseDistribution:
    """Returns the range that holds two of a kind; the later one where they are not of a kind."""
    if before == after:
        return after
    if isinstance(before, IntDistribution) and isinstance(after, IntDistribution) and before.log == after.log:
        step = math.gcd(before.step, after.step, before.low - after.low)
        low, high = min(before.low, after.low), max(before.high, after.high)
        return IntDistribution(low, high, log=after.log, step=1 if after.log else step)
    if isinstance(before, FloatDistribution) and isinstance(after, FloatDistribution) and before.log == after.log:
        low_, high_ = min(before.low, after.low), max(before.high, after.high)
        meet = before.step is not None and before.step == after.step and _whole((before.low - after.low) / before.step)
        return FloatDistribution(low_, high_, log=after.log, step=after.step if meet else None)
    return after


def _whole(number: float) -> bool:
    return math.isclose(number, round(number), abs_tol=1e-8)
