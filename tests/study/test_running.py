"""Stores, executors and studies together: nothing finished is lost, nothing finished is run twice."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import optuna
import pytest
import sqlalchemy

from tests.lab.toy import TrainWork
from tests.study.work import (
    MANIFEST,
    OTHER_MANIFEST,
    RANGES,
    LoggedWork,
    MisbehavingWork,
    fixed,
    hash_of,
    judged_by,
    log_of,
    points,
    what,
)
from trimtab.lab.measures import TEST_LOSS
from trimtab.study import running as study
from trimtab.study.cores import threads_per_worker
from trimtab.study.errors import CorruptStoreError, InputError, StoreInUseError, StudyMismatchError, UnfitWorkerError
from trimtab.study.executor import Finished, Reported
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.outcome import CurvePoint, Outcome
from trimtab.study.point import Point
from trimtab.study.running import run_study
from trimtab.study.store import Store
from trimtab.study.stored_study import read_store


class Recorder:
    def __init__(self):
        self.finished_keys = []

    def planned(self, points, outcomes): ...

    def started(self, point): ...

    def reported(self, point, cost, loss): ...

    def finished(self, point, outcome):
        self.finished_keys.append(point.key)


def test_an_outcome_comes_back_as_it_was_written(tmp_path):
    outcome = Outcome(
        "complete", 0.1 + 0.2, 0.9, cost=640, seconds=1.5, measures={"steps": 10.0, "test loss": 0.4},
        curve=(CurvePoint(0, None, 2.0, 0.1), CurvePoint(640, 1.1, 0.3, 0.9)),
    )  # fmt: skip
    (point,) = points(1)
    with Store(tmp_path, MANIFEST) as store:
        store.add([point])
        assert store.claim([point]) == point
        store.finish(point, outcome)
        assert store.outcomes() == {point.key: (point, outcome)}
    with Store(tmp_path, MANIFEST) as store:
        assert store.outcomes() == {point.key: (point, outcome)}
    assert read_store(tmp_path).outcomes == {point.key: outcome}


@pytest.mark.parametrize(
    ("status", "state"), [("complete", "COMPLETE"), ("pruned", "PRUNED"), ("diverged", "FAIL"), ("failed", "FAIL")]
)
def test_optuna_reads_our_studies(tmp_path, status, state):
    (point,) = points(1)
    with Store(tmp_path, MANIFEST) as store:
        store.add([point])
        assert store.claim([point]) == point
        store.finish(point, Outcome(status, loss=0.5 if status == "complete" else None))
    stored = optuna.load_study(study_name="toy/tune/a", storage=f"sqlite:///{tmp_path / 'study.db'}")
    (trial,) = stored.trials
    assert trial.state.name == state
    assert trial.params == point.settings
    assert trial.distributions == {"lr": optuna.distributions.FloatDistribution(1e-3, 1.0, log=True)}


def test_adding_a_point_twice_changes_nothing(tmp_path):
    with Store(tmp_path, MANIFEST) as store:
        store.add(points(2))
        store.add(points(3))
    with Store(tmp_path, MANIFEST) as store:
        store.add(points(3))
    assert len(optuna.load_study(study_name="toy/tune/a", storage=f"sqlite:///{tmp_path / 'study.db'}").trials) == 3


def test_the_directory_of_another_study_is_refused_and_kept(tmp_path):
    (point,) = points(1)
    with Store(tmp_path, MANIFEST) as store:
        store.add([point])
        assert store.claim([point]) == point
        store.finish(point, Outcome("complete", loss=1.0))
    with pytest.raises(StudyMismatchError, match=r"budget: 3 there, 4 here.*another output directory"):
        Store(tmp_path, {**MANIFEST, "budget": 4})
    with Store(tmp_path, MANIFEST) as store:
        assert len(store.outcomes()) == 1


def test_a_study_without_an_outcome_gives_way_to_another(tmp_path):
    with Store(tmp_path, MANIFEST) as store:
        store.annotate(lambda _: {"trials": 7})
        store.add(points(2))
        assert store.claim(points(1)) == points(1)[0]
        store._database.close()  # as when it is killed: nothing is given back
    other = Point("toy", "tune", "a", 0, {"lr": 0.5}, seed=0, tunables=RANGES)
    with Store(tmp_path, OTHER_MANIFEST) as store:
        known = []
        store.annotate(lambda notes: known.append(dict(notes)) or {"trials": 8})
        assert known == [{}]
        store.add([other])
        assert store.claim([other, *points(2)[1:]]) == other
        store.finish(other, Outcome("complete", loss=1.0))
    assert read_store(tmp_path).manifest == OTHER_MANIFEST
    (trial,) = optuna.load_study(study_name="toy/tune/a", storage=f"sqlite:///{tmp_path / 'study.db'}").trials
    assert (trial.params, trial.state.name) == ({"lr": 0.5}, "COMPLETE")
    with pytest.raises(StudyMismatchError, match="budget: 4 there, 3 here"):
        Store(tmp_path, MANIFEST)


@pytest.mark.parametrize("status", ["failed", "diverged", "pruned"])
def test_an_outcome_of_any_kind_binds(tmp_path, status):
    (point,) = points(1)
    with Store(tmp_path, MANIFEST) as store:
        store.add([point])
        store.claim([point])
        store.finish(point, Outcome(status))
    with pytest.raises(StudyMismatchError, match="holds the results of another study"):
        Store(tmp_path, OTHER_MANIFEST)


def test_what_somebody_else_has_put_beside_a_study_is_kept(tmp_path):
    Store(tmp_path, MANIFEST).close()
    url = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.create_study(study_name="empty", storage=url)
    Store(tmp_path, OTHER_MANIFEST).close()
    optuna.create_study(study_name="mine", storage=url).enqueue_trial({"lr": 1.0})
    with pytest.raises(StudyMismatchError, match="budget: 4 there, 3 here"):
        Store(tmp_path, MANIFEST)
    assert {"empty", "mine"} <= set(optuna.get_all_study_names(url))


@pytest.mark.parametrize("content", [b"not a database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_corrupt_store_is_named_and_left_alone(tmp_path, content):
    (tmp_path / "study.db").write_bytes(content)
    with pytest.raises(CorruptStoreError, match=r"study\.db cannot be read .*move it away"):
        Store(tmp_path, MANIFEST)
    with pytest.raises(CorruptStoreError, match=r"study\.db cannot be read"):
        read_store(tmp_path)
    assert (tmp_path / "study.db").read_bytes() == content


def test_a_store_that_was_cut_off_in_the_middle_is_named(tmp_path):
    with Store(tmp_path, MANIFEST) as store:
        store.add(points(20))
    file = tmp_path / "study.db"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CorruptStoreError, match="cannot be read"):
        Store(tmp_path, MANIFEST)


def test_a_directory_without_a_study_is_named(tmp_path):
    with pytest.raises(StudyMismatchError, match="no study in"):
        read_store(tmp_path)


def test_a_reader_is_not_in_the_way_of_a_process_that_makes_a_store(tmp_path):
    refused, reading = [], False

    def read(*_):
        nonlocal reading
        if reading or not (tmp_path / "study.db").exists():
            return
        reading = True
        try:
            read_store(tmp_path)
        except StudyMismatchError as error:  # whose traceback, if it were kept, would keep the store's cursors open
            refused.append(str(error))
        finally:
            reading = False

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", read)
    try:
        store = Store(tmp_path, MANIFEST)
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", read)
    store.close()
    assert len(refused) > 20  # between any two of its steps
    assert set(refused) == {f"there is no study in {tmp_path} yet"}
    assert read_store(tmp_path).manifest == MANIFEST


def test_one_process_at_a_time(tmp_path):
    with Store(tmp_path, MANIFEST):
        with pytest.raises(StoreInUseError, match="in use by another running trimtab"):
            Store(tmp_path, MANIFEST)
        read_store(tmp_path)  # reading needs no lock
    Store(tmp_path, MANIFEST).close()


def test_a_study_runs_every_point_once_and_resumes_with_nothing_to_do(tmp_path):
    log = tmp_path / "log"
    design = fixed(*points(7), *points(2, "b"))
    with Store(tmp_path, MANIFEST) as store, LocalExecutor(LoggedWork(log), jobs=2) as executor:
        outcomes = run_study(design, store, executor)
    assert {key: o.loss for key, o in outcomes.items()} == {p.key: hash_of(p.key) % 1000 / 1000 for p in design({})}
    assert set(log_of(log)[0].values()) == {1}
    recorder = Recorder()
    with Store(tmp_path, MANIFEST) as store, LocalExecutor(LoggedWork(log), jobs=1) as executor:
        assert run_study(design, store, executor, observer=recorder) == outcomes
    assert recorder.finished_keys == []
    assert sum(log_of(log)[0].values()) == 9


def test_points_may_depend_on_outcomes(tmp_path):
    first = points(3)

    def design(outcomes):
        if any(p.key not in outcomes for p in first):
            return first
        best = min(first, key=lambda p: outcomes[p.key].loss)
        return [*first, Point("toy", "final", "a", 0, best.settings, seed=9, tunables=RANGES)]

    with Store(tmp_path, MANIFEST) as store, LocalExecutor(LoggedWork(tmp_path / "log"), jobs=2) as executor:
        outcomes = run_study(design, store, executor)
        assert len(outcomes) == 4
        final, _ = store.outcomes()["toy/final/a/0"]
    assert final.seed == 9
    assert final.final
    assert final.settings == min(first, key=lambda p: hash_of(p.key) % 1000).settings


def test_workers_killed_at_random_lose_nothing(tmp_path):
    log = tmp_path / "log"
    design = fixed(*points(40))
    chooser = random.Random(0)
    kills = 0
    over = threading.Event()
    with Store(tmp_path, MANIFEST) as store, LocalExecutor(LoggedWork(log, 0.05), jobs=2) as executor:

        def kill():
            nonlocal kills
            while not over.wait(chooser.uniform(0.0, 0.2)):
                if log.exists() and log_of(log)[0].total() >= 3 * (kills + 1):  # so that they get on
                    with contextlib.suppress(ProcessLookupError):  # a worker that is gone may have no successor yet
                        os.kill(chooser.choice(executor.process_ids), signal.SIGKILL)
                        kills += 1

        killer = threading.Thread(target=kill)
        killer.start()
        recorder = Recorder()
        outcomes = run_study(design, store, executor, observer=recorder)
        over.set()
        killer.join()
    assert kills >= 2
    assert {key: o.loss for key, o in outcomes.items()} == {p.key: hash_of(p.key) % 1000 / 1000 for p in design({})}
    assert Counter(recorder.finished_keys) == Counter(p.key for p in design({}))  # each recorded exactly once
    starts, ends = log_of(log)
    assert set(starts) == set(outcomes)
    assert sum(starts.values()) <= 40 + kills  # a kill costs at most the one trial that it hit
    assert all(count >= 1 for count in ends.values())


RUN = """
import sys
from pathlib import Path
from tests.study.work import MANIFEST, LoggedWork, fixed, points
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.store import Store
from trimtab.study.running import run_study

