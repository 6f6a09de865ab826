"""Numbers as a reader wants them: no more digits than they carry, and units that fit."""

import math
import statistics
from collections.abc import Iterable

from trimtab.compare.result import Interval
from trimtab.lab.tunable import Value

MISSING = "–"
"""Stands where there is no number."""


def significant(value: float | None, digits: int = 4) -> str:
    """Returns a number with so many significant digits, trailing zeros included, or a dash."""
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if not -5 < exponent < 7:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, digits - 1 - exponent)}f}"


def setting(value: Value) -> str:
    """Returns the value of a setting; three significant digits are more than tuning resolves."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def settings_text(settings: dict[str, Value]) -> str:
    """Returns settings in a line."""
    return ", ".join(f"{name} = {setting(value)}" for name, value in settings.items())


def whole(value: float | None) -> str:
    """Returns a rounded number with its thousands set apart."""
    return MISSING if value is None else f"{value:,.0f}"


def count(number: int, noun: str) -> str:
    """Returns a number with its noun: ``1 seed``, ``2 seeds``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def bytes_text(value: int | None) -> str:
    """Returns an amount of memory."""
    if value is None:
        return MISSING
    amount, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{value} B" if unit == "B" else f"{amount:.3g} {unit}"


def duration(seconds: float) -> str:
    """Returns a duration in its two largest units."""
    whole_seconds = max(0, round(seconds))
    for size, unit, smaller, small_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole_seconds >= size:
            large, rest = divmod(whole_seconds, size)
            return f"{large} {unit} {rest // smaller} {small_unit}" if rest // smaller else f"{large} {unit}"
    return f"{whole_seconds} s"


def between(low: float, high: float) -> str:
    """Returns a range of durations, with the unit once where it is the same: ``3 to 5 min``, ``50 s to 2 min``."""
    first, last = (duration(_rounded(seconds)) for seconds in (low, high))
    if first == last:
        return f"about {last}"
    number, _, unit = first.partition(" ")
    return f"{number if unit == last.partition(' ')[2] else first} to {last}"


def _rounded(seconds: float) -> float:
    """Rounds an uncertain duration to about two significant digits of its unit."""
    for unit in (86400, 3600, 60):
        if seconds >= 2 * unit:
            return max(2, round(seconds / unit)) * unit
    return seconds if seconds < 10 else 5 * round(seconds / 5)


def milliseconds(seconds: float | None) -> str:
    """Returns a short time in milliseconds, without the unit."""
    return MISSING if seconds is None else significant(1000 * seconds, 3)


def decimals(intervals: Iterable[Interval | None]) -> int | None:
    """Returns how many decimals a column of means deserves, so that its numbers line up.

    The interval of the median candidate gets two significant digits; ``None`` when no candidate has an interval.
    """
    halves = [(i.high - i.low) / 2 for i in intervals if i is not None and i.low is not None and i.high is not None]
    halves = [half for half in halves if half > 0]
    if not halves:
        return None
    return min(8, max(0, 1 - math.floor(math.log10(statistics.median(halves)))))


def fixed(value: float | None, places: int | None) -> str:
    """Returns a number with so many decimals, or with four significant digits where ``places`` is ``None``."""
    if value is None or places is None:
        return significant(value)
    return f"{value:.{places}f}"


def signed(value: float, places: int | None) -> str:
    """Returns a difference with its sign."""
    text = fixed(abs(value), places)
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else '−'}{text}"  # a true minus sign is as wide as the plus
