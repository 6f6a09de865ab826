"""What is done counts once, however it came to be done, and what is left is estimated from it."""

import pytest

from tests.report.studies import LABELS, Clock, complete, finals, tuning
from trimtab.study.ledger import Ledger
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.remaining import Remaining


@pytest.fixture
def clock():
    return Clock()


def test_what_has_an_outcome_already_counts_as_done(clock):
    ledger = Ledger(lambda: 3, clock=clock)
    points = [point for label in LABELS for point in tuning(label)]

    ledger.plan(points, {points[0].key: complete(0.25), "digits/tune/other/0": complete(0.01)})

    assert (ledger.done, ledger.total) == (1, 8 + 6)
    assert ledger.best == ("adamw", 0.25)
    assert set(ledger.groups) == {("digits", label) for label in LABELS}


def test_trials_with_further_seeds_are_expected_until_the_design_knows_them(clock):
    ledger = Ledger(lambda: 3, clock=clock, again=lambda problem: lambda settings: 2 * settings if problem else 0)
    points = tuning("lion")
    ledger.plan(points, {})
    assert ledger.total == 4 + 8 + 3

    for point in points:
        ledger.finish(point, complete())
    assert ledger.total == 4 + 8 + 3
    more = [Point("digits", "tune", "lion", 8 + i, {}, 1) for i in range(2)]  # fewer than could be expected
    ledger.plan(points + more, {})
    assert ledger.total == 4 + 2 + 3
    for point in more:
        ledger.finish(point, complete())
    ledger.plan(points + more + finals("lion"), {})
    assert (ledger.done, ledger.total) == (6, 4 + 2 + 3)


def test_final_runs_are_expected_until_the_design_knows_them(clock):
    ledger = Ledger(lambda: 3, clock=clock)
    points = tuning("adamw") + tuning("lion")
    ledger.plan(points, {})
    assert ledger.total == 14

    for point in tuning("adamw"):
        ledger.finish(point, Outcome("diverged", seconds=1.0))
    ledger.plan(points, {})
    assert ledger.total == 4 + 7  # nothing of adamw can be run again

    for point in tuning("lion"):
        ledger.finish(point, complete())
    ledger.plan(points + finals("lion"), {})
    assert ledger.total == 11
    assert ledger.groups["digits", "adamw"].diverged == 4
    assert ledger.trouble == (4, 0)


def test_the_number_of_seeds_is_learnt_from_the_first_candidate_that_is_tuned(clock):
    ledger = Ledger(clock=clock)
    points = tuning("adamw") + tuning("lion")
    ledger.plan(points, {})
    assert (ledger.total, ledger.seeds) == (8, None)

    for point in tuning("adamw"):
        ledger.finish(point, complete())
    ledger.plan(points + finals("adamw"), {})

    assert (ledger.total, ledger.seeds) == (14, 3)


def test_nothing_is_estimated_before_something_has_started_and_something_has_ended(clock):
    ledger = Ledger(lambda: 0, clock=clock)
    points = tuning("a")
    ledger.plan(points, {points[0].key: complete()})
    assert ledger.remaining() is None  # how many run at once?

    ledger = Ledger(lambda: 0, clock=clock)
    ledger.plan(points, {})
    ledger.start(points[0])
    assert ledger.remaining() is None  # how long does one take?
    ledger.finish(points[0], complete(seconds=7))
    assert 14 < ledger.remaining().seconds < 28


def test_the_remaining_time_is_each_candidates_own_over_the_workers(clock):
    ledger = Ledger(lambda: 0, clock, workers=2)
    quick, slow = tuning("quick", 40), tuning("slow", 40)
    ledger.plan(quick + slow, {})
    for each in range(20):
        for point in (quick[each], slow[each]):
            ledger.start(point)
    for each in range(20):
        ledger.finish(quick[each], complete(seconds=10))
        ledger.finish(slow[each], complete(seconds=100))

    assert ledger.remaining().seconds == pytest.approx((20 * 10 + 20 * 100) / 2, rel=0.15)


def test_a_worker_that_starts_on_the_next_trial_before_the_last_is_written_is_one(clock):
    """As a study does it: free workers first get something to do, then outcomes are written."""
    ledger = Ledger(lambda: 0, clock=clock)
    points = tuning("a", 40)
    ledger.plan(points, {})
    for point in points[:2]:
        ledger.start(point)
    for each in range(10):
        clock.now += 5
        ledger.start(points[each + 2])
        ledger.finish(points[each], complete(seconds=10))

    assert ledger.remaining().seconds == pytest.approx(145, rel=0.1)  # 28 trials, and what is left of two


def test_an_estimate_is_counted_down_until_it_is_made_anew(clock):
    ledger = Ledger(lambda: 0, clock=clock)
    points = tuning("a", 10)
    ledger.plan(points, {})
    ledger.start(points[0])
    ledger.finish(points[0], complete(seconds=10))
    first = ledger.remaining()
    clock.now += 0.75
    assert ledger.remaining() == Remaining(first.seconds - 0.75, first.low - 0.75, first.high - 0.75)


def test_trials_of_other_processes_are_workers_too(clock):
    ledger = Ledger(lambda: 0, clock=clock)
    points = tuning("a", 60)
    ledger.plan(points, {})
    for each in range(0, 30, 3):  # one here, two somewhere else, ten seconds each
        ledger.start(points[each])
        clock.now += 10
        for point in points[each : each + 3]:
            ledger.finish(point, complete(seconds=10))

    assert ledger.remaining().seconds == pytest.approx(100, rel=0.2)
    clock.now += 10_000  # they have gone
    assert ledger.remaining().seconds == pytest.approx(300, rel=0.2)


def test_candidates_of_two_problems_are_apart(clock):
    ledger = Ledger(lambda: 2, clock=clock)
    ledger.plan(tuning("a") + tuning("a", problem="mnist"), {})
    assert ledger.total == 2 * (4 + 2)
    assert set(ledger.groups) == {("digits", "a"), ("mnist", "a")}


def test_problems_may_have_numbers_of_seeds_of_their_own_and_have_no_best_in_common(clock):
    ledger = Ledger(lambda: {"digits": 2, "mnist": 5}, clock=clock)
    points = tuning("a") + tuning("a", problem="mnist")
    ledger.plan(points, {})
    assert ledger.total == 4 + 2 + 4 + 5
    assert [ledger.seeds_of(problem) for problem in ("digits", "mnist")] == [2, 5]
    ledger.finish(points[0], complete())
    assert ledger.best is None


def test_a_trial_that_is_started_again_is_counted_once(clock):
    ledger = Ledger(lambda: 0, clock=clock)
    (point,) = tuning("a", 1)
    ledger.plan([point], {})
    ledger.start(point)
    ledger.start(point)
    ledger.finish(point, complete())
    ledger.plan([point], {point.key: complete()})

    assert (ledger.done, ledger.total) == (1, 1)


def test_where_nothing_is_tuned_the_best_is_of_the_final_runs():
    ledger = Ledger()
    points = finals("random", 2)
    ledger.plan(points, {})
    for point, loss in zip(points, (0.5, 0.25), strict=True):
        ledger.record(point, complete(loss))
    assert ledger.best == ("random", 0.25)
