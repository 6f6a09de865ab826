"""Trials in MLflow. Its releases do not go with the importlib_metadata that is tested with, so that a small stand-in
takes its place here: what it is given was seen to arrive in mlflow-skinny 3.17.2."""

import importlib.util
import itertools
import re
import sys
import threading
import time
import types
from types import SimpleNamespace

import pytest

from tests.report.tracking.trials import COMPLETE, FAILED, about, final, tell, tuning
from trimtab import MlflowCallback
from trimtab.report.tracking import mlflow as module
from trimtab.study.errors import InputError

ALL = [(tuning(0), COMPLETE), (tuning(1), FAILED), (final(0), COMPLETE)]


class Client:
    """A server and its client; one page holds two runs."""

    experiments, runs, uris = {}, {}, []
    numbers = itertools.count()
    broken = None

    def __init__(self, uri):
        self.uris.append(uri)

    def get_experiment_by_name(self, name):
        found = self.experiments.get(name)
        return None if found is None else SimpleNamespace(experiment_id=found)

    def create_experiment(self, name):
        return self.experiments.setdefault(name, str(len(self.experiments)))

    def search_runs(self, experiments, query, page_token=None):
        wanted = {tag: value for tag, _, value in re.findall(r"tags\.`(.*?)` = (['\"])(.*?)\2(?: and |$)", query)}
        assert wanted
        found = [
            run
            for run in list(self.runs.values())
            if run.experiment in experiments and wanted.items() <= run.data.tags.items() and not run.deleted
        ]
        start = page_token or 0
        page = Page(found[start : start + 2])
        page.token = start + 2 if start + 2 < len(found) else None
        return page

    def create_run(self, experiment, run_name, tags):
        run_id = f"run {next(self.numbers):04d}"
        info = SimpleNamespace(run_id=run_id, run_name=run_name, status="RUNNING", start_time=1000 * time.time())
        data = SimpleNamespace(tags=dict(tags), params={}, metrics=[])
        self.runs[run_id] = SimpleNamespace(experiment=experiment, info=info, data=data, deleted=False)
        return self.runs[run_id]

    def delete_run(self, run_id):
        self.runs[run_id].deleted = True

    def log_batch(self, run_id, metrics=(), params=()):
        if metrics and self.broken:
            raise self.broken
        assert not self.runs[run_id].deleted
        self.runs[run_id].data.params.update({param.key: param.value for param in params})
        self.runs[run_id].data.metrics += [(each.key, each.step, each.value) for each in metrics]

    def set_tag(self, run_id, name, value):
        self.runs[run_id].data.tags[name] = value

    def set_terminated(self, run_id, status):
        self.runs[run_id].info.status = status


class Page(list):
    token = None


@pytest.fixture
def server(monkeypatch):
    fake, entities = types.ModuleType("mlflow"), types.ModuleType("mlflow.entities")
    fake.__spec__ = importlib.util.spec_from_loader("mlflow", None)
    fake.MlflowClient = type("MlflowClient", (Client,), {"experiments": {}, "runs": {}, "uris": []})
    entities.Metric = lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step)
    entities.Param = lambda key, value: SimpleNamespace(key=key, value=value)
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    return fake.MlflowClient


def kept(server):
    runs = [run for run in server.runs.values() if not run.deleted]
    found = {run.info.run_name: run for run in runs}
    assert len(found) == len(runs)
    return found


def test_each_trial_is_a_run_with_its_curve_and_ends(server, tmp_path):
    tell(MlflowCallback("sweeps", "file:x"), about(tmp_path), ALL)
    assert (list(server.experiments), server.uris[0]) == (["sweeps"], "file:x")
    runs = kept(server)
    assert sorted(runs) == ["adamw/seed-1000", "adamw/tune-00", "adamw/tune-01"]
    data = runs["adamw/tune-00"].data
    assert data.params == {
        "setting.lr": "0.1",
        "setting.nesterov": "True",
        "setting.batch": "small",
        "seed": "0",
    }
    curve = [(step, value) for name, step, value in data.metrics if name == "validation accuracy"]
    assert curve == [(0, 0.1), (64, 0.6), (128, 0.8)]
    assert ("final/validation accuracy", 128, 0.8) in data.metrics
    assert {name: data.tags[name] for name in ("problem", "candidate", "phase", "status", "trimtab.trial")} == {
        "problem": "toy",
        "candidate": "adamw",
        "phase": "tune",
        "status": "complete",
        "trimtab.trial": tuning(0).key,
    }
    assert [runs[name].info.status for name in ("adamw/tune-00", "adamw/tune-01")] == ["FINISHED", "FAILED"]
    assert runs["adamw/tune-01"].data.tags["error"] == FAILED.error


def test_experiments_are_called_as_comparisons_are(server, tmp_path):
    tell(MlflowCallback(), about(tmp_path, "digits", "toy"), ALL)
    assert list(server.experiments) == ["digits+toy"]
    assert "toy/adamw/tune-00" in kept(server)


