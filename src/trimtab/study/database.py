"""The database under a store: how it is found and opened, and what its errors mean."""

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.storages import RDBStorage
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    column,
    create_engine,
    event,
    func,
    inspect,
    select,
    table,
)
from sqlalchemy.exc import (
    SQLAlchemyError,
)
from sqlalchemy.orm import scoped_session, sessionmaker

from trimtab.study.database_errors import DAMAGE, REFUSALS, is_away, reason, sqlite_code
from trimtab.study.errors import (
    CorruptStoreError,
    NoStudyError,
    StoreAwayError,
    StoreInUseError,
    StoreUnreachableError,
)
from trimtab.study.interruption import uninterrupted
from trimtab.study.lease import TABLES
from trimtab.study.location import FILE_NAME, Location, parse_url, shown, sqlite_file
from trimtab.study.suggestions import closest

_CONNECTION: dict[str, Any] = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""Of PostgreSQL's client library. By itself it waits for hours when the other end has vanished."""

_LOCK = 0x7472696D  # "trim"; any number that nobody else uses

_GLANCE = 1.0
"""Seconds to wait for a lock: who only looks whether it is held holds it for a moment himself."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Database:
    """An open database with Optuna's tables.

    A file of SQLite is owned by one process, through a lock that the operating system takes back when the process dies.

    Args:
        location: of the database; a file's directory is made if it is missing.
        read_only: whether to do without the lock.
        stall: seconds after which a server breaks off a transaction whose process has stopped in the middle, so that
            the rows which it holds do not keep others waiting.

    Raises:
        InputError: the location cannot be one.
        StoreUnreachableError: a server does not answer, or refuses us.
        CorruptStoreError: what is there cannot be read.
        StoreInUseError: another process owns the file.
    """

    def __init__(self, location: Location, *, read_only: bool = False, stall: float = 60.0) -> None:
        self.file = sqlite_file(location)
        self.name = shown(location) if self.file is None else str(self.file)
        self._lock = None if self.file is None or read_only else _locked(self.file)
        try:
            with self.readable():
                self.storage = _open(self.file, location, read_only)
        except BaseException:
            self._unlock()
            raise
        self.engine = self.storage.engine
        if self.file is not None:
            # by itself the driver begins a transaction at the first change, too late for what is read before
            _on_begin(self.engine, "BEGIN" if read_only else "BEGIN IMMEDIATE")
        elif self.engine.dialect.name == "postgresql":
            _on_connect(self.engine, f"SET idle_in_transaction_session_timeout = {max(1, round(1000 * stall))}")

    @property
    def shared(self) -> bool:
        """Whether other processes may use it at the same time."""
        return self.file is None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Everything within, Optuna's own writes included, happens at once or not at all. Ctrl-C waits for its end.

        Raises:
            StoreAwayError: the database does not answer now. Whether the transaction was done is then unknown.
            CorruptStoreError: its file is damaged.
        """
        sessions = self.storage.scoped_session
        try:
            with uninterrupted(), self.engine.begin() as connection:
                # Optuna commits after each of its steps; joined like this, it commits into our transaction
                joined = sessionmaker(bind=connection, join_transaction_mode="create_savepoint")
                self.storage.scoped_session = scoped_session(joined)
                yield connection
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            if is_away(error):
                raise StoreAwayError(reason(error)) from error
            if sqlite_code(error) in DAMAGE:
                raise CorruptStoreError(f"{self.file} is damaged ({reason(error)}). Put back a copy of it.") from error
            raise
        finally:
            self.storage.scoped_session = sessions

    @contextmanager
    def readable(self) -> Iterator[None]:
        """Says what errors mean that happen while a store is opened or read as a whole."""
        try:
            yield
        except (
            SQLAlchemyError,
            optuna.exceptions.OptunaError,
            StoreAwayError,
            RuntimeError,
            KeyError,
            TypeError,
            json.JSONDecodeError,
        ) as error:
            if sqlite_code(error) in REFUSALS:
                raise StoreUnreachableError(
                    f"{self.file} cannot be used ({reason(error)}). Is the disk full, or read-only? What is in it is "
                    "kept, and the same command goes on when that is mended."
                ) from error
            if self.file is not None:
                raise CorruptStoreError(
                    f"{self.file} cannot be read ({reason(error)}). Put back a copy of it, or move it away and run "
                    "the same command again to start from the beginning."
                ) from error
            if isinstance(error, (SQLAlchemyError, StoreAwayError, optuna.exceptions.StorageInternalError)):
                raise StoreUnreachableError(
                    f"the store {self.name} cannot be used: {reason(error)}. Does the server run, does the database "
                    "exist, and may this user make tables in it?"
                ) from error
            raise CorruptStoreError(
                f"{self.name} cannot be read ({reason(error)}). Restore it, or use another database."
            ) from error

    def close(self) -> None:
        """Lets other processes use a file."""
        self.storage.remove_session()
        self.engine.dispose()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()


