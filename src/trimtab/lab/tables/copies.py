"""What is in a table twice: columns that say the same as another one, or as the target, and rows."""

import math
from collections.abc import Hashable, Sequence

import numpy as np

from trimtab.lab.tables.columns import Categories, Columns, Numbers, Useless
from trimtab.lab.tables.splitting import Parts
from trimtab.lab.tables.target import Target

_FEWEST = 10
"""Different numbers, from which on it is no chance that two columns have them in the same order."""

_ROWS = 10
"""In the mean for each value: it is no chance then that all of them are of one class."""


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
            useless.append(Useless(column.name, f"a copy of {original}"))
        return original == column.name

    return Columns(list(filter(alone, columns.numbers)), list(filter(alone, columns.categories)), useless)


def tell_tales(target: Target, columns: Columns) -> tuple[str, ...]:
    """Returns the names of columns that tell the target in every row.

    Of classes, one whose names or numbers each come with one class alone, and stand for ten rows in the mean, or go
    with the classes one by one; of numbers, one that puts all rows into the same order, or into the opposite one, as a
    copy does in other units, or a logarithm.

    Args:
        target: what is learned.
        columns: of the rows in which it is known.
    """
    if target.classes:
        found: list[Numbers | Categories] = [*columns.numbers, *columns.categories]
        return tuple(each.name for each in found if _tell(target.values.tolist(), _cells(each)))
    order = np.unique(target.values, return_inverse=True)[1]
    return tuple(each.name for each in columns.numbers if _in_order(order, each.values))


def _cells(column: Numbers | Categories) -> Sequence[Hashable]:
    if isinstance(column, Categories):
        return column.values
    return [None if math.isnan(value) else value for value in column.values.tolist()]  # which equals itself


def _tell(classes: Sequence[int], cells: Sequence[Hashable]) -> bool:
    different = len(set(cells))
    if not len(set(classes)) <= different <= max(len(set(classes)), len(cells) / _ROWS):
        return False
    return len(set(zip(classes, cells, strict=True))) == different


def _in_order(order: np.ndarray, values: np.ndarray) -> bool:
    if np.isnan(values).any():
        return False
    found = np.unique(values, return_inverse=True)[1]
    last = int(found.max())
    return last >= _FEWEST - 1 and (np.array_equal(found, order) or np.array_equal(last - found, order))


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
