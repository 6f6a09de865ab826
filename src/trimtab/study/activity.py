"""What goes on in a study, seen from outside: a look at its store that disturbs nobody.

Nothing is written, not even what Optuna writes into an empty database when it opens it; only what a process left half
written that was killed is taken back, as whoever opens the file does. A file is looked at only when all its tables are
there; a process that owns it can tell no more than that a reader holds it for a moment.
"""

import contextlib
import fcntl
import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial
from sqlalchemy import Row, func, select

from trimtab.study.database import Database, existing, lock_file
from trimtab.study.database_errors import REFUSALS, sqlite_code
from trimtab.study.errors import CorruptStoreError, NoStudyError, StoreUnreachableError
from trimtab.study.lease import LEASES, OWNERS
from trimtab.study.location import Location, shown, sqlite_file
from trimtab.study.manifest import MANIFEST
from trimtab.study.optuna_trial import outcome_of, point_of
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point


@dataclass(frozen=True)
class Process:
    """A process that runs trials of a study, or did when it was last heard of.

    Args:
        host: name of its machine.
        process: its id there.
        alive: whether it owns the file, or has given a sign of life lately.
        silent_seconds: since its last sign of life; ``None`` for one that owns a file, which gives none.
    """

    host: str
    process: int
    alive: bool
    silent_seconds: float | None


@dataclass(frozen=True)
class Running:
    """A trial that is being run.

    Args:
        point: what it is.
        since: when it started, by the clock of the machine that runs it.
        process: who runs it; ``None`` if that is not known any more.
    """

    point: Point
    since: datetime | None
    process: Process | None


@dataclass(frozen=True)
class Ended:
    """A trial that has an outcome.

    Args:
        point: what it was.
        outcome: what became of it.
        start: when it started, by the clock of the machine that ran it.
        end: when its outcome was written.
    """

    point: Point
    outcome: Outcome
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class Activity:
    """A study at a moment.

    Args:
        manifest: what makes the study this study.
        annotation: what was written beside it.
        ended: trials that have an outcome.
        running: trials that are being run, or were when their process died.
        waiting: trials that are known and wait.
        processes: those that have taken trials, and have not left in order.
        shared: whether several processes may be at work at the same time.
        alive: whether any process is at work, one that has not taken a trial yet included, as far as can be seen.
    """

    manifest: dict[str, Any]
    annotation: dict[str, Any]
    ended: tuple[Ended, ...]
    running: tuple[Running, ...]
    waiting: tuple[Point, ...]
    processes: tuple[Process, ...]
    shared: bool
    alive: bool


def look(location: Location) -> Activity | None:
    """Looks at a study, which may be running.

    Returns:
        ``None`` while it is being made.

    Raises:
        NoStudyError: there is none.
        CorruptStoreError: it cannot be read.
        StoreUnreachableError: the server does not answer, or refuses us.
    """
    file = sqlite_file(location)
    owned = file is not None and _is_owned(file)
    if file is not None and file.is_file() and not _is_complete(file):
        if owned:
            return None
        raise NoStudyError(f"{file} is not a study of trimtab's, or one that was stopped before it began")
    if file is not None and owned and not file.is_file():
        return None
    database = existing(location)
    try:
        with database.readable():
            return _read(database, owned, shown(location))
    finally:
        database.close()


def _is_owned(file: Path) -> bool:
    """Whether a process holds the lock of a file."""
    try:
        descriptor = os.open(lock_file(file), os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_complete(file: Path) -> bool:
    """Whether a file has all its tables, and says what study it is."""
    tables = "SELECT count(*) FROM sqlite_master WHERE name = 'trimtab_leases'"
    manifests = "SELECT count(*) FROM study_user_attributes WHERE key = 'manifest'"
    try:
        # not as read-only: what a process left half written that was killed could not be taken back
        with contextlib.closing(
            sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True, timeout=60)
        ) as connection:
            return all(connection.execute(query).fetchone()[0] for query in (tables, manifests))
    except sqlite3.DatabaseError as error:
        if sqlite_code(error) in REFUSALS:
            raise StoreUnreachableError(f"{file} cannot be looked at ({error})") from error
        raise CorruptStoreError(f"{file} cannot be read ({error})") from error


def _read(database: Database, owned: bool, name: str) -> Activity | None:
    with database.transaction() as connection:
        studies = {study.study_name: study for study in database.storage.get_all_studies()}
        attributes = studies.pop(MANIFEST).user_attrs if MANIFEST in studies else {}
        if "manifest" not in attributes:
            raise NoStudyError(f"{name} holds no study of trimtab's, or one that is only just being made")
        leases = {row.trial: row for row in connection.execute(select(LEASES))}
        owners = connection.execute(select(OWNERS, func.now().label("now"))).all()
        trials = [
            trial
            for study in studies.values()
            for trial in database.storage.get_all_trials(study._study_id, deepcopy=False)
            if trial._trial_id in leases
        ]
    shared = database.shared
    processes = {row.owner: _process(row, owned, shared=shared) for row in owners}
    running = [
        Running(point_of(trial), _local(trial.datetime_start), processes.get(leases[trial._trial_id].owner))
        for trial in trials
        if not trial.state.is_finished() and leases[trial._trial_id].owner is not None
    ]
    return Activity(
        manifest=attributes["manifest"],
        annotation=attributes.get("annotation", {}),
        ended=tuple(_ended(trial) for trial in trials if trial.state.is_finished()),
        running=tuple(running),
        waiting=tuple(
            point_of(trial)
            for trial in trials
            if not trial.state.is_finished() and leases[trial._trial_id].owner is None
        ),
        processes=tuple(processes.values()),
        shared=shared,
        alive=owned or any(process.alive for process in processes.values()),
    )


def _process(row: "Row[Any]", owned: bool, *, shared: bool) -> Process:
    silent = max(0.0, (row.now - row.beat).total_seconds()) if shared else None
    alive = owned if silent is None else silent <= row.takeover_seconds
    return Process(row.host, row.process, alive, silent)


def _ended(trial: FrozenTrial) -> Ended:
    return Ended(point_of(trial), outcome_of(trial), _local(trial.datetime_start), _local(trial.datetime_complete))


def _local(time: datetime | None) -> datetime | None:
    """Optuna tells a time as the clock on the wall here shows it; its version 4.4, as it did where the trial ran."""
    return None if time is None else time.astimezone()
