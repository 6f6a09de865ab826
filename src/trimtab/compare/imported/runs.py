"""From the rows of a table to runs, each checked: what cannot be is named with its line and its column."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from trimtab.compare.imported.columns import OPTIONAL, Columns
from trimtab.compare.imported.conditions import is_nan
from trimtab.compare.imported.table import Direction, Row, Table, with_points
from trimtab.compare.imported.values import OF_TEXTS, READERS, Curve, cut
from trimtab.study.checks import check_name
from trimtab.study.delimited import FewFaults
from trimtab.study.errors import Faults, InputError

_ALIKE = 1e-6
"""The end of a curve may differ from the score by so much, relatively: tables are rounded."""

_STEP, _ROUNDED = 1.0, 0.01
"""And from the cost by so much, whichever is more: some count steps from 0, and look before the last one."""


@dataclass(frozen=True)
class ImportedRun:
    """A run that somebody else made.

    Args:
        problem: on what.
        candidate: who ran.
        seed: of the run.
        score: where it ended.
        cost: what it used; ``None`` where nobody knows.
        curve: its course; empty where nobody knows.
        better: which side of the score is better, where whoever made the run says so.
    """

    problem: str
    candidate: str
    seed: int
    score: float
    cost: float | None = None
    curve: Curve = ()
    better: Direction | None = None


def read_runs(table: Table, columns: Columns) -> tuple[ImportedRun, ...]:
    """Returns the runs of a table.

    Raises:
        InputError: a cell cannot be, a run is there twice, or there is only one candidate.
    """
    faults = FewFaults(table.name)
    found: list[tuple[Row, ImportedRun]] = []
    for row in table.rows:
        with faults:
            found.append((row, _run(table, columns, row)))
    if columns.problem is None:
        with faults:
            check_name("problem", table.stem)
    if columns.seed is None:
        found = _numbered(found)
    _check_twice(table, columns, found, faults)
    faults.raise_any()
    labels = list(dict.fromkeys(run.candidate for _, run in found))
    if len(labels) == 1:
        raise InputError(
            f"{table.name}, column {columns.candidate}: {labels[0]!r} is the only candidate; two are needed at least"
        )
    return tuple(run for _, run in found)


def _numbered(found: Sequence[tuple[Row, ImportedRun]]) -> list[tuple[Row, ImportedRun]]:
    """Gives the runs of each candidate on a problem numbers from 0, in the order of their rows."""
    counted: Counter[tuple[str, str]] = Counter()
    numbered = []
    for row, run in found:
        numbered.append((row, replace(run, seed=counted[run.problem, run.candidate])))
        counted[run.problem, run.candidate] += 1
    return numbered


def _run(table: Table, columns: Columns, row: Row) -> ImportedRun:
    faults, values = Faults(), {}
    for name in READERS:
        column = getattr(columns, name)
        if column is not None:
            with faults:
                values[name] = _value(table, row, column, name)
    faults.raise_any()
    run = ImportedRun(**{"problem": table.stem, "seed": 0, "better": row.directions.get(columns.score), **values})
    _check_curve(table, columns, row, run)
    return run


def _check_curve(table: Table, columns: Columns, row: Row, run: ImportedRun) -> None:
    """Checks that a curve is the course of its run, to its end."""
    if not run.curve:
        return
    end = run.curve[-1][0]
    if run.cost is not None and abs(end - run.cost) > max(_STEP, _ROUNDED * run.cost):
        raise InputError(
            f"{table.place(row, columns.curve or '')}: it ends at a cost of {end:g}, and {columns.cost} is "
            f"{run.cost:g}; both have to count the same. --cost '' leaves costs unread, --curve '' curves"
        )
    if not math.isclose(run.curve[-1][1], run.score, rel_tol=_ALIKE, abs_tol=_ALIKE):
        raise InputError(
            f"{table.place(row, columns.curve or '')}: it ends at {run.curve[-1][1]:g}, and {columns.score} is "
            f"{run.score:g}; a curve is the course of the score. --curve '' leaves curves unread"
        )


def _value(table: Table, row: Row, column: str, name: str) -> Any:
    text = row.cells.get(column, "")
    if not text:
        remedy = f"--where '{column}!=' leaves such runs out"
        remedy += f", --{name} '' the column" if name in OPTIONAL else ""
        raise InputError(f"{table.place(row, column)}: the cell is empty; {remedy}")
    decimal = column in table.comma_columns and name not in OF_TEXTS
    plain = with_points(text) if decimal else text
    try:
        return READERS[name](plain)
    except InputError as error:
        if name == "score" and is_nan(text):
            remedy = f"; --where '{column}!=nan' leaves such runs out"
        else:
            remedy = "" if decimal or name in OF_TEXTS else _of_commas(table, column, text)
        words = str(error).replace(repr(cut(plain)), repr(cut(text)))  # as it stands in the file
        raise InputError(f"{table.place(row, column)}: {words}{remedy}") from None


def _of_commas(table: Table, column: str, text: str) -> str:
    """Why a comma was not taken for that of a decimal."""
    if with_points(text) == text:
        return ""
    if table.separator in ("", ","):
        return "; decimals are written with a point"
    if "." in text:
        return "; it has a point as well as a comma"
    if any("." in row.cells[column] for row in table.rows):
        return "; decimals of this column are written with a point in other cells, and with a comma here"
    return "; whether commas are those of thousands or of decimals cannot be told here: write decimals with a point"


def _check_twice(table: Table, columns: Columns, found: Sequence[tuple[Row, ImportedRun]], faults: Faults) -> None:
    """Gathers runs that are there twice, and problems of two names that are one directory's."""
    if columns.seed is not None:
        _check_seeds(table, columns.problem, columns.seed, found, faults)
    if columns.problem is not None:
        _check_directories(table, columns.problem, found, faults)


def _check_seeds(
    table: Table, problem: str | None, seed: str, found: Sequence[tuple[Row, ImportedRun]], faults: Faults
) -> None:
    """Gathers runs that are there twice."""
    first: dict[tuple[str, str, int], Row] = {}
    for row, run in found:
        name = run.problem if problem is None else row.cells[problem]
        before = first.setdefault((name, run.candidate, run.seed), row)
        if before is not row:
            on = "" if problem is None else f" on {name}"
            place = table.place_of_two(before, row, seed)
            with faults:
                raise InputError(f"{place}: {run.candidate}{on} is there twice with seed {run.seed}")


def _check_directories(table: Table, column: str, found: Sequence[tuple[Row, ImportedRun]], faults: Faults) -> None:
    """Gathers names of problems that would share a directory, each once."""
    names: dict[str, dict[str, Row]] = {}
    for row, run in found:
        names.setdefault(run.problem, {}).setdefault(row.cells[column], row)
    for rows in names.values():
        (name, before), *others = rows.items()
        for other, row in others:
            with faults:
                raise InputError(
                    f"{table.place_of_two(before, row, column)}: {name!r} and {other!r} would have the same directory"
                )
