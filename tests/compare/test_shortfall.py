"""A time that is too short, in words, with durations that are known; what is proposed instead fits."""

import re
from dataclasses import replace

import pytest

from tests.compare.pricing import budget, prices
from trimtab.compare import budget as module
from trimtab.compare.budget import Numbers, parse_duration
from trimtab.compare.fitting import fitting
from trimtab.compare.prices import Price
from trimtab.compare.shortfall import least_too_long
from trimtab.study.errors import InputError


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that stands still."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def refused(*args):
    with pytest.raises(InputError) as error:
        fitting(*args)
    return str(error.value)


def test_the_sum_says_what_is_over_what_comes_and_what_is_kept_back(clock):
    clock[0] = 40.0
    assert refused(budget(60), prices(1.0, 1.0, 1.0), 1, "c0") == (
        "budget=1m is too short:\n"
        "   40s  to find out what a run takes\n"
        "   27s  18 tuning trials (6 each) and 9 final runs (3 each), 1 at a time; by candidate: "
        "c0 9.0s, c1 9.0s, c2 9.0s\n"
        "  3.5s  kept back for the reports (5 %)\n"
        "Give --budget 1m20s. Within 1m fit instead: runs of 50 % of their length (--steps)."
    )


def test_a_longer_time_that_is_named_is_enough_and_hardly_more():
    cost = prices(10.0, 30.0, 20.0)
    text = refused(budget(60), cost, 2)
    assert "by candidate: c0 50s, c1 2m30s, c2 1m40s" in text
    assert "4m30s  18 tuning trials" in text
    enough = parse_duration(re.search(r"Give --budget (\w+)", text)[1])
    assert fitting(budget(enough), cost, 2).trials == 6
    refused(budget(0.9 * enough), cost, 2)


def test_what_is_proposed_fits_with_room_to_spare_and_one_step_more_does_not():
    cost = prices(2.0, 3.0, 9.0, 1.0)
    text = refused(budget(100), cost, 1, "c0")
    assert text.endswith("instead: --trials 2; all candidates but c2; runs of 50 % of their length (--steps).")
    assert fitting(budget(85, trials=2), cost, 1).seeds == 3
    refused(budget(85, trials=3), cost, 1)
    assert fitting(budget(85), [cost[0], cost[1], cost[3]], 1).seeds == 7
    assert fitting(budget(85), [Price(p.label, True, 0.5 * p.trial, 0.5 * p.final) for p in cost], 1).seeds == 4
    refused(budget(85), [Price(p.label, True, 0.6 * p.trial, 0.6 * p.final) for p in cost], 1)


def test_the_reference_is_never_left_out_and_one_other_stays():
    assert "all candidates but c1 and c2" in refused(budget(100), prices(7.0, 6.0, 5.0, 1.0), 1, "c0")
    assert "all candidates but" not in refused(budget(100), prices(20.0, 1.0, 1.0), 1, "c0")


def test_a_candidate_on_several_problems_is_left_out_on_all_of_them():
    cost = prices(2.0, 3.0, 1.0) + prices(1.0, 6.0, 1.0)
    text = refused(budget(100), cost, 1, "c0")
    assert "by candidate: c0 27s, c1 1m21s, c2 18s" in text
    assert "all candidates but c1" in text


def test_numbers_that_were_asked_for_may_be_smaller():
    assert "instead: --trials 5;" in refused(budget(100, trials=20), prices(10.0), 1)
    text = refused(budget(100, seeds=20), prices(5.0), 1)
    assert "--seeds 10" in text
    assert fitting(budget(100, seeds=10), prices(5.0), 1).trials == 9
    assert "--trials" not in text  # 20 seeds alone are too many


def test_runs_that_are_kept_are_not_paid_by_the_next_attempt(clock):
    clock[0] = 50.0
    text = refused(budget(100), prices(3.0, 3.0, done=1), 1)
    assert text.startswith("budget=1m40s is over too early this time, and enough the next time, because runs are kept:")
    assert "48s  10 tuning trials (6 each) and 6 final runs more (3 each)" in text
    clock[0] = 0.0
    assert fitting(budget(100), prices(3.0, 3.0, done=1), 1).seeds == 10


def test_nothing_is_proposed_where_nothing_fits(clock):
    clock[0] = 100.0
    text = refused(budget(100), prices(1.0), 1)
    assert text.endswith("Give --budget 2m.")


def test_first_runs_tell_how_long_a_run_may_be():
    runs = {"adamw": (8, 10.0), "lion": (9, 0.0)}
    text = least_too_long(budget(60), runs, 2, Numbers(6, 3, 0.0), 1)
    assert "there are 8 runs of adamw of 10s or longer to come, 40s or more with 2 at a time" in text
    # 0.95 x 60 s x 2 workers / (2 candidates x 9 runs), and / (2 x 5)
    assert "and 57s are left. Into 1m fit runs of up to 6.3s, with --trials 2 of up to 11s." in text
    assert "or give 50s or more" in text  # 40 s are 95 % of 42 s
    # the best four, or both, twice more: 17 runs, and 9
    assert "up to 3.4s, with --trials 2 of up to 6.3s." in least_too_long(budget(60), runs, 2, Numbers(6, 3, 0.0), 3)


def test_further_seeds_are_in_the_sum_and_can_be_left_out(clock):
    clock[0] = 20.0
    cost = [replace(each, tuning_seeds=3) for each in prices(1.0, 1.0)]
    text = refused(budget(45), cost, 1)
    assert "28 tuning trials (6 each, the best 4 with 2 further seeds) and 6 final runs (3 each)" in text
    assert "--tuning-seeds 1" in text
