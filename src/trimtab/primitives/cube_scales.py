"""How the values of one parameter stand on columns of the unit cube: floats, steps, logarithms, choices."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

MIDDLE: Final = 0.5
"""Where a number stands that a setting does not have."""

_ROUNDING: Final = 1e-8
"""In steps: as far as Optuna lets a value be off."""


class Scale(ABC):
    """How the values of one parameter stand on columns of the cube.

    Attributes:
        width: columns.
        count: values that there are; ``None`` for a continuum.
        missing: what stands in each column where a setting lacks the parameter.
    """

    width: int = 1
    count: int | None = None
    missing: float = MIDDLE

    @abstractmethod
    def encode(self, values: Sequence[Any]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values; those outside the range stand beyond [0, 1] if there is such a place."""

    @abstractmethod
    def decode(self, columns: Float[np.ndarray, "n width"]) -> list[Any]:
        """Returns the values of columns, whatever numbers these hold."""

    @abstractmethod
    def outside(self, values: Sequence[Any]) -> Bool[np.ndarray, " n"]:
        """Returns which values are outside the range."""

    def clip(self, values: Sequence[Any]) -> Sequence[Any]:
        """Returns values, those outside the range moved to its nearest end if it has ends."""
        return values

    def nearest(self, columns: Float[np.ndarray, "n width"]) -> Float[np.ndarray, " n"]:
        """Returns the indices, from 0, of the values that columns stand for; of a discrete parameter only."""
        raise NotImplementedError

    def at(self, indices: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of the values of these indices; of a discrete parameter only."""
        raise NotImplementedError

    def snap(self, columns: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of the values that columns stand for."""
        return np.clip(columns, 0.0, 1.0) if self.count is None else self.at(self.nearest(columns))


class _Numbers(Scale):
    """Numbers from a lowest to a highest one."""

    low: float
    high: float

    def outside(self, values: Sequence[Any]) -> Bool[np.ndarray, " n"]:
        """Returns which values are outside the range."""
        numbers = _numbers(values)
        return ~((numbers >= self.low) & (numbers <= self.high))

    def clip(self, values: Sequence[Any]) -> Sequence[Any]:
        """Returns values within the range."""
        clipped: list[float] = np.clip(_numbers(values), self.low, self.high).tolist()
        return clipped


class Linear(_Numbers):
    """Real numbers, affine."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = float(low), float(high)

    def encode(self, values: Sequence[Any]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values."""
        half = _numbers(values) / 2 - self.low / 2  # by halves, as the difference of two large numbers overflows
        columns: Float[np.ndarray, "n width"] = (half / (self.high / 2 - self.low / 2))[:, None]
        return columns

    def decode(self, columns: Float[np.ndarray, "n width"]) -> list[Any]:
        """Returns the values of columns."""
        part = np.clip(columns[:, 0], 0.0, 1.0)
        numbers: list[float] = np.clip(self.low * (1 - part) + self.high * part, self.low, self.high).tolist()
        return numbers


class Logarithmic(_Numbers):
    """Positive real numbers, on the scale of their logarithms."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = float(low), float(high)
        self._exponents = Linear(math.log(low), math.log(high))

    def encode(self, values: Sequence[Any]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values."""
        numbers = _numbers(values)
        return self._exponents.encode(np.log(np.where(numbers > 0, numbers, self.low)).tolist())

    def decode(self, columns: Float[np.ndarray, "n width"]) -> list[Any]:
        """Returns the values of columns."""
        numbers = np.clip(np.exp(self._exponents.decode(columns)), self.low, self.high)
        numbers[columns[:, 0] <= 0], numbers[columns[:, 0] >= 1] = self.low, self.high  # exactly, without rounding
        found: list[float] = numbers.tolist()
        return found


class Steps(_Numbers):
    """Numbers a step apart: each has a cell of the same width and stands in the middle of it."""

    count: int

    def __init__(self, low: float, high: float, step: float) -> None:
        self.low, self.high, self.step = low, high, step
        self.count = round((high - low) / step) + 1

    def encode(self, values: Sequence[Any]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values."""
        indices = (_numbers(values) - self.low) / self.step
        whole = np.round(indices)
        return self.at(np.where(np.abs(indices - whole) < _ROUNDING, whole, indices))

    def decode(self, columns: Float[np.ndarray, "n width"]) -> list[Any]:
        """Returns the values of columns."""
        return [self._value(index) for index in self.nearest(columns)]

    def nearest(self, columns: Float[np.ndarray, "n width"]) -> Float[np.ndarray, " n"]:
        """Returns the indices of values."""
        return np.asarray(np.clip(np.floor(columns[:, 0] * self.count), 0, self.count - 1))

    def at(self, indices: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values by index."""
        columns: Float[np.ndarray, "n width"] = ((indices + MIDDLE) / self.count)[:, None]
        return columns

    def _value(self, index: float) -> float | int:
        # whole numbers stay what they are: a float has no room for large ones
        return min(self.low + self.step * (int(index) if isinstance(self.low, int) else float(index)), self.high)


class LogarithmicIntegers(_Numbers):
    """Whole numbers on the scale of logarithms: the cell of v reaches from log(v - 1/2) to log(v + 1/2)."""

    count: int

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.count = high - low + 1
        self._cells = Logarithmic(low - MIDDLE, high + MIDDLE)

    def encode(self, values: Sequence[Any]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values."""
        return self._cells.encode(values)

    def decode(self, columns: Float[np.ndarray, "n width"]) -> list[Any]:
        """Returns the values of columns."""
        return [min(int(self.low) + int(index), int(self.high)) for index in self.nearest(columns)]

    def nearest(self, columns: Float[np.ndarray, "n width"]) -> Float[np.ndarray, " n"]:
        """Returns the indices of values."""
        whole = np.floor(np.asarray(self._cells.decode(columns)) + MIDDLE)
        return np.clip(whole - self.low, 0, self.count - 1)

    def at(self, indices: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values by index."""
        return self._cells.encode((indices + self.low).tolist())


class Choices(Scale):
    """Choices without an order: a column each, of which one holds 1 and the others 0; two choices share one column.

    Back goes the choice whose column holds most, the first of several; of two choices the second from 1/2 on.
    """

    count: int

    def __init__(self, distribution: CategoricalDistribution) -> None:
        self._distribution = distribution
        self.count = len(distribution.choices)
        self.width = 1 if self.count == 2 else self.count
        self.missing = MIDDLE if self.count == 2 else 1 / self.count

    def encode(self, values: Sequence[Any]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values."""
        found = np.array([self._index(value) for value in values], dtype=float)
        columns = self.at(np.where(np.isnan(found), 0.0, found))
        columns[np.isnan(found)] = self.missing
        return columns

    def decode(self, columns: Float[np.ndarray, "n width"]) -> list[Any]:
        """Returns the values of columns."""
        return [self._distribution.choices[int(index)] for index in self.nearest(columns)]

    def outside(self, values: Sequence[Any]) -> Bool[np.ndarray, " n"]:
        """Returns which values are outside the range."""
        return np.array([math.isnan(self._index(value)) for value in values], dtype=bool)

    def nearest(self, columns: Float[np.ndarray, "n width"]) -> Float[np.ndarray, " n"]:
        """Returns the indices of values."""
        if self.count == 2:
            return np.asarray(columns[:, 0] >= MIDDLE, dtype=float)
        return np.asarray(np.argmax(columns, axis=1), dtype=float)

    def at(self, indices: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values by index."""
        if self.count == 2:
            return np.asarray(indices, dtype=float)[:, None]
        return np.asarray(np.eye(self.count)[indices.astype(int)])

    def _index(self, value: Any) -> float:
        try:
            return float(self._distribution.to_internal_repr(value))
        except ValueError:
            return math.nan


class Alone(Scale):
    """The only value of a conditional parameter: it has no column, only its activity says anything."""

    width = 0
    count = 1

    def __init__(self, distribution: BaseDistribution) -> None:
        self._distribution = distribution

    def encode(self, values: Sequence[Any]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values."""
        return np.empty((len(values), 0))

    def decode(self, columns: Float[np.ndarray, "n width"]) -> list[Any]:
        """Returns the values of columns."""
        return [only(self._distribution)] * len(columns)

    def outside(self, values: Sequence[Any]) -> Bool[np.ndarray, " n"]:
        """Returns which values are outside the range."""
        return np.array([value != only(self._distribution) for value in values], dtype=bool)

    def nearest(self, columns: Float[np.ndarray, "n width"]) -> Float[np.ndarray, " n"]:
        """Returns the indices of values."""
        return np.zeros(len(columns))

    def at(self, indices: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n width"]:
        """Returns the columns of values by index."""
        return np.empty((len(indices), 0))


def _numbers(values: Sequence[Any]) -> Float[np.ndarray, " n"]:
    return np.array([float(value) for value in values], dtype=float)


def only(distribution: BaseDistribution) -> Any:
    """Returns the only value of a range that has one."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    if isinstance(distribution, FloatDistribution | IntDistribution):
        return distribution.low
    raise TypeError(f"{distribution!r} is none of Optuna's distributions")


def scale_of(distribution: BaseDistribution) -> Scale:
    """Returns how the values of a range stand on columns.

    Raises:
        TypeError: it is none of Optuna's three kinds.
    """
    if distribution.single():
        return Alone(distribution)
    if isinstance(distribution, CategoricalDistribution):
        return Choices(distribution)
    if isinstance(distribution, IntDistribution):
        if distribution.log:
            return LogarithmicIntegers(distribution.low, distribution.high)
        return Steps(distribution.low, distribution.high, distribution.step)
    if not isinstance(distribution, FloatDistribution):
        raise TypeError(f"{distribution!r} is none of Optuna's distributions")
    if distribution.step is not None:
        return Steps(float(distribution.low), float(distribution.high), float(distribution.step))
    return (Logarithmic if distribution.log else Linear)(distribution.low, distribution.high)
