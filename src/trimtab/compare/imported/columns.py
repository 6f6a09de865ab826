"""Which column of a table of runs holds what."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from trimtab.compare.imported.table import Table
from trimtab.study.checks import check_text
from trimtab.study.errors import Faults, InputError
from trimtab.study.suggestions import closest

OPTIONAL = ("problem", "cost", "curve")
"""What a table need not have."""


@dataclass(frozen=True)
class Columns:
    """Which column holds what.

    Args:
        candidate: who ran.
        seed: a whole number; ``None`` where runs are numbered as they come.
        score: the number that candidates are compared by.
        problem: on what; ``None`` where the table is of one problem.
        cost: what the run used; ``None`` where nobody knows.
        curve: its course, as ``cost:value;cost:value``; ``None`` without.
    """

    candidate: str
    seed: str | None
    score: str
    problem: str | None = None
    cost: str | None = None
    curve: str | None = None

    def words(self) -> str:
        """Returns which column is what, where that is not its name."""
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return ", ".join(name if name == column else f"{name} ({column})" for name, column in pairs if column)


def find_columns(table: Table, wanted: Mapping[str, str | None], *, seeds: bool = True) -> Columns:
    """Finds the columns that are asked for, or those that have the usual names.

    Args:
        table: as it was read.
        wanted: what is looked for, by the names of :class:`Columns`, to the name of its column; ``None`` for the usual
            one, which is the same word, and an empty text for none, where there need not be one.
        seeds: whether there must be a column of them.

    Raises:
        InputError: columns are not there; the message says which are.
    """
    faults, found = Faults(), dict[str, Any]()
    optional = OPTIONAL if seeds else ("seed", *OPTIONAL)
    for name, column in wanted.items():
        with faults:
            found[name] = _find(table, name, column, optional)
    faults.raise_any()
    used = [column for column in found.values() if column is not None]
    twice = next((column for column in used if used.count(column) > 1), None)
    if twice is not None:
        roles = " and ".join(f"--{name}" for name, column in found.items() if column == twice)
        raise InputError(f"{table.name}: column {twice!r} cannot be {roles} at once")
    return Columns(**found)


def _find(table: Table, name: str, column: str | None, optional: Collection[str]) -> str | None:
    if column is not None:
        check_text(name, column)
        if not column and name in optional:
            return None
        found = table.column(column)
        if found is None:
            there = ", ".join(table.columns)
            near = closest(column, table.columns)
            meant = f"; did you mean {' or '.join(near)}?" if near else ""
            raise InputError(f"--{name} {column!r}: {table.name} has no such column, but {there}{meant}")
        return found
    usual = table.column(name)
    if usual is not None or name in optional:
        return usual
    without = ", and --unpaired does without" if name == "seed" else ""
    raise InputError(
        f"{table.name} has no column {name!r}, but {', '.join(table.columns)}; --{name} COLUMN says which one it is"
        f"{without}"
    )
