"""A comparison for other programs: ``results.json`` with everything, ``results.csv`` with a row a trial."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from trimtab.compare.over_problems.result import AnyResult
from trimtab.compare.result import ComparisonResult, TrialResult, column_name, measure_names
from trimtab.compare.schema import SCHEMA, SCHEMA_OVER_PROBLEMS, SCHEMA_VERSION
from trimtab.study.files import write_atomically

_NOT_FLAT = ("settings", "error", "curve", "measures", "traces")
_FLAT_FIELDS = tuple(field.name for field in fields(TrialResult) if field.name not in _NOT_FLAT)


def to_json(result: AnyResult) -> str:
    """Returns a comparison as strict JSON, with each trial on a line of its own.

    One over several problems holds all that there is of each, by its name.

    Raises:
        ValueError: a number is not finite.
    """
    if isinstance(result, ComparisonResult):
        return _problem_json(result)
    values: dict[str, Any] = {"schema": SCHEMA_OVER_PROBLEMS, "schema_version": SCHEMA_VERSION, **result.to_dict()}
    del values["problems"]
    problems = ",\n".join(
        f"{json.dumps(name)}: {_problem_json(found).rstrip()}" for name, found in result.problems.items()
    )
    return f'{_head(values)},\n  "problems": {{\n{problems}\n  }}\n}}\n'


def _problem_json(result: ComparisonResult) -> str:
    values: dict[str, Any] = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **result.to_dict()}
    trials = values.pop("trials")
    # indenting the curves as well would spread a comparison over a hundred thousand lines
    rows = ",\n".join(f"    {json.dumps(trial, allow_nan=False)}" for trial in trials)
    return f'{_head(values)},\n  "trials": [\n{rows}\n  ]\n}}\n'


def _head(values: dict[str, Any]) -> str:
    """The beginning of an object to which more is added."""
    return json.dumps(values, indent=2, allow_nan=False).removesuffix("\n}")


def write_json(result: AnyResult, path: str | Path) -> Path:
    """Writes :func:`to_json` to a file.

    Raises:
        ValueError: a number is not finite; the file is left as it was.
    """
    return write_atomically(path, to_json(result))


def to_csv(result: ComparisonResult) -> str:
    """Returns a row a trial; settings are columns ``setting.lr`` and so on, and an absent value is an empty cell.

    Measures have columns by their names, with underscores.
    """
    measured = measure_names(result)
    names = list(dict.fromkeys(name for trial in result.trials for name in trial.settings))
    lines = [_line([*_FLAT_FIELDS, *map(column_name, measured), *(f"setting.{name}" for name in names), "error"])]
    lines += [
        _line(
            [
                *(getattr(trial, name) for name in _FLAT_FIELDS),
                *(trial.measures.get(name) for name in measured),
                *(trial.settings.get(name) for name in names),
                trial.error,
            ]
        )
        for trial in result.trials
    ]
    return "".join(lines)


def _line(cells: Sequence[Any]) -> str:
    """Returns a row; older writers quote a carriage return in a cell only where lines end with one."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n") + "\n"


def write_csv(result: ComparisonResult, path: str | Path) -> Path:
    """Writes :func:`to_csv` to a file."""
    return write_atomically(path, to_csv(result))
