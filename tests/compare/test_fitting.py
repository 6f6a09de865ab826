"""What fits into a time, with durations that are known."""

import itertools

import pytest

from tests.compare.pricing import budget, prices
from trimtab.compare import budget as module
from trimtab.compare.budget import FEWEST_SEEDS, FEWEST_TRIALS, MOST_SEEDS, MOST_TRIALS, SHARE
from trimtab.compare.fitting import fitting
from trimtab.compare.prices import predicted_seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that stands still."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("seconds", [60, 100, 200, 300, 900, 5000])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_what_is_chosen_fits_and_one_more_does_not(seconds, workers):
    cost = prices(1.0, 2.0)
    found = fitting(budget(seconds), cost, workers)
    assert found.seconds == predicted_seconds(cost, found.trials, found.seeds, workers) <= SHARE * seconds
    assert FEWEST_TRIALS <= found.trials <= MOST_TRIALS
    assert FEWEST_SEEDS <= found.seeds <= MOST_SEEDS
    if found.trials < MOST_TRIALS:
        assert predicted_seconds(cost, found.trials + 1, found.seeds, workers) > SHARE * seconds
    if found.seeds < 10:
        assert found.trials == FEWEST_TRIALS
    if found.seeds > 10:
        assert found.trials == MOST_TRIALS


def test_more_time_gives_no_fewer():
    found = [fitting(budget(seconds), prices(1.0), 1) for seconds in range(12, 200)]
    assert all(a.trials <= b.trials and a.seeds <= b.seeds for a, b in itertools.pairwise(found))
    assert found[0].seeds < 10 < found[-1].trials


def test_what_was_asked_for_stays():
    assert fitting(budget(100, trials=2), prices(1.0), 1).trials == 2
    assert fitting(budget(100, trials=2), prices(1.0), 1).seeds == MOST_SEEDS
    found = fitting(budget(100, seeds=1), prices(1.0), 1)
    assert (found.trials, found.seeds) == (94, 1)


def test_what_is_over_does_not_count_twice(clock):
    clock[0] = 50.0
    assert fitting(budget(100, seeds=3), prices(1.0), 1).trials == 42


def test_what_has_run_already_is_not_paid_again():
    assert fitting(budget(100, seeds=3), prices(1.0, done=6), 1).trials == 92 + 6
