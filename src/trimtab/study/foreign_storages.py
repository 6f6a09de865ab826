"""Storages of Optuna's that somebody else has written: they are read, and nothing is made or changed there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from trimtab.study.errors import InputError
from trimtab.study.location import parse_url, shown, sqlite_file

JOURNALS = (".log", ".journal")
"""How the names of journals end; any other file is SQLite's."""


def storage_name(source: str | Path) -> str:
    """Returns what messages and reports call a storage: a URL without its password, a file's name without its place.

    Raises:
        InputError: it is a URL that cannot be.
    """
    if "://" not in str(source):
        return Path(source).name
    try:
        parse_url(str(source))
    except InputError as error:
        raise InputError(f"source={str(error).removeprefix('store=')}") from None  # which is what it is called there
    return shown(str(source))


@contextmanager
def opened_storage(source: str | Path) -> Iterator[BaseStorage]:
    """Opens a storage to be read.

    Args:
        source: SQLAlchemy URL, or the path of a SQLite file or of a journal.

    Raises:
        InputError: it is not there, or is none of Optuna's.
    """
    storage = _storage(source, storage_name(source))
    try:
        yield storage
    finally:
        if isinstance(storage, RDBStorage):
            storage.remove_session()
            storage.engine.dispose()


def _storage(source: str | Path, name: str) -> BaseStorage:
    file = sqlite_file(str(source)) if "://" in str(source) else Path(source)
    if file is not None and not file.is_file():  # SQLite would make it
        raise InputError(f"there is no file {file}")
    try:
        if Path(source).suffix.lower() in JOURNALS and "://" not in str(source):
            return JournalStorage(JournalFileBackend(str(source)))
        url = parse_url(str(source) if "://" in str(source) else f"sqlite:///{Path(source).resolve()}")
        engine = create_engine(url)
        tables = inspect(engine).get_table_names()
        engine.dispose()
        if "studies" not in tables:
            raise InputError(f"{name} is a database, but no storage of Optuna's")
        return RDBStorage(url.render_as_string(hide_password=False), skip_table_creation=True)
    except SQLAlchemyError as error:
        raise InputError(f"{name} cannot be read: {str(error).splitlines()[0]}") from None
    except (RuntimeError, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} cannot be read as a storage of Optuna's: {error}") from None
