"""Several stores on one database server: each stands for a process on another machine."""

import contextlib
import threading
import time

import optuna
import pytest
from optuna.trial import TrialState

from tests.study.work import (
    MANIFEST,
    OTHER_MANIFEST,
    LoggedWork,
    MisbehavingWork,
    fixed,
    hash_of,
    judged_by,
    points,
    what,
)
from trimtab.study.errors import (
    InputError,
    StoreAwayError,
    StoreInUseError,
    StoreLostError,
    StoreUnreachableError,
    StudyMismatchError,
)
from trimtab.study.lease import Limits
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.location import parse_url
from trimtab.study.outcome import Outcome
from trimtab.study.running import run_study
from trimtab.study.store import Store as PlainStore
from trimtab.study.stored_study import read_store

QUICK = Limits(takeover=0.3)


class Store(PlainStore):
    """Asks again when the server has given it up, as a study does: on a busy machine that may be any time."""

    def __init__(self, *arguments, tries=20):
        try:
            super().__init__(*arguments)
        except StoreUnreachableError:
            if tries == 0:
                raise
            time.sleep(0.05)
            self.__init__(*arguments, tries=tries - 1)

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name not in ("add", "claim", "finish", "release", "sync"):
            return found

        def persistently(*arguments):
            for _ in range(20):
                try:
                    return found(*arguments)
                except StoreAwayError:
                    time.sleep(0.05)
            return found(*arguments)

        return persistently


def done(loss=1.0):
    return Outcome("complete", loss=loss)


def trials(database):
    storage = optuna.storages.RDBStorage(database.driver_url)
    try:
        return storage.get_all_trials(storage.get_study_id_from_name("toy/tune/a"))
    finally:
        storage.engine.dispose()


def silence(store):
    """What is seen of a process that has been stopped, or cut off from the network."""
    store._heart.stop()


def watch_until(happened, store, seconds=10):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        store.sync()
        time.sleep(0.02)


def test_each_point_is_claimed_by_one(postgres):
    first, second, third = points(3)
    with Store(postgres.url, MANIFEST) as a, Store(postgres.url, MANIFEST) as b:
        a.add([first, second])
        b.add([first, second])
        assert a.claim([first, second]) == first
        assert b.claim([first, second]) == second
        assert a.claim([second]) is None
        assert a.finish(first, done(1.0))
        assert a.claim([first]) is None
        assert b.sync() == {first.key: (first, done(1.0))}
        assert b.sync() == {}
        b.release(second)
        assert a.claim([second]) == second
        a.add([third])
        b.add([third])
        assert b.claim([third]) == third
    assert [trial.state.name for trial in trials(postgres)] == ["COMPLETE", "WAITING", "WAITING"]  # the rest was left


