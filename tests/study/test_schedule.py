"""Schedules small enough to be made by hand."""

import pytest

from trimtab.study.schedule import Job, seconds_together


def jobs(*seconds, group="a", after=None):
    return [Job(group, after, each) for each in seconds]


def test_nothing_takes_no_time():
    assert seconds_together([], [], 2) == 0


def test_one_worker_adds_up():
    assert seconds_together(jobs(1, 2, 3), [], 1) == 6


def test_a_free_worker_takes_the_first_that_waits():
    assert seconds_together(jobs(5, 1, 1, 1), [], 2) == 5
    assert seconds_together(jobs(1, 1, 1, 5), [], 2) == 6  # the long one comes last, and alone


def test_what_runs_keeps_its_worker():
    assert seconds_together(jobs(2, 2), jobs(10), 2) == 10
    assert seconds_together(jobs(2, 2), jobs(3, 10), 2) == 10
    assert seconds_together(jobs(2, 2, 2, 2), jobs(3, 10), 2) == 11


def test_more_may_run_than_there_are_workers():
    assert seconds_together(jobs(1), jobs(4, 4, 4), 1) == 5


def test_what_has_to_wait_for_a_group_is_passed_by():
    tuning = jobs(1, 9, group="tune a") + jobs(1, group="tune b")
    finals = jobs(4, group="final a", after="tune a") + jobs(2, 2, group="final b", after="tune b")
    # worker 1: 1, 1 (b), 2, 2, idle until 9; worker 2: 9, then the final run of a
    assert seconds_together(tuning + finals, [], 2) == 13


def test_a_circle_is_an_error():
    with pytest.raises(ValueError, match="circle"):
        seconds_together(jobs(1, after="b") + jobs(1, group="b", after="a"), [], 1)
