"""What was understood of a table, in words."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from trimtab.lab.tables.columns import Categories, Columns, Numbers, Useless
from trimtab.lab.tables.copies import TellTale, known_rows, tell_tales
from trimtab.lab.tables.preparation import MISSING, Preparation
from trimtab.lab.tables.splitting import Parts
from trimtab.lab.tables.target import Target
from trimtab.study.errors import InputError
from trimtab.study.metric import Metric
from trimtab.study.phrases import NAMED, among_others, count, listed

Names: TypeAlias = Callable[[Sequence[str]], str]
"""Writes names down: all of them, or the first."""

_MANY = 0.05
"""Of the rows to test, what has to be among those to train on to be told."""

_WHERE_ALL_ARE = "--dry-run and the report name all"
_WHERE_MANY_ARE = "--dry-run names all but most numeric columns, and the report all"

_MANY_NUMBERS = 20
"""From more numeric columns on, a dry run names the first of them: the others are those that it calls nothing else."""

_FIRST_NUMBERS = 10

_LONGEST = 24
_CLASSES = 5


@dataclass(frozen=True)
class Understood:
    """What was understood of a table.

    Args:
        place: what messages call it.
        rows: of the file.
        target: what is learned.
        columns: the others.
        preparation: how they are prepared.
        dropped: columns that were to be left out.
        parts: which rows are what for.
    """

    place: str
    rows: int
    target: Target
    columns: Columns
    preparation: Preparation
    dropped: tuple[str, ...]
    parts: Parts

    @property
    def useless(self) -> tuple[Useless, ...]:
        """Columns that are left out because nothing can be learned from them."""
        return (*self.columns.useless, *self.preparation.useless)

    @functools.cached_property
    def _leaks(self) -> tuple[tuple[TellTale, ...], int]:
        """Columns that tell the target, and rows to test that are among those to train on."""
        return tell_tales(self.target, self.columns), known_rows(self.target, self.columns, self.parts)

    def check(self) -> None:
        """Looks whether anything is left to learn from.

        Raises:
            InputError: nothing is.
        """
        if self.preparation.scales or self.preparation.levels:
            return
        why = "; ".join(f"{each.name or 'one without a name'}: {each.reason}" for each in self.useless)
        remedy = "" if not self.dropped else f"; {_all(self._dropped)} was to be left out"
        raise InputError(
            f"{self.place} has no column from which {self.target.name} could be learned"
            f"{f' ({why})' if why else ''}{remedy}. Numbers, dates, or names that come several times are needed"
        )

    def sentence(self, metric: Metric) -> str:
        """Returns in a line what the table is, what is learned of it, and what is left out; of long lists, the first.

        Args:
            metric: what is quoted.
        """
        where = _WHERE_MANY_ARE if len(self._kinds[0][0]) > _MANY_NUMBERS else _WHERE_ALL_ARE
        more = [*self._left_out(_few), *self._remarks(_few), *([where] if self.details() else [])]
        return f"{self._table(_few)}; {self._target(metric)}{''.join(f'; {each}' for each in more)}"

    def paragraph(self, metric: Metric) -> str:
        """Returns the same with every name.

        Args:
            metric: what is quoted.
        """
        return ". ".join([self._table(_all), self._target(metric), *self._left_out(_all), *self._remarks(_all)]) + "."

    def details(self) -> tuple[str, ...]:
        """Returns in lines the lists of columns of which the sentence names only the first.

        Of many numeric columns they name the first as well: the others are those that no line calls anything else.
        """
        (numeric, noun), *others = self._kinds
        found = [f"{noun}s: {_first_numbers(numeric)}"] if len(numeric) > NAMED else []
        found += [f"{noun}s: {_all(each)}" for each, noun in others if len(each) > NAMED]
        for what, pairs in (("left out", self._useless), ("read", self._notes)):
            if len(pairs) > NAMED:
                for said in dict.fromkeys(said for _, said in pairs):
                    found.append(f"{what}: {_all([name for name, other in pairs if other == said])}: {said}")
        for what, names in (("left out as you said:", self._dropped), ("missing cells in", self._with_gaps)):
            if len(names) > NAMED:
                found.append(f"{what} {_all(names)}")
        return tuple(found)

    @property
    def _kinds(self) -> list[tuple[list[str], str]]:
        """Columns that are learned from, and what they are: first of all those of numbers."""
        prepared = self.preparation
        dates = {column.name for column in self.columns.numbers if column.dates}
        return [
            ([among_others(each.name) for each in prepared.scales if each.name not in dates], "numeric column"),
            ([among_others(each.name) for each in prepared.scales if each.name in dates], "date"),
            (
                [f"{among_others(each.name)} {len(each.places.keys() - {MISSING}):,}" for each in prepared.levels],
                "category column",
            ),
        ]

    @property
    def _notes(self) -> list[tuple[str, str]]:
        """Columns and how they were read, where that is worth a word."""
        read: list[Numbers | Categories] = [*self.columns.categories, *self.columns.numbers]
        return [(among_others(column.name), note) for column in (self.target, *read) for note in column.notes]

    @property
    def _useless(self) -> list[tuple[str, str]]:
        """Columns that are left out, and why."""
        return [(among_others(each.name), each.reason) for each in self.useless]

    @property
    def _dropped(self) -> list[str]:
        """Columns that were to be left out."""
        return list(map(among_others, self.dropped))

    @property
    def _with_gaps(self) -> list[str]:
        """Columns with missing cells."""
        missing = [each.name for each in self.preparation.scales if each.flagged]
        missing += [each.name for each in self.preparation.levels if MISSING in each.places]
        return list(map(among_others, missing))

    def _table(self, names: Names) -> str:
        found = [f"{count(len(each), noun)} ({names(each)})" for each, noun in self._kinds if each]
        return f"{self.place}: {count(self.rows, 'row')}, {listed(found)}"

    def _target(self, metric: Metric) -> str:
        target = self.target
        if not target.classes:
            low, high = float(target.values.min()), float(target.values.max())
            what = f"regression, {_number(low)} to {_number(high)}"
        else:
            sizes = sorted(zip(target.shares, target.classes, strict=True), reverse=True)
            shown = ", ".join(f"{name[:_LONGEST]} {100 * share:.0f} %" for share, name in sizes[:_CLASSES])
            more = f" and {len(sizes) - _CLASSES} others" if len(sizes) > _CLASSES else ""
            what = f"classification with {len(target.classes)} classes, {shown}{more}"
        train, validation, test = map(len, self.parts)
        return (
            f"target {target.name} ({what}), quoted by {metric.name}; {train:,} rows to train on, {validation:,} to "
            f"choose by, {test:,} to test"
        )

    def _left_out(self, names: Names) -> list[str]:
        found = [f"left out: {names([f'{name}: {why}' for name, why in self._useless])}"] if self.useless else []
        return [*found, f"left out as you said: {names(self._dropped)}"] if self.dropped else found

    def _remarks(self, names: Names) -> list[str]:
        target, found = self.target, list[str]()
        if target.unknown:
            found.append(f"{count(target.unknown, 'row')} without {target.name} left out")
        if self._notes:
            found.append(f"read: {names([f'{name}: {note}' for name, note in self._notes])}")
        if self._with_gaps:
            found.append(f"missing cells in {names(self._with_gaps)}")
        telling, known = self._leaks
        if telling:
            sources = " or ".join(
                f"from {each.name} alone{', where that is not missing,' if each.gaps else ''}" for each in telling
            )
            found.append(
                f"every row's {target.name} follows {sources.removesuffix(',')}; leave out what is known only when it "
                f"is: drop={as_choice([each.name for each in telling])!r}"
            )
        if known > _MANY * len(self.parts.test):
            found.append(
                f"{count(known, 'row')} to test are, cell by cell, also among those to train on: where that is no "
                "chance, leave repeated rows out, or split by what repeats them in a task of your own"
            )
        if (alone := target.alone) is not None:
            found.append(
                f"{target.name} of a single row, {_number(alone)}, makes nearly all of its variance; if it is a slip, "
                "correct it or leave the cell empty"
            )
        if target.chosen:
            found.append(f"{target.name} is taken for numbers of classes; say kind=regression if they are amounts")
        return found


def as_choice(names: Sequence[str]) -> str | tuple[str, ...]:
    """Returns names of columns as they may be given where they are chosen, in one text if all are read as they are."""
    if len(names) == 1:
        return names[0]
    odd = any("," in name or name[:1] in ("'", '"') or name != name.strip() for name in names)
    return tuple(names) if odd else ",".join(names)


def _all(names: Sequence[str]) -> str:
    return ", ".join(map(_in_a_line, names))


def _in_a_line(name: str) -> str:
    return " ".join(name.split())


def _few(names: Sequence[str]) -> str:
    shown = _all(names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown


def _first_numbers(names: Sequence[str]) -> str:
    if len(names) <= _MANY_NUMBERS:
        return _all(names)
    more = len(names) - _FIRST_NUMBERS
    return f"{_all(names[:_FIRST_NUMBERS])} and {more:,} more: every column that is said to be nothing else"


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:,.6g}"
