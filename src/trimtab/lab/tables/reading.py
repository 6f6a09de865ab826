"""Tables as text: a file, or a data frame of pandas."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from trimtab.lab.tables.references import other_table, table_name
from trimtab.study.checks import check_path
from trimtab.study.data_frames import columns_of, is_data_frame
from trimtab.study.delimited import read_delimited
from trimtab.study.errors import InputError
from trimtab.study.phrases import NAMED, among_others
from trimtab.study.suggestions import nearest

if TYPE_CHECKING:
    import pandas as pd

Source: TypeAlias = Union[str, Path, "pd.DataFrame"]
"""The path of a CSV file, or a data frame."""

_NAME = re.compile(r"""\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([^,]*?))\s*(?:,|$)""")
"""One of several names of columns: in quotes of either kind, or up to the next comma."""

_LISTED = 20
"""So many columns are listed where one is wanted."""


@dataclass(frozen=True)
class TextTable:
    """A table whose cells are text.

    Args:
        place: what messages call it.
        name: what results on it are kept under, before the name of the target.
        path: of its file as it was given; empty for a data frame.
        columns: name to cells.
        lines: what messages call each row.
        separator: what stands between cells; empty where there is no file.
        categories: columns that are said to hold names, whatever is in their cells.
    """

    place: str
    name: str
    path: str
    columns: dict[str, Sequence[str]]
    lines: Sequence[int]
    separator: str
    categories: tuple[str, ...] = ()

    def column(self, argument: str, name: Any) -> str:
        """Returns the column of a name, or the only one that differs from it in capitals alone.

        Args:
            argument: what wants it, for messages.
            name: of the column.

        Raises:
            InputError: there is none.
        """
        if isinstance(name, int) and not isinstance(name, bool):  # 2024, as the name of a column is read in brackets
            name = str(name)
        if name is None:
            listed = ", ".join(map(among_others, list(self.columns)[:_LISTED]))
            more = f" and {len(self.columns) - _LISTED} others" if len(self.columns) > _LISTED else ""
            raise InputError(
                f"{self.place}: which column is to be learned? Say (target=COLUMN) behind the name of the file, "
                f"target= in Python, or --target COLUMN to `trimtab compare`; there are {listed}{more}"
            )
        if not isinstance(name, str):
            raise InputError(f"{argument}={name!r}: the name of a column is needed")
        if name in self.columns:
            return name
        alike = [column for column in self.columns if column.casefold() == name.strip().casefold()]
        if len(alike) == 1:
            return alike[0]
        many = f"its {len(self.columns)} columns begin with {', '.join(map(among_others, list(self.columns)[:NAMED]))}"
        near = nearest(name, self.columns, many)
        if all(map(_is_number, self.columns)):
            near = "its first line has to name the columns, and holds numbers"
        raise InputError(f"{self.place} has no column {name!r} ({argument}): {near}")

    def several(self, argument: str, names: Any) -> list[str]:
        """Returns the columns of names that stand in a text with commas, or in a sequence.

        In a text, a name with a comma stands in quotes; a text may also be the whole of a name.

        Args:
            argument: what wants them, for messages.
            names: of the columns.

        Raises:
            InputError: one of them is none.
        """
        if isinstance(names, int) and not isinstance(names, bool):  # 2024, as the name of a column is read in brackets
            names = str(names)
        if text := isinstance(names, str):
            names = [names] if names.strip().casefold() in map(str.casefold, self.columns) else _split(names)
        if not isinstance(names, list | tuple):
            raise InputError(
                f"{argument}={names!r}: names of columns are needed, with commas between them or as a list"
            )
        try:
            return [self.column(argument, name) for name in names]
        except InputError as error:
            with_comma = next((column for column in self.columns if "," in column), None)
            if not text or with_comma is None:
                raise
            said, other = str(error), next((column for column in self.columns if column != with_comma), "other")
            raise InputError(
                f"{said}{'' if said.endswith('?') else '.'} A name with a comma stands in quotes of its own, or each "
                f"name in quotes in a list: {argument}={[with_comma, other]}"
            ) from None


def _split(names: str) -> list[str]:
    """Names with commas between them; those in quotes may have commas of their own, and twice the quotes."""
    found = list[str]()
    for double, single, plain in _NAME.findall(names):
        found.append(double.replace('""', '"') or single.replace("''", "'") or plain)
    return [name for name in found if name]


def read_source(source: Source) -> TextTable:
    """Reads a table.

    Args:
        source: the path of a CSV file, or a data frame.

    Raises:
        InputError: there is no such file, or it is not a table.
    """
    if is_data_frame(source):
        return _of_frame(source)
    if not isinstance(source, str | Path):
        raise InputError(f"source={str(source)[:60]!r}: the path of a CSV file or a data frame is needed")
    check_path("source", source)
    path = Path(source)
    if other := other_table(path.name):
        raise InputError(other)
    found = read_delimited(path)
    names = _named(found.columns)
    cells = zip(*(row for _, row in found.rows), strict=True)
    return TextTable(
        path.name,
        table_name(path.name),
        str(source),
        dict(zip(names, cells, strict=True)),
        [line for line, _ in found.rows],
        found.separator,
    )


def _named(columns: Sequence[str]) -> list[str]:
    """Names of columns, of which one without any is called as pandas calls it, with a number where that is taken."""
    return [name or _untaken(f"Unnamed: {place}", columns) for place, name in enumerate(columns)]


def _untaken(name: str, taken: Sequence[str]) -> str:
    names = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(1)))
    return next(each for each in names if each not in taken)


def _of_frame(frame: Any) -> TextTable:
    columns = {
        str(name): ["" if value is None else str(value).strip() for value in values]
        for name, values in columns_of("source", frame, index=True).items()
    }
    rows = len(next(iter(columns.values()), ()))
    if not rows:
        raise InputError("source: the data frame has no rows")
    named = tuple(str(name) for name, dtype in frame.dtypes.items() if dtype.name == "category")
    return TextTable("source", "table", "", dict(columns), range(1, rows + 1), "", named)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