def test_after_a_resume_nothing_is_there_twice_and_nothing_is_missing(server, tmp_path):
    many = [(tuning(index), COMPLETE) for index in range(5)]  # more than a page
    tell(MlflowCallback(), about(tmp_path), many)
    tell(MlflowCallback(), about(tmp_path), [*many, ALL[2]], before=range(5))
    tell(MlflowCallback(), about(tmp_path, id="def"), ALL[:1])
    names = sorted(run.info.run_name for run in server.runs.values())
    of_both = ["adamw/tune-00", "adamw/tune-00"]  # the other comparison has its own
    assert names == ["adamw/seed-1000", *of_both, *(f"adamw/tune-{index:02d}" for index in range(1, 5))]


def test_a_run_that_was_cut_off_is_written_anew(server, tmp_path):
    server.broken = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        tell(MlflowCallback(), about(tmp_path), ALL[:1])
    server.broken = None
    for run in server.runs.values():
        run.info.start_time -= 1000 * module.LONGEST_WRITING
    tell(MlflowCallback(), about(tmp_path), ALL[:1], before=(0,))
    (run,) = kept(server).values()
    assert len(run.data.metrics) == 8 + 6
    assert len(server.runs) == 2


def test_what_others_have_logged_meanwhile_is_seen_at_the_end(server, tmp_path):
    here, there = MlflowCallback(), MlflowCallback()
    here.begun(about(tmp_path))
    here.planned([tuning(0)], {})
    here.log(module.LoggedTrial(about(tmp_path), tuning(5), COMPLETE))  # it has looked at what is there
    tell(there, about(tmp_path), ALL[:1])
    here.finished(tuning(0), COMPLETE)
    here.ended()
    assert sorted(kept(server)) == ["adamw/tune-00", "adamw/tune-05"]


def test_a_run_of_ours_that_was_cut_off_is_written_anew_at_once(server, tmp_path):
    callback = MlflowCallback()
    server.broken = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        tell(callback, about(tmp_path), ALL[:1])
    server.broken = None
    callback.ended()
    (run,) = kept(server).values()
    assert (len(run.data.metrics), run.info.status) == (8 + 6, "FINISHED")


def test_who_lags_behind_sees_what_others_have_logged_meanwhile(server, tmp_path):
    slow, quick = MlflowCallback(), MlflowCallback()
    trials = [(tuning(index), COMPLETE) for index in range(4)]
    for each in (slow, quick):
        each.begun(about(tmp_path))
        each.planned([point for point, _ in trials], {})
    for point, _ in trials:
        slow.started(point)
    slow.finished(*trials[0])
    for trial in trials:
        quick.finished(*trial)
    quick.ended()
    for trial in trials[1:]:
        slow.finished(*trial)
    slow.ended()
    assert len(kept(server)) == len(server.runs) == 4


@pytest.mark.parametrize("candidate", ["adamw", "it's.py:Mine", """f(a='b', c="d")"""])
def test_a_run_that_another_machine_is_writing_is_waited_for(server, tmp_path, monkeypatch, candidate):
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    trial = (tuning(0, candidate), COMPLETE)
    joined, joins, batch = threading.Event(), [], server.log_batch

    def join():
        search = server.search_runs

        def searched(self, *arguments, **more):
            found = search(self, *arguments, **more)
            joined.set()
            return found

        monkeypatch.setattr(server, "search_runs", searched)
        tell(MlflowCallback(), about(tmp_path), [trial], before=(0,))

    def log_batch(self, *arguments, **more):
        if not joins:  # another one joins while this one writes
            joins.append(threading.Thread(target=join))
            joins[0].start()
            assert joined.wait(60)
        batch(self, *arguments, **more)

    monkeypatch.setattr(server, "log_batch", log_batch)
    tell(MlflowCallback(), about(tmp_path), [trial])
    joins[0].join(60)
    (run,) = server.runs.values()
    assert (run.info.status, run.deleted) == ("FINISHED", False)


def test_of_two_that_begin_at_the_same_time_one_is_kept(server, tmp_path, monkeypatch):
    trial = (tuning(0), COMPLETE)
    both, create, threads = threading.Barrier(2, timeout=60), server.create_run, []

    def create_run(self, *arguments, **more):
        both.wait()  # neither has seen the other's
        return create(self, *arguments, **more)

    monkeypatch.setattr(module, "_PAUSE", 0.01)
    monkeypatch.setattr(server, "create_run", create_run)
    for _ in range(2):
        threads.append(threading.Thread(target=tell, args=(MlflowCallback(), about(tmp_path), [trial])))
        threads[-1].start()
    for thread in threads:
        thread.join(60)
    (run,) = kept(server).values()
    assert run.info.status == "FINISHED"
    assert len(server.runs) == 2


def test_long_curves_go_in_pieces_and_odd_names_are_written_as_it_takes_them(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "METRICS_AT_ONCE", 3)
    sizes = []
    batch = Client.log_batch

    def seen(self, run_id, metrics=(), params=()):
        sizes.append(len(metrics))
        batch(self, run_id, metrics, params)

    monkeypatch.setattr(server, "log_batch", seen)
    tell(MlflowCallback(), about(tmp_path), ALL[:1])
    assert max(sizes) == 3
    assert sum(sizes) == 14
    assert module._name("loss (µ, %) é/x.y-z") == "loss _µ_ __ é/x.y-z"


def test_what_is_no_text_is_refused(server):
    with pytest.raises(InputError, match="experiment=5: a text is needed"):
        MlflowCallback(5)
    with pytest.raises(InputError, match="tracking_uri=b'x': a text is needed"):
        MlflowCallback(tracking_uri=b"x")