def test_stores_that_open_and_add_at_once_make_one_trial_a_point(postgres):
    wanted = points(6)
    start = threading.Barrier(5)
    claimed, errors = [], []

    def process():
        try:
            start.wait()
            with Store(postgres.url, MANIFEST) as store:
                start.wait()
                store.add(wanted)
                while (point := store.claim(wanted)) is not None:
                    claimed.append(point.key)
                    assert store.finish(point, done())
        except BaseException as error:
            start.abort()
            errors.append(error)

    threads = [threading.Thread(target=process) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(claimed) == sorted(point.key for point in wanted)
    assert sorted(trial.user_attrs["key"] for trial in trials(postgres)) == sorted(point.key for point in wanted)
    assert {trial.state for trial in trials(postgres)} == {TrialState.COMPLETE}


def test_what_a_silent_process_was_running_is_taken_over_and_its_outcome_counts_no_more(postgres):
    first, second = points(2)
    with Store(postgres.url, MANIFEST, QUICK) as silent, Store(postgres.url, MANIFEST) as other:
        silent.add([first, second])
        other.add([first, second])
        assert silent.claim([first]) == first
        other.sync()
        assert other.claim([first]) is None
        silence(silent)
        watch_until(lambda: other.claim([first]), other)
        assert not silent.finish(first, done(1.0))  # it is running elsewhere
        assert other.finish(first, done(2.0))
        assert not silent.finish(first, done(1.0))  # it is finished
        assert silent.sync() == {first.key: (first, done(2.0))}
        assert silent.claim([first, second]) == second  # it is back, and as good as any
        assert silent.finish(second, done(3.0))
    assert {key: o.loss for key, o in read_store(postgres.url).outcomes.items()} == {first.key: 2.0, second.key: 3.0}


def test_an_outcome_that_nobody_else_has_started_on_is_kept(postgres):
    (point,) = points(1)
    with Store(postgres.url, MANIFEST, QUICK) as silent, Store(postgres.url, MANIFEST) as other:
        silent.add([point])
        silent.claim([point])
        silence(silent)
        watch_until(lambda: postgres.rows("SELECT key FROM trimtab_leases WHERE owner IS NULL"), other)
        assert trials(postgres)[0].state == TrialState.WAITING
        assert silent.finish(point, done())
    assert read_store(postgres.url).outcomes == {point.key: done()}


def test_a_process_that_gives_signs_of_life_keeps_its_points(postgres):
    (point,) = points(1)
    with Store(postgres.url, MANIFEST, QUICK) as slow, Store(postgres.url, MANIFEST, QUICK) as other:
        slow.add([point])
        slow.claim([point])
        other.add([point])
        for _ in range(20):
            other.sync()
            assert other.claim([point]) is None
            time.sleep(0.05)
        assert slow.finish(point, done())


def test_a_pause_of_the_database_makes_nobody_a_victim(postgres):
    (point,) = points(1)
    with Store(postgres.url, MANIFEST) as slow, Store(postgres.url, MANIFEST) as other:
        slow.add([point])
        slow.claim([point])
        other.add([point])
        postgres.rows("UPDATE trimtab_owners SET beat = beat - interval '1 hour'")
        other.sync()
        assert other.claim([point]) is None  # the old beat may be all that the database's pause has left


def test_steps_whose_end_was_not_heard_can_be_repeated(postgres):
    first, second = points(2)
    with Store(postgres.url, MANIFEST) as store, Store(postgres.url, MANIFEST) as other:
        store.add([first, second])
        other.add([first, second])
        assert store.claim([first]) == first
        assert store.claim([first]) == first
        assert other.claim([first]) is None
        assert store.finish(first, done(1.0))
        assert store.finish(first, done(1.0))
        assert not other.finish(first, done(2.0))
        store.release(first)
        assert other.claim([first]) is None
    assert [trial.state.name for trial in trials(postgres)] == ["COMPLETE", "WAITING"]
    assert read_store(postgres.url).outcomes == {first.key: done(1.0)}


def test_what_breaks_in_the_middle_of_a_step_leaves_nothing_behind(postgres, monkeypatch):
    (point,) = points(1)
    with Store(postgres.url, MANIFEST) as store:
        store.add([point])
        store.claim([point])
        write = store._storage.set_trial_state_values

        def broken(*arguments):
            write(*arguments)
            postgres.terminate_connections()

        monkeypatch.setattr(store._storage, "set_trial_state_values", broken)
        with pytest.raises(StoreAwayError):
            store.finish(point, done())
        monkeypatch.undo()
        (trial,) = trials(postgres)
        assert trial.state == TrialState.RUNNING
        assert "outcome" not in trial.user_attrs
        assert store.finish(point, done())
    assert read_store(postgres.url).outcomes == {point.key: done()}


def test_news_that_were_cut_off_are_told_again(postgres, monkeypatch):
    wanted = points(3)
    with Store(postgres.url, MANIFEST) as store, Store(postgres.url, MANIFEST) as other:
        store.add(wanted)
        other.add(wanted)
        for point in wanted:
            other.claim([point])
            other.finish(point, done())
        read = store._storage.get_trial

        def broken(*arguments):
            trial = read(*arguments)
            postgres.terminate_connections()
            return trial

        monkeypatch.setattr(store._storage, "get_trial", broken)
        with pytest.raises(StoreAwayError):
            store.sync()
        monkeypatch.undo()
        assert store.sync() == {point.key: (point, done()) for point in wanted}


def test_annotations_of_two_processes_are_both_kept(postgres):
    with Store(postgres.url, MANIFEST) as first, Store(postgres.url, MANIFEST) as second:
        writing = threading.Barrier(2)

        def change(known):
            with contextlib.suppress(threading.BrokenBarrierError):
                writing.wait(0.5)  # breaks, because the other is kept out until we have written
            return {**known, f"seen {len(known)}": True}

        threads = [threading.Thread(target=store.annotate, args=(change,)) for store in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert read_store(postgres.url).annotation == {"seen 0": True, "seen 1": True}


def test_another_study_is_refused(postgres):
    with pytest.raises(StudyMismatchError, match="no study in postgresql://"):
        read_store(postgres.url)
    (point,) = points(1)
    with Store(postgres.url, MANIFEST) as store:
        store.add([point])
        store.claim([point])
        store.finish(point, done())
    with pytest.raises(StudyMismatchError, match=r"holds the results.*budget: 3 there, 4 here.*another database"):
        Store(postgres.url, OTHER_MANIFEST)


def test_a_study_without_an_outcome_binds_while_a_process_is_at_work(postgres):
    with Store(postgres.url, MANIFEST) as first:
        with pytest.raises(StudyMismatchError, match=r"a process works on another study: budget: 3 there, 4 here"):
            Store(postgres.url, OTHER_MANIFEST)
        first.annotate(lambda _: {"trials": 7})
        with Store(postgres.url, MANIFEST) as second:
            second.annotate(lambda notes: {**notes, "seeds": 3})
    assert read_store(postgres.url).annotation == {"trials": 7, "seeds": 3}
    with Store(postgres.url, OTHER_MANIFEST):
        assert read_store(postgres.url).manifest == OTHER_MANIFEST
        assert read_store(postgres.url).annotation == {}


@pytest.mark.parametrize("manifest", [MANIFEST, OTHER_MANIFEST])
def test_a_process_that_was_taken_for_dead_does_not_mix_up_studies(postgres, manifest):
    first, second = points(2)
    with Store(postgres.url, MANIFEST, Limits(takeover=1.0)) as silent:
        silent.add([first])
        silent.claim([first])
        silence(silent)
        time.sleep(1.5)
        with Store(postgres.url, manifest) as other:
            other.add([first])
            steps = {
                "add": lambda: silent.add([second]),
                "claim": lambda: silent.claim([first]),
                "finish": lambda: silent.finish(first, done()),
                "sync": silent.sync,
                "annotate": lambda: silent.annotate(dict),
            }
            for step in steps.values():
                with pytest.raises(StudyMismatchError, match="begun anew by another process while this one"):
                    step()
            silent.release(first)
            assert silent.hopeless(first, 1, 1.0, optuna.pruners.NopPruner())
            assert other.claim([first]) == first
            assert other.finish(first, done(2.0))
    stored = read_store(postgres.url)
    assert (stored.manifest, stored.outcomes) == (manifest, {first.key: done(2.0)})


def test_processes_that_open_with_different_studies_at_once_do_not_share_one(postgres):
    manifests = [{**MANIFEST, "budget": budget} for budget in range(4)]
    start, opened, refused = threading.Barrier(4), [], []

    def process(manifest):
        start.wait()
        try:
            opened.append(Store(postgres.url, manifest))
        except StudyMismatchError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=process, args=(manifest,)) for manifest in manifests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(opened), len(refused)) == (1, 3)
    opened[0].close()


