"""What is measured is what runs consist of, and every worker is kept busy meanwhile."""

import pytest

from tests.lab.toy import session
from trimtab.compare import measuring
from trimtab.compare.measuring import measure, run_checks, run_measurements
from trimtab.lab.problem import EVALUATIONS
from trimtab.study.errors import DivergedError, InputError
from trimtab.study.executor import Died, Finished
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point


class Paced:
    """A session by a clock of its own: a step takes one second, an evaluation ten, the first model a hundred."""

    now = 0.0
    made = 0

    def __init__(self, diverges=False):
        type(self).now += 100 if self.made == 0 else 5
        type(self).made += 1
        self.diverges = diverges
        self.meter = type("Meter", (), {"budget": 40, "used": 0, "exhausted": property(lambda m: m.used >= m.budget)})()

    def step(self):
        type(self).now += 1
        self.meter.used += 10
        if self.diverges:
            raise DivergedError(1, float("inf"))

    def evaluate(self):
        type(self).now += 10


@pytest.fixture
def paced(monkeypatch):
    kind = type("Fresh", (Paced,), {"now": 0.0, "made": 0})
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: kind.now)
    return kind


@pytest.mark.parametrize("diverges", [False, True])
def test_a_run_is_its_model_its_steps_and_its_evaluations(paced, diverges):
    found = measure(lambda: paced(diverges)).measures
    assert found == {"run": 5 + 4 + (EVALUATIONS + 1) * 10, "evaluation": 10, "first": 95, "steps": 5}


def test_who_takes_longer_the_more_it_has_seen_is_measured_by_its_last_steps(paced, monkeypatch):
    def step(run):
        paced.now += 1 if run.meter.used < 50 else 3
        run.meter.used += 10

    def learns():
        made = paced()
        made.meter.budget = 300
        return made

    monkeypatch.setattr(paced, "step", step)
    monkeypatch.setattr(measuring, "MEASURED_STEPS", 10)
    found = measure(learns).measures
    # of 30 steps the first, which tells how long a run takes to begin, is known; then come four of one second and six
    # of three, the last five of which tell how long the other twenty take
    assert found["steps"] == 10
    begun = 5 + 1 - (4 + 6 * 3) / 10
    assert found["run"] == begun + (4 + 6 * 3) + 20 * 3 + (EVALUATIONS + 1) * 10


def test_a_real_session_is_measured(monkeypatch):
    monkeypatch.setattr(measuring, "MEASURED_SECONDS", 0.01)
    outcome = measure(lambda: session(budget=70))
    assert outcome.measures["steps"] >= measuring.MEASURED_STEPS
    assert all(value >= 0 for value in outcome.measures.values())
    assert outcome.measures["run"] > EVALUATIONS * outcome.measures["evaluation"] > 0


def point(label):
    return Point("toy", "measure", label, 0, {}, 0)


class Workers:
    """Two workers, of which one is quick, that end what they are given in order."""

    def __init__(self, results=None):
        self.results, self.running, self.busy = results or {}, [], []

    @property
    def free(self):
        return 2 - len(self.running)

    def submit(self, point):
        self.running.append(point)

    def wait(self, timeout=None):
        self.busy.append(len(self.running))
        point = self.running.pop(0)
        results = self.results.get(point.candidate, [])
        return [results.pop(0)(point) if results else Finished(point, Outcome("complete"))]


def test_all_workers_are_busy_until_everything_is_measured_and_none_after():
    workers = Workers()
    points = [point("a"), point("b"), point("c")]
    assert set(run_measurements(workers, points)) == {p.key for p in points}
    assert workers.busy[:3] == [2, 2, 2]
    assert workers.running == []


def test_a_worker_that_dies_is_no_fault_of_the_candidates_until_it_happens_again():
    dies = [lambda p: Died(p, "killed")] * 2
    assert len(run_measurements(Workers({"a": list(dies)}), [point("a"), point("b")])) == 2
    with pytest.raises(InputError, match="a cannot be tried: killed"):
        run_measurements(Workers({"a": dies * 9}), [point("a")])


def test_a_candidate_that_fails_is_named():
    failed = [lambda p: Finished(p, Outcome("failed", error="Traceback ...\nValueError: no such thing\n"))]
    with pytest.raises(InputError, match="b cannot be measured: ValueError: no such thing"):
        run_measurements(Workers({"b": failed}), [point("a"), point("b")])


def test_who_cannot_run_for_one_reason_on_several_problems_is_said_once():
    points = [Point(problem, "check", label, 0, {}, 0) for problem in ("toy", "toy+cosine") for label in "ab"]
    fails = Workers({"a": [lambda p: Finished(p, Outcome("failed", error="TypeError: bad operand"))] * 2})
    with pytest.raises(InputError) as raised:
        run_checks(fails, points)
    assert str(raised.value) == "a cannot run on toy and toy+cosine: TypeError: bad operand"


def test_who_cannot_run_is_told_which_text_was_tried():
    tried = Point("toy", "check", "a", 0, {"lr": "abc", "mode": "fast"}, 0)
    fails = Workers({"a": [lambda p: Finished(p, Outcome("failed", error="TypeError: bad operand"))]})
    with pytest.raises(InputError) as raised:
        run_checks(fails, [tried], typed=["lr"])
    assert str(raised.value) == (
        "a cannot run on toy: TypeError: bad operand (tried with the text lr='abc'; a range is written "
        "lr=1e-4..1e-1:log)"
    )
