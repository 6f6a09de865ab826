"""A comparison's own ``results.json``, read back as what it was written from."""

import json
from pathlib import Path
from typing import Any, TypeGuard

from trimtab.compare.over_problems.result import AnyResult, ResultOverProblems
from trimtab.compare.result import ComparisonResult
from trimtab.compare.schema import SCHEMA, SCHEMA_OVER_PROBLEMS, SCHEMA_VERSION
from trimtab.study.errors import InputError
from trimtab.study.plain import from_plain

_KINDS: dict[Any, type[ComparisonResult] | type[ResultOverProblems]] = {
    SCHEMA: ComparisonResult,
    SCHEMA_OVER_PROBLEMS: ResultOverProblems,
}


def is_json(source: Any) -> TypeGuard[str | Path]:
    """Tells whether a source is the path of a file that holds a JSON object."""
    if not isinstance(source, str | Path) or not Path(source).is_file():
        return False
    with Path(source).open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def read_results(path: str | Path) -> AnyResult:
    """Reads the results that a comparison has written.

    Args:
        path: of its ``results.json``.

    Raises:
        InputError: the file is something else, or of another version.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from None
    kind = _KINDS.get(values.get("schema")) if isinstance(values, dict) else None
    if kind is None:
        raise InputError(f"{path} is JSON, but no results.json of a comparison: tables are read from CSV files")
    if values.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema_version {values.get('schema_version')!r} and {SCHEMA_VERSION} is read: the same "
            "trimtab compare, in its directory, writes it anew"
        )
    return from_plain(kind, values, Path(path).name)
