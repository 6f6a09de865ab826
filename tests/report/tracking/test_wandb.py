"""Trials in Weights & Biases. Its package brings programs of its own (100 MB installed), so that a small stand-in takes
its place here: what it is given was seen to arrive in wandb 0.31.0, offline."""

import importlib.util
import sys
import types

import pytest

from tests.report.tracking.trials import COMPLETE, FAILED, about, final, tell, tuning
from trimtab import WandbCallback
from trimtab.study.errors import InputError

ALL = [(tuning(0), COMPLETE), (tuning(1), FAILED), (final(0), COMPLETE)]


class Run:
    """What a server keeps of a run; as with the real one, a row is not taken whose number is there already."""

    def __init__(self, given):
        self.given, self.rows, self.axes, self.summary, self.exit_code = given, {}, {}, {}, None

    def define_metric(self, name, step_metric):
        self.axes[name] = step_metric

    def log(self, row, step):
        if step > max(self.rows, default=-1):
            self.rows[step] = row

    def finish(self, exit_code):
        self.exit_code = exit_code


@pytest.fixture
def server(monkeypatch):
    """Every run by its id, and how often one was begun."""
    runs, begun = {}, []

    def init(**given):
        begun.append(given["name"])
        assert given["resume"] == "allow"
        assert given["reinit"] == "create_new"
        return runs.setdefault(given["id"], Run(given))

    fake = types.ModuleType("wandb")
    fake.init, fake.Settings = init, lambda **given: given
    fake.__spec__ = importlib.util.spec_from_loader("wandb", None)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    return types.SimpleNamespace(runs=runs, begun=begun)


def named(server):
    return {run.given["name"]: run for run in server.runs.values()}


def test_each_trial_is_a_run_with_its_curve_and_ends(server, tmp_path):
    tell(WandbCallback(entity="me"), about(tmp_path), ALL)
    runs = named(server)
    assert sorted(runs) == ["adamw/seed-1000", "adamw/tune-00", "adamw/tune-01"]
    run = runs["adamw/tune-00"]
    given = run.given
    assert (given["project"], given["entity"], given["group"], given["job_type"]) == ("trimtab", "me", "adamw", "tune")
    assert given["config"] == {
        "problem": "toy", "candidate": "adamw", "phase": "tune", "status": "complete", "comparison": "toy",
        "comparison id": "abc", "setting.lr": 0.1, "setting.nesterov": True, "setting.batch": "small", "seed": 0,
    }  # fmt: skip
    assert given["settings"] == {"silent": True, "console": "off"}
    assert run.axes == {"*": "sample-gradients"}
    assert [row["sample-gradients"] for row in run.rows.values()] == [0, 64, 128]
    assert [row["validation accuracy"] for row in run.rows.values()] == [0.1, 0.6, 0.8]
    assert run.summary["final/validation accuracy"] == 0.8
    assert (run.summary["status"], run.exit_code) == ("complete", 0)
    failed = runs["adamw/tune-01"]
    assert (failed.summary["status"], failed.summary["error"], failed.exit_code) == ("failed", FAILED.error, 1)


def test_after_a_resume_nothing_is_there_twice_and_nothing_is_missing(server, tmp_path):
    study = about(tmp_path)
    tell(WandbCallback(), study, ALL[:2])
    tell(WandbCallback(), study, ALL, before=(0, 1))
    assert server.begun == ["adamw/tune-00", "adamw/tune-01", "adamw/seed-1000"]
    assert sorted(named(server)) == ["adamw/seed-1000", "adamw/tune-00", "adamw/tune-01"]


def test_another_machine_that_logs_a_trial_again_changes_nothing(server, tmp_path):
    tell(WandbCallback(), about(tmp_path / "here"), ALL[:1])
    before = {run_id: dict(run.rows) for run_id, run in server.runs.items()}
    tell(WandbCallback(), about(tmp_path / "there"), ALL[:1], before=(0,))
    assert {run_id: run.rows for run_id, run in server.runs.items()} == before


def test_a_run_that_was_cut_off_is_completed(server, tmp_path, monkeypatch):
    study = about(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "log", lambda run, row, step: run.rows.update({step: row}) if step == 0 else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tell(WandbCallback(), study, ALL[:1])
    assert [(len(run.rows), run.exit_code) for run in server.runs.values()] == [(1, 1)]
    tell(WandbCallback(), study, ALL[:1], before=(0,))
    assert [(len(run.rows), run.exit_code) for run in server.runs.values()] == [(3, 0)]


def test_another_comparison_and_another_project_have_other_runs(server, tmp_path, monkeypatch):
    tell(WandbCallback("mine"), about(tmp_path / "a"), ALL[:1])
    tell(WandbCallback("mine"), about(tmp_path / "b", id="def"), ALL[:1])
    tell(WandbCallback(), about(tmp_path / "a"), ALL[:1])
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    tell(WandbCallback(), about(tmp_path / "a"), ALL[:1])
    assert [run.given["project"] for run in server.runs.values()] == ["mine", "mine", "trimtab", "theirs"]


def test_what_each_trial_has_of_its_own_is_refused(server):
    with pytest.raises(InputError, match="name='x': each trial has its own"):
        WandbCallback(name="x")
    with pytest.raises(InputError, match="project=5: a text is needed"):
        WandbCallback(5)
