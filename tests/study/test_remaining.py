"""The estimate of the remaining time, on studies whose course is known."""

import random
import statistics

import pytest
from remaining_time import errors, made_up, replay

from trimtab.study.outcome import Outcome
from trimtab.study.remaining import LATE, Durations, Missing, estimate, pace_of_late

A, B = ("task", "a"), ("task", "b")


def waiting(key, count, phase="tune"):
    return [Missing(key, phase)] * count


def test_nothing_is_known_before_a_trial_has_ended():
    assert estimate({A: Durations()}, waiting(A, 3), 2) is None


def test_nothing_missing_takes_no_time():
    assert estimate({A: Durations([5.0], [5.0])}, [], 2).seconds == 0


def test_trials_that_end_early_count_in_tuning_and_not_in_final_runs():
    known = {A: Durations(tuning=[10.0] * 20 + [0.0] * 20, whole=[10.0] * 20)}
    tuning, final = (estimate(known, waiting(A, 40, phase), 1) for phase in ("tune", "final"))
    assert tuning.seconds == pytest.approx(200, rel=0.15)
    assert final.seconds == pytest.approx(400, rel=0.1)


def test_final_runs_are_measured_by_themselves_once_there_are_some():
    known = {A: Durations([10.0] * 20, [10.0] * 20, final=[30.0] * 9)}
    assert estimate(known, waiting(A, 10, "final"), 1).seconds == pytest.approx(300, rel=0.1)


def test_what_runs_goes_on_as_long_as_those_that_lasted_longer():
    known = {A: Durations([1.0] * 30 + [100.0] * 30, [100.0] * 30)}
    left = estimate(known, [Missing(A, "tune", elapsed=50.0)], 1)
    assert left.seconds == pytest.approx(50, rel=0.2)


def test_what_takes_longer_than_anything_known_is_not_about_to_end():
    left = estimate({A: Durations([10.0] * 9, [10.0] * 9)}, [Missing(A, "tune", elapsed=1000.0)], 1)
    assert left.seconds > 300
    assert left.high > 3 * left.low


def test_an_unknown_candidate_widens_the_range():
    known = {A: Durations([10.0] * 9, [10.0] * 9), B: Durations([100.0] * 9, [100.0] * 9)}
    missing = waiting(("task", "unknown"), 10)
    left, sure = estimate(known, missing, 1), estimate(known, waiting(A, 10), 1)
    assert left.low < 150 < 700 < left.high
    assert sure.high < 1.5 * sure.low


def test_without_a_price_for_all_only_the_rest_is_promised():
    known = {A: Durations([10.0] * 9, [10.0] * 9)}
    assert estimate(known, waiting(A, 10), 1).least is None
    left = estimate(known, [*waiting(A, 10), *waiting(B, 100)], 1)
    assert left.least == pytest.approx(100, rel=0.2)
    assert left.low > 5 * left.least
    assert estimate(known, waiting(B, 100), 1).least == 0


def test_a_candidate_that_has_run_long_is_not_taken_for_a_quick_one():
    known = {A: Durations([10.0] * 9, [10.0] * 9)}
    missing = [Missing(B, "tune", elapsed=500.0), *waiting(B, 9)]
    assert estimate(known, missing, 1).seconds > 5000


def test_the_last_trial_keeps_one_worker_of_many_busy():
    known = {A: Durations([10.0] * 25, [10.0] * 25)}
    assert estimate(known, waiting(A, 9), 8).seconds == pytest.approx(20, rel=0.15)


def test_the_same_seed_gives_the_same_estimate():
    known = {A: Durations([1.0, 5.0, 9.0], [5.0, 9.0])}
    assert estimate(known, waiting(A, 9), 2) == estimate(known, waiting(A, 9), 2)


def test_the_pace_of_late_is_that_of_the_same_candidates():
    before = [(A, 10.0), (B, 100.0)] * 20
    assert pace_of_late(before[: 2 * LATE - 1]) == 1.0
    assert pace_of_late(before) == 1.0
    slower = pace_of_late([*before, *[(A, 20.0), (B, 200.0)] * 6])
    assert 1.6 < slower < 1.8  # a quarter of all ran at half of the pace
    quicker = pace_of_late([*before, *[(A, 5.0), (B, 50.0)] * 6])
    assert 0.5 < quicker < 0.6


def test_scatter_is_no_change_of_pace():
    scattered = random.Random(0)
    order = [(A, scattered.choice([1.0, 10.0])) for _ in range(100)]
    assert pace_of_late(order) == pytest.approx(1.0, abs=0.15)


def test_the_pace_of_late_may_last_or_not():
    known = {A: Durations([10.0] * 25, [10.0] * 25)}
    usual, slow = (estimate(known, waiting(A, 10), 1, pace) for pace in (1.0, 2.0))
    assert slow.seconds == pytest.approx(1.5 * usual.seconds, rel=0.1)
    assert slow.low < 1.25 * usual.seconds
    assert slow.high > 1.75 * usual.seconds


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_studies_replayed(workers):
    """Candidates that differ tenfold, a quarter of whose tuning trials end early; measured: half of these errors."""
    off, inside = errors(made_up, workers)
    assert statistics.median(map(abs, off[0.1])) < 0.3
    assert statistics.median(map(abs, off[0.5])) < 0.15
    assert statistics.median(map(abs, off[0.9])) < 0.2
    assert statistics.mean([each for moment in inside.values() for each in moment]) > 0.65


def test_a_study_of_equal_trials_is_foretold():
    whole = [Outcome("complete", 1.0, seconds=10.0)] * 12
    course = replay({"a": (whole, whole[:4]), "b": (whole, whole[:4])}, 2, random.Random(0))
    for left, truth in course.values():
        assert left.seconds == pytest.approx(truth, rel=0.25)
