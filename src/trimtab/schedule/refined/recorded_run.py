"""Reading the gradient norms of a run from a file, whoever wrote it."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.schedule.refined.gradient_norms import SCHEMA
from trimtab.schedule.refined.refined import POWERS
from trimtab.study.checks import check_path
from trimtab.study.errors import InputError
from trimtab.study.suggestions import nearest

COLUMNS = ("norm", "grad_norm", "gradient_norm")
"""Names of a column that are looked for when none is given."""

MANY_FILES, LARGEST_LOOKED_INTO = 1000, 1 << 24
"""Files of a directory, and bytes of one, that are looked into for norms."""

FORMS = "what GradientNormRecorder.save() writes, CSV, or JSON lines; with one column, or with one that is named"


@dataclass(frozen=True)
class RecordedRun:
    """The gradient norms of a run.

    Args:
        norms: in the order of the steps.
        norm: which norm it is; ``None`` if the file does not say.
        every: how many steps lie between two of them.
        steps: length of the run; as many as norms if the file does not say.
    """

    norms: tuple[float, ...]
    norm: str | None = None
    every: int = 1
    steps: int | None = None

    @property
    def total_steps(self) -> int:
        """Length of the run."""
        return len(self.norms) if self.steps is None else self.steps


def read_run(path: str | Path, column: str | None = None) -> RecordedRun:
    """Reads the norms of a run.

    Args:
        path: of a file that :meth:`~trimtab.schedule.refined.gradient_norms.GradientNormRecorder.save` wrote, of a CSV
            file with or without a heading, or of JSON lines that are objects.
        column: name of the column; by default ``norm``, ``grad_norm`` or ``gradient_norm``, or the only one.

    Raises:
        InputError: there is no such file, or it cannot be read; the message names the line.
    """
    check_path("path", path)
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(_unreadable(path, error)) from error
    if not text.strip():
        raise InputError(f"{path} is empty; it should be {FORMS}")
    recording = _recording(path, text)
    if recording is not None:
        return recording
    try:
        rows = _json_lines(path, text) if text.lstrip()[0] in "{[" else _csv_rows(path, text)
        return RecordedRun(tuple(_column(path, rows, column)))
    except InputError as error:
        if column is not None:  # it is such a file, then
            raise
        raise InputError(f"{error}; the file should be {FORMS}") from error


def _unreadable(path: Path, error: OSError | UnicodeDecodeError) -> str:
    """What to say of a path that is no file of norms: which one may be meant."""
    if path.is_dir():
        found = [file.name for file in sorted(path.iterdir())[:MANY_FILES] if _holds_norms(file)]
        there = f"in it are {', '.join(found)}" if found else "none of the files in it holds norms"
        return f"{path} is a directory; the file of a run's norms is meant, which is {FORMS}: {there}"
    if isinstance(error, UnicodeDecodeError):
        return f"{path} cannot be read: it is no text; it should be {FORMS}"
    siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    near = nearest(path.name, siblings)
    offer = f"; {near}" if isinstance(error, FileNotFoundError) and near.startswith("did you mean") else ""
    return f"{path} cannot be read: {error.strerror}{offer}"


def _holds_norms(path: Path) -> bool:
    if path.suffix not in (".json", ".jsonl", ".csv") or path.stat().st_size > LARGEST_LOOKED_INTO:
        return False
    try:
        return bool(read_run(path).norms)
    except InputError:
        return False


@dataclass(frozen=True)
class _Row:
    line: int
    values: dict[str, Any]


def _recording(path: Path, text: str) -> RecordedRun | None:
    """What the recorder wrote, or ``None`` if it is something else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or "schema" not in found:
        return None
    if found["schema"] != SCHEMA:
        raise InputError(f"{path} holds {found['schema']!r}, not {SCHEMA!r}: it is no recording of gradient norms")
    norm, every, steps, norms = (found.get(name) for name in ("norm", "every", "steps", "norms"))
    damaged = InputError(f"{path} is damaged: it has norm={norm!r}, every={every!r}, steps={steps!r}")
    if not isinstance(every, int) or not isinstance(steps, int) or every < 1 or norm not in POWERS:
        raise damaged
    if not isinstance(norms, list) or len(norms) != -(-steps // every):
        raise damaged
    return RecordedRun(tuple(_number(path, i + 1, value, "norm") for i, value in enumerate(norms)), norm, every, steps)


def _json_lines(path: Path, text: str) -> list[_Row]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number} is no JSON: {line[:60]!r}") from error
        if not isinstance(found, dict):
            raise InputError(f"{path}, line {number}: an object is needed, not {line[:60]!r}")
        rows.append(_Row(number, found))
    return rows


def _csv_rows(path: Path, text: str) -> list[_Row]:
    try:
        lines = [(number, row) for number, row in enumerate(csv.reader(io.StringIO(text)), start=1) if any(row)]
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as CSV: {error}") from None
    names, body = [cell.strip() for cell in lines[0][1]], lines[1:]
    if all(map(_is_number, names)):
        names, body = [f"{i + 1}" for i in range(len(names))], lines
    rows = []
    for number, row in body:
        if len(row) != len(names):
            raise InputError(f"{path}, line {number} has {len(row)} cells, and {len(names)} are needed")
        rows.append(_Row(number, dict(zip(names, row, strict=True))))
    return rows


def _column(path: Path, rows: Sequence[_Row], column: str | None) -> list[float]:
    if not rows:
        raise InputError(f"{path} has a heading and nothing below it")
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    if column is None:
        known = [name for name in COLUMNS if name in names] or (names if len(names) == 1 else [])
        if len(known) != 1:
            which = "say with --column (column= in Python) which one holds the norms"
            raise InputError(f"{path} has the columns {', '.join(names)}: {which}")
        column = known[0]
    if column not in names:
        raise InputError(f"{path} has no column {column!r}; it has {', '.join(names)}")
    # a log may have lines about other things, such as evaluations
    return [
        _number(path, row.line, row.values[column], column) for row in rows if row.values.get(column) not in (None, "")
    ]


def _number(path: Path, line: int, value: Any, name: str) -> float:
    if isinstance(value, bool) or not _is_number(value):
        raise InputError(f"{path}, line {line}: {name}={value!r} is no number")
    return float(value)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