if __name__ == "__main__":
    directory = Path(sys.argv[1])
    with Store(directory, MANIFEST) as store, LocalExecutor(LoggedWork(directory / "log", 0.1), jobs=2) as executor:
        run_study(fixed(*points(24)), store, executor)
"""


def test_a_parent_killed_at_random_moments_loses_nothing_that_was_recorded(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(RUN)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    log = tmp_path / "log"
    chooser = random.Random(1)
    recorded: set[str] = set()
    for _ in range(2):
        process = subprocess.Popen([sys.executable, script, tmp_path], env=environment)
        while not log.exists():
            assert process.poll() is None
            time.sleep(0.05)
        size = log.stat().st_size
        while log.stat().st_size == size and process.poll() is None:
            time.sleep(0.02)
        time.sleep(chooser.uniform(0.0, 0.6))
        process.kill()
        process.wait()
        before = log_of(log)[0]
        now = set(read_store(tmp_path).outcomes)
        assert recorded <= now  # nothing that was recorded is lost
        recorded = now
        time.sleep(0.5)  # its workers are gone with it: nobody goes on writing
        assert log_of(log)[0] == before

    def go_on():
        with Store(tmp_path, MANIFEST) as store, LocalExecutor(LoggedWork(log), jobs=2) as executor:
            return run_study(fixed(*points(24)), store, executor)

    assert {key: o.loss for key, o in go_on().items()} == {p.key: hash_of(p.key) % 1000 / 1000 for p in points(24)}
    starts, _ = log_of(log)
    assert sum(starts.values()) <= 24 + 2 * 2  # a kill costs at most what two workers ran, or had not handed over
    go_on()
    assert log_of(log)[0] == starts  # none finished is run twice


class Journal(Store):
    """Notes what is claimed and what is recorded, in order."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.lines = []

    def claim(self, wanted):
        claimed = super().claim(wanted)
        self.lines.append(f"claim {claimed.key}")
        return claimed

    def finish(self, point, outcome):
        self.lines.append(f"finish {point.key}")
        return super().finish(point, outcome)


