"""Arms: what a trial of one is."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.claims.toy import NARROW_ARM, TUNED_ARM, WIDE_ARM, Line, sgd
from trimtab import Session
from trimtab.claims import claim
from trimtab.lab.problem import Workplace
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point


def tried(arm, tmp_path, phase="final", **settings):
    return arm.outcome(Point("toy", phase, arm.name, 0, settings, 1000), lambda *_: False, Workplace(tmp_path))


def test_a_trial_is_the_problems_own(tmp_path):
    session = Session(Line(), lambda model: sgd(model, {"lr": 0.01}, None), seed=1000)
    while not session.meter.exhausted:
        session.step()
    final = tried(TUNED_ARM, tmp_path, lr=0.01)
    assert (final.loss, final.cost) == (session.evaluate().loss, 80)
    assert final.measures["test loss"] == session.evaluate("test").loss
    assert (len(final.curve), final.measures["steps seen"]) == (1 + 3, 10.0)


def test_tuning_runs_are_evaluated_at_their_end_alone_and_see_no_test_data(tmp_path):
    tuning = tried(TUNED_ARM, tmp_path, "tune", lr=0.01)
    assert [point.cost for point in tuning.curve] == [0, 80]
    assert not {"test loss", "test metric", "steps seen"} & set(tuning.measures)
    assert tuning.loss == tried(TUNED_ARM, tmp_path, lr=0.01).loss


def test_a_problem_is_made_once(tmp_path):
    made = []
    arm = replace(TUNED_ARM, problem=lambda: made.append(1) or Line())
    assert tried(arm, tmp_path, lr=0.01).loss == tried(arm, tmp_path, lr=0.01).loss
    assert made == [1]


@pytest.mark.parametrize(
    ("says", "noted"), [({}, (5.0, 3.0)), ({"seconds": 9.0, "processor_seconds": 8.0}, (9.0, 8.0))]
)
def test_how_long_an_own_trial_took_is_noted_where_it_does_not_say(says, noted, monkeypatch, tmp_path):
    clock, processor = iter((10.0, 15.0)), iter((1.0, 4.0))
    fake = SimpleNamespace(perf_counter=lambda: next(clock), process_time=lambda: next(processor))
    monkeypatch.setattr(claim, "time", fake)
    arm = replace(NARROW_ARM, trial=lambda point, report: Outcome("complete", measures={"x": 1.0}, **says))
    outcome = tried(arm, tmp_path)
    assert (outcome.status, outcome.measures, outcome.seconds, outcome.processor_seconds) == (
        *("complete", {"x": 1.0}),
        *noted,
    )


def test_an_own_trial_may_diverge(tmp_path):
    outcome = tried(WIDE_ARM, tmp_path, width=3.0)
    assert (outcome.status, outcome.loss) == ("diverged", None)
    assert "7" in outcome.error
