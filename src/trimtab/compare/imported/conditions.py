"""Which rows of a table are kept."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from trimtab.compare.imported.table import Row, Table, with_points
from trimtab.study.checks import check_texts
from trimtab.study.errors import Faults, InputError
from trimtab.study.suggestions import nearest


@dataclass(frozen=True)
class Condition:
    """What a row has to have in a column.

    Args:
        column: its name.
        value: what stands there.
        equal: whether it must, or must not.
        commas: whether commas between digits are those of decimals in it.
    """

    column: str
    value: str
    equal: bool
    commas: bool = False

    def holds(self, row: Row) -> bool:
        """Tells whether a row is kept."""
        cell = row.cells.get(self.column, "")
        same = _same(cell, self.value) or (self.commas and _same(*(with_points(each) for each in (cell, self.value))))
        return same == self.equal


def kept_rows(table: Table, where: Sequence[str]) -> Table:
    """Returns a table with those rows alone that all conditions hold of.

    Args:
        table: as it was read.
        where: texts such as ``seed!=0`` and ``dataset=adult``; numbers are compared as numbers.

    Raises:
        InputError: a condition is none, its column is not there, or no row is left.
    """
    check_texts("where", where)
    faults, conditions = Faults(), []
    for text in where:
        with faults:
            conditions.append(_condition(text, table))
    faults.raise_any()
    rows = tuple(row for row in table.rows if all(condition.holds(row) for condition in conditions))
    if not rows:
        raise InputError(f"no row of {table.name} is left by --where {' --where '.join(where)}")
    return replace(table, rows=rows)


def is_nan(text: str) -> bool:
    """Tells whether a cell says that it is no number, in whatever capitals."""
    try:
        return math.isnan(float(text))
    except ValueError:
        return False


def _condition(text: str, table: Table) -> Condition:
    before, equals, value = text.partition("=")
    if not equals or not before.rstrip("!").strip():
        raise InputError(f"--where {text!r}: column=value or column!=value is needed, as in seed!=0")
    name = before.removesuffix("!").strip()
    column = table.column(name)
    if column is None:
        raise InputError(f"--where {text!r}: {table.name} has no column {name!r}; {nearest(name, table.columns)}")
    return Condition(column, value.strip(), not before.endswith("!"), column in table.comma_columns)


def _same(first: str, second: str) -> bool:
    if first == second or (is_nan(first) and is_nan(second)):
        return True
    try:
        return Decimal(first) == Decimal(second)  # seeds may be longer than what a float holds
    except InvalidOperation:
        return False
