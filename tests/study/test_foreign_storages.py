"""Storages that somebody else has written: opened to be read, and refused without being made or changed."""

import sqlite3

import optuna
import pytest
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from trimtab.study.errors import InputError
from trimtab.study.foreign_storages import opened_storage, storage_name


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for storage in (RDBStorage("sqlite:///a.db"), JournalStorage(JournalFileBackend("a.log"))):
        optuna.create_study(storage=storage, study_name="one")
        if isinstance(storage, RDBStorage):
            storage.engine.dispose()
    with sqlite3.connect("other.db") as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    (tmp_path / "text.db").write_text("a text that is no database\n" * 99)
    (tmp_path / "text.log").write_text("a text that is no journal\n" * 3)
    return tmp_path


@pytest.mark.parametrize("source", ["a.db", "a.log", "sqlite:///a.db"])
def test_studies_are_read_and_files_stay_as_they_are(files, source):
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    with opened_storage(source) as storage:
        assert optuna.get_all_study_names(storage) == ["one"]
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.db", "there is no file none.db"),
        ("none.log", "there is no file none.log"),
        ("sqlite:///none.db", "there is no file none.db"),
        ("other.db", "other.db is a database, but no storage of Optuna's"),
        ("text.db", "text.db cannot be read: "),
        ("text.log", "text.log cannot be read as a storage of Optuna's: "),
        ("sqlite://", "source='sqlite://': the path of a file is needed"),
    ],
)
def test_what_is_none_is_refused_and_not_made(files, source, message):
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    with pytest.raises(InputError, match=message), opened_storage(source):
        pass
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before


def test_a_name_has_no_password(files):
    assert storage_name(f"{files}/a.db") == "a.db"
    assert storage_name("sqlite:///a.db") == "sqlite:///a.db"
    pytest.importorskip("psycopg")
    assert storage_name("postgresql://me:secret@host/optuna") == "postgresql://me:***@host/optuna"
