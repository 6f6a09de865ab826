"""Units and currencies of numbers: one is left out, and several are not added together."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from trimtab.lab.tables.cells import CURRENCIES, MOSTLY, Read, read_numbers
from trimtab.study.phrases import NAMED, listed

_WORDS = (
    *("inch", "inches", "foot", "feet", "mile", "miles", "ha", "acre", "acres", "sqm", "qm", "sqft"),
    *("mg", "µg", "μg", "ug", "kg", "Kg", "KG", "lb", "lbs", "oz"),
    *("ml", "mL", "cl", "dl", "hl", "ccm", "cc", "gal"),
    *("ms", "sec", "secs", "min", "mins", "hr", "hrs", "hour", "hours", "day", "days", "week", "weeks"),
    *("month", "months", "year", "years", "yr", "yrs"),
    *("°", "°C", "°F", "kmh", "kph", "mph", "rpm", "Hz", "kHz", "MHz", "GHz"),
    *("mV", "kV", "mA", "kW", "MW", "GW", "Wh", "kWh", "MWh", "kJ", "MJ", "kcal", "hp", "PS", "Nm", "kN"),
    *("Pa", "hPa", "kPa", "MPa", "mbar", "bar", "psi", "dB", "ppm", "ppb", "mol", "mmol"),
    *("bit", "kbit", "Mbit", "Gbit", "kB", "KB", "MB", "GB", "TB", "px"),
)
"""Beside lengths with their squares and cubes, what is a unit even where only some cells have it.

Other words are not: they may be part of a name, as in ``12 bis``, or a power of ten, as in ``12K``.
"""

_SAME = {
    **{"Kg": "kg", "KG": "kg", "mL": "ml", "sqm": "m2", "qm": "m2", "sqft": "ft2", "inches": "inch", "feet": "foot"},
    **{"kmh": "km/h", "kph": "km/h", "EUR": "€"},
}
"""One unit written in two ways; those of several are words in the plural, and powers, besides.

