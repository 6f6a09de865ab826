"""Ranges over which a setting may be tuned, and quasi-random points in them.

A method declares ``tunables`` beside its class: a mapping from the name of a setting to one of the ranges below. A
range knows how to turn a number in [0, 1) into a value, so that one low-discrepancy sequence serves every method.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeAlias

from trimtab.lab.errors import InputError

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
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(
                f"{type(self).__name__}({self.low}, {self.high}): finite bounds with low < high are needed"
            )

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    def at(self, unit: float) -> float:
        """Returns ``low + unit (high - low)``."""
        return self.low + unit * (self.high - self.low)

    def check(self, name: str, value: Value) -> None:
        """Raises InputError unless ``low <= value <= high``."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= float(value) <= self.high:  # type: ignore[arg-type]  # a number, see above
            raise InputError(f"{name}={value!r} is outside its range [{self.low:g}, {self.high:g}]")

    def scaled(self, factor: float) -> Self:
        """Returns the range of values that are larger by a positive factor."""
        return replace(self, low=self.low * factor, high=self.high * factor)


@dataclass(frozen=True)
class LogUniform(Uniform):
    """Every factor between ``low`` and ``high`` is as likely as any other; both are positive."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise InputError(f"LogUniform({self.low}, {self.high}): low must be positive")

    def __str__(self) -> str:
        return f"{super().__str__()}, logarithmic"

    def at(self, unit: float) -> float:
        """Returns ``low (high / low) ** unit``."""
        return math.exp(math.log(self.low) + unit * math.log(self.high / self.low))


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise InputError("Choice() needs at least one value")

    def __str__(self) -> str:
        return f"one of {', '.join(map(repr, self.values))}"

    def at(self, unit: float) -> Value:
        """Returns the value in whose share of [0, 1) ``unit`` lies."""
        return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]

    def check(self, name: str, value: Value) -> None:
        """Raises InputError unless ``value`` is one of the values."""
        if value not in self.values:
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


Tunables: TypeAlias = Mapping[str, Tunable]


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
        InputError: ``count`` is not positive.
    """
    if count < 1:
        raise InputError(f"count={count}: at least one point is needed")
    if not tunables:
        return [{}]
    from scipy.stats import qmc

    cube = qmc.Halton(len(tunables), scramble=True, rng=seed).random(count)
    return [{name: t.at(float(u)) for (name, t), u in zip(tunables.items(), row, strict=True)} for row in cube]
