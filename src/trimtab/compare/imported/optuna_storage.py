"""Optuna's storages as tables: a row for each trial that is complete."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from trimtab.compare.imported.table import Direction, Row, Table, as_cell, in_words
from trimtab.study.errors import InputError
from trimtab.study.foreign_storages import JOURNALS, opened_storage, storage_name
from trimtab.study.location import FILE_NAME, sqlite_file
from trimtab.study.manifest import MANIFEST

_FILES = (".db", ".sqlite", ".sqlite3")
_DIRECTIONS: dict[StudyDirection, Direction] = {StudyDirection.MAXIMIZE: "max", StudyDirection.MINIMIZE: "min"}


def is_storage(source: Any) -> TypeGuard[str | Path]:
    """Tells whether a source is an SQLAlchemy URL, or a file that is called as Optuna's storages are."""
    if not isinstance(source, str | Path):
        return False
    return "://" in str(source) or Path(source).suffix.lower() in (*_FILES, *JOURNALS)


def read_storage(source: str | Path) -> Table:
    """Reads the trials of all studies that a storage holds.

    Args:
        source: SQLAlchemy URL, or the path of a SQLite file or of a journal. Nothing is written to it.

    Returns:
        Columns ``study``, ``number``, ``score`` (of several objectives ``score.0`` and so on), ``seconds``, and
        ``params.NAME``, ``user_attrs.NAME`` of what trials have.

    Raises:
        InputError: it cannot be read, or holds no trial that is complete.
    """
    name = storage_name(source)
    rows: list[Row] = []
    left_out = 0
    with opened_storage(source) as storage:
        studies = optuna.get_all_study_summaries(storage, include_best_trial=False)
        if any(study.study_name == MANIFEST and "manifest" in study.user_attrs for study in studies):
            raise InputError(own_store(source, name))
        for study in studies:
            trials = optuna.load_study(study_name=study.study_name, storage=storage).get_trials(deepcopy=False)
            complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
            left_out += len(trials) - len(complete)
            sides = zip(_scores(len(study.directions)), study.directions, strict=True)
            told = {column: _DIRECTIONS[side] for column, side in sides if side in _DIRECTIONS}
            for trial in complete:
                rows.append(Row(f"{trial.number} of {study.study_name}", dict(_cells(study.study_name, trial)), told))
    if not rows:
        raise InputError(f"{name} has no trial that is complete")
    columns = tuple(dict.fromkeys(column for row in rows for column in row.cells))
    stem = Path(source).stem if "://" not in str(source) else "trials"
    return Table(name, stem, "complete trial", columns, tuple(rows), left_out=in_words(left_out, "trial", "complete"))


def own_store(source: str | Path, name: str) -> str:
    """Returns what to do with the store of a comparison instead of analysing it.

    Args:
        source: its file or its URL.
        name: what messages call it.
    """
    file = sqlite_file(str(source)) if "://" in str(source) else Path(source)
    if file is None or file.name != FILE_NAME:
        url = name if file is None else f"sqlite:///{file.resolve()}"
        return f"{name} is trimtab's own store: trimtab report DIR --store {url} draws its report into a directory"
    written = file.parent / "results.json"
    again = f", and trimtab analyse {written} from its results" if written.is_file() else ""
    return f"{file} is trimtab's own store: trimtab report {file.parent} draws its report{again}"


def _scores(values: int) -> list[str]:
    """Names of the columns of what a trial ended at."""
    return ["score"] if values == 1 else [f"score.{place}" for place in range(values)]


def _cells(study: str, trial: FrozenTrial) -> Iterator[tuple[str, str]]:
    yield "study", study
    yield "number", str(trial.number)
    values = trial.values or []
    yield from zip(_scores(len(values)), map(repr, values), strict=True)
    if trial.duration is not None:
        yield "seconds", repr(trial.duration.total_seconds())
    for kind, found in (("params", trial.params), ("user_attrs", trial.user_attrs)):
        for name, value in found.items():
            yield f"{kind}.{name}", as_cell(value)
