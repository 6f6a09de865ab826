"""Ranges over which a setting may be tuned, and quasi-random points in them.

A method declares ``tunables`` beside its class: a mapping from the name of a setting to one of the ranges below. A
range knows how to turn a number in [0, 1) into a value, so that one low-discrepancy sequence serves every method.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, TypeAlias

from trimtab.study.checks import MANY, check_number, check_text, check_whole
from trimtab.study.errors import InputError

Value: TypeAlias = float | int | str | bool | None
Settings: TypeAlias = Mapping[str, Value]


class Tunable(Protocol):
    """A range of values for one setting."""

    def at(self, unit: float) -> Value:
        """Returns the value at ``unit``, a number in [0, 1)."""
        ...

    def check(self, name: str, value: Value) -> None:
        """Raises InputError when ``value`` lies outside the range; ``name`` is for the message."""
        ...

    def scaled(self, factor: float) -> "Tunable":
        """Returns the range of values that are larger by a factor."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Every value between ``low`` and ``high`` is as likely as any other."""

    low: float
    high: float

    def __post_init__(self) -> None:
        check_number("low", self.low)
        check_number("high", self.high)
        if not self.low < self.high:
            raise InputError(f"{type(self).__name__}({self.low}, {self.high}): bounds with low < high are needed")
        if not math.isfinite(self._width()):
            raise InputError(f"{type(self).__name__}({self.low}, {self.high}): the bounds are too far apart")

    def _width(self) -> float:
        return float(self.high) - float(self.low)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    def at(self, unit: float) -> float:
        """Returns ``low + unit (high - low)``."""
        check_unit(unit)
        return self._within(self.low + unit * (self.high - self.low))

    def _within(self, value: float) -> float:
        """Takes back what rounding has put beyond a bound."""
        return min(max(value, self.low), self.high)

    def check(self, name: str, value: Value) -> None:
        """Raises InputError unless ``low <= value <= high``."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:  # type: ignore[operator]  # a number, see above
            raise InputError(f"{name}={value!r} is outside its range [{self.low:g}, {self.high:g}]")

    def scaled(self, factor: float) -> Self:
        """Returns the range of values that are larger by a positive factor."""
        return replace(self, low=self.low * factor, high=self.high * factor)


@dataclass(frozen=True)
class LogUniform(Uniform):
    """Every factor between ``low`` and ``high`` is as likely as any other; both are positive."""

    def __post_init__(self) -> None:
        check_number("low", self.low)
        if self.low <= 0:
            raise InputError(f"LogUniform({self.low}, {self.high}): low must be positive")
        super().__post_init__()

    def _width(self) -> float:
        return float(self.high) / float(self.low)

    def __str__(self) -> str:
        return f"{super().__str__()}, logarithmic"

    def at(self, unit: float) -> float:
        """Returns ``low (high / low) ** unit``."""
        check_unit(unit)
        return self._within(math.exp(math.log(self.low) + unit * math.log(self.high / self.low)))


@dataclass(frozen=True)
class LogOneMinus(Uniform):
    """Every factor of what lacks to one is as likely as any other; both ends lie below one, as momentum does."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.high >= 1:
            raise InputError(f"LogOneMinus({self.low}, {self.high}): high must lie below 1")

    def __str__(self) -> str:
        return f"{super().__str__()}, logarithmic in what lacks to 1"

    def at(self, unit: float) -> float:
        """Returns ``1 - (1 - low) ((1 - high) / (1 - low)) ** unit``."""
        check_unit(unit)
        return self._within(1 - math.exp(math.log1p(-self.low) + unit * math.log((1 - self.high) / (1 - self.low))))