def existing(location: Location) -> Database:
    """Opens a database to read it.

    Raises:
        NoStudyError: there is none.
    """
    file = sqlite_file(location)
    try:
        there = file is None or file.is_file()
    except OSError as error:
        raise NoStudyError(f"{file} cannot be looked at: {error.strerror}") from error
    if file is not None and not there:
        raise NoStudyError(f"there is no study in {file.parent}: {_missing(file.parent)}")
    return Database(location, read_only=True)


def _missing(directory: Path) -> str:
    """What to say of a directory without a study: what it is, and which one may be meant."""
    near: list[Path] = []
    with contextlib.suppress(OSError):
        if directory.is_dir():
            near = [file.parent for file in directory.glob(f"*/{FILE_NAME}")]
        elif (directory.parent / FILE_NAME).is_file():
            near = [directory.parent]
        else:
            studies = {file.parent.name: file.parent for file in directory.parent.glob(f"*/{FILE_NAME}")}
            near = [studies[name] for name in closest(directory.name, studies)]
    what = f"{FILE_NAME} is missing" if directory.is_dir() else "it is no directory"
    return f"{what}; did you mean {' or '.join(map(str, sorted(near)[:5]))}?" if near else what


def lock_file(file: Path) -> Path:
    """Returns the file that is locked while a process owns a store's file."""
    return file.with_name(f".{file.name}.lock")


def _locked(file: Path) -> FileLock:
    lock = FileLock(lock_file(file))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_GLANCE)
    except Timeout:
        raise StoreInUseError(
            f"{file.parent} is in use by another running trimtab process; wait for it or choose another directory"
        ) from None
    except OSError as error:
        raise StoreUnreachableError(
            f"{file.parent} cannot be written to ({error.strerror or error}); choose another directory, or make room"
        ) from error
    return lock


def _open(file: Path | None, location: Location, read_only: bool) -> RDBStorage:
    if file is not None:
        url = URL.create("sqlite", database=str(file))
        options: dict[str, Any] = {"connect_args": {"timeout": 60, "isolation_level": None}}
        if read_only:  # Optuna would make what is missing, and be in the way of the process that is making it
            _check_begun(create_engine(url, poolclass=NullPool, **options), location)
        return _storage(url, options, read_only)
    url = parse_url(str(location))
    options = {"isolation_level": "READ COMMITTED"}
    if url.get_driver_name() in ("psycopg", "psycopg2"):
        options["connect_args"] = {key: value for key, value in _CONNECTION.items() if key not in url.query}
    engine = create_engine(url, poolclass=NullPool, **options)
    if read_only:
        _check_begun(engine, location)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # processes that start at once would all make the tables
            connection.execute(select(func.pg_advisory_lock(_LOCK)))
        return _storage(url, options, read_only)


def _check_begun(engine: Engine, location: Location) -> None:
    """Looks whether Optuna has made its tables, without making any."""
    version = table("alembic_version", column("version_num"))  # the last that it writes
    with engine.connect() as connection:
        if not inspect(connection).has_table(version.name) or connection.scalar(select(version)) is None:
            raise NoStudyError(f"there is no study in {shown(location)} yet")


def _storage(url: URL, options: dict[str, Any], read_only: bool) -> RDBStorage:
    text = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")  # Optuna formats it
    storage = RDBStorage(text, options, skip_table_creation=read_only)
    if not read_only:
        TABLES.create_all(storage.engine)
    return storage


def _on_begin(engine: Engine, statement: str) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


def _on_connect(engine: Engine, statement: str) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.commit()

    engine.dispose()  # the connections of before know nothing of it
