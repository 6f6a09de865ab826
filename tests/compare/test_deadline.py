"""First runs are given up as soon as it is certain that the budget cannot do, and not before."""

import pytest

from tests.compare.pricing import budget
from trimtab.compare import budget as module
from trimtab.compare.budget import Numbers
from trimtab.compare.deadline import Deadline, Smallest
from trimtab.study.errors import InputError
from trimtab.study.executor import Died, Finished
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point

A, B = Point("t", "tune", "a", 0, {}, 0), Point("t", "tune", "b", 0, {}, 0)
LABELS = {A.key: "a", B.key: "b"}


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that stands still."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


class Events:
    """An executor that tells what it is given, one event at a time."""

    free = 1

    def __init__(self, *events):
        self.waited, self.submitted, self.events = [], [], list(events)

    def submit(self, point):
        self.submitted.append(point)

    def answer(self, point, give_up): ...

    def wait(self, timeout=None):
        self.waited.append(timeout)
        return [self.events.pop(0)] if self.events else []


def deadline(executor, seconds=100, to_come=9, workers=1, **more):
    smallest = Smallest(Numbers(6, 3, 0.0), 1, {"a": to_come, "b": to_come}, LABELS, workers, more.get("at_once", True))
    return Deadline(executor, budget(seconds), smallest)


def test_half_of_the_time_is_all_that_they_have(clock):
    executor = Events()
    made = deadline(executor)
    made.wait()
    made.wait(0.3)
    clock[0] = 49.5
    made.wait(3)
    assert executor.waited == [1.0, 0.3, 0.5]
    clock[0] = 50.0
    with pytest.raises(InputError, match="not even the first runs"):
        made.wait()


def test_a_run_that_goes_on_tells_before_it_ends(clock):
    made = deadline(Events())
    made.submit(A)
    clock[0] = 10.0
    made.wait()  # 8 more runs of 10 s fit into 95 - 10 s
    clock[0] = 10.6
    with pytest.raises(InputError, match="8 runs of a of 11s or longer to come, 1m25s or more"):
        made.wait()


def test_two_at_a_time_have_twice_the_room(clock):
    made = deadline(Events(), workers=2)
    made.submit(A)
    made.submit(B)
    clock[0] = 10.5
    made.wait()
    clock[0] = 10.6
    with pytest.raises(InputError, match="8 runs of a of 11s, 8 runs of b of 11s or longer to come, 1m25s or more"):
        made.wait()


def test_an_outcome_is_given_away_before_anything_is_refused(clock):
    ended = Finished(A, Outcome("complete", loss=1.0, seconds=20.0))
    executor = Events(ended)
    made = deadline(executor)
    made.submit(A)
    clock[0] = 20.0
    assert made.wait() == [ended]
    with pytest.raises(InputError, match="8 runs of a of 20s"):
        made.wait()


@pytest.mark.parametrize("event", [Finished(A, Outcome("failed", error="no", seconds=20.0)), Died(A, "killed")])
def test_a_run_that_failed_says_nothing(clock, event):
    made = deadline(Events(event))
    made.submit(A)
    clock[0] = 20.0
    made.wait()
    assert made.wait() == []


def test_on_a_cluster_only_runs_that_have_ended_count(clock):
    made = deadline(Events(), at_once=False)
    made.submit(A)
    clock[0] = 30.0
    assert made.wait() == []
