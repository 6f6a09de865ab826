"""Files of delimited text (CSV): plain or compressed, with commas, semicolons, tabs or bars between their cells."""

import contextlib
import csv
import gzip
import io
import re
import shlex
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trimtab.study.errors import Faults, InputError

_DELIMITERS = ",;\t|"
_LONGEST_CELL = 100_000_000
"""Characters; a curve of a million points has room."""

_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_QUOTED = re.compile(r'"[^"]*"')
_JSON = re.compile(r"""\s*(\{\s*["}]|\[\s*["\d{[\]-])""")
_LONGEST_HEADER = 100_000
_SHOWN = 10


@dataclass(frozen=True)
class Delimited:
    """What a file of delimited text holds.

    Args:
        columns: their names, in order.
        rows: of each that is not blank, the line of the file that it begins in, from 1, and its cells, as many as there
            are columns, without spaces around them.
        separator: what stands between the cells of a line.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, list[str]], ...]
    separator: str


class FewFaults(Faults):
    """Gathers faults, of which the first are told in full and the others counted: one slip may be in every row.

    Args:
        name: of the file.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def raise_any(self) -> None:
        """Raises what was gathered, if something was.

        Raises:
            InputError: the first of them, and how many more there are.
        """
        left = len(self._errors) - _SHOWN
        if left > 0:
            more = InputError(f"{self._name}: {left:,} more {'fault' if left == 1 else 'faults'} like these")
            self._errors = [*self._errors[:_SHOWN], more]
        super().raise_any()


def read_delimited(path: Path, row: str = "row") -> Delimited:
    """Reads a file whose first line names its columns.

    Args:
        path: of the file, which may be compressed with gzip.
        row: what a row of it is, for messages.

    Raises:
        InputError: there is no such file, or it is not a table.
    """
    text = _text(path)
    first = _header(text)
    delimiter = max(_DELIMITERS, key=first.count)
    if first.startswith("sep=") and "\n" in text:  # as spreadsheets are told which one it is
        delimiter = first.strip()[4:5] or delimiter
        text = "\n" + text.split("\n", 1)[1]
    with _long_cells():
        try:
            lines = list(_numbered(text, delimiter))
        except csv.Error as error:
            raise InputError(f"{path} cannot be read as CSV: {error}") from None
    if not lines:
        raise InputError(f"{path} is empty: a line of column names and a line for each {row} are needed")
    (_, header), *rest = _without_blank_columns(lines)
    columns = tuple(name.strip() for name in header)
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if twice:
        raise InputError(
            f"{path}, line 1: column {twice[0]!r} is there {columns.count(twice[0])} times; give each a name of its own"
        )
    faults = FewFaults(path.name)
    rows = []
    for number, cells in rest:
        with faults:
            if len(cells) != len(columns):
                more = f"; a cell that holds {delimiter!r} stands in quotes" if len(cells) > len(columns) else ""
                raise InputError(
                    f"{path.name}, line {number}: there are {len(cells)} cells below {len(columns)} columns{more}"
                )
            rows.append((number, [cell.strip() for cell in cells]))
    faults.raise_any()
    if not rows:
        raise InputError(f"{path} has column names and no {row}s")
    return Delimited(columns, tuple(rows), delimiter)


def _header(text: str) -> str:
    """The line of column names, without what stands in quotes, which may go on in further lines."""
    line = text.split("\n", 1)[0]
    whole = line if line.count('"') % 2 == 0 else text[:_LONGEST_HEADER]
    return _QUOTED.sub("", whole).split("\n", 1)[0]


def _without_blank_columns(lines: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Leaves out columns at the end that have neither a name nor a cell: spreadsheets write some."""
    header = lines[0][1]
    width = len(header)
    while width > 1 and not any("".join(cells[width - 1 :]).strip() for _, cells in lines):
        width -= 1
    return [(number, cells[:width] if len(cells) == len(header) else cells) for number, cells in lines]


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} cannot be decompressed: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    wide = content.startswith(_UTF16)  # as spreadsheets write what they call Unicode text
    if b"\0" in content and not wide:
        raise InputError(f"{path} is no CSV file: it has bytes that no text has")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is no CSV file: byte {error.start} is not text in UTF-8 ({error.reason}); if it is in another "
            f"encoding, save it again as UTF-8, or: iconv -f latin1 -t utf-8 {shlex.quote(str(path))} > utf8.csv"
        ) from None
    if _JSON.match(text):
        raise InputError(f"{path} is JSON and no CSV file")
    return text


def _numbered(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not blank, with the number of the line that each begins in; a cell may hold several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield begins, cells
        begins = reader.line_num + 1


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    """Python's reader takes longer cells for a fault; curves are longer."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)
