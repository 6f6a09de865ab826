"""TensorBoard's directories of runs as tables: a row for each directory that holds event files."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from trimtab.compare.imported.table import Row, Table
from trimtab.study.errors import InputError

_EVENTS = "*tfevents*"
_SETTING = re.compile(r"([A-Za-z][\w.-]*)=([^=,]+)")
_NUMBERED = re.compile(r"(.*?[^\d_-])[_-]?(\d+)")


def is_event_directory(source: Any) -> TypeGuard[str | Path]:
    """Tells whether a source is a directory below which TensorBoard would find runs."""
    return isinstance(source, str | Path) and Path(source).is_dir() and any(Path(source).rglob(_EVENTS))


def read_event_directory(source: str | Path) -> Table:
    """Reads the scalars of all runs below a directory.

    A run is a directory that holds event files, as TensorBoard shows it. If one directory below it has the run's
    hyperparameters, where torch's ``add_hparams`` puts them, that one belongs to it.

    Args:
        source: the directory.

    Returns:
        Columns ``run``, its path; ``path.0``, ``path.1`` and so on, the parts of that, of which one that ends in a
        number has ``path.0.name`` and ``path.0.number`` as well, and one of settings such as ``lr=0.1`` has
        ``path.lr``; ``seconds``; ``hparams.NAME``; the last value of each scalar as ``scalars.TAG``, and its course
        over steps as ``history.TAG``.

    Raises:
        InputError: TensorBoard is not installed, a file is none of its, or no run has a scalar.
    """
    place = Path(source).resolve()
    found = {
        path.relative_to(place).as_posix(): _run(path)
        for path in sorted({file.parent for file in place.rglob(_EVENTS)})
    }
    rows: list[Row] = []
    for name, cells in _joined(found).items():
        if any(column.startswith("scalars.") for column in cells):
            rows.append(Row(name, {"run": name, **dict(_parts(name)), **cells}))
    if not rows:
        raise InputError(f"{source} has no run of TensorBoard's with a scalar")
    columns = tuple(dict.fromkeys(column for row in rows for column in row.cells))
    return Table(place.name, place.name, "run", columns, tuple(rows))


def _joined(found: Mapping[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Adds to runs what one directory below says of their hyperparameters."""
    told: dict[str, list[str]] = {}
    for name, cells in found.items():
        if name != "." and _told(cells):
            told.setdefault(PurePosixPath(name).parent.as_posix(), []).append(name)
    joined = dict(found)
    for name, below in told.items():
        if len(below) == 1 and name in found and not _told(found[name]):
            joined[name] = {**joined.pop(below[0]), **found[name]}
    return joined


def _told(cells: Mapping[str, str]) -> bool:
    return any(column.startswith("hparams.") for column in cells)


def _parts(name: str) -> Iterator[tuple[str, str]]:
    for place, part in enumerate(PurePosixPath(name).parts):
        yield f"path.{place}", part
        if settings := _SETTING.findall(part):
            yield from ((f"path.{key}", value.strip()) for key, value in settings)
        elif numbered := _NUMBERED.fullmatch(part):
            yield f"path.{place}.name", numbered[1]
            yield f"path.{place}.number", numbered[2]


def _run(path: Path) -> dict[str, str]:
    """What the event files of a directory hold."""
    events = _accumulated(path)
    if events is None:
        return {}
    cells = {"seconds": repr(events.most_recent_wall_time - events.FirstEventTimestamp())}
    plugins = events.ActivePlugins()
    if "hparams" in plugins:
        cells |= _hyperparameters(events.PluginTagToContent("hparams"))
    for tag in sorted(events.PluginTagToContent("scalars")) if "scalars" in plugins else ():
        course = _course(events.Tensors(tag))
        if course:
            cells[f"scalars.{tag}"] = course[max(course)]
            cells[f"history.{tag}"] = ";".join(f"{step}:{value}" for step, value in sorted(course.items()))
    return cells


def _accumulated(path: Path) -> Any:
    """The events of a directory; ``None`` where its files are empty, as those of a run that has just begun."""
    try:
        from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
    except ImportError:
        raise InputError(
            f"{path} holds event files, which TensorBoard reads: pip install 'trimtab[tensorboard]'"
        ) from None
    # scalars of both forms, old and new, are tensors here; all of them are kept, and nothing of images or histograms
    events = EventAccumulator(str(path), size_guidance={"tensors": 1}, tensor_size_guidance={"scalars": 0})
    try:
        events.Reload()
        events.FirstEventTimestamp()
    except ValueError:
        if not any(file.stat().st_size for file in path.glob(_EVENTS)):
            return None
        raise InputError(f"{path} has no event of TensorBoard's in its event files") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    return events


def _hyperparameters(contents: Mapping[str, bytes]) -> dict[str, str]:
    from tensorboard.plugins.hparams import metadata

    content = contents.get(metadata.SESSION_START_INFO_TAG)
    if content is None:
        return {}
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    return {f"hparams.{name}": _text(values[name]) for name in sorted(values)}


def _text(value: Any) -> str:
    """A hyperparameter as it was given: all numbers are floats there."""
    if value.HasField("number_value"):
        number = value.number_value
        return str(int(number)) if float(number).is_integer() else repr(number)
    return str(value.bool_value) if value.HasField("bool_value") else str(value.string_value).strip()


def _course(events: Any) -> dict[int, str]:
    """Step to value; a step that was logged more than once has the last of its values."""
    from tensorboard.util import tensor_util

    # values in single precision have as many digits as tell them apart: 0.51, and not 0.5099999904632568
    return {event.step: str(tensor_util.make_ndarray(event.tensor_proto)[()]) for event in events}