def test_an_outcome_is_recorded_before_another_trial_starts(tmp_path):
    with Journal(tmp_path, MANIFEST) as store, LocalExecutor(LoggedWork(tmp_path / "log"), jobs=1) as executor:
        run_study(fixed(*points(4)), store, executor)
    assert store.lines == [f"{what} {p.key}" for p in points(4) for what in ("claim", "finish")]


def test_a_trial_that_raises_or_kills_its_worker_is_recorded_and_the_study_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "ATTEMPTS", 2)
    with Store(tmp_path, MANIFEST) as store, LocalExecutor(MisbehavingWork(), jobs=2) as executor:
        outcomes = run_study(fixed(*what("raise", "die", "work", "work")), store, executor)
    raised, died, *fine = outcomes["toy/tune/a/0"], outcomes["toy/tune/a/1"], outcomes["toy/tune/a/2"]
    assert raised.status == "failed"
    assert "RuntimeError: deliberate" in raised.error
    assert "Traceback" in raised.error
    assert died.status == "failed"
    assert "exit code 3; it was tried 2 times" in died.error
    assert [outcome.status for outcome in fine] == ["complete"]


def test_a_worker_that_can_run_nothing_ends_the_study_and_is_no_trials_fault(tmp_path):
    with Store(tmp_path, MANIFEST) as store, LocalExecutor(MisbehavingWork(), jobs=1) as executor:
        with pytest.raises(UnfitWorkerError, match="there is no task here"):
            run_study(fixed(*what("work", "unfit")), store, executor)
        assert set(store.outcomes()) == {"toy/tune/a/0"}
    with Store(tmp_path, MANIFEST) as store, LocalExecutor(MisbehavingWork(), jobs=1) as executor:
        point = Point("toy", "tune", "a", 1, {"what": "work"}, 0, tunables=what("work")[0].tunables)
        assert run_study(fixed(point), store, executor)["toy/tune/a/1"].status == "complete"


