"""From the rows of a table to runs, each checked: what cannot be is named with its line and its column."""

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from trimtab.compare.imported.conditions import is_nan
from trimtab.compare.imported.table import Row, Table
from trimtab.compare.plan import check_label
from trimtab.study.checks import check_name, check_text
from trimtab.study.delimited import FewFaults
from trimtab.study.errors import Faults, InputError
from trimtab.study.outcome import LARGEST, is_measured
from trimtab.study.suggestions import closest

Curve = tuple[tuple[float, float], ...]
"""Cost and value at each moment of a run that is known."""

_LARGEST_SEED = 2**63 - 1
_LONGEST_SHOWN = 40
_ALIKE = 1e-6
"""The end of a curve may differ from the score by so much, relatively: tables are rounded."""


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
    """

    problem: str
    candidate: str
    seed: int
    score: float
    cost: float | None = None
    curve: Curve = ()


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
    optional = _OPTIONAL if seeds else ("seed", *_OPTIONAL)
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


_OPTIONAL = ("problem", "cost", "curve")


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
    for name, read in _READERS.items():
        column = getattr(columns, name)
        if column is not None:
            with faults:
                values[name] = _value(table, row, column, read, unread=name if name in _OPTIONAL else "")
    faults.raise_any()
    run = ImportedRun(**{"problem": table.stem, "seed": 0, **values})
    if run.curve and not math.isclose(run.curve[-1][1], run.score, rel_tol=_ALIKE, abs_tol=_ALIKE):
        raise InputError(
            f"{table.place(row, columns.curve or '')}: it ends at {run.curve[-1][1]:g}, and {columns.score} is "
            f"{run.score:g}; a curve is the course of the score. --curve '' leaves curves unread"
        )
    return run


def _value(table: Table, row: Row, column: str, read: Callable[[str], Any], *, unread: str) -> Any:
    text = row.cells.get(column, "")
    if not text:
        remedy = f"--where '{column}!=' leaves such runs out" + (f", --{unread} '' the column" if unread else "")
        raise InputError(f"{table.place(row, column)}: the cell is empty; {remedy}")
    decimal = column in table.comma_columns and read not in _OF_TEXTS
    plain = _COMMA.sub(".", text) if decimal else text
    try:
        return read(plain)
    except InputError as error:
        if read is _score and is_nan(text):
            remedy = f"; --where '{column}!=nan' leaves such runs out"
        else:
            remedy = "" if decimal or read in _OF_TEXTS else _of_commas(table, column, text)
        words = str(error).replace(repr(_cut(plain)), repr(_cut(text)))  # as it stands in the file
        raise InputError(f"{table.place(row, column)}: {words}{remedy}") from None


_COMMA = re.compile(r"(?<=\d),(?=\d)")


def _of_commas(table: Table, column: str, text: str) -> str:
    """Why a comma was not taken for that of a decimal."""
    if not _COMMA.search(text):
        return ""
    if table.separator in ("", ","):
        return "; decimals are written with a point"
    if "." in text:
        return "; it has a point as well as a comma"
    if any("." in row.cells[column] for row in table.rows):
        return "; decimals of this column are written with a point in other cells, and with a comma here"
    return "; whether commas are those of thousands or of decimals cannot be told here: write decimals with a point"


def _problem(text: str) -> str:
    check_name("problem", text)
    return text.replace("/", "-")  # as comparisons call it: it becomes a directory


def _candidate(text: str) -> str:
    check_label(text)
    return text


def _seed(text: str) -> int:
    try:
        value = float(text)  # tables write whole numbers as 3.0 where another one is missing
        seed = int(text) if text.lstrip("+-").isdecimal() else int(value)
    except (ValueError, OverflowError):
        raise InputError(f"{_cut(text)!r} is no whole number, as a seed is") from None
    if seed != value or abs(seed) > _LARGEST_SEED:
        raise InputError(f"{_cut(text)!r} is no whole number that a seed can be")
    return seed


def _score(text: str) -> float:
    value = _number(text)
    if not math.isfinite(value):
        raise InputError(f"{text} is not finite; a run that diverged has no score that a mean could be made of")
    if not is_measured(value):
        raise InputError(f"{text} is too large for a score: scripts write such numbers where they have none")
    return value


def _cost(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= LARGEST:
        raise InputError(f"{text} is no cost: a finite number is needed, and not a negative one")
    return int(value) if value.is_integer() else value


def _curve(text: str) -> Curve:
    points: list[tuple[float, float]] = []
    for place, part in enumerate((part for part in text.split(";") if part.strip()), 1):
        try:
            points.append(_point(part, points))
        except InputError as error:
            raise InputError(f"point {place}, {_cut(part.strip())!r}: {error}") from None
    if not points:
        raise InputError(f"{_cut(text)!r} is no curve: cost:value;cost:value is one")
    return tuple(points)


def _point(text: str, before: Sequence[tuple[float, float]]) -> tuple[float, float]:
    cost, colon, value = text.partition(":")
    if not colon:
        raise InputError("a cost, a colon and a value are needed")
    point = _cost(cost.strip()), _score(value.strip())
    if before and point[0] <= before[-1][0]:
        raise InputError("costs must grow along a curve")
    return point


_OF_TEXTS = (_problem, _candidate)

_READERS: dict[str, Callable[[str], Any]] = {
    "problem": _problem,
    "candidate": _candidate,
    "seed": _seed,
    "score": _score,
    "cost": _cost,
    "curve": _curve,
}


def _number(text: str) -> float:
    try:
        if "_" not in text:  # which Python allows in numbers
            return float(text)
    except ValueError:
        pass
    raise InputError(f"{_cut(text)!r} is not a number")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


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
