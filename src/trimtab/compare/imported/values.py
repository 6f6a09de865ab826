"""What the cells of a table of runs say, each kind of number and name by itself."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from trimtab.compare.plan import check_label
from trimtab.study.checks import check_name
from trimtab.study.errors import InputError
from trimtab.study.outcome import LARGEST, is_measured

Curve = tuple[tuple[float, float], ...]
"""Cost and value at each moment of a run that is known."""

_LARGEST_SEED = 2**63 - 1
_LONGEST_SHOWN = 40


def _problem(text: str) -> str:
    check_name("problem", text)
    return text.replace("/", "-")  # as comparisons call it: it becomes a directory


def _candidate(text: str) -> str:
    check_label(text)
    return text


def _seed(text: str) -> int:
    try:
        # tables write whole numbers as 3.0 where another one is missing
        value = int(text) if text.lstrip("+-").isdecimal() else _number(text)
        seed = int(value)
    except (ValueError, OverflowError):  # an InputError among them
        raise InputError(f"{cut(text)!r} is no whole number, as a seed is") from None
    if seed != value or abs(seed) > _LARGEST_SEED:
        raise InputError(f"{cut(text)!r} is no whole number that a seed can be")
    return seed


def _score(text: str) -> float:
    value = _number(text)
    if not math.isfinite(value):
        raise InputError(f"{text} is not finite; a run that diverged has no score that a mean could be made of")
    if not is_measured(value):
        raise InputError(f"{text} is too large for a score: scripts write such numbers where they have none")
    return value


def _cost(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= LARGEST:
        raise InputError(f"{text} is no cost: a finite number is needed, and not a negative one")
    return int(value) if value.is_integer() else value


def _curve(text: str) -> Curve:
    points: list[tuple[float, float]] = []
    for place, part in enumerate((part for part in text.split(";") if part.strip()), 1):
        try:
            points.append(_point(part, points))
        except InputError as error:
            raise InputError(f"point {place}, {cut(part.strip())!r}: {error}") from None
    if not points:
        raise InputError(f"{cut(text)!r} is no curve: cost:value;cost:value is one")
    return tuple(points)


def _point(text: str, before: Sequence[tuple[float, float]]) -> tuple[float, float]:
    cost, colon, value = text.partition(":")
    if not colon:
        raise InputError("a cost, a colon and a value are needed")
    point = _cost(cost.strip()), _score(value.strip())
    if before and point[0] <= before[-1][0]:
        raise InputError("costs must grow along a curve")
    return point


OF_TEXTS = ("problem", "candidate")
"""What is no number."""

READERS: dict[str, Callable[[str], Any]] = {
    "problem": _problem,
    "candidate": _candidate,
    "seed": _seed,
    "score": _score,
    "cost": _cost,
    "curve": _curve,
}
"""What is made of a cell, by what its column holds. Each raises an ``InputError`` where the cell says no such thing."""


def _number(text: str) -> float:
    try:
        if "_" not in text:  # which Python allows in numbers
            return float(text)
    except ValueError:
        pass
    raise InputError(f"{cut(text)!r} is not a number")


def cut(text: str) -> str:
    """Returns what a cell holds as messages show it."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