def test_a_database_with_somebody_elses_studies_is_refused(postgres):
    storage = optuna.storages.RDBStorage(postgres.driver_url)
    optuna.create_study(study_name="mine", storage=storage)
    storage.engine.dispose()
    with pytest.raises(StudyMismatchError, match=r"not trimtab's \(mine"):
        Store(postgres.url, MANIFEST)


def test_stores_that_cannot_be_used_say_why(postgres):
    with pytest.raises(StoreUnreachableError, match=r"someone:\*\*\*@127.0.0.1.*cannot be used: connection failed"):
        Store("postgresql://someone:secret@127.0.0.1:1/nowhere", MANIFEST)
    with pytest.raises(StoreUnreachableError, match='database "nowhere" does not exist'):
        Store(postgres.url.replace(postgres.name, "nowhere"), MANIFEST)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("my database", "is not the URL of a database; one looks like postgresql://user@host/database"),
        ("postgresql://host:port/database", "is not the URL of a database"),
        ("postgres://me:secret@host/database", r"'postgres://\*\*\*@host/database'.*knows no database 'postgres'"),
        ("postgresql+pg8000://host/database", "needs a driver that is not installed: pip install pg8000"),
        ("mysql://host/database", "needs a driver that is not installed: pip install mysqlclient"),
        ("mysql+mysqlconnector://host/database", "not installed: pip install mysql-connector-python"),
        ("sqlite://", "the path of a file is needed"),
        ("sqlite+aiosqlite:///file", "not installed|asynchronous"),
    ],
)
def test_urls_that_cannot_work_are_explained(url, message):
    with pytest.raises(InputError, match=message):
        Store(url, MANIFEST)


