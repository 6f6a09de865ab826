"""MLflow's directories of runs as tables: a row for each run that is finished."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from trimtab.compare.imported.table import Row, Table, in_words
from trimtab.study.errors import InputError

_META = "meta.yaml"
_FINISHED = ("FINISHED", "3", 3)


def is_tracking_directory(source: Any) -> TypeGuard[str | Path]:
    """Tells whether a source is a directory in which MLflow keeps experiments, as ``mlruns`` is."""
    return isinstance(source, str | Path) and Path(source).is_dir() and any(Path(source).glob(f"*/{_META}"))


def read_tracking_directory(source: str | Path) -> Table:
    """Reads the runs of all experiments in a directory of MLflow's.

    Args:
        source: the directory, which has one for each experiment.

    Returns:
        Columns ``experiment``, ``run``, ``run_id``, ``seconds``, ``params.NAME``, ``tags.NAME``, the last value of each
        metric as ``metrics.NAME``, and its course over steps as ``history.NAME``.

    Raises:
        InputError: a file is none of MLflow's, or no run is finished.
    """
    place = Path(source)
    rows: list[Row] = []
    left_out = 0
    for experiment in sorted(place.glob(f"*/{_META}")):
        name = str(_meta(experiment).get("name", experiment.parent.name))
        for run in sorted(experiment.parent.glob(f"*/{_META}")):
            meta = _meta(run)
            if meta.get("lifecycle_stage") == "deleted":  # it stays where it was until MLflow collects it
                continue
            if meta.get("status") not in _FINISHED:
                left_out += 1
                continue
            cells = {"experiment": name, **dict(_cells(run.parent, meta))}
            rows.append(Row(cells["run"], cells))
    if not rows:
        raise InputError(f"{source} has no run of MLflow's that is finished")
    columns = tuple(dict.fromkeys(column for row in rows for column in row.cells))
    return Table(
        place.name, place.name, "finished run", columns, tuple(rows), left_out=in_words(left_out, "run", "finished")
    )


def _meta(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is no file of MLflow's")
    return found


def _cells(run: Path, meta: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "run", str(meta.get("run_name") or run.name)
    yield "run_id", run.name
    if meta.get("start_time") and meta.get("end_time"):
        yield "seconds", repr((meta["end_time"] - meta["start_time"]) / 1000)
    for kind in ("params", "tags"):
        for name, text in _files(run / kind):
            yield f"{kind}.{name}", text.strip()
    for name, text in _files(run / "metrics"):
        course = _course(run / "metrics" / name, text)
        yield f"metrics.{name}", repr(course[max(course)])
        yield f"history.{name}", ";".join(f"{step}:{value!r}" for step, value in sorted(course.items()))


def _files(directory: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each file, but of those that file managers leave behind, whose names begin with a point."""
    for path in sorted(directory.glob("**/*")):
        if path.is_file() and not path.name.startswith("."):
            try:
                yield path.relative_to(directory).as_posix(), path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"{path} cannot be read: {error}") from None


def _course(path: Path, text: str) -> dict[int, float]:
    """Step to value; a step that was logged more than once has the last of its values."""
    course: dict[int, float] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            _, value, *step = line.split()
            course[int(step[0]) if step else number] = float(value)
        except ValueError:
            raise InputError(
                f"{path}, line {number}: a time, a value and a step are needed, got {line[:60]!r}"
            ) from None
    if not course:
        course[0] = math.nan
    return course
