"""What a comparison takes, with durations that are known."""

from tests.compare.pricing import prices
from trimtab.compare.prices import Price, predicted_seconds


def test_the_prediction_counts_runs_workers_and_first_runs():
    assert predicted_seconds(prices(1, 2), 4, 3, 1) == 7 * 3
    assert predicted_seconds(prices(1, 1), 4, 3, 2) == 7
    assert predicted_seconds(prices(1, first=5.0), 4, 3, 1) == 7 + 5
    assert predicted_seconds(prices(1, first=5.0), 4, 4, 2) == 4 + 5  # each worker once
    assert predicted_seconds(prices(1, done=3), 4, 3, 1) == 1 + 3
    again = [Price("c0", True, 1.0, 1.0, tuning_seeds=3)]
    assert predicted_seconds(again, 6, 3, 1) == 6 + 8 + 3
    assert predicted_seconds(again, 2, 3, 1) == 2 + 4 + 3
    assert predicted_seconds(again, 6, 3, 100) == 3  # they wait for each other
    assert predicted_seconds([Price("plain", False, 1.0, 1.0, tuning_seeds=3)], 6, 3, 1) == 1 + 3
    assert predicted_seconds([Price("plain", False, 1.0, 1.0)], 4, 3, 1) == 1 + 3