``$`` and ``USD`` are not one: in a table that has both, the former may be the dollar of another country.
"""

_POWERS = str.maketrans({"²": "2", "³": "3", "^": None})

_SPACE = " \u00a0\u2009\u202f"
_NUMBER = rf"[+\-\u2212]?\.?\d[\d.,'’{_SPACE}]*(?:[eE][+-]?\d+)?"
_ONE = rf"(?:(?:[nµμucmdk]?m|in|ft|yd|mi)(?:\^?[23]|[²³])?|{'|'.join(map(re.escape, _WORDS))})"
_LETTER = "[ghlLstV]"
"""One that stands apart: 12g, 1990s and 500L are rather names."""

_RATIO = rf"(?:{_ONE}|[ghlLstVWJN€$£]|EUR|USD|GBP|CHF)/(?:100 ?)?(?:{_ONE}|[ghlLstd])"
_MEASURE = re.compile(rf"({_NUMBER})(?:[{_SPACE}]?({_RATIO}|{_ONE})|[{_SPACE}]({_LETTER}))")
_CURRENCY = rf"({'|'.join(map(re.escape, CURRENCIES))})"
_MONEY = re.compile(rf"\(?(?:[+\-\u2212]?{_CURRENCY}[{_SPACE}]?{_NUMBER}|{_NUMBER}{_CURRENCY})\)?")
_BARE = re.compile(_NUMBER)


def read_amounts(cells: Sequence[str], *, decimal_commas: bool = False) -> Read:
    """Reads cells as numbers, also where only some of them have a unit, or where a unit has digits, as m2 does.

    Numbers without a unit are taken for ones of that which the others have, if there is one only, and if they are of
    the same size. A currency, before numbers or behind them, is a unit; per cent is not, for 0.05 may be 5 %.

    Args:
        cells: none of them nothing.
        decimal_commas: whether the table has decimal commas elsewhere, and commas between no cells.
    """
    found = read_numbers(cells, decimal_commas=decimal_commas)
    if found.read.all() or (measured := _measured(cells)) is None:
        return found
    bare = read_numbers(measured.bare, decimal_commas=decimal_commas)
    together = _are_of_one_size(bare, measured.having)
    if measured.likely and together and bare.read.sum() > found.read.sum():
        some = bool((bare.read & ~measured.having).any())
        where = f", in {int(measured.having.sum()):,} of {len(cells):,} rows" if some else ""
        style = ", ".join(filter(None, (bare.style, f"{measured.units[0]} left out{where}")))
        found = Read(bare.values, bare.read, style)
    return replace(found, units=_apart(measured, together=together))


@dataclass(frozen=True)
class _Measured:
    """Cells of which some are numbers with units.

    Args:
        bare: the cells, without the unit that most of these have.
        having: which of the cells had it.
        units: all there are, as they are written first, that one before the others.
        likely: whether it is the only one, or nearly, and numbers without any are ones of it.
        numbers: whether nearly all cells are numbers, with a unit or without.
    """

    bare: Sequence[str]
    having: Bool[np.ndarray, " cells"]
    units: tuple[str, ...]
    likely: bool
    numbers: bool


def _measured(cells: Sequence[str]) -> _Measured | None:
    """Looks for units; ``None`` where there are none."""
    found = [_parted(cell) for cell in cells]
    written = [each[1] if each else "" for each in found]
    units = [_as_one(each) for each in written]
    counts = Counter(filter(None, units))
    if not counts:
        return None
    (most, number), *_ = order = counts.most_common()
    first = dict(zip(reversed(units), reversed(written), strict=True))
    bare = [each[0] if each and unit == most else cell for each, unit, cell in zip(found, units, cells, strict=True)]
    numbers = sum(bool(each or _BARE.fullmatch(cell)) for each, cell in zip(found, cells, strict=True))
    return _Measured(
        bare,
        np.array([unit == most for unit in units]),
        tuple(first[unit] for unit, _ in order),
        # where two currencies are used, numbers without any may be of either
        len(counts) == 1 or (number >= MOSTLY * len(cells) and most not in CURRENCIES),
        numbers >= MOSTLY * len(cells),
    )


def _parted(cell: str) -> tuple[str, str] | None:
    """A number and its unit; ``None`` where there are not both."""
    if found := _MEASURE.fullmatch(cell):
        return found[1].rstrip(_SPACE), found[2] or found[3]
    if found := _MONEY.fullmatch(cell):
        currency = found[1] or found[2]
        return cell.replace(currency, "").strip(_SPACE), currency
    return None


def _as_one(unit: str) -> str:
    """A unit as it is called here, however it is written."""
    unit = unit.translate(_POWERS)
    return _SAME.get(unit, unit[:-1] if unit[-1:] == "s" and unit[:-1] in _WORDS else unit)


def _are_of_one_size(read: Read, having: Bool[np.ndarray, " cells"]) -> bool:
    """Tells whether the median of the fewer numbers, those with a unit or those without, lies among the others.

    500 g do not lie among kilograms without a unit, nor 1.5 m, for millions, among whole amounts. Twice as far out is
    still among them, for they may be few.
    """
    parts = [read.values[read.read & having], read.values[read.read & ~having & (read.values != 0)]]  # 0 is 0 of any
    fewer, more = sorted(parts, key=len)
    if not len(fewer):
        return True
    least, most = float(more.min()), float(more.max())
    return min(least / 2, least * 2) <= float(np.median(fewer)) <= max(most / 2, most * 2)


def _apart(measured: _Measured, *, together: bool) -> str:
    """Says which units stand side by side, and what to do about it; empty where there is one, or no numbers."""
    units, more = measured.units[:NAMED], len(measured.units) - NAMED
    if not measured.numbers or (len(units) == 1 and together):
        return ""
    if len(units) == 1:
        return f"numbers with and without the unit {units[0]}, of different sizes; write them in one unit"
    return f"numbers with the units {listed([*units, f'{more} others'] if more > 0 else units)}; write them in one unit"
