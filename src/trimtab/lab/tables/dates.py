"""Dates and times of day in the cells of a table, as people, spreadsheets and programs write them."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Float

from trimtab.lab.tables.cells import MOSTLY

_TIME = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?(?: ?([AaPp])\.?[Mm]\.?)?"
_AND_TIME = rf"(?:[T ]+{_TIME})?"

_ISO = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){_AND_TIME}(?:Z|[+-]\d\d:?\d\d)?")
_TOGETHER = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?()Z?)?")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_OTHER = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}){_AND_TIME}")
_SHORT_YEAR = re.compile(rf"(?=\d\d?/|\d\d[-.]\d\d)(\d\d?)([-/.])(\d\d?)\2(\d\d){_AND_TIME}")
"""With points or lines, all numbers have two digits, for 1.2.10 is rather a version."""

_DAY_FIRST = re.compile(rf"(\d{{1,2}})[ -]([A-Za-z]{{3,9}})\.?[ ,-]+(\d{{4}}|\d\d){_AND_TIME}")
_NAME_FIRST = re.compile(rf"([A-Za-z]{{3,9}})\.? (\d{{1,2}}),? +(\d{{4}}){_AND_TIME}")
_OF_DAY = re.compile(_TIME)
_WEEKDAY = re.compile(r"(?i:mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(?i:day)?\.?,? +")

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_ORDERS = ((4, 3, 1), (4, 1, 3), (1, 3, 4))
"""Of year, month and day in dates with years of two digits."""

_SHORT = 3
"""Letters of a month's name that are enough."""

_SEVERAL = 10
"""So many different cells tell whether they lie as days do."""

_LATE = 20
"""Later in the month is a third of all days, and hardly a number that counts kinds of things and never exceeds 31."""

_LATE_SHARE = 0.15
"""Of twenty days by chance at least so many are late in 98 of 100 cases."""

_MONTHS_END = 12
"""Numbers up to this may be of months."""


@dataclass(frozen=True)
class Dates:
    """Cells read as dates.

    Args:
        days: of each cell since the first of January 1970, NaN where it is no date.
        unclear: whether days and months cannot be told apart.
    """

    days: Float[np.ndarray, " cells"]
    unclear: bool = False


def read_dates(cells: Sequence[str]) -> Dates:
    """Reads cells as dates, with or without a time.

    These are ``2024-03-31``, ``31.03.2024``, ``3/31/2024``, ``31/03/2024``, ``Mar 31, 2024``, ``31 March 2024``,
    ``31-Mar-24``, with or without the day of the week before them, ``20240331``, and ``2024-03`` for the first of a
    month. Whether days or months come first, where the text does not say so, is told by the order in which more of the
    cells are dates.

    Args:
        cells: none of them nothing.
    """
    days = np.full(len(cells), math.nan)
    cells = [cell[found.end() :] if (found := _WEEKDAY.match(cell)) else cell for cell in cells]
    others = list[tuple[int, re.Match[str]]]()
    for place, cell in enumerate(cells):
        if found := _OTHER.fullmatch(cell):
            others.append((place, found))
        else:
            days[place] = _clear_date(cell)
    either = _in_likelier_order([found for _, found in others])
    days[[place for place, _ in others]] = either.days
    return Dates(days, either.unclear)


def are_dates_without_marks(cells: Sequence[str]) -> bool:
    """Tells whether all cells are days as ``20240331``, which numbers that mean something else hardly ever are.

    Args:
        cells: none of them nothing.
    """
    return all(_TOGETHER.fullmatch(cell) and math.isfinite(_clear_date(cell)) for cell in cells)


def share_with_short_years(cells: Sequence[str]) -> float:
    """Returns how many of all cells are dates as ``3/12/24``, in that of their orders in which most of them are.

    Args:
        cells: none of them nothing.
    """
    found = [each for cell in cells if (each := _SHORT_YEAR.fullmatch(cell))]
    dates = [sum(map(math.isfinite, (_in_order(each, order) for each in found))) for order in _ORDERS]
    return max(dates) / len(cells)