@pytest.mark.parametrize("turned", [False, True])
def test_what_has_ended_beside_a_worker_that_can_run_nothing_is_kept(turned):
    work, unfit = what("work", "unfit")
    with LocalExecutor(MisbehavingWork(), jobs=2) as executor:
        while executor.free < 2:
            executor.wait()
        executor.submit(work)
        assert isinstance(executor.wait()[0], Reported)
        executor.submit(unfit)
        assert all(worker.connection.poll(60) for worker in executor._workers)
        if turned:
            executor._workers.reverse()
        assert [(type(event), event.point) for event in executor.wait()] == [(Finished, work)]
        assert executor.free == 0  # nothing more is begun
        for _ in range(2):
            with pytest.raises(UnfitWorkerError, match="there is no task here"):
                executor.wait()


def test_a_pruner_gives_up_hopeless_trials(tmp_path):
    with Store(tmp_path, MANIFEST) as store, LocalExecutor(MisbehavingWork(), jobs=1, answers=True) as executor:
        judge = judged_by(store, optuna.pruners.ThresholdPruner(upper=10.0))
        outcomes = run_study(fixed(*what("work", "ask")), store, executor, hopeless=judge)
    assert [outcomes[f"toy/tune/a/{i}"].status for i in range(2)] == ["complete", "pruned"]


@pytest.mark.parametrize("killed", [False, True])
def test_a_pruner_sees_nothing_of_an_attempt_that_was_cut_off(tmp_path, killed):
    pruner = optuna.pruners.ThresholdPruner(upper=10.0)
    point, other = points(2)
    store = Store(tmp_path, MANIFEST)
    store.add([point, other])
    assert store.claim([other]) == other
    assert store.finish(other, Outcome("complete", loss=1.0))  # or whoever opens the store would begin anew
    assert store.claim([point]) == point
    assert store.hopeless(point, 5, 99.0, pruner)
    if killed:
        store._database.close()
        store = Store(tmp_path, MANIFEST)
    else:
        store.release(point)
    with store:
        assert store.claim([point]) == point
        assert not store.hopeless(point, 3, 0.5, pruner)
        assert store.hopeless(point, 4, 99.0, pruner)


def test_trials_on_workers_equal_trials_in_this_process(tmp_path):
    wanted = [Point("toy", "final", "a", i, {"lr": 0.1}, seed=i, tunables=RANGES) for i in range(3)]
    here = {p.key: TrainWork()(p, lambda cost, loss: False) for p in wanted}
    with Store(tmp_path, MANIFEST) as store, LocalExecutor(TrainWork(), jobs=2) as executor:
        there = run_study(fixed(*wanted), store, executor)
    for key, outcome in here.items():
        assert there[key].status == "complete"
        assert (there[key].loss, there[key].measures[TEST_LOSS], there[key].curve) == (
            outcome.loss, outcome.measures[TEST_LOSS], outcome.curve,
        )  # fmt: skip


@pytest.mark.parametrize("arguments", [{"jobs": 0}, {"jobs": 1, "threads": 0}])
def test_executors_refuse_nonsense(arguments):
    with pytest.raises(InputError, match="=0: at least one"):
        LocalExecutor(TrainWork(), **arguments)


@pytest.mark.parametrize(
    ("jobs", "variable", "threads"),
    [
        *((1, None, 6), (4, None, 1), (9, None, 1), (3, "", 2), (1, "many", 6)),
        *((1, "2", 2), (1, " 4,2", 4), (2, "4", 3), (1, "0", 1)),
    ],
)
def test_cores_are_shared_out_as_far_as_openmp_may_have_them(monkeypatch, jobs, variable, threads):
    monkeypatch.setattr("trimtab.study.cores.usable_cores", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert threads_per_worker(jobs) == LocalExecutor(TrainWork(), jobs=jobs).threads == threads
