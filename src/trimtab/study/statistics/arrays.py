"""What the statistics share: numbers that are checked, and their mean and spread without overflow."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trimtab.study.checks import check_number

Array = NDArray[np.float64]

SINGLE_PRECISION = 2.0**-21
"""Numbers of single precision, and sums and differences of a few, are equal where they differ relatively by less."""

DOUBLE_PRECISION = 2.0**-52
"""Numbers that were the same each time have no other noise."""

SMALLEST = math.ulp(0.0)
"""The smallest number above zero."""


def finite(name: str, values: ArrayLike, least: int) -> Array:
    """Returns at least so many finite numbers as an array.

    Raises:
        ValueError: they are not that.
    """
    array = numbers(name, values)
    if len(array) < least:
        raise ValueError(f"{name} has shape {array.shape}; a flat list of at least {least} numbers is needed")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]}; all its values must be finite")
    return array


def numbers(name: str, values: ArrayLike, dimensions: int = 1) -> Array:
    """Returns values as an array, if they are numbers already: a text that could be read as one is not.

    Raises:
        ValueError: they are not, or of another shape.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError):  # lists of unequal lengths, for example
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or array.ndim != dimensions:
        kind = "a flat list" if dimensions == 1 else "a square matrix"
        raise ValueError(f"{name} has shape {array.shape}: {kind} of numbers is needed, got {str(values)[:80]}")
    return array.astype(np.float64)


def probabilities(name: str, values: Array) -> Array:
    """Returns values that lie in [0, 1].

    Raises:
        ValueError: one does not.
    """
    outside = values[~((values >= 0) & (values <= 1))]  # the negation also catches nan
    if outside.size:
        raise ValueError(f"{name} holds {outside[0]}; p-values lie in [0, 1]")
    return values


def check_not_negative(name: str, value: float) -> None:
    """Raises ValueError unless a number is finite and >= 0."""
    check_number(name, value)
    if value < 0:
        raise ValueError(f"{name}={value!r} must be finite and >= 0")


def check_open_unit(name: str, value: float) -> None:
    """Raises ValueError unless a number lies in (0, 1)."""
    check_number(name, value)
    if not 0 < value < 1:
        raise ValueError(f"{name}={value!r} must lie in (0, 1)")


def moments(values: Array) -> tuple[float, float]:
    """Returns the mean and the standard deviation with divisor n - 1."""
    if bool((values == values[0]).all()):  # rounding would leave equal numbers such as 0.1 a spread of 1e-17
        return float(values[0]), 0.0
    # squares of very small or large numbers leave the range of floats; multiplying by powers of two is exact
    exponent = int(np.frexp(np.abs(values).max())[1])
    scaled = np.ldexp(values, -exponent)
    with np.errstate(over="ignore"):
        return float(np.ldexp(scaled.mean(), exponent)), float(np.ldexp(scaled.std(ddof=1), exponent))


def rounding(values: Array) -> float:
    """Returns by how much two of these numbers may differ and yet be equal but for their rounding.

    Scores are mostly computed in single precision, whatever type they are kept in. A constant is the same number each
    time, rounding included.
    """
    return 0.0 if bool((values == values[0]).all()) else SINGLE_PRECISION * float(np.abs(values).max())
