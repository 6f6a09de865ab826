"""Each trial is logged once, whoever ran it and when, under a name that sorts."""

import contextlib
import importlib.util

import pytest

from tests.report.tracking.trials import COMPLETE, FAILED, about, final, tell, tuning
from trimtab.report.tracking import TRACKERS, trackers
from trimtab.report.tracking.trial_log import MOST_FAULTS, LoggedTrial, TrialLog
from trimtab.study.callbacks import Callbacks
from trimtab.study.errors import InputError
from trimtab.study.outcome import CurvePoint, Outcome


class Logged(TrialLog):
    def __init__(self, broken=()):
        super().__init__()
        self.names, self.tried, self.broken = [], [], set(broken)

    def log(self, trial):
        self.tried.append(trial.name)
        if trial.name in self.broken:
            raise ConnectionError(trial.name)
        self.names.append(trial.name)


ALL = [(tuning(0), COMPLETE), (tuning(11), FAILED), (final(0), COMPLETE)]


@pytest.mark.parametrize("before", [(), (0,), (0, 1), (0, 1, 2)])
def test_every_trial_is_logged_once(tmp_path, before):
    logged = Logged()
    tell(logged, about(tmp_path), ALL, before=before)
    assert logged.names == ["adamw/tune-00", "adamw/tune-11", "adamw/seed-1000"]


def test_what_was_finished_before_is_logged_at_once(tmp_path):
    logged = Logged()
    logged.begun(about(tmp_path))
    logged.planned([tuning(0)], {tuning(0).key: COMPLETE})
    assert logged.names == ["adamw/tune-00"]


def test_what_others_finish_meanwhile_is_left_to_them_until_the_end(tmp_path):
    logged = Logged()
    logged.begun(about(tmp_path))
    logged.planned([tuning(0), tuning(1)], {})
    logged.finished(tuning(0), COMPLETE)
    logged.planned([tuning(0), tuning(1)], {tuning(0).key: COMPLETE, tuning(1).key: COMPLETE})
    assert logged.names == []
    logged.ended()
    assert logged.names == ["adamw/tune-00", "adamw/tune-01"]


def test_a_trial_that_cannot_be_logged_is_tried_again_at_the_end_and_costs_no_other(tmp_path, warned):
    logged = Logged(broken=["adamw/tune-00"])
    with Callbacks([logged], about(tmp_path)) as told:
        told.planned([tuning(0), tuning(1)], {tuning(0).key: COMPLETE, tuning(1).key: COMPLETE})
    assert logged.names == ["adamw/tune-01"]
    assert logged.tried.count("adamw/tune-00") == 2
    assert len(warned) == 1


def test_where_nothing_can_be_logged_not_every_trial_is_tried(tmp_path):
    points = [tuning(index) for index in range(9)]
    logged = Logged(broken=[f"adamw/tune-{index:02d}" for index in range(9)])
    logged.begun(about(tmp_path))
    with pytest.raises(ConnectionError):
        logged.planned(points, {point.key: COMPLETE for point in points})
    assert len(logged.tried) == MOST_FAULTS


def told_again(logged, about, trials):
    """Tells of trials that were finished before, and of the end."""
    logged.begun(about)
    for what in (lambda: logged.planned(trials, {trial.key: COMPLETE for trial in trials}), logged.ended):
        with contextlib.suppress(ConnectionError):
            what()


def test_faults_that_are_not_in_a_row_keep_no_other_trial_from_being_logged(tmp_path):
    trials = [tuning(index) for index in range(20)]
    broken = [f"adamw/tune-{index:02d}" for index in range(0, 20, 2)]
    logged = Logged(broken=broken)
    told_again(logged, about(tmp_path), trials)
    assert logged.names == [f"adamw/tune-{index:02d}" for index in range(1, 20, 2)]


def test_candidates_that_cannot_be_logged_keep_no_other_from_it(tmp_path):
    names = ("a", "b", "c", "d", "fine")
    trials = [tuning(index, candidate) for candidate in names for index in range(6)]
    logged = Logged(broken=[f"{name}/tune-{index:02d}" for name in names[:-1] for index in range(6)])
    told_again(logged, about(tmp_path), trials)
    assert logged.names == [f"fine/tune-{index:02d}" for index in range(6)]


def test_of_several_problems_runs_begin_with_the_problem(tmp_path):
    study = about(tmp_path, "digits", "diabetes")
    trial = LoggedTrial(study, final(3, "clip(lion)", "diabetes"), COMPLETE)
    assert (trial.name, trial.group) == ("diabetes/clip(lion)/seed-1003", "diabetes/clip(lion)")
    assert LoggedTrial(about(tmp_path), final(3), COMPLETE).group == "adamw"


def test_numbers_are_shown_as_the_report_shows_them(tmp_path):
    trial = LoggedTrial(about(tmp_path), tuning(), COMPLETE)
    assert list(trial.curve) == [
        (0, {"validation accuracy": 0.1, "validation loss": 2.0}),
        (64, {"validation accuracy": 0.6, "validation loss": 1.0, "training loss": 1.5}),
        (128, {"validation accuracy": 0.8, "validation loss": 0.5, "training loss": 1.0}),
    ]
    assert trial.ends == {
        "final/validation accuracy": 0.8,
        "final/validation loss": 0.5,
        "final/test metric": 0.7,
        "final/state bytes": 16.0,
        "final/sample-gradients": 128,
        "final/seconds": 2.0,
    }
    assert trial.settings == {"setting.lr": 0.1, "setting.nesterov": True, "setting.batch": "small", "seed": 0}
    assert trial.tags == {"problem": "toy", "candidate": "adamw", "phase": "tune", "status": "complete"}


def test_what_did_not_come_to_its_end_has_no_end(tmp_path):
    ends = LoggedTrial(about(tmp_path), tuning(), FAILED).ends
    assert ends == {"final/sample-gradients": 64, "final/seconds": 1.0}
    huge = Outcome("diverged", cost=1, curve=(CurvePoint(1, float("inf"), 0.5, 1.0),))
    assert list(LoggedTrial(about(tmp_path), tuning(), huge).curve) == [
        (1, {"validation accuracy": -0.5, "validation loss": 1.0})
    ]


def test_one_that_is_given_to_no_comparison_says_so():
    with pytest.raises(InputError, match="Logged is told of no comparison"):
        _ = Logged().about


def test_an_unknown_name_and_missing_packages_are_said_together(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        trackers(["tensorbord", *TRACKERS])
    assert str(error.value).splitlines() == [
        "log_to='tensorbord': did you mean tensorboard?",
        "TensorBoardCallback needs tensorboard: pip install tensorboard",
        "WandbCallback needs wandb: pip install wandb",
        "MlflowCallback needs mlflow-skinny: pip install mlflow-skinny",
    ]


def test_each_is_made_once():
    assert [type(each).__name__ for each in trackers(["tensorboard", "tensorboard"])] == ["TensorBoardCallback"]
