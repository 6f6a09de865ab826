"""Numbers as a reader wants them: no more digits than they carry, and units that fit."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from trimtab.compare.result import Interval
from trimtab.study.facts import Measure
from trimtab.study.numbers import MISSING, setting, settings_text, significant, whole

__all__ = [
    "LOPSIDED",
    "MISSING",
    "Digits",
    "between",
    "bytes_text",
    "cost_to_target",
    "digits_of",
    "duration",
    "fixed",
    "half_width",
    "measured",
    "milliseconds",
    "plus_minus",
    "setting",
    "settings_text",
    "signed",
    "significant",
    "suited",
    "troubles",
    "whole",
]

LOPSIDED = 1.5
"""An interval that reaches so many times farther to one side is shown by its ends."""


_MEASURED = 100


def cost_to_target(value: float | None) -> str:
    """Returns what it cost to reach a target; nothing if it was met before anything was spent."""
    if value == 0:
        return "met at the start"
    # what is not counted but measured, as hours are, may be small
    return significant(value, 3) if value is not None and value < _MEASURED and value % 1 else whole(value)


def troubles(diverged: int, failed: int) -> str:
    """Returns how many trials diverged and failed: ``2 diverged, 1 failed``; empty if none did."""
    counts = {"diverged": diverged, "failed": failed}
    return ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)


def measured(measure: Measure, value: float | None) -> str:
    """Returns a measure as tables show it, without its unit where the head of a column has it."""
    written = {"milliseconds": milliseconds, "bytes": bytes_text, "whole": whole}
    return written[measure.form](value) if measure.form in written else significant(value, 3)


def bytes_text(value: float | None) -> str:
    """Returns an amount of memory."""
    if value is None:
        return MISSING
    amount, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if float(f"{amount:.3g}") < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:,.0f} {unit}" if unit == "B" or amount >= 1000 else f"{amount:.3g} {unit}"


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


@dataclass(frozen=True)
class Digits:
    """How a column shows its numbers, so that they line up: with so many decimals, in units of a power of ten.

    Args:
        places: decimals.
        exponent: of the power of ten; where it is 0 the numbers stand as they are, and else it stands behind each.
    """

    places: int
    exponent: int = 0

    def written(self, value: float) -> str:
        """Returns a number as the column shows it; a number too large for the column has a form of its own."""
        if not math.isfinite(value) or abs(value) >= 10.0 ** min(_GIANT + self.exponent, 308):
            return significant(value, 3)
        if self.exponent > 0 and value and float(self.mantissa(value)) == 0:  # small beside giants is not zero
            return significant(value, 3)
        return self.exponential(self.mantissa(value))

    def mantissa(self, value: float) -> str:
        """Returns a number without its power of ten, and zero without a sign."""
        text = f"{Decimal(value).scaleb(-self.exponent):.{self.places}f}"
        return text.lstrip("-") if float(text) == 0 else text

    def exponential(self, mantissa: str) -> str:
        """Returns a text with the power of ten behind it."""
        return f"{mantissa}e{self.exponent:+03d}" if self.exponent else mantissa

    def suited(self, interval: Interval) -> "Digits":
        """Returns these, or its own where these show an interval as endless digits, as zeros or without its width."""
        half = half_width(interval) or 0.0
        hidden = float(self.mantissa(interval.mean)) == 0 and 0 < 2 * half < abs(interval.mean)
        narrow = 0 < half < math.inf and float(self.mantissa(half)) == 0
        if hidden or narrow or max(abs(interval.mean), half) >= 10.0 ** min(_GIANT + self.exponent, 308):
            return digits_of([interval]) or self
        return self


_GIANT = 7
"""Digits before the point that a column has room for."""
_SMALLEST = -4
"""Exponent of the smallest numbers that are shown without one."""
_MOST, _MOST_BESIDE_A_POWER = 8, 5
"""Digits of a number, however small its interval is; a power of ten takes the room of three."""


def half_width(interval: Interval) -> float | None:
    """Returns half the width of an interval, or ``None`` where there is none."""
    return None if interval.low is None or interval.high is None else interval.high / 2 - interval.low / 2


def digits_of(intervals: Iterable[Interval | None]) -> Digits | None:
    """Returns how a column of means should show them.

    The interval of the median candidate gets two significant digits, whatever the unit; ``None`` when no candidate has
    an interval.
    """
    pairs = [(abs(i.mean), half) for i in intervals if i is not None and (half := half_width(i))]
    known = [pair for pair in pairs if all(map(math.isfinite, pair))]
    if not known:
        return None
    last = _exponent(statistics.median_low(half for _, half in known)) - 1
    first = _exponent(statistics.median_low(max(pair) for pair in known))
    exponent, most = (0, _MOST) if _SMALLEST <= first < _GIANT else (first, _MOST_BESIDE_A_POWER)
    return Digits(max(0, exponent - max(last, first - most + 1)), exponent)


def _exponent(value: float) -> int:
    """Returns the power of ten of a number's first digit, once it is rounded to two."""
    return int(f"{value:.1e}".partition("e")[2])


def fixed(value: float | None, digits: Digits | None) -> str:
    """Returns a number as its column shows it, or with four significant digits where there are no ``digits``."""
    return significant(value) if value is None or digits is None else digits.written(value)


def plus_minus(interval: Interval | None, digits: Digits | None) -> str:
    """Returns a mean with half of its interval's width: ``0.123 ±0.012``, or ``(1.23 ±0.12)e-12``.

    Near a bound of what can be, where half of the width would lead beyond it, with the interval's ends:
    ``0.990 0.95–1.00``.
    """
    if interval is None:
        return MISSING
    half = half_width(interval)
    if half is None or digits is None or not math.isfinite(half):
        return fixed(interval.mean, digits)
    digits = digits.suited(interval)
    if (
        interval.low is not None
        and interval.high is not None
        and _is_lopsided(interval.mean, interval.low, interval.high)
    ):
        if digits.exponent > 0 and interval.mean and float(digits.mantissa(interval.mean)) == 0:
            return " ".join([significant(interval.mean, 3), f"{interval.low:.3g}–{interval.high:.3g}"])
        ends = f"{digits.mantissa(interval.low)}–{digits.mantissa(interval.high)}"
        text = f"{digits.mantissa(interval.mean)} {ends}"
        return digits.exponential(f"({text})") if digits.exponent else text
    if half and float(digits.mantissa(half)) == 0:  # it is known to more digits than there is room for
        return f"{digits.written(interval.mean)} ±{half:.0e}"
    text = f"{digits.mantissa(interval.mean)} ±{digits.mantissa(half)}"
    return digits.exponential(f"({text})") if digits.exponent else text


def _is_lopsided(mean: float, low: float, high: float) -> bool:
    return max(high - mean, mean - low) > LOPSIDED * min(high - mean, mean - low)


def suited(digits: Digits | None, interval: Interval | None) -> Digits | None:
    """Returns the digits that show an interval in a column with these."""
    return digits if digits is None or interval is None else digits.suited(interval)


def signed(value: float, digits: Digits | None) -> str:
    """Returns a difference with its sign."""
    text = fixed(abs(value), digits)
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else '−'}{text}"  # a true minus sign is as wide as the plus
