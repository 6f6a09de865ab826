import pytest

from trimtab.compare.waves import cannot_win, open_settings, wave_before
from trimtab.study.outcome import CurvePoint, Outcome


def run(*losses, cost=100):
    step = cost / (len(losses) - 1)
    curve = tuple(CurvePoint(place * step, None, loss, 0.0) for place, loss in enumerate(losses))
    return Outcome("complete", loss=losses[-1], cost=cost, curve=curve)


GOOD, BETTER = run(9, 5, 4, 3, 2), run(9, 4, 3, 2, 1)


@pytest.mark.parametrize(
    ("ended", "opened"), [("0000000000", 4), ("1101000000", 4), ("1111000000", 8), ("1111111100", 10)]
)
def test_a_wave_opens_when_those_before_it_have_ended(ended, opened):
    assert open_settings([each == "1" for each in ended]) == opened


def test_few_settings_are_one_wave():
    assert [open_settings([False] * n) for n in (0, 1, 4)] == [0, 1, 4]


def test_each_wave_is_as_large_as_all_before_it():
    assert [wave_before(index) for index in range(9)] == [0, 0, 0, 0, 4, 4, 4, 4, 8]


@pytest.mark.parametrize(
    ("cost", "loss", "dropped"),
    [
        (25, 4.5, True),  # three gained three at most from there, and the best ended at one
        (25, 4.0, False),  # it might still do as well
        (30, 4.5, True),  # between two evaluations the last one counts
        (24, 9.5, True),  # eight were gained from the beginning
        (24, 9.0, False),
        (19, 99.0, False),  # too early to say
        (75, 2.5, True),
        (75, 2.0, False),
        (99, 2.5, True),
        (100, 99.0, False),  # it has run to its end
    ],
)
def test_a_setting_is_dropped_that_would_not_win_with_the_largest_gain_that_was_seen(cost, loss, dropped):
    assert cannot_win([GOOD, BETTER, GOOD], cost, loss, of=100) == dropped


def test_a_slow_start_is_no_reason_where_one_was_made_good():
    slow = run(9, 9, 9, 9, 1)
    assert not cannot_win([GOOD, BETTER, slow], 75, 8.9, of=100)


def test_who_only_lost_from_there_on_lets_nobody_hope():
    rising = run(9, 1, 2, 3, 4)
    assert cannot_win([rising, rising, rising], 25, 4.1, of=100)
    assert not cannot_win([rising, rising, rising], 25, 4.0, of=100)


def test_two_earlier_settings_drop_nobody():
    assert not cannot_win([BETTER, BETTER], 50, 99.0, of=100)


def test_without_a_budget_the_shortest_run_says_how_long_one_is():
    long = run(9, 5, 4, 3, 2, cost=1000)
    assert not cannot_win([GOOD, long, long], 19, 99.0, of=None)
    assert cannot_win([GOOD, long, long], 20, 99.0, of=None)


def test_without_a_budget_who_is_as_far_as_the_shortest_run_may_have_ended():
    long = run(9, 5, 4, 3, 2, cost=1000)
    assert cannot_win([GOOD, long, long], 99, 99.0, of=None)
    assert not any(cannot_win([GOOD, long, long], cost, 99.0, of=None) for cost in (100, 500, 1000))


def test_one_value_is_an_end():
    ended = Outcome("complete", loss=1.0, cost=1, curve=(CurvePoint(1, None, 1.0, 1.0),))
    assert not cannot_win([ended, ended, ended], 1, 99.0, of=None)
