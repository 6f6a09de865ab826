"""Checks of hyper-parameters, so that every method refuses a bad value in the same words.

A check takes a hyper-parameter's name and value and returns the value as plain Python, which a checkpoint can hold and
``torch.load(weights_only=True)`` can read: NumPy's numbers become ``float``, sequences become tuples.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeAlias

import torch
from torch import Tensor

Check: TypeAlias = Callable[[str, Any], Any]

FLOATING_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True)
class Interval:
    """The numbers from ``low`` up to ``high``, which is not included; NaN lies in no interval.

    Args:
        low: the smallest number.
        high: the first number that is too large, or the largest.
        open: ``low`` itself is not allowed either.
        closed: ``high`` itself is allowed.
    """

    low: float
    high: float = math.inf
    open: bool = False
    closed: bool = False

    def __call__(self, name: str, value: object) -> float:
        """Returns ``value`` as a float.

        Raises:
            TypeError: it is not a number.
            ValueError: it lies outside the interval.
        """
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{name}={value!r} must be a number in {self}, not {type(value).__name__}")
        number = float(value)
        below = number <= self.high if self.closed else number < self.high
        if not (self.low <= number and below) or (self.open and number == self.low):
            raise ValueError(f"{name}={value!r} must lie in {self}")
        return number

    def __str__(self) -> str:
        return f"{'(' if self.open else '['}{self.low:g}, {self.high:g}{']' if self.closed else ')'}"


NON_NEGATIVE = Interval(0.0)
POSITIVE = Interval(0.0, open=True)
FINITE = Interval(-math.inf, open=True)
FRACTION = Interval(0.0, 1.0)
SHARE = Interval(0.0, 1.0, closed=True)
REPRESENTABLE = Interval(1e-37)
"""An epsilon that float32 rounds to zero would divide zero by zero at a coordinate without gradient."""


def pair(check: Check) -> Check:
    """Returns the check of two values, each of which passes ``check``."""
    return _several(2, "a pair of values", check)


def triple(check: Check) -> Check:
    """Returns the check of three values, each of which passes ``check``."""
    return _several(3, "three values", check)


def _several(count: int, what: str, check: Check) -> Check:
    def check_each(name: str, values: object) -> tuple[Any, ...]:
        if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
            raise TypeError(f"{name}={values!r} must be {what} in {check}")
        return tuple(check(f"{name}[{index}]", value) for index, value in enumerate(values))

    return check_each


def one_of(*choices: object) -> Check:
    """Returns the check of a value that is one of ``choices``."""
    allowed = " or ".join(map(repr, choices))

    def check_choice(name: str, value: object) -> object:
        for choice in choices:
            if isinstance(value, type(choice)) and value == choice:
                return choice
        if not isinstance(value, tuple(map(type, choices))):
            raise TypeError(f"{name}={value!r} must be {allowed}, not {type(value).__name__}")
        raise ValueError(f"{name}={value!r} must be {allowed}")

    return check_choice


def flag(name: str, value: object) -> bool:
    """Returns ``value``.

    Raises:
        TypeError: it is neither True nor False.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name}={value!r} must be True or False, not {type(value).__name__}")
    return value


def optional(check: Check) -> Check:
    """Returns the check of a value that may be ``None``, and otherwise passes ``check``."""

    def check_optional(name: str, value: object) -> Any:
        return None if value is None else check(name, value)

    return check_optional


def learning_rate(name: str, value: object) -> float | Tensor:
    """Returns ``value``: a number >= 0, or a tensor that holds one, which stays the tensor that schedulers write to.

    Raises:
        TypeError: it is neither a number nor a real tensor.
        ValueError: it is negative, not finite, or a tensor of another number of elements.
    """
    if not isinstance(value, Tensor):
        return NON_NEGATIVE(name, value)
    allowed = f"must be a real tensor of one element, or a number in {NON_NEGATIVE}"
    if value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name}={value!r} {allowed}, not of {value.dtype}")
    if value.numel() != 1:
        raise ValueError(f"{name}={value!r} {allowed}: it has {value.numel()}")
    NON_NEGATIVE(name, float(value))
    return value


def keep_own_rate(group: dict[str, Any]) -> None:
    """Gives a parameter group a tensor of its own, if its ``lr`` is one.

    Schedulers write to it in place: were it shared, two groups would each multiply the same number.
    """
    if isinstance(group.get("lr"), Tensor):
        group["lr"] = group["lr"].detach().clone()


def integer(name: str, value: object) -> int:
    """Returns ``value``.

    Raises:
        TypeError: it is not a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name}={value!r} must be a whole number, not {type(value).__name__}")
    return int(value)


def whole_number(low: int) -> Check:
    """Returns the check of a whole number that is at least ``low``."""

    def check_number(name: str, value: object) -> int:
        number = integer(name, value)
        if number < low:
            raise ValueError(f"{name}={value!r} must be a whole number >= {low}")
        return number

    return check_number


def string(name: str, value: object) -> str:
    """Returns ``value``.

    Raises:
        TypeError: it is not a string.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name}={value!r} must be a string, not {type(value).__name__}")
    return value


def floating_dtype(name: str, value: object) -> torch.dtype | None:
    """Returns ``value``: one of ``FLOATING_DTYPES``, or ``None``.

    Raises:
        TypeError: it is something else.
    """
    if value is None or (isinstance(value, torch.dtype) and value in FLOATING_DTYPES):
        return value
    raise TypeError(f"{name}={value!r} must be None or one of {', '.join(map(str, FLOATING_DTYPES))}")
