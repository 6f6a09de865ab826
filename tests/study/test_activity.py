"""Looking at a study tells what goes on, and disturbs nobody."""

import fcntl
import os
import socket
import sqlite3
import subprocess
import sys
import threading

import pytest

from tests.study.work import MANIFEST, points
from trimtab.study.activity import look
from trimtab.study.database import Database, lock_file
from trimtab.study.errors import CorruptStoreError, NoStudyError, StoreInUseError
from trimtab.study.lease import Limits
from trimtab.study.outcome import Outcome
from trimtab.study.store import Store


def working(store):
    """A study in which one trial has ended, one runs, and two wait."""
    store.annotate(lambda _: {"seeds": 3})
    store.add(points(4))
    first, second = store.claim(points(4)), store.claim(points(4)[1:])
    store.finish(first, Outcome("complete", loss=0.5, seconds=2.0))
    return first, second


def test_a_study_at_work_is_seen_as_it_is(tmp_path):
    with Store(tmp_path, MANIFEST) as store:
        first, second = working(store)
        seen = look(tmp_path)

    assert (seen.manifest, seen.annotation, seen.alive) == (MANIFEST, {"seeds": 3}, True)
    assert [(each.point, each.outcome.loss) for each in seen.ended] == [(first, 0.5)]
    assert seen.ended[0].end >= seen.ended[0].start
    (running,) = seen.running
    assert running.point == second
    assert (running.process.host, running.process.process) == (socket.gethostname(), os.getpid())
    assert (running.process.alive, running.process.silent_seconds) == (True, None)
    assert running.since.utcoffset() is not None
    assert [point.key for point in seen.waiting] == [point.key for point in points(4)[2:]]
    after = look(tmp_path)
    assert (after.alive, after.running, len(after.waiting)) == (False, (), 3)  # given back


def test_trials_of_a_process_that_was_killed_are_seen_as_cut_off(tmp_path):
    store = Store(tmp_path, MANIFEST)
    working(store)
    store._database.close()  # as when it is killed: nothing is given back
    seen = look(tmp_path)
    assert not seen.alive
    assert [running.process.alive for running in seen.running] == [False]


CUT_OFF = """
import os, signal, sqlite3, sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the end of the transaction
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE filler AS SELECT randomblob(500000)")
connection.execute("UPDATE trial_user_attributes SET value_json = '{}'")
connection.execute("INSERT INTO filler SELECT randomblob(500000)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_study_that_was_killed_in_the_middle_of_a_transaction_is_seen_as_it_was_before(tmp_path):
    store = Store(tmp_path, MANIFEST)
    first, _ = working(store)
    store._database.close()
    file = tmp_path / "study.db"
    before = file.read_bytes()
    subprocess.run([sys.executable, "-c", CUT_OFF, file], check=False)
    assert file.read_bytes() != before
    assert file.with_name("study.db-journal").stat().st_size
    assert [(each.point, each.outcome.loss) for each in look(tmp_path).ended] == [(first, 0.5)]
    assert file.read_bytes() == before


def test_a_process_on_a_server_is_alive_as_long_as_it_beats(postgres, tmp_path):
    with Store(postgres.url, MANIFEST, Limits(takeover=60.0)) as store:
        working(store)
        (running,) = look(postgres.url).running
        assert running.process.alive
        assert running.process.silent_seconds < 60
        with store._database.transaction() as connection:
            connection.exec_driver_sql("UPDATE trimtab_owners SET beat = beat - interval '61 seconds'")
        seen = look(postgres.url)
        assert (seen.alive, [process.alive for process in seen.processes]) == (False, [False])
        assert seen.processes[0].silent_seconds > 61


def test_where_there_is_no_study(tmp_path):
    with pytest.raises(NoStudyError, match="there is no study in"):
        look(tmp_path)
    (tmp_path / "study.db").touch()
    with pytest.raises(NoStudyError, match="is not a study of trimtab's"):
        look(tmp_path)
    assert (tmp_path / "study.db").stat().st_size == 0  # Optuna would have made its tables
    sqlite3.connect(tmp_path / "study.db").execute("CREATE TABLE other (a)").connection.close()
    with pytest.raises(NoStudyError, match="is not a study of trimtab's"):
        look(tmp_path)
    (tmp_path / "study.db").write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(CorruptStoreError, match="cannot be read"):
        look(tmp_path)


def test_a_study_that_is_being_made_is_no_error(tmp_path):
    database = Database(tmp_path)  # has the lock and Optuna's tables, and does not say yet what it is
    try:
        assert look(tmp_path) is None
        (tmp_path / "study.db").unlink()
        assert look(tmp_path) is None
    finally:
        database.close()


def test_whoever_looks_all_the_time_ends_no_study_and_refuses_none(tmp_path):
    """Each store is made, written and closed while somebody looks at it as often as he can."""
    over = threading.Event()
    places = [tmp_path / str(i) for i in range(8)]
    seen = []

    def stare():
        while not over.is_set():
            for place in places:
                try:
                    seen.append(look(place) is not None)
                except NoStudyError:
                    seen.append(False)

    watcher = threading.Thread(target=stare)
    watcher.start()
    try:
        for place in places:
            with Store(place, MANIFEST) as store:
                working(store)
            with Store(place, MANIFEST) as store:
                assert len(store.outcomes()) == 1
    finally:
        over.set()
        watcher.join()
    assert any(seen)


def test_the_directory_is_still_one_process_only(tmp_path):
    with Store(tmp_path, MANIFEST):
        look(tmp_path)
        with pytest.raises(StoreInUseError):
            Store(tmp_path, MANIFEST)


def test_a_look_at_the_lock_refuses_nobody(tmp_path):
    """A process that starts while somebody holds the lock only to see whether it is held."""
    with lock_file(tmp_path / "study.db").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        threading.Timer(0.2, fcntl.flock, (held, fcntl.LOCK_UN)).start()
        with Store(tmp_path, MANIFEST) as store:
            assert store.outcomes() == {}
