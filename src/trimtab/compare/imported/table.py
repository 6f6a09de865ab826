"""Tables of runs: CSV files, plain or compressed, or rows that are in memory already."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union

from trimtab.lab.tables.references import table_name
from trimtab.study.checks import check_path
from trimtab.study.data_frames import columns_of, is_data_frame
from trimtab.study.delimited import read_delimited
from trimtab.study.errors import InputError
from trimtab.study.phrases import count

if TYPE_CHECKING:
    import pandas as pd

Source: TypeAlias = Union[str, Path, Sequence[Mapping[str, Any]], "pd.DataFrame"]
"""The path of a CSV file, a mapping from column to value for each run, or a data frame with a row for each."""

Direction: TypeAlias = Literal["max", "min"]
"""Which side of a number is better."""

_COMMA = re.compile(r"(?<=\d),(?=\d)")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        name: what messages call it: the line of the file that it begins in, its place among rows in memory, both from
            1, or what whoever recorded the run calls it.
        cells: column to what stands there, without spaces around it.
        directions: which side of a column is better, where whoever made the row says so.
    """

    name: int | str
    cells: Mapping[str, str]
    directions: Mapping[str, Direction] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table as it was read.

    Args:
        name: of the file, for messages and reports.
        stem: the same without its ending; names a problem where no column does.
        unit: what a row is, before its name: ``line``, ``row``, or ``run``.
        columns: their names, in order.
        rows: those that are not blank.
        separator: what stands between the cells of a line; empty where there are none.
        comma_columns: names of those in which a comma may be that of a decimal.
        left_out: what else is there and is no row, in words; empty if nothing is.
    """

    name: str
    stem: str
    unit: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    separator: str = ""
    comma_columns: frozenset[str] = frozenset()
    left_out: str = ""

    def place(self, row: Row, column: str) -> str:
        """Returns where a cell is, in words."""
        return f"{self.name}, {self.unit} {row.name}, column {column}"

    def place_of_two(self, first: Row, second: Row, column: str) -> str:
        """Returns where the cells of two rows are, in words."""
        return f"{self.name}, {self.unit}s {first.name} and {second.name}, column {column}"

    def column(self, name: str) -> str | None:
        """Returns the column of a name, or the only one that differs from it in capitals alone."""
        if name in self.columns:
            return name
        alike = [column for column in self.columns if column.casefold() == name.casefold()]
        return alike[0] if len(alike) == 1 else None


def in_words(left_out: int, noun: str, end: str) -> str:
    """Returns how many runs are no rows, as ``2 runs that are not finished``; empty for none."""
    return f"{count(left_out, noun)} that {'is' if left_out == 1 else 'are'} not {end}" if left_out else ""


def read_table(source: Source) -> Table:
    """Reads a table.

    Args:
        source: the path of a CSV file, which may be compressed with gzip, or rows in memory, as a list of mappings or
            a data frame.

    Raises:
        InputError: there is no such file, or it is not a table.
    """
    if isinstance(source, str | Path):
        check_path("source", source)
        return _of_file(Path(source))
    return _of_rows(_rows_of_frame(source) if is_data_frame(source) else source)


def _rows_of_frame(frame: Any) -> list[dict[Any, Any]]:
    columns = columns_of("source", frame, index=True)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if not rows:
        raise InputError("source: the data frame has no rows")
    return rows


def _of_rows(rows: Any) -> Table:
    if not isinstance(rows, Sequence) or not rows or not all(isinstance(row, Mapping) for row in rows):
        raise InputError(
            f"source={str(rows)[:60]!r}: the path of a CSV file, a list of mappings or a data frame is needed"
        )
    columns = dict.fromkeys(str(name) for row in rows for name in row)
    found = [Row(number, {str(name): as_cell(row[name]) for name in row}) for number, row in enumerate(rows, 1)]
    return Table("source", "runs", "row", tuple(columns), tuple(found))


def as_cell(value: Any) -> str:
    """Returns what a table has in the place of a value."""
    return "" if value is None else str(value).strip()


def _of_file(path: Path) -> Table:
    found = read_delimited(path, "run")
    columns, delimiter = found.columns, found.separator
    rows = [Row(number, dict(zip(columns, cells, strict=True))) for number, cells in found.rows]
    commas = frozenset(filter(lambda column: _has_decimal_commas([row.cells[column] for row in rows]), columns))
    return Table(
        path.name,
        table_name(path.name),
        "line",
        columns,
        tuple(rows),
        separator=delimiter,
        comma_columns=commas if delimiter != "," else frozenset(),
    )


def with_points(text: str) -> str:
    """Returns a number with a point where it has a decimal comma."""
    return _COMMA.sub(".", text)


def _has_decimal_commas(cells: Sequence[str]) -> bool:
    """Tells whether commas in a column can be nothing but those of decimals."""
    if any("." in cell for cell in cells):
        return False
    with_comma = [cell for cell in cells if "," in cell]
    # 1,234 may be a thousand and more, where other cells are whole
    doubtful = all(map(_THOUSANDS.fullmatch, with_comma)) and any(cell and "," not in cell for cell in cells)
    return bool(with_comma) and not doubtful
