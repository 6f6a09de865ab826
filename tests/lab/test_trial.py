import json

import pytest
import torch

from tests.lab.toy import session
from trimtab.lab.trial import CurvePoint, Outcome, Point, run_trial


def never(cost, loss):
    return False


def test_the_budget_is_spent_and_evaluated_evenly():
    outcome = run_trial(session, evaluations=4, test=False, report=never)
    assert outcome.status == "complete"
    assert (outcome.cost, outcome.steps) == (200, 20)
    assert [point.cost for point in outcome.curve] == [0, 50, 100, 150, 200]
    assert outcome.curve[0].train_loss is None
    assert outcome.loss == outcome.curve[-1].loss
    assert outcome.test_loss is None
    assert outcome.step_seconds > 0


def test_the_curve_is_that_of_a_plain_loop():
    outcome = run_trial(session, evaluations=2, test=True, report=never)
    plain = session()
    losses = [plain.step() for _ in range(20)]
    assert outcome.curve[1].train_loss == pytest.approx(sum(losses[:10]) / 10)
    assert outcome.curve[2].train_loss == pytest.approx(sum(losses[10:]) / 10)
    assert outcome.loss == plain.evaluate().loss
    assert outcome.test_loss == plain.evaluate("test").loss


def test_an_optimizer_that_evaluates_more_takes_fewer_steps():
    def make():
        return session(optimizer=lambda model: torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=5, max_eval=5))

    outcome = run_trial(make, evaluations=4, test=False, report=never)
    assert outcome.steps < 20
    assert 200 <= outcome.cost < 250


def test_divergence_is_recorded_with_the_course_so_far():
    def make():
        return session(optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=1e30))

    outcome = run_trial(make, evaluations=20, test=True, report=never)
    assert outcome.status == "diverged"
    assert outcome.loss is None
    assert outcome.test_loss is None
    assert "the loss was" in outcome.error
    assert len(outcome.curve) >= 1
    json.dumps(outcome.to_dict(), allow_nan=False)


@pytest.mark.parametrize("where", ["make", "step"])
def test_an_exception_is_recorded_with_its_traceback(where):
    class Broken(torch.optim.SGD):
        def step(self, closure=None):
            raise RuntimeError("deliberate")

    def make():
        if where == "make":
            raise RuntimeError("deliberate")
        return session(optimizer=lambda model: Broken(model.parameters(), lr=0.1))

    outcome = run_trial(make, evaluations=4, test=False, report=never)
    assert outcome.status == "failed"
    assert "Traceback" in outcome.error
    assert "RuntimeError: deliberate" in outcome.error


def test_a_trial_is_given_up_when_that_is_asked_for():
    outcome = run_trial(session, evaluations=4, test=False, report=lambda cost, loss: cost >= 100)
    assert outcome.status == "pruned"
    assert outcome.cost == 100
    assert outcome.loss is None


def test_outcomes_survive_json():
    outcome = run_trial(session, evaluations=4, test=True, report=never)
    assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome


def test_points_are_named_by_group_and_index():
    assert Point("toy/tune/sgd(lr=0.1)", 3, {}, 0).key == "toy/tune/sgd(lr=0.1)/3"


@pytest.mark.parametrize("name", ["loss", "metric", "test_loss", "test_metric"])
@pytest.mark.parametrize("value", [1.7e308, -1.7e308])
def test_an_outcome_with_a_huge_number_is_read_as_diverged(name, value):
    ends = {"loss": 0.3, "metric": 0.9, "test_loss": 0.4, "test_metric": 0.8, name: value}
    curve = (CurvePoint(0, None, 2.3, 0.1), CurvePoint(10, 1.0, 1.7e308, 0.5), CurvePoint(20, 1.0, 0.3, 0.9))
    read = Outcome.from_dict(Outcome("complete", **ends, cost=20, curve=curve).to_dict())
    assert (read.status, read.loss, read.metric, read.test_loss, read.test_metric) == ("diverged", *[None] * 4)
    assert f"{value:.3g}" in read.error
    assert [point.cost for point in read.curve] == [0, 20]
    assert read.cost == 20


def test_large_numbers_that_can_be_compared_are_kept():
    kept = Outcome("complete", 1e30, -1e30, curve=(CurvePoint(0, None, 1e149, 1.0),))
    assert Outcome.from_dict(kept.to_dict()) == kept
