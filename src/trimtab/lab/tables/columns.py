"""What the columns of a table are: numbers, dates, categories, or of no use, and why."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

from trimtab.lab.tables.cells import (
    MOSTLY,
    Read,
    are_codes,
    differing_in_capitals,
    has_decimal_commas,
    is_nothing,
)
from trimtab.lab.tables.dates import (
    are_dates_without_marks,
    are_hardly_codes,
    read_dates,
    read_times,
    share_with_short_years,
)
from trimtab.lab.tables.units import read_amounts

Places: TypeAlias = Sequence[int] | Int[np.ndarray, " rows"]

_MANY_TEXTS = 20
"""So many different texts are categories in any table."""

_SHORT_YEARS = "dates with years of two digits"

_IDENTIFIER = re.compile(r"(?i:(^|.*[\s_.-])(id|ids|uid|uuid|guid|idx|key)|index|.*unnamed: 0(\.\d+)?)|.*[a-z](ID|Id)")


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, or of dates as days.

    Args:
        name: of the column.
        values: NaN where a cell holds nothing.
        notes: what a reader has to know of how it was read.
        dates: whether they are days.
    """

    name: str
    values: Float[np.ndarray, " rows"]
    notes: tuple[str, ...] = ()
    dates: bool = False


@dataclass(frozen=True)
class Categories:
    """A column of words for kinds of things.

    Args:
        name: of the column.
        values: ``None`` where a cell holds nothing.
        notes: what a reader has to know of how it was read.
    """

    name: str
    values: tuple[str | None, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Useless:
    """A column that nothing is learned from.

    Args:
        name: of the column.
        reason: why, in a few words that stand in brackets.
    """

    name: str
    reason: str


@dataclass
class Columns:
    """The columns of a table, sorted by what they are.

    Args:
        numbers: those of numbers and dates.
        categories: those of categories.
        useless: those that are left out.
    """

    numbers: list[Numbers] = field(default_factory=list)
    categories: list[Categories] = field(default_factory=list)
    useless: list[Useless] = field(default_factory=list)


def sorted_columns(
    columns: dict[str, Sequence[str]],
    *,
    rows: Places | None = None,
    categories: Collection[str] = (),
    decimal_commas: bool = False,
) -> Columns:
    """Sorts columns by what they are.

    Args:
        columns: name to cells.
        rows: places of these in the table; by default they are all there are.
        categories: names of those whose numbers are names of kinds, such as postal codes.
        decimal_commas: whether commas between digits are decimal ones in this table.
    """
    found = Columns()
    for name, cells in columns.items():
        own = _Cells(name, cells, range(len(cells)) if rows is None else rows)
        column = _understood(own, categories=name in categories, decimal_commas=decimal_commas)
        if isinstance(column, Numbers):
            found.numbers.append(column)
        elif isinstance(column, Categories):
            found.categories.append(column)
        else:
            found.useless.append(column)
    return found


def with_decimal_commas(columns: dict[str, Sequence[str]], separator: str) -> bool:
    """Tells whether some column of a table shows that its commas between digits are decimal ones."""
    if separator == ",":
        return False
    return any(has_decimal_commas([cell for cell in cells if not is_nothing(cell)]) for cells in columns.values())


class _Cells:
    """The cells of a column: of which rows they are, and those that hold something."""

    def __init__(self, name: str, cells: Sequence[str], rows: Places) -> None:
        self.name, self.all, self.rows = name, cells, rows
        self.there = np.array([not is_nothing(cell) for cell in cells])
        self.some = [cell for cell, is_there in zip(cells, self.there, strict=True) if is_there]

    def categories(self, *notes: str) -> Categories:
        """As names of kinds, with what there is to be said of their capitals."""
        pairs = zip(self.all, self.there, strict=True)
        values = tuple(cell if is_there else None for cell, is_there in pairs)
        return Categories(self.name, values, tuple(filter(None, (*notes, differing_in_capitals(self.some)))))

    def numbers(self, read: Read, *notes: str, dates: bool = False) -> Numbers:
        """As numbers, with what there is to be said of cells that are none."""
        values = np.full(len(self.there), np.nan)
        values[self.there] = read.values
        odd = [cell for cell, is_read in zip(self.some, read.read, strict=True) if not is_read]
        shown = ", ".join(repr(cell[:20]) for cell in dict.fromkeys(odd[:3]))
        slips = f"{shown}{' and others' if len(set(odd)) > 3 else ''} taken for missing" if odd else ""
        return Numbers(self.name, values, tuple(filter(None, (*notes, slips))), dates)


def _understood(cells: _Cells, *, categories: bool, decimal_commas: bool) -> Numbers | Categories | Useless:
    if not cells.some:
        return Useless(cells.name, "empty")
    if len(set(cells.some)) == 1:
        return cells.categories() if not cells.there.all() else Useless(cells.name, "always the same")
    if categories:
        return cells.categories()
    if are_dates_without_marks(cells.some):
        return _texts(cells, "")
    numbers = read_amounts(cells.some, decimal_commas=decimal_commas)
    return _numbers(cells, numbers) if numbers.read.mean() >= MOSTLY else _texts(cells, numbers.units)


def _texts(cells: _Cells, units: str) -> Numbers | Categories | Useless:
    dates, different = read_dates(cells.some), len(set(cells.some))
    read = Read(dates.days, np.isfinite(dates.days))
    if read.read.mean() >= MOSTLY:
        if dates.unclear:
            return Useless(cells.name, "dates whose days and months cannot be told apart; write 2024-03-31")
        return cells.numbers(read, dates=True)
    hours = read_times(cells.some)
    times = Read(hours, np.isfinite(hours))
    if times.read.mean() >= MOSTLY:
        return cells.numbers(times, "times of day, in hours")
    short_years = share_with_short_years(cells.some) >= MOSTLY
    if different > max(_MANY_TEXTS, len(cells.some) / 2):
        reason = f"{_SHORT_YEARS}; write 2024-03-31" if short_years else units
        return Useless(cells.name, reason or f"{different:,} different texts in {len(cells.some):,} rows")
    if short_years and are_hardly_codes(cells.some):
        remedy = "write 2024-03-31, or name the column in categories= if these are codes"
        return Useless(cells.name, f"{_SHORT_YEARS}; {remedy}")
    return cells.categories(f"codes, or {_SHORT_YEARS}; write dates as 2024-03-31" if short_years else "")


def _numbers(cells: _Cells, read: Read) -> Numbers | Categories | Useless:
    values = read.values[read.read]
    different = np.unique(values)
    if len(different) == 1 and len(values) == len(cells.all):
        return Useless(cells.name, "always the same")
    if not read.style and _number_rows(read, cells.rows):
        return Useless(cells.name, "the number of the row")
    if are_codes(cells.some):
        if len(different) > len(cells.some) / 2:
            counted = f"{len(different):,} different codes in {len(cells.some):,} rows"
            return Useless(cells.name, f"{counted}, for some begin with zeros")
        return cells.categories("codes, for some begin with zeros")
    if (values == np.floor(values)).all() and (not cells.name or _IDENTIFIER.fullmatch(cells.name)):
        many = len(different) > len(cells.some) / 2
        return Useless(cells.name, "it names the row") if many else cells.categories()
    return cells.numbers(read, read.style, read.units)


def _number_rows(read: Read, rows: Places) -> bool:
    """Tells whether numbers are those of the rows, counted from any, upwards or downwards."""
    if len(read.values) != len(rows):
        return False
    places = np.asarray(rows, dtype=np.float64)
    return any(bool((read.values + sign * places == read.values[0] + sign * places[0]).all()) for sign in (-1, 1))
