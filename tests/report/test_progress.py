"""Progress counts what is done, however it came to be done, and is honest about what is left."""

import io
import re

import pytest
from rich.console import Console

from tests.report.studies import LABELS, Clock, complete, finals, tuning
from trimtab.report.progress import ProgressBars, left_words
from trimtab.study.outcome import Outcome
from trimtab.study.remaining import Remaining


@pytest.fixture
def clock():
    return Clock()


def run(bars, clock, outcomes=None, losses=0.5):
    """Plays a study of two candidates, one trial at a time."""
    outcomes = outcomes or {}
    points = [point for label in LABELS for point in tuning(label)]
    bars.planned(points, outcomes)
    while waiting := [point for point in points if point.key not in outcomes]:
        point = waiting[0]
        bars.started(point)
        clock.now += 10
        bars.reported(point, 64, 1.0)
        failed = point.key.endswith("tune/adamw/2")
        outcomes[point.key] = Outcome("failed", seconds=10, error="boom") if failed else complete(losses)
        bars.finished(point, outcomes[point.key])
        for label in LABELS:
            tuned = all(p.key in outcomes for p in tuning(label))
            points += [p for p in finals(label) if tuned and p not in points]
        bars.planned(points, outcomes)


def test_without_a_terminal_there_are_plain_lines_now_and_then(clock):
    file = io.StringIO()
    with ProgressBars(Console(file=file, width=80), lambda: 3, clock=clock) as bars:
        run(bars, clock)

    lines = file.getvalue().splitlines()
    assert "\x1b" not in file.getvalue()
    assert lines[0] == "0/14 trials, measuring"
    assert re.fullmatch(r"2/14 trials, at least 4\d s left; best run so far adamw, 0\.5000", lines[1])
    assert re.fullmatch(r"6/14 trials, about 1 min \d\d s left; best run so far adamw, 0\.5000; 1 failed", lines[3])
    assert lines[-1] == "14/14 trials, done; best run so far adamw, 0.5000; 1 failed"
    assert len(lines) <= 9


def test_of_a_race_it_is_said_how_many_trials_there_are_at_most(clock):
    file = io.StringIO()
    most = iter([None])
    with ProgressBars(Console(file=file, width=80), dict, most=lambda: next(most, 40), clock=clock) as bars:
        run(bars, clock)
    lines = file.getvalue().splitlines()
    assert lines[0] == "0/8 trials, measuring"  # before the numbers are chosen
    assert re.match(r"\d of at most 40 trials, time left not known yet", lines[1])
    assert lines[-1] == "14 of at most 40 trials; best run so far adamw, 0.5000; 1 failed"


def test_a_line_is_printed_after_a_minute_at_the_latest(clock):
    file = io.StringIO()
    points = tuning("a", 1000)
    with ProgressBars(Console(file=file, width=80), lambda: 0, clock=clock) as bars:
        bars.planned(points, {})
        for point in points[:7]:
            bars.started(point)
            clock.now += 25
            bars.finished(point, complete(seconds=25))

    assert [line.split()[0] for line in file.getvalue().splitlines()] == ["0/1000", "3/1000", "6/1000"]


def test_in_a_terminal_there_is_a_bar_for_all_and_a_line_a_candidate(clock):
    file = io.StringIO()
    console = Console(file=file, width=80, height=24, force_terminal=True, legacy_windows=False)
    with ProgressBars(console, lambda: 3, clock=clock) as bars:
        points = [point for label in LABELS for point in tuning(label)]
        bars.planned(points, {points[0].key: complete(0.25), points[1].key: Outcome("failed", error="boom")})

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).replace("\r", "\n")
    last = text[text.rindex("all trials") :].splitlines()
    assert re.fullmatch(r"all trials +\S+ +2/14 measuring *", last[0])
    assert re.fullmatch(r"adamw +\S+ +2/4 +tune +best 0.2500, 1 failed *", last[1])
    assert re.fullmatch(r"lion\(betas=\(0.9, 0.9\S+ \S+ +0/4 +tune *", last[2])
    assert max(map(len, text.splitlines())) <= 80


def test_what_diverged_is_not_called_failed_and_no_comma_stands_alone(clock):
    file = io.StringIO()
    console = Console(file=file, width=100, height=24, force_terminal=True, legacy_windows=False)
    with ProgressBars(console, lambda: 3, clock=clock) as bars:
        points = tuning("sgd")
        bars.planned(points, {points[0].key: Outcome("diverged"), points[1].key: Outcome("failed", error="boom")})
        bars.finished(points[2], Outcome("diverged"))

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).replace("\r", "\n")
    last = text[text.rindex("all trials") :].splitlines()
    assert re.fullmatch(r"sgd +\S+ +3/4 +tune +2 diverged, 1 failed *", last[1])


def test_more_candidates_than_lines_make_room_for_each_other(clock):
    file = io.StringIO()
    console = Console(file=file, width=80, height=10, force_terminal=True, legacy_windows=False)
    points = [point for i in range(30) for point in tuning(f"candidate{i}", 2)]
    with ProgressBars(console, lambda: 0, clock=clock) as bars:
        bars.planned(points, {points[0].key: complete()})

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    last = text[text.rindex("all trials") :]
    assert "candidate0" in last
    assert "candidate7" not in last


def test_a_wide_range_is_shown_with_both_ends():
    assert left_words(Remaining(100, 95, 110)) == "about 1 min 40 s left"
    assert left_words(Remaining(300, 180, 600)) == "3 to 10 min left"
    assert left_words(Remaining(60, 30, 150)) == "30 s to 2 min left"
    assert left_words(Remaining(3, 1, 6)) == "about 3 s left"


def test_no_time_is_told_while_some_of_it_has_no_price():
    assert left_words(Remaining(100, 95, 110, least=40)) == "at least 40 s left"
    assert left_words(Remaining(100, 95, 110, least=0.2)) == "time left not known yet"


def test_a_cheap_candidate_does_not_stand_for_one_that_has_not_run(clock):
    file = io.StringIO()
    points = [*finals("cheap", 10), *finals("dear", 10)]
    with ProgressBars(Console(file=file, width=80), lambda: 10, clock=clock) as bars:
        bars.planned(points, {})
        for point in points:
            bars.started(point)
            seconds = 1 if point.candidate == "cheap" else 60
            clock.now += seconds
            bars.finished(point, complete(seconds=seconds))

    lines = [line.split(";")[0] for line in file.getvalue().splitlines()]
    assert lines[0] == "0/20 trials, measuring"
    for done, line in zip((2, 4, 6, 8), lines[1:5], strict=True):
        assert re.fullmatch(rf"{done}/20 trials, at least [1-8] s left", line)
    assert lines[5] == "10/20 trials, time left not known yet"
    assert re.fullmatch(r"11/20 trials, 6 to 1\d min left", lines[6])