def are_hardly_codes(cells: Collection[str]) -> bool:
    """Tells whether what could be dates as ``31.12.24`` is hardly anything else, such as codes with points.

    With strokes or a time it is not. Else the different days have to lie as days do: some of them late in the month, or
    most of those from the first to the last.

    Args:
        cells: none of them nothing; nearly all could be dates.
    """
    found = [each for cell in set(cells) if (each := _SHORT_YEAR.fullmatch(cell))]
    sure = sum(each[2] == "/" or any(each.groups()[4:]) for each in found)
    return sure >= MOSTLY * len(found) or any(_lie_as_days_do(found, order) for order in _ORDERS)


def _lie_as_days_do(found: Sequence[re.Match[str]], order: tuple[int, int, int]) -> bool:
    known = [(days, int(each[order[2]])) for each in found if math.isfinite(days := _in_order(each, order))]
    if len(known) < max(_SEVERAL, MOSTLY * len(found)):
        return False
    all_days = [days for days, _ in known]
    late, no_months = (sum(of_month > limit for _, of_month in known) for limit in (_LATE, _MONTHS_END))
    in_a_row = 2 * len(known) > max(all_days) - min(all_days)
    return late >= _LATE_SHARE * len(known) or (no_months > 0 and in_a_row)


def read_times(cells: Sequence[str]) -> Float[np.ndarray, " cells"]:
    """Reads cells as times of day in hours, ``14:30``, ``14:30:15`` or ``2:30 pm``; NaN where one is none.

    Args:
        cells: none of them nothing.
    """
    return np.array([_hours(cell) for cell in cells], dtype=np.float64)


def _clear_date(cell: str) -> float:
    """The days of a date that can be read in one way only, NaN if it is none."""
    if found := _ISO.fullmatch(cell) or _TOGETHER.fullmatch(cell):
        year, month, day, *time = found.groups()
        return _days(int(year), int(month), int(day), time)
    if found := _MONTH.fullmatch(cell):
        return _days(int(found[1]), int(found[2]), 1, ())
    if found := _DAY_FIRST.fullmatch(cell):
        day, name, year, *time = found.groups()
    elif found := _NAME_FIRST.fullmatch(cell):
        name, day, year, *time = found.groups()
    else:
        return math.nan
    return _days(int(year), _month(name), int(day), time)


def _in_likelier_order(found: Sequence[re.Match[str]]) -> Dates:
    """Reads days and months as they come first in more of the cells; in as many, days do where points stand."""
    days_first = np.array([_in_order(each, (4, 3, 1)) for each in found])
    months_first = np.array([_in_order(each, (4, 1, 3)) for each in found])
    # a cell that is no date in either order, such as 99/99/9999, tells nothing of the others
    deciding = np.isfinite(days_first) | np.isfinite(months_first)
    more = int(np.isfinite(days_first).sum()) - int(np.isfinite(months_first).sum())
    points = all(each[2] == "." for each, decides in zip(found, deciding, strict=True) if decides)
    days = days_first if more > 0 or (more == 0 and points) else months_first
    return Dates(days, more == 0 and not points)


def _in_order(found: re.Match[str], order: tuple[int, int, int]) -> float:
    """The days of a date of which year, month and day are the parts that are given."""
    year, month, day = (int(found[part]) for part in order)
    return _days(year, month, day, found.groups()[4:])


def _month(name: str) -> int:
    """The number of a month by its English name or at least three letters of it; 0 if it is none."""
    known = (number for number, month in enumerate(_MONTHS, 1) if month.startswith(name.lower()))
    return next(known, 0) if len(name) >= _SHORT else 0


def _days(year: int, month: int, day: int, time: Sequence[str | None]) -> float:
    if year < 100:  # as POSIX has it
        year += 2000 if year < 69 else 1900
    try:
        moment = date(year, month, day)  # places on a line, not moments
    except ValueError:
        return math.nan
    hours = _of_day(time) if any(time) else 0.0
    return moment.toordinal() - date(1970, 1, 1).toordinal() + hours / 24


def _hours(cell: str) -> float:
    found = _OF_DAY.fullmatch(cell)
    return _of_day(found.groups()) if found else math.nan


def _of_day(time: Sequence[str | None]) -> float:
    """The hours of a time of day, NaN where there is none such: hour, minute, second, and A or P for its half."""
    hour, minute, second = (int(part or 0) for part in time[:3])
    if half := time[3]:
        if not 1 <= hour <= 12:
            return math.nan
        hour = hour % 12 + 12 * (half in "Pp")
    return hour + minute / 60 + second / 3600 if hour < 24 and minute < 60 and second < 60 else math.nan
