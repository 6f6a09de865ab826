"""What fits into a time, with durations that are known."""

import itertools

import pytest

from trimtab.compare import budget as module
from trimtab.compare.budget import (
    FEWEST_SEEDS,
    FEWEST_TRIALS,
    MOST_SEEDS,
    MOST_TRIALS,
    SHARE,
    Budget,
    Deadline,
    Price,
    fitting,
    parse_duration,
    predicted_seconds,
    written,
)
from trimtab.lab.errors import InputError


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that stands still."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def budget(seconds, trials=None, seeds=None, usual=10, since=0.0):
    return Budget(seconds, trials, seeds, usual, since)


def prices(*seconds, **more):
    return [Price(f"c{i}", True, each, each, **more) for i, each in enumerate(seconds)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20m", 1200), ("90s", 90), ("1h30m", 5400), ("2h", 7200), ("20min", 1200), ("1d 2h", 93600), ("2H", 7200)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds
    assert parse_duration(written(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "soon", "20 m 3", "m", "0m", "-5m", "20m1h", "1.5h"])
def test_what_is_no_duration(text):
    with pytest.raises(InputError, match="is not a time; examples are 20m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["200", "0", "-3", "1.5", 200])
def test_a_bare_number_is_refused_with_both_remedies(text):
    with pytest.raises(InputError, match=rf"has no unit: --budget {text}m .* --steps {text}$"):
        parse_duration(text)


def test_the_prediction_counts_runs_workers_and_first_runs():
    assert predicted_seconds(prices(1, 2), 4, 3, 1) == 7 * 3
    assert predicted_seconds(prices(1, 1), 4, 3, 2) == 7
    assert predicted_seconds(prices(1, first=5.0), 4, 3, 1) == 7 + 5
    assert predicted_seconds(prices(1, first=5.0), 4, 4, 2) == 4 + 5  # each worker once
    assert predicted_seconds(prices(1, done=3), 4, 3, 1) == 1 + 3
    assert predicted_seconds([Price("plain", False, 1.0, 1.0)], 4, 3, 1) == 1 + 3


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
    with pytest.raises(InputError, match="has nothing to choose"):
        budget(100, trials=2, seeds=2)


def test_what_is_over_does_not_count_twice(clock):
    clock[0] = 50.0
    assert fitting(budget(100, seeds=3), prices(1.0), 1).trials == 42


def test_what_has_run_already_is_not_paid_again():
    assert fitting(budget(100, seeds=3), prices(1.0, done=6), 1).trials == 92 + 6


def test_a_time_that_is_too_short_names_one_that_is_not():
    cost = prices(10.0, 30.0, 20.0)
    with pytest.raises(InputError) as error:
        fitting(budget(60), cost, 2)
    text = str(error.value)
    assert "6 trials and 3 seeds of each candidate take about 4m30s with 2 at a time" in text
    assert "c1 2m30s, c2 1m40s, c0 50s" in text
    enough = parse_duration(text.partition("so that --budget ")[2].partition(" ")[0])
    assert fitting(budget(enough), cost, 2).seeds >= FEWEST_SEEDS
    with pytest.raises(InputError):
        fitting(budget(0.9 * enough), cost, 2)


class Endless:
    free = 1

    def __init__(self):
        self.waited = []

    def submit(self, point): ...

    def answer(self, point, give_up): ...

    def wait(self, timeout=None):
        self.waited.append(timeout)
        return []


def test_first_runs_are_given_up_after_half_of_the_time(clock):
    executor = Endless()
    deadline = Deadline(executor, budget(100))
    deadline.wait()
    deadline.wait(3)
    clock[0] = 49.0
    deadline.wait(3)
    assert executor.waited == [50, 3, 1]
    clock[0] = 50.0
    with pytest.raises(InputError, match="not even the first runs"):
        deadline.wait()
