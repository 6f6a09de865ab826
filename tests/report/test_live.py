"""The report of a comparison that runs is written again and again, seldom enough, and can do it no harm."""

import dataclasses
import sys
import time
from types import SimpleNamespace

import pytest

from tests.compare.making import command_comparison
from trimtab.report import live as module
from trimtab.report.live import LEAST_SECONDS, SHARE, LiveReport, Renewing
from trimtab.study.errors import NoStudyError, StoreInUseError
from trimtab.study.status import StudyStatus
from trimtab.study.statuses import status

LINE = f"{sys.executable} -c 'print(1 / ({{seed}} + 1))' {{optimizer}}"


def comparison(out, **more):
    return command_comparison(LINE, "a,b", metric=r"(.+)", trials=1, seeds=2, jobs=1, out=out, **more)


class Stops:
    """An observer that cuts the comparison off after its first trial."""

    def planned(self, points, outcomes): ...

    def started(self, point): ...

    def reported(self, point, cost, loss): ...

    def finished(self, point, outcome):
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    with pytest.raises(KeyboardInterrupt):
        comparison(out).run(Stops())
    return out


def page(out):
    return (out / "report.html").read_text(encoding="utf-8")


def seen_as(monkeypatch, state, **more):
    monkeypatch.setattr(module, "status", lambda *place: dataclasses.replace(status(*place), state=state, **more))


def test_a_page_says_how_far_it_is_and_comes_anew_while_it_runs(cut_off, monkeypatch):
    seen_as(monkeypatch, "running")
    assert LiveReport(cut_off).write() == "running"
    assert "Running: 1 of 6 trials" in page(cut_off)
    assert "data-next=" in page(cut_off)
    assert LiveReport(cut_off).write(again=False) == "running"
    assert "Running: 1 of 6 trials" in page(cut_off)
    assert "data-next=" not in page(cut_off)


def test_one_that_has_stopped_is_drawn_and_does_not_say_that_it_runs(cut_off):
    LiveReport(cut_off).until_over()
    assert "Stopped: 1 of 6 trials" in page(cut_off)
    assert "data-next=" not in page(cut_off)


@pytest.fixture
def drawn(monkeypatch):
    """Studies that are not there, and what was written of them."""
    found = SimpleNamespace(state="running", total=6, cost=0.0, now=0.0, standings=[])

    def write_all(result, directory, standing):
        found.standings.append(standing)
        found.now += found.cost

    monkeypatch.setattr(
        module, "status", lambda *place: StudyStatus("toy", "", "", "", "", found.state, total=found.total)
    )
    monkeypatch.setattr(module, "load_any", lambda *place: None)
    monkeypatch.setattr(module, "write_all", write_all)
    found.report = LiveReport("nowhere", clock=lambda: found.now)
    return found


def test_it_waits_for_so_long_that_writing_is_a_small_share(drawn):
    report = drawn.report
    drawn.cost = 3.0
    report.write()  # this one has imported what draws
    assert report.pause == LEAST_SECONDS
    report.write()
    assert report.pause == 3.0 / SHARE
    drawn.cost = 0.01
    report.write()
    assert report.pause == LEAST_SECONDS
    first, second, third = drawn.standings
    assert first.renewal.late == second.renewal.late == module.LATE_AT_FIRST
    assert third.renewal.seconds > 3.0 / SHARE
    assert third.renewal.late > 3 * third.renewal.seconds / 1.2


@pytest.mark.parametrize("state", ["starting", "planning", "empty", "finished"])
def test_nothing_is_written_before_there_is_a_plan_nor_when_all_is_done(drawn, state):
    drawn.state = state
    assert drawn.report.write() == state
    assert drawn.standings == []


def test_nothing_is_written_while_no_trial_is_planned(drawn):
    drawn.total = 0
    assert drawn.report.write() == "running"
    assert drawn.standings == []


def test_it_ends_with_the_comparison(drawn, monkeypatch):
    states = iter(["starting", "running", "running", "finished"])
    monkeypatch.setattr(
        module, "status", lambda *place: StudyStatus("toy", "", "", "", "", next(states), total=drawn.total)
    )
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    drawn.report.until_over()
    assert len(drawn.standings) == 2
    assert next(states, None) is None


def test_who_stops_watching_leaves_a_page_that_does_not_say_that_it_comes_anew(drawn, monkeypatch):
    def stop(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        drawn.report.until_over()
    assert [each.renewal is None for each in drawn.standings] == [False, True]


class UntilDrawn(Stops):
    """An observer that holds a comparison up until a page of it is there that says so."""

    def __init__(self, out, words):
        self.out, self.words, self.waits = out, words, True

    def finished(self, point, outcome):
        end = time.monotonic() + 120
        while self.waits and not ((self.out / "report.html").exists() and self.words in page(self.out)):
            assert time.monotonic() < end
            time.sleep(0.02)
        self.waits = False


def test_a_comparison_is_drawn_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FIRST_LOOK", 0.05)
    monkeypatch.setattr(module, "LEAST_SECONDS", 0.2)
    made = comparison(tmp_path)
    with Renewing(made.out, made.location):
        result = made.run(UntilDrawn(tmp_path, "Running: 1 of 6 trials"))
    assert len(result.trials) == 6


def test_one_that_is_cut_off_leaves_a_page_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FIRST_LOOK", 3600)
    made = comparison(tmp_path)
    with pytest.raises(KeyboardInterrupt), Renewing(made.out, made.location):
        made.run(Stops())
    assert "Stopped: 1 of 6 trials" in page(tmp_path)


def test_one_that_is_refused_writes_nothing(tmp_path, drawn):
    with pytest.raises(StoreInUseError), Renewing(tmp_path, tmp_path):
        raise StoreInUseError("another process is at work")
    assert drawn.standings == []


def test_what_cannot_be_written_is_said_once_and_the_comparison_goes_on(tmp_path, monkeypatch, warned):
    tries = []

    def full(*given):
        tries.append(given)
        raise OSError("no space left on device")

    monkeypatch.setattr(module, "write_all", full)
    monkeypatch.setattr(module, "FIRST_LOOK", 0.02)
    monkeypatch.setattr(module, "LEAST_SECONDS", 0.02)

    class UntilTried(Stops):
        def finished(self, point, outcome):
            end = time.monotonic() + 120
            while len(tries) < 2:
                assert time.monotonic() < end
                time.sleep(0.02)

    made = comparison(tmp_path)
    with Renewing(made.out, made.location):
        result = made.run(UntilTried())
    assert len(result.trials) == 6
    assert warned == ["the report cannot be written while the comparison runs, which goes on: no space left on device"]


def test_a_store_that_is_not_made_yet_is_no_fault(tmp_path, monkeypatch, warned):
    monkeypatch.setattr(module, "FIRST_LOOK", 0.01)
    looks = []

    def nothing(*place):
        looks.append(place)
        raise NoStudyError("there is no study yet")

    monkeypatch.setattr(module, "status", nothing)
    with Renewing(tmp_path, tmp_path):
        end = time.monotonic() + 60
        while len(looks) < 3 and time.monotonic() < end:
            time.sleep(0.01)
    assert len(looks) >= 3
    assert warned == []
