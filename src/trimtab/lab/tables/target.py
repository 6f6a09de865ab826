"""The column that is to be learned: numbers, or classes."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from trimtab.lab.tables.cells import (
    MOSTLY,
    SIGNS_FOR_NOTHING,
    WORDS_FOR_NOTHING,
    are_codes,
    differing_in_capitals,
    is_nothing,
)
from trimtab.lab.tables.dates import are_dates_without_marks, read_dates, read_times
from trimtab.lab.tables.units import read_amounts
from trimtab.study.errors import InputError
from trimtab.study.phrases import count, listed

Kind: TypeAlias = Literal["regression", "classification"]

KINDS: tuple[Kind, ...] = ("regression", "classification")

FEWEST_ROWS = 50
"""Of which thirty are learned from, and ten each choose and test: of fewer nothing can be told."""

FEWEST_OF_CLASS = 5
"""Rows, so that each of the three parts has one of every class."""

_FEW_NUMBERS = 10
"""So many whole numbers that begin with 0 or 1 and leave none out are the numbers of classes."""

_NEARLY_ALL = 0.9
"""Of the squares about the mean, what a single row has to have to be told."""

_SHOWN = 3
_LONGEST = 30


@dataclass(frozen=True)
class Target:
    """What is learned.

    Args:
        name: of the column.
        rows: those in which it is known, by place.
        values: of those rows: numbers, or which of the classes.
        classes: their names; empty where numbers are learned.
        unknown: in how many rows it is not known.
        notes: what a reader has to know of how it was read.
        chosen: whether that these are numbers or classes was found by a rule that may be wrong.
    """

    name: str
    rows: Int[np.ndarray, " rows"]
    values: Float[np.ndarray, " rows"] | Int[np.ndarray, " rows"]
    classes: tuple[str, ...] = ()
    unknown: int = 0
    notes: tuple[str, ...] = ()
    chosen: bool = False

    @property
    def shares(self) -> list[float]:
        """Shares of the classes."""
        counts = np.bincount(self.values.astype(np.int64), minlength=len(self.classes))
        return [float(number) / len(self.values) for number in counts]

    @property
    def alone(self) -> float | None:
        """The number of a single row that makes nearly all of the variance; ``None`` where there is no such row."""
        if self.classes:
            return None
        scaled = self.values / (float(np.abs(self.values).max()) or 1.0)  # squares of large numbers have no place
        squares = np.square(scaled - scaled.mean())
        farthest = int(squares.argmax())
        return float(self.values[farthest]) if squares[farthest] > _NEARLY_ALL * squares.sum() else None


def read_target(
    place: str,
    name: str,
    cells: Sequence[str],
    lines: Sequence[int],
    *,
    kind: Kind | None = None,
    decimal_commas: bool = False,
) -> Target:
    """Reads the column that is to be learned.

    Args:
        place: what messages call the table.
        name: of the column.
        cells: of all rows.
        lines: what messages call each row.
        kind: what it holds; by default what it looks like.
        decimal_commas: whether commas between digits are decimal ones in this table.

    Raises:
        InputError: nothing can be learned from it; the message says why, and what to do.
    """
    where = f"{place}: the target {name}"
    classes = frozenset[str]() if kind == "regression" else _classes_of_none(cells)
    rows = np.array([row for row, cell in enumerate(cells) if cell in classes or not is_nothing(cell)], dtype=np.int64)
    if not len(rows):
        raise InputError(f"{where} is an empty column; choose another one")
    some = [cells[row] for row in rows]
    read = read_amounts(some, decimal_commas=decimal_commas)
    numeric = bool(read.read.all())
    if kind == "regression" and not numeric:
        _refuse_moments(where, some)
    if kind != "classification" and not numeric and (kind == "regression" or read.read.mean() >= MOSTLY):
        odd = [int(row) for row, is_read in zip(rows, read.read, strict=True) if not is_read]
        shown = listed([f"line {lines[row]} ({cells[row][:_LONGEST]!r})" for row in odd[:_SHOWN]])
        more = f" and {count(len(odd) - _SHOWN, 'other line')}" if len(odd) > _SHOWN else ""
        remedy = f"it has {read.units}" if read.units else "leave the cell empty where it is not known"
        raise InputError(
            f"{where} has numbers, but not in {shown}{more}: {remedy}{'' if kind else ', or say kind=classification'}"
        )
    taken = _taken_for_empty(cells, rows)
    if len(rows) < FEWEST_ROWS:
        without = "; ".join(filter(None, (f"{len(cells) - len(rows):,} have no {name}", taken)))
        unknown = f" ({without})" if len(rows) < len(cells) else ""
        raise InputError(
            f"{place} has {count(len(rows), 'row')} to learn from{unknown}: {FEWEST_ROWS} are needed, so that some are "
            "left to choose settings by, and some to test"
        )
    codes = numeric and are_codes(some)
    together = numeric and _run_together(some, read.values)
    keys: Sequence[float | str] = read.values.tolist() if numeric and not codes and not together else some
    if len(set(keys)) == 1:
        every = "every row" if len(rows) == len(cells) else "every row in which it is known"
        remedy = f"; {taken}: write a word there if that is a class" if taken else ""
        raise InputError(f"{where} is {some[0][:_LONGEST]!r} in {every}, so that there is nothing to learn{remedy}")
    few = codes or (numeric and not together and _numbers_classes(read.values))
    if kind == "regression" or (kind is None and numeric and not few):
        if kind is None and are_dates_without_marks(some):
            _refuse_moments(where, some)
        notes = (read.style,) if read.style else ()
        return Target(name, rows, read.values, unknown=len(cells) - len(rows), notes=notes)
    names = dict(zip(keys, some, strict=True))
    counts = Counter(keys)
    rare = {names[key]: number for key, number in counts.items() if number < FEWEST_OF_CLASS}
    if rare:
        if kind is None:
            _refuse_moments(where, some)
        unread = next((cell for cell, is_read in zip(some, read.read, strict=True) if not is_read), "")
        raise InputError(_too_rare(where, rare, len(counts), len(rows), odd=unread, units=read.units))
    order = sorted(counts)
    places = {key: at for at, key in enumerate(order)}
    classes_named = tuple(names[key] for key in order)
    capitals = differing_in_capitals(classes_named)
    return Target(
        name,
        rows,
        np.array([places[key] for key in keys], dtype=np.int64),
        classes_named,
        len(cells) - len(rows),
        notes=(capitals,) if capitals else (),
        chosen=kind is None and few and len(counts) > 2,
    )


def _refuse_moments(where: str, cells: Sequence[str]) -> None:
    """Refuses dates and times of day, which are neither numbers nor, where few rows have the same, classes.

    Raises:
        InputError: most of the cells are such.
    """
    for what, values, number in (
        ("dates", read_dates(cells).days, "days since one of them"),
        ("times of day", read_times(cells), "minutes since midnight"),
    ):
        known = np.isfinite(values)
        if known.mean() >= MOSTLY:
            example = cells[int(known.argmax())][:_LONGEST]
            raise InputError(
                f"{where} has {what}, such as {example!r}, and {what} cannot be learned; make it a number, such as "
                f"{number}"
            )


def _numbers_classes(values: Float[np.ndarray, " rows"]) -> bool:
    """Tells whether numbers look like those of classes: two of them, or a few that are counted from 0 or 1."""
    different = np.unique(values)
    counted = different[0] in (0, 1) and bool((np.diff(different) == 1).all())
    return len(different) == 2 or (len(different) <= _FEW_NUMBERS and counted)


def _run_together(cells: Sequence[str], values: Float[np.ndarray, " rows"]) -> bool:
    """Tells whether different numbers became the same, since they differ after sixteen digits."""
    exact = dict[Decimal, float]()
    for cell, value in dict(zip(cells, values.tolist(), strict=True)).items():
        with contextlib.suppress(InvalidOperation):  # written in another style, of which the text tells nothing
            exact[Decimal(cell)] = value
    return len(exact) > len(set(exact.values()))


def _classes_of_none(cells: Sequence[str]) -> frozenset[str]:
    """Names of classes that would say that a cell is empty: words for nothing, - beside +, in several rows."""
    all_of_them = set(cells)
    counts = Counter(
        cell for cell in cells if cell.lower() in WORDS_FOR_NOTHING or SIGNS_FOR_NOTHING.get(cell) in all_of_them
    )
    found = frozenset(cell for cell, number in counts.items() if number >= FEWEST_OF_CLASS)
    others = [cell for cell in cells if not is_nothing(cell)] if found else []
    return found if others and read_amounts(others).read.mean() < MOSTLY else frozenset()


def _taken_for_empty(cells: Sequence[str], rows: Int[np.ndarray, " rows"]) -> str:
    """Says which cells with something in them hold nothing, beside the rows that are known; empty where none does."""
    known = set(rows.tolist())
    counts = Counter(cell for row, cell in enumerate(cells) if cell and row not in known)
    shown = [f"{cell!r} in {count(number, 'row')}" for cell, number in counts.most_common(_SHOWN)]
    return f"{listed(shown)} {'is' if len(shown) == 1 else 'are'} taken for empty" if shown else ""


def _too_rare(where: str, rare: dict[str, int], classes: int, rows: int, *, odd: str, units: str) -> str:
    """Says what is wrong with classes of few rows; ``odd`` is a cell that is no number, ``units`` is why; or empty."""
    shown = listed([f"{name[:_LONGEST]!r} ({count(number, 'row')})" for name, number in list(rare.items())[:_SHOWN]])
    more = f" and {count(len(rare) - _SHOWN, 'other')}" if len(rare) > _SHOWN else ""
    if len(rare) > classes / 2 and classes > _SHOWN:
        remedy = "choose one with numbers or with a few classes" if odd else "say kind=regression"
        read = f", and cells such as {odd[:_LONGEST]!r} cannot be read as numbers" if odd else ""
        return (
            f"{where} has {classes:,} different values in {rows:,} rows, most of them in fewer than "
            f"{FEWEST_OF_CLASS} rows: these are no classes{f', but {units}' if units else f'{read}; {remedy}'}"
        )
    return (
        f"{where} has classes with fewer than {FEWEST_OF_CLASS} rows, of which training, validation and test cannot "
        f"each have one: {shown}{more}. Give these rows the name of another class, or leave their cells empty: "
        f"such rows are left out{'' if odd else '. If they are amounts, say kind=regression'}"
    )
