"""What the columns of a table are: numbers, dates, categories, or of no use, and why."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from trimtab.lab.tables.cells import Read, has_decimal_commas, is_nothing, read_numbers
from trimtab.lab.tables.dates import are_dates_without_marks, read_dates, read_times

MOSTLY = 0.9
"""Of the cells, what has to be numbers, or dates, for the others to be slips."""

_MANY_TEXTS = 20
"""So many different texts are categories in any table."""

_IDENTIFIER = re.compile(r"(?i:(^|.*[\s_.-])(id|ids|uid|uuid|guid|index|idx|key))|.*[a-z](ID|Id)|.*(?i:unnamed: 0)")


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
    """

    name: str
    values: tuple[str | None, ...]


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
    columns: dict[str, Sequence[str]], *, categories: Collection[str] = (), decimal_commas: bool = False
) -> Columns:
    """Sorts columns by what they are.

    Args:
        columns: name to cells.
        categories: names of those whose numbers are names of kinds, such as postal codes.
        decimal_commas: whether commas between digits are decimal ones in this table.
    """
    found = Columns()
    for name, cells in columns.items():
        column = _understood(name, cells, categories=name in categories, decimal_commas=decimal_commas)
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


def _understood(
    name: str, cells: Sequence[str], *, categories: bool, decimal_commas: bool
) -> Numbers | Categories | Useless:
    there = np.array([not is_nothing(cell) for cell in cells])
    some = [cell for cell, is_there in zip(cells, there, strict=True) if is_there]
    if not some:
        return Useless(name, "empty")
    if len(set(some)) == 1:
        return _categories(name, cells, there) if len(some) < len(cells) else Useless(name, "always the same")
    if categories:
        return _categories(name, cells, there)
    if are_dates_without_marks(some):
        return _texts(name, cells, there, some)
    numbers = read_numbers(some, decimal_commas=decimal_commas)
    if numbers.read.mean() >= MOSTLY:
        return _numbers(name, cells, there, some, numbers)
    return _texts(name, cells, there, some)


def _texts(name: str, cells: Sequence[str], there: np.ndarray, some: Sequence[str]) -> Numbers | Categories | Useless:
    dates, different = read_dates(some), len(set(some))
    read = Read(dates.days, np.isfinite(dates.days))
    if read.read.mean() >= MOSTLY:
        if dates.unclear:
            return Useless(name, "dates whose days and months cannot be told apart; write 2024-03-31")
        return Numbers(name, _spread(read, there), _slips(read, some), dates=True)
    hours = read_times(some)
    times = Read(hours, np.isfinite(hours), "times of day, in hours")
    if times.read.mean() >= MOSTLY:
        return Numbers(name, _spread(times, there), (times.style, *_slips(times, some)))
    if different > max(_MANY_TEXTS, len(some) / 2):
        return Useless(name, f"{different:,} different texts in {len(some):,} rows")
    return _categories(name, cells, there)


def _numbers(
    name: str, cells: Sequence[str], there: np.ndarray, some: Sequence[str], read: Read
) -> Numbers | Categories | Useless:
    values = read.values[read.read]
    different = np.unique(values)
    whole = bool((values == np.floor(values)).all())
    if len(different) == 1 and len(values) == len(cells):
        return Useless(name, "always the same")
    distinct = len(different) == len(cells)
    if (
        whole
        and distinct
        and not read.style
        and (np.abs(np.diff(values)) == 1).all()
        and len(set(np.diff(values))) == 1
    ):
        return Useless(name, "the number of the row")
    if whole and (not name or _IDENTIFIER.fullmatch(name)):
        if len(different) > len(some) / 2:
            return Useless(name, "it names the row")
        return _categories(name, cells, there)
    notes = (read.style, *_slips(read, some))
    return Numbers(name, _spread(read, there), tuple(filter(None, notes)))


def _categories(name: str, cells: Sequence[str], there: np.ndarray) -> Categories:
    return Categories(name, tuple(cell if is_there else None for cell, is_there in zip(cells, there, strict=True)))


def _spread(read: Read, there: np.ndarray) -> Float[np.ndarray, " rows"]:
    """The values of all cells, those that hold nothing included."""
    values = np.full(len(there), np.nan)
    values[there] = read.values
    return values


def _slips(read: Read, some: Sequence[str]) -> tuple[str, ...]:
    """What to say of cells that are not what the others are."""
    odd = [cell for cell, is_read in zip(some, read.read, strict=True) if not is_read]
    if not odd:
        return ()
    shown = ", ".join(repr(cell[:20]) for cell in dict.fromkeys(odd[:3]))
    return (f"{shown}{' and others' if len(set(odd)) > 3 else ''} taken for missing",)
