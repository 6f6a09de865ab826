"""Numbers as a reader wants them, which anybody who writes words about a result needs."""

import math
from collections.abc import Mapping

from trimtab.study.tunable import Value, as_code

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
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # of what is shown: 9.99996 is 10.00
    if not -5 < exponent < 7:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, digits - 1 - exponent)}f}"


def setting(value: Value) -> str:
    """Returns the value of a setting; three significant digits are more than tuning resolves."""
    return as_code(value) if isinstance(value, float) else str(value)


def settings_text(settings: Mapping[str, Value]) -> str:
    """Returns settings in a line."""
    return ", ".join(f"{name} = {setting(value)}" for name, value in settings.items())


def whole(value: float | None) -> str:
    """Returns a rounded number with its thousands set apart."""
    return MISSING if value is None else f"{value:,.0f}"
