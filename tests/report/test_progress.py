"""Progress counts what is done, however it came to be done, and is honest about what is left."""

import io
import re

import pytest
from rich.console import Console

from trimtab.lab.trial import Outcome, Point
from trimtab.report.progress import Ledger, ProgressBars

LABELS = ("adamw", "lion(betas=(0.9, 0.99))")


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def tuning(label, count=4):
    return [Point(f"digits/tune/{label}", i, {}, 0) for i in range(count)]


def finals(label, count=3):
    return [Point(f"digits/final/{label}", i, {}, 1000 + i, test=True) for i in range(count)]


def complete(loss=0.5, seconds=10.0):
    return Outcome("complete", loss=loss, seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


def test_what_has_an_outcome_already_counts_as_done(clock):
    ledger = Ledger(seeds=3, clock=clock)
    points = [point for label in LABELS for point in tuning(label)]

    ledger.plan(points, {points[0].key: complete(0.25), "digits/tune/other/0": complete(0.01)})

    assert (ledger.done, ledger.total) == (1, 8 + 6)
    assert ledger.best == ("adamw", 0.25)
    assert set(ledger.groups) == set(LABELS)


def test_final_runs_are_expected_until_the_design_knows_them(clock):
    ledger = Ledger(seeds=3, clock=clock)
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
    assert ledger.groups["adamw"].trouble == 4


def test_the_number_of_seeds_is_learnt_from_the_first_candidate_that_is_tuned(clock):
    ledger = Ledger(clock=clock)
    points = tuning("adamw") + tuning("lion")
    ledger.plan(points, {})
    assert (ledger.total, ledger.complete_plan) == (8, False)

    for point in tuning("adamw"):
        ledger.finish(point, complete())
    ledger.plan(points + finals("adamw"), {})

    assert (ledger.total, ledger.complete_plan) == (14, True)


def test_the_remaining_time_is_each_candidates_own_over_the_workers(clock):
    ledger = Ledger(seeds=0, clock=clock)
    quick, slow = tuning("quick"), tuning("slow")
    ledger.plan(quick + slow, {})
    assert ledger.remaining_seconds() is None

    for point in (quick[0], slow[0]):
        ledger.start(point)
    assert ledger.remaining_seconds() is None  # nothing is measured yet
    ledger.finish(quick[0], complete(seconds=10))
    ledger.finish(slow[0], complete(seconds=100))
    assert ledger.remaining_seconds() == (3 * 10 + 3 * 100) / 2

    ledger.start(quick[1])
    ledger.start(slow[1])
    clock.now += 5
    assert ledger.remaining_seconds() == (3 * 10 + 3 * 100 - 10) / 2


def test_the_remaining_time_is_no_shorter_than_the_longest_trial(clock):
    ledger = Ledger(seeds=0, clock=clock)
    points = tuning("a", 4)
    ledger.plan(points, {})
    for point in points[:3]:
        ledger.start(point)
    for point in points[:3]:
        ledger.finish(point, complete(seconds=30))
    ledger.start(points[3])
    clock.now += 10

    assert ledger.remaining_seconds() == 20
    clock.now += 100
    assert ledger.remaining_seconds() == 0


def test_a_trial_that_is_started_again_is_counted_once(clock):
    ledger = Ledger(seeds=0, clock=clock)
    (point,) = tuning("a", 1)
    ledger.plan([point], {})
    ledger.start(point)
    ledger.start(point)
    ledger.finish(point, complete())
    ledger.plan([point], {point.key: complete()})

    assert (ledger.done, ledger.total) == (1, 1)


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
    with ProgressBars(Console(file=file, width=80), seeds=3, clock=clock) as bars:
        run(bars, clock)

    lines = file.getvalue().splitlines()
    assert "\x1b" not in file.getvalue()
    assert lines[0] == "0/14 trials, measuring"
    assert lines[1] == "2/14 trials, about 2 min left; best so far adamw, 0.5000"
    assert lines[-1] == "14/14 trials, done; best so far adamw, 0.5000; 1 failed or diverged"
    assert len(lines) <= 9


def test_a_line_is_printed_after_a_minute_at_the_latest(clock):
    file = io.StringIO()
    points = tuning("a", 1000)
    with ProgressBars(Console(file=file, width=80), seeds=0, clock=clock) as bars:
        bars.planned(points, {})
        for point in points[:7]:
            bars.started(point)
            clock.now += 25
            bars.finished(point, complete(seconds=25))

    assert [line.split()[0] for line in file.getvalue().splitlines()] == ["0/1000", "3/1000", "6/1000"]


def test_in_a_terminal_there_is_a_bar_for_all_and_a_line_a_candidate(clock):
    file = io.StringIO()
    console = Console(file=file, width=80, height=24, force_terminal=True, legacy_windows=False)
    with ProgressBars(console, seeds=3, clock=clock) as bars:
        points = [point for label in LABELS for point in tuning(label)]
        bars.planned(points, {points[0].key: complete(0.25), points[1].key: Outcome("failed", error="boom")})

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).replace("\r", "\n")
    last = text[text.rindex("all trials") :].splitlines()
    assert re.fullmatch(r"all trials +\S+ +2/14 measuring *", last[0])
    assert re.fullmatch(r"adamw +\S+ +2/4 +tune +best 0.2500, 1 failed *", last[1])
    assert re.fullmatch(r"lion\(betas=\(0.9, 0.9\S+ \S+ +0/4 +tune *", last[2])
    assert max(map(len, text.splitlines())) <= 80


def test_more_candidates_than_lines_make_room_for_each_other(clock):
    file = io.StringIO()
    console = Console(file=file, width=80, height=10, force_terminal=True, legacy_windows=False)
    points = [point for i in range(30) for point in tuning(f"candidate{i}", 2)]
    with ProgressBars(console, seeds=0, clock=clock) as bars:
        bars.planned(points, {points[0].key: complete()})

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    last = text[text.rindex("all trials") :]
    assert "candidate0" in last
    assert "candidate7" not in last
