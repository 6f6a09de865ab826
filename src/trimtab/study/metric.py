"""Numbers that candidates are compared by, and what they were found on."""

import numbers
from dataclasses import dataclass
from typing import Literal, TypeAlias

from trimtab.study.checks import check_bounds, check_number, check_text
from trimtab.study.errors import InputError

Split: TypeAlias = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Metric:
    """The number that people quote for a problem.

    Args:
        name: what it is called, e.g. ``"accuracy"``.
        direction: whether more or less of it is better.
        target: a value that counts as solved, where one is known; runs are timed until they reach it.
        bounds: the least and the largest value that it can have, ``None`` for a side without one: ``(0, 1)`` for an
            accuracy, ``(0, None)`` for an error, ``(None, 1)`` for R². Intervals of means stay within. By default
            accuracies and their like are known by their names, and what is never negative in a comparison is bounded
            by zero.
    """

    name: str
    direction: Literal["max", "min"]
    target: float | None = None
    bounds: tuple[float | None, float | None] | None = None

    def __post_init__(self) -> None:
        check_text("name", self.name)
        if self.direction not in ("max", "min"):
            raise InputError(f"Metric {self.name!r}: direction={self.direction!r} must be 'max' or 'min'")
        if self.target is not None:
            check_number("target", self.target)
        if self.bounds is not None:
            check_bounds("bounds", self.bounds)

    @property
    def goal(self) -> str:
        """The target in words, as ``regret <= 0.05``; empty without one."""
        sign = ">=" if self.direction == "max" else "<="
        return "" if self.target is None else f"{self.name} {sign} {self.target:g}"

    def reached(self, value: float) -> bool:
        """Tells whether ``value`` is as good as the target."""
        if self.target is None:
            return False
        return value >= self.target if self.direction == "max" else value <= self.target


@dataclass(frozen=True)
class Evaluation:
    """What a model scores on a whole split.

    Args:
        loss: mean of the per-sample losses.
        metric: the problem's metric.
    """

    loss: float
    metric: float

    def __post_init__(self) -> None:
        for name in ("loss", "metric"):  # a whole number, or one of numpy's, which could not be stored
            value = getattr(self, name)
            if isinstance(value, numbers.Real) and not isinstance(value, bool):
                object.__setattr__(self, name, float(value))