def test_a_missing_driver_of_postgresql_is_an_extra_of_ours(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(InputError, match=r"pip install 'trimtab\[postgres\]'"):
        parse_url("postgresql://host/database")


def test_a_file_by_its_url_is_the_directory_by_its_path(tmp_path):
    (point,) = points(1)
    with Store(f"sqlite:///{tmp_path}/study.db", MANIFEST) as store:
        store.add([point])
        store.claim([point])
        store.finish(point, done())
        with pytest.raises(StoreInUseError):
            Store(tmp_path, MANIFEST)
    assert read_store(tmp_path) == read_store(f"sqlite:///{tmp_path}/study.db")


def test_trials_go_on_while_the_database_is_away(postgres, tmp_path, warned):
    log, wanted = tmp_path / "log", points(6)

    class Watcher:
        def planned(self, points, outcomes): ...

        def reported(self, point, cost, loss): ...

        def started(self, point):
            if point == wanted[2]:
                postgres.refuse_connections()
                threading.Thread(target=back).start()

        def finished(self, point, outcome): ...

    def back():
        deadline = time.monotonic() + 60
        while not warned and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.0)
        postgres.refuse_connections(False)

    limits = Limits(takeover=0.5)
    with (
        Store(postgres.url, MANIFEST, limits) as store,
        LocalExecutor(LoggedWork(log, 0.1), jobs=2) as executor,
    ):
        outcomes = run_study(fixed(*wanted), store, executor, observer=Watcher())
    assert {key: o.loss for key, o in outcomes.items()} == {p.key: hash_of(p.key) % 1000 / 1000 for p in wanted}
    assert log.read_text().count("end") == 6  # what had finished while it was away was not run again
    assert read_store(postgres.url).outcomes == outcomes
    assert "no contact with postgresql://" in warned[0]
    assert any("again after" in each for each in warned)


def test_a_database_that_stays_away_ends_the_study(postgres, tmp_path):
    limits = Limits(takeover=1.0, patience=1.0)
    with (
        Store(postgres.url, MANIFEST, limits) as store,
        LocalExecutor(LoggedWork(tmp_path / "log"), jobs=1) as executor,
    ):
        store.add(points(2))
        postgres.refuse_connections()
        with pytest.raises(StoreLostError, match=r"has been away for .* the same command goes on"):
            run_study(fixed(*points(2)), store, executor)
    postgres.refuse_connections(False)


def test_a_pruner_sees_the_trials_of_all(postgres):
    with Store(postgres.url, MANIFEST) as store, LocalExecutor(MisbehavingWork(), jobs=1, answers=True) as executor:
        judge = judged_by(store, optuna.pruners.ThresholdPruner(upper=10.0))
        outcomes = run_study(fixed(*what("work", "ask")), store, executor, hopeless=judge)
    assert [outcomes[f"toy/tune/a/{i}"].status for i in range(2)] == ["complete", "pruned"]


def test_reports_of_a_process_that_was_silent_are_not_those_of_who_took_over(postgres):
    pruner = optuna.pruners.ThresholdPruner(upper=10.0)
    (point,) = points(1)
    with Store(postgres.url, MANIFEST, QUICK) as silent, Store(postgres.url, MANIFEST, Limits(takeover=60.0)) as other:
        silent.add([point])
        assert silent.claim([point]) == point
        assert silent.hopeless(point, 5, 99.0, pruner)
        silence(silent)
        other.add([point])
        watch_until(lambda: other.claim([point]), other)
        assert not silent.hopeless(point, 6, 99.0, pruner)  # it comes back, and nobody has asked it
        assert not other.hopeless(point, 1, 0.5, pruner)
        (trial,) = trials(postgres)
        assert trial.intermediate_values == {1: 0.5}
        assert other.finish(point, done())
        assert silent.hopeless(point, 7, 0.5, pruner)
