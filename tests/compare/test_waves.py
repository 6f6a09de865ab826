import pytest

from trimtab.compare.waves import behind, open_settings, wave_before
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
        (25, 5.5, True),  # all had less at the same point
        (25, 4.5, False),  # one of them had not
        (30, 5.5, True),  # between two evaluations the last one counts
        (24, 5.5, False),  # where both had nine
        (5, 99.0, False),  # too early to say
        (50, 4.0, False),  # as good is not behind
    ],
)
def test_a_setting_is_dropped_that_is_behind_three_at_the_same_point(cost, loss, dropped):
    assert behind([GOOD, BETTER, GOOD], cost, loss, of=100) == dropped


def test_two_earlier_settings_drop_nobody():
    assert not behind([BETTER, BETTER], 50, 99.0, of=100)


def test_without_a_budget_the_shortest_run_says_how_long_one_is():
    long = run(9, 5, 4, 3, 2, cost=1000)
    assert not behind([GOOD, long, long], 9, 99.0, of=None)
    assert behind([GOOD, long, long], 10, 99.0, of=None)
