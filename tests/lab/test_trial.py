import json

import pytest
import torch

from tests.lab.toy import session
from trimtab.lab.measures import STEP_SECONDS, STEPS, TEST_LOSS
from trimtab.lab.trial import run_trial
from trimtab.study.outcome import Outcome


def never(cost, loss):
    return False


def test_the_budget_is_spent_and_evaluated_evenly():
    outcome = run_trial(session, evaluations=4, test=False, report=never)
    assert outcome.status == "complete"
    assert (outcome.cost, outcome.measures[STEPS]) == (200, 20)
    assert [point.cost for point in outcome.curve] == [0, 50, 100, 150, 200]
    assert outcome.curve[0].train_loss is None
    assert outcome.loss == outcome.curve[-1].loss
    assert TEST_LOSS not in outcome.measures
    assert outcome.measures[STEP_SECONDS] > 0


def test_the_curve_is_that_of_a_plain_loop():
    outcome = run_trial(session, evaluations=2, test=True, report=never)
    plain = session()
    losses = [plain.step() for _ in range(20)]
    assert outcome.curve[1].train_loss == pytest.approx(sum(losses[:10]) / 10)
    assert outcome.curve[2].train_loss == pytest.approx(sum(losses[10:]) / 10)
    assert outcome.loss == plain.evaluate().loss
    assert outcome.measures[TEST_LOSS] == plain.evaluate("test").loss


def test_an_optimizer_that_evaluates_more_takes_fewer_steps():
    def make():
        return session(optimizer=lambda model: torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=5, max_eval=5))

    outcome = run_trial(make, evaluations=4, test=False, report=never)
    assert outcome.measures[STEPS] < 20
    assert 200 <= outcome.cost < 250


def test_divergence_is_recorded_with_the_course_so_far():
    def make():
        return session(optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=1e30))

    outcome = run_trial(make, evaluations=20, test=True, report=never)
    assert outcome.status == "diverged"
    assert outcome.loss is None
    assert TEST_LOSS not in outcome.measures
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
