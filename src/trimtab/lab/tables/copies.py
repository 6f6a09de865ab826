"""What is in a table twice: columns that say the same as another one, or as the target, and rows."""

import functools
import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from trimtab.lab.tables.columns import Categories, Columns, Numbers, Useless
from trimtab.lab.tables.splitting import Parts
from trimtab.lab.tables.target import Target
from trimtab.study.phrases import among_others

_FEWEST = 10
"""Different numbers in both of two columns, from which on it is no chance that these are in the same order."""

_ROWS = 10
"""In the mean for each value, or in each interval: it is no chance then that all of them are of one class."""

_AGAIN = 44
"""Rows with a name that came before: of a column that is wrong in one row of ten, one of these shows it in 99 %."""

_CHANCE = 1e-5
"""How probable it may be, at most, that classes which have nothing to do with a column lie as they do along it."""


def without_copies(columns: Columns) -> Columns:
    """Returns columns without those that have the same in every cell as an earlier one.

    Args:
        columns: of the table.
    """
    useless = list(columns.useless)
    first = dict[Hashable, str]()

    def alone(column: Numbers | Categories) -> bool:
        contents = column.values.tobytes() if isinstance(column, Numbers) else column.values
        original = first.setdefault(contents, column.name)
        if original != column.name:
            useless.append(Useless(column.name, f"a copy of {among_others(original)}"))
        return original == column.name

    return Columns(list(filter(alone, columns.numbers)), list(filter(alone, columns.categories)), useless)


@dataclass(frozen=True)
class TellTale:
    """A column from which the target follows.

    Args:
        name: of the column.
        gaps: whether it does so only in the rows in which the column is not missing.
    """

    name: str
    gaps: bool = False


def tell_tales(target: Target, columns: Columns) -> tuple[TellTale, ...]:
    """Returns the columns that tell the target in every row, or in every row in which they are not missing.

    Of classes, one whose names or numbers each come with one class alone, and stand for ten rows in the mean, or go
    with the classes one by one; names also where 44 rows have one that came before; one that is missing in all rows of
    one of two classes, and in no others; and one whose numbers put the classes into separate intervals, each of which
    has ten rows or all rows of its class. Of amounts, one whose names each come with one amount alone, in as many rows,
    and one of numbers that puts all rows into the same order, or into the opposite one, as a copy does in other units,
    rounded or not, or a logarithm.

    Args:
        target: what is learned.
        columns: of the rows in which it is known.
    """
    candidates: list[Numbers | Categories] = [*columns.numbers, *columns.categories]
    found = list[TellTale]()
    for column in candidates:
        there, cells = _cells(column)
        numbers = isinstance(column, Numbers)
        in_order = numbers and not target.classes  # in which nothing has no place
        tells = _in_order if in_order else functools.partial(_tells, ordered=numbers)
        everywhere = there.all() or not in_order
        if _tells(target.values, (~there).astype(np.int64)) or (everywhere and tells(target.values, cells)):
            found.append(TellTale(column.name))
        elif not there.all() and there.any() and tells(target.values[there], cells[there]):
            found.append(TellTale(column.name, gaps=True))
    return tuple(found)


def _cells(column: Numbers | Categories) -> tuple[np.ndarray, np.ndarray]:
    """Which cells hold something, and numbers for their contents from 0 on, of which the last is for nothing."""
    if isinstance(column, Numbers):
        return ~np.isnan(column.values), np.unique(column.values, return_inverse=True)[1]
    places = {name: place for place, name in enumerate({each for each in column.values if each is not None})}
    cells = np.array([len(places) if name is None else places[name] for name in column.values])
    return cells < len(places), cells


def _tells(values: np.ndarray, cells: np.ndarray, *, ordered: bool = False) -> bool:
    """Tells whether the same cells always have the same class or amount, and it is no chance that they do."""
    classes = np.unique(values, return_inverse=True)[1]
    rows, rows_of_class = np.bincount(cells), np.bincount(classes)
    different, kinds = len(rows), len(rows_of_class)
    class_of = np.zeros(different, dtype=np.int64)
    class_of[cells] = classes
    if kinds < 2 or not np.array_equal(class_of[cells], classes):  # a cell of several classes
        return False
    few = different <= max(kinds, len(cells) / _ROWS)
    again = not ordered and len(cells) - different >= _AGAIN  # numbers near each other may well have the same class
    if (few or again) and _is_no_chance(rows_of_class, different * math.log(kinds)):
        return True
    return ordered and _in_intervals(class_of, rows, rows_of_class)


def _in_intervals(class_of: np.ndarray, rows: np.ndarray, rows_of_class: np.ndarray) -> bool:
    """Tells whether numbers in order put the classes into intervals of many rows, and it is no chance that they do."""
    starts = np.flatnonzero(np.diff(class_of, prepend=-1))
    in_interval = np.add.reduceat(rows, starts)
    if (in_interval < np.minimum(_ROWS, rows_of_class[class_of[starts]])).any():
        return False
    bounds = _log_choices(int(rows.sum()) - 1, len(starts) - 1)
    return _is_no_chance(rows_of_class, bounds + len(starts) * math.log(len(rows_of_class)))


def _is_no_chance(rows_of_class: np.ndarray, ways: float) -> bool:
    """Tells whether classes in any order hardly ever lie in one of so many ways, of which the logarithm is given."""
    rows = rows_of_class.cumsum().tolist()
    orders = sum(_log_choices(all_rows, own) for all_rows, own in zip(rows, rows_of_class.tolist(), strict=True))
    return ways - orders < math.log(_CHANCE)


def _log_choices(number: int, chosen: int) -> float:
    return math.lgamma(number + 1) - math.lgamma(chosen + 1) - math.lgamma(number - chosen + 1)


def _in_order(values: np.ndarray, cells: np.ndarray) -> bool:
    order, last = np.unique(values, return_inverse=True)[1], int(cells.max())

    def rises(along: np.ndarray) -> bool:  # numbers that are rounded may be the same where others differ
        return bool((np.diff(order[np.lexsort((order, along))]) >= 0).all())

    return min(last, int(order.max())) >= _FEWEST - 1 and (rises(cells) or rises(last - cells))


def known_rows(target: Target, columns: Columns, parts: Parts) -> int:
    """Returns how many of the rows to test are the same in every cell as one of those to train on.

    Args:
        target: what is learned.
        columns: of the rows in which it is known.
        parts: which rows are what for.
    """
    numbers = np.column_stack([target.values.astype(np.float64), *(each.values for each in columns.numbers)])
    bytes_of_rows = np.ascontiguousarray(numbers + 0.0).view(f"V{numbers.shape[1] * numbers.itemsize}").ravel().tolist()
    names = [each.values for each in columns.categories]

    def row(place: int) -> Hashable:
        return (bytes_of_rows[place], *(values[place] for values in names))

    seen = {row(place) for place in parts.train.tolist()}
    return sum(row(place) in seen for place in parts.test.tolist())