@dataclass(frozen=True)
class Whole:
    """A whole number between ``low`` and ``high``, both included.

    Args:
        low: the least.
        high: the largest.
        log: whether every factor is as likely as any other, rather than every number.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise InputError(f"Whole({self.low!r}, {self.high!r}): {name} must be a whole number")
        if not self.low < self.high:
            raise InputError(f"Whole({self.low}, {self.high}): bounds with low < high are needed")
        if self.log and self.low < 1:
            raise InputError(f"Whole({self.low}, {self.high}, log=True): low must be positive")

    def __str__(self) -> str:
        return f"{self.low} to {self.high}, whole{', logarithmic' if self.log else ''}"

    def at(self, unit: float) -> int:
        """Returns the number in whose share of [0, 1) ``unit`` lies; each number's reaches half way to the next."""
        check_unit(unit)
        if not self.log:
            return min(self.low + int(unit * (self.high - self.low + 1)), self.high)
        low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
        return min(max(round(math.exp(low + unit * (high - low))), self.low), self.high)

    def check(self, name: str, value: Value) -> None:
        """Raises InputError unless ``value`` is a whole number from ``low`` to ``high``."""
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise InputError(f"{name}={value!r} is no whole number from {self.low} to {self.high}")

    def scaled(self, factor: float) -> Self:
        """Returns the range of whole numbers that are larger by a positive factor."""
        low = max(round(self.low * factor), 1 if self.log else round(self.low * factor))
        return replace(self, low=low, high=max(round(self.high * factor), low + 1))


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple):
            raise InputError(f"Choice({self.values!r}): a tuple of values is needed")
        if not self.values:
            raise InputError("Choice() needs at least one value")
        for position, value in enumerate(self.values):
            if isinstance(value, str):
                check_text("value", value)
            elif value is not None and not isinstance(value, bool):
                check_number("value", value)
            if value in self.values[:position]:
                raise InputError(f"Choice{self.values}: the value {value!r} stands there twice")

    def __str__(self) -> str:
        return f"one of {', '.join(map(repr, self.values))}"

    def at(self, unit: float) -> Value:
        """Returns the value in whose share of [0, 1) ``unit`` lies."""
        check_unit(unit)
        return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]

    def check(self, name: str, value: Value) -> None:
        """Raises InputError unless ``value`` is one of the values."""
        if not any(value == known and isinstance(value, bool) == isinstance(known, bool) for known in self.values):
            raise InputError(f"{name}={value!r} is not one of {', '.join(map(repr, self.values))}")

    def scaled(self, factor: float) -> Self:
        """Returns the choice among values that are larger by a factor.

        Raises:
            TypeError: they are not all numbers.
        """
        numbers = [v for v in self.values if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) < len(self.values):
            raise TypeError(f"{self} cannot be scaled by {factor:g}: these are not numbers")
        return replace(self, values=tuple(number * factor for number in numbers))


def check_unit(unit: float) -> None:
    """Raises InputError unless ``unit`` lies in [0, 1)."""
    check_number("unit", unit)
    if not 0 <= unit < 1:
        raise InputError(f"unit={unit!r} must lie in [0, 1)")


Tunables: TypeAlias = Mapping[str, Tunable]


_NEAR_ONE = 0.9


def quasi_random_settings(tunables: Tunables, count: int, seed: int) -> list[dict[str, Value]]:
    """Spreads ``count`` settings evenly over the ranges: the first points of a scrambled Halton sequence.

    The first ``n`` of ``m`` settings are the settings that ``count=n`` gives, so that a longer search extends a shorter
    one. Two methods with equally many tunables get the same points of the unit cube.

    Args:
        tunables: name of a setting to its range. Empty: the method has nothing to tune, and one point is enough.
        count: how many settings.
        seed: scrambles the sequence.

    Returns:
        One dictionary a point, with the keys of ``tunables``.

    Raises:
        InputError: ``count`` is not positive or ``seed`` is negative.
    """
    check_whole("count", count, most=MANY)
    check_whole("seed", seed, least=0)
    if not isinstance(tunables, Mapping) or not all(hasattr(tunable, "at") for tunable in tunables.values()):
        raise InputError(f"tunables={tunables!r}: names and their ranges are needed")
    if not tunables:
        return [{}]
    cube = _halton(len(tunables), count, seed)
    return [{name: t.at(u) for (name, t), u in zip(tunables.items(), row, strict=True)} for row in cube]


@functools.lru_cache(maxsize=64)  # a plan asks for the same points after every trial, each time for milliseconds
def _halton(dimensions: int, count: int, seed: int) -> list[list[float]]:
    from scipy.stats import qmc

    return qmc.Halton(dimensions, scramble=True, rng=seed).random(count).tolist()


def rounded(value: Any) -> Any:
    """Rounds a setting's value to three significant digits, which are more than tuning resolves.

    Of values just below one, as momentum has, they are those of what lacks to it.
    """
    if isinstance(value, tuple):
        return tuple(map(rounded, value))
    if not isinstance(value, float):
        return value
    return round(1 - float(f"{1 - value:.3g}"), 15) if _NEAR_ONE < value < 1 else float(f"{value:.3g}")


def as_given(value: object) -> str:
    """Writes a setting's value as code, with all the digits that somebody gave it."""
    if isinstance(value, tuple):
        return f"({', '.join(map(as_given, value))}{',' if len(value) == 1 else ''})"
    return f"{value:.15g}" if isinstance(value, float) else repr(value)  # a 16th digit would be that of a computation


def as_code(value: object) -> str:
    """Writes a setting's value as code, rounded to what tuning resolves."""
    return as_given(rounded(value))
