"""A study's status says what its store says."""

import io
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from tests.report.studies import finals, tuning
from trimtab.report.status_text import print_status
from trimtab.study import statuses as module
from trimtab.study.activity import Activity, Ended, Process, Running
from trimtab.study.beside import Beside
from trimtab.study.errors import NoStudyError
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.status import to_dict
from trimtab.study.statuses import status, statuses
from trimtab.study.store import Store

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
HERE = Process("here", 11, alive=True, silent_seconds=None)
THERE = Process("there", 22, alive=True, silent_seconds=4.0)
GONE = Process("gone", 33, alive=False, silent_seconds=500.0)
NOTES = {
    "candidates": ["adamw", "lion"],
    "seeds": 3,
    "trials": 4,
    "time": "20m",
    "slot": "optimizer",
    "facts": {"objective": {"direction": "min"}, "reference": "digits"},
}


def ended(point, seconds_ago, loss=0.5, seconds=10.0, status="complete"):
    end = NOW - timedelta(seconds=seconds_ago)
    return Ended(point, Outcome(status, loss, seconds=seconds), end - timedelta(seconds=seconds), end)


def activity(**change):
    """Two candidates: all of the first is tuned, one of its final runs is done."""
    a, b, final = tuning("adamw"), tuning("lion"), finals("adamw")
    done = [*(ended(p, 100 - 10 * i, 0.5 + i) for i, p in enumerate(a)), ended(b[0], 75, None, 1.0, "diverged")]
    parts = {
        "manifest": {"task": "digits"},
        "annotation": NOTES,
        "ended": (*done, ended(final[0], 5)),
        "running": (
            Running(b[1], NOW - timedelta(seconds=7), HERE),
            Running(final[1], NOW - timedelta(seconds=8), THERE),
        ),
        "waiting": (*b[2:], final[2]),
        "processes": (HERE, THERE),
        "shared": True,
        "alive": True,
    }
    return Activity(**{**parts, **change})


@pytest.fixture
def seen(monkeypatch, tmp_path):
    def look(**change):
        monkeypatch.setattr(module, "look", lambda location: activity(**change))
        return status(tmp_path, now=NOW)

    return look


def test_candidates_are_counted(seen):
    found = seen()
    adamw, lion = found.candidates
    assert (adamw.label, adamw.tuned, adamw.tuning, adamw.final, adamw.finals) == ("adamw", 4, 4, 1, 3)
    assert (lion.label, lion.tuned, lion.tuning, lion.final, lion.finals) == ("lion", 1, 4, 0, 3)
    assert (adamw.best, lion.best, lion.trouble) == (0.5, None, 1)
    assert (lion.diverged, adamw.trouble) == (1, 0)
    assert (found.done, found.total, found.total_known) == (6, 14, True)
    assert (found.state, found.budget, found.best, found.at_once) == ("running", "20m", ("adamw", 0.5), 2)


def test_running_trials_say_since_when_and_where(seen):
    first, second = seen().running
    assert (first.candidate, first.phase, first.index, first.seconds) == ("lion", "tune", 1, 7)
    assert (first.host, first.process, first.since, first.alive) == ("here", 11, "2026-01-01T11:59:53+00:00", True)
    assert (second.key, second.seconds, second.host) == ("digits/final/adamw/1", 8, "there")
    assert [(p.host, p.running) for p in seen().processes] == [("here", 1), ("there", 1)]


def test_the_rate_is_that_of_the_last_minutes(seen):
    assert seen().trials_per_minute == pytest.approx(6 / (110 / 60))
    old = tuple(ended(p, 10_000) for p in tuning("adamw"))
    assert seen(ended=old).trials_per_minute is None


def test_the_remaining_time_is_that_of_the_progress(seen):
    left = seen().remaining
    assert 5 < left.low <= left.seconds <= left.high < 60  # 8 trials of about 10 seconds on two workers


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "running"),
        ({"alive": False, "running": ()}, "stopped"),
        ({"annotation": {**NOTES, "trials": None, "seeds": None}}, "planning"),
        ({"ended": tuple(ended(p, 5) for p in (*tuning("adamw"), *finals("adamw"))), "waiting": (), "running": (),
          "annotation": {**NOTES, "candidates": ["adamw"]}}, "finished"),
    ],
)  # fmt: skip
def test_states(seen, change, state):
    assert seen(**change).state == state


def test_a_stopped_study_says_how_long_it_takes_when_it_goes_on(seen):
    cut_off = (Running(tuning("lion")[1], NOW - timedelta(hours=3), GONE),)
    found = seen(alive=False, running=cut_off, processes=(GONE,))
    assert (found.state, found.running[0].alive) == ("stopped", False)
    assert found.at_once == 2  # the diverged one ran beside another
    assert found.remaining.high < 60


def test_a_process_that_owns_its_file_says_how_many_it_runs_at_once(seen):
    found = seen(shared=False, annotation={**NOTES, "jobs": 4})  # a third may have started before a second was written
    assert found.at_once == 4


def test_more_is_better_of_some_objectives(seen):
    assert seen().best == ("adamw", 0.5)
    more = {"facts": {"objective": {"direction": "max"}, "reference": "python train.py"}}
    found = seen(annotation={**NOTES, **more})
    assert (found.best, found.candidates[0].best) == (("adamw", -0.5), -0.5)


@pytest.mark.parametrize(
    ("task", "slot", "best"),
    [
        ({"kind": "task", "direction": "max", "reference": "digits"}, "optimizer", 0.5),
        ({"kind": "command", "direction": "max", "reference": "python train.py"}, "command", -0.5),
        ({"kind": "command", "direction": "min", "reference": "python train.py"}, "command", 0.5),
    ],
)
def test_notes_of_the_first_version_are_read(seen, task, slot, best):
    found = seen(annotation={**{name: NOTES[name] for name in ("candidates", "seeds", "trials", "time")}, "task": task})
    assert (found.kind, found.slot, found.reference) == ("comparison", slot, task["reference"])
    assert found.best == ("adamw", best)


def test_candidates_that_take_no_part_any_more_are_left_out(seen):
    found = seen(annotation={**NOTES, "candidates": ["lion"]})
    assert [candidate.label for candidate in found.candidates] == ["lion"]


def test_what_the_report_leaves_out_is_not_counted_and_is_named(seen):
    a, b, ends = tuning("adamw"), tuning("lion"), finals("adamw")
    done = tuple(ended(point, 5) for point in (*a, *b, *ends))
    found = seen(annotation={**NOTES, "candidates": ["adamw"], "seeds": 2}, ended=done, running=(), waiting=())
    assert [(c.label, c.final, c.finals) for c in found.candidates] == [("adamw", 2, 2)]
    assert (found.state, found.done, found.total) == ("finished", 6, 6)
    assert (found.beside.candidates, found.beside.seeds) == (("lion",), 1)
    assert "kept, and not counted here or shown in the report: lion and 1 more seed" in shown(found)
    assert seen().beside is None


def test_an_empty_store_has_nothing_planned_and_no_table(seen):
    notes = {**NOTES, "trials": None, "seeds": None, "time": "1m"}
    nothing = {"annotation": notes, "ended": (), "running": (), "waiting": (), "processes": ()}
    found = seen(**nothing, alive=False)
    assert (found.state, found.total) == ("empty", 0)
    assert shown(found) == "digits: nothing is planned yet and nothing recorded, and no process is at work\n"
    begun = shown(seen(**nothing))
    assert begun == "digits: finding out what runs take, to plan for the budget\nno trial is planned yet, for 1m\n"
    assert "to be planned for 1m" in shown(seen(annotation=notes))


def test_several_problems_are_counted_each_by_itself(seen):
    one, two, gone = tuning("adamw"), tuning("adamw", problem="mnist"), tuning("adamw", problem="gone")
    notes = {"candidates": ["adamw"], "compared": ["digits", "mnist"], "seeds": {"digits": 2, "mnist": 5}}
    found = seen(
        manifest={"kind": "several"},
        annotation=notes,
        ended=tuple(ended(p, 10) for p in one),
        running=(),
        waiting=(*two, *gone),
    )
    assert [(c.problem, c.tuned, c.tuning, c.finals) for c in found.candidates] == [
        ("digits", 4, 4, 2),
        ("mnist", 0, 4, 5),
    ]
    assert (found.done, found.total, found.total_known) == (4, 4 + 2 + 4 + 5, True)
    assert found.best is None


def test_an_old_report_is_called_old(seen, tmp_path):
    assert seen().report is None
    page = tmp_path / "report.html"
    page.touch()

    for age, old in ((1000, True), (1, False)):
        os.utime(page, (NOW.timestamp() - age,) * 2)
        assert seen().report_is_old == old


def shown(found):
    file = io.StringIO()
    print_status(Console(file=file, width=80), found, NOW)
    return file.getvalue()


def test_the_text_fits_and_says_the_same(seen):
    text = shown(seen(processes=(HERE, THERE, GONE)))
    assert max(map(len, text.splitlines())) <= 80
    assert "digits: running" in text
    assert "6/14 trials" in text
    assert "till 12:00" in text
    assert "planned for 20m" in text
    assert "best run so far adamw, 0.5000; 1 diverged" in text
    assert "best run  diverged" in text
    assert "failed" not in text
    assert "process 33 on gone has given no sign of life for 8 min 20 s" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert lines["lion"][1:] == ["1/4", "0/3", "–", "1"]
    assert lines["adamw,"][1:] == ["final", "1", "8", "s", "there,", "process", "22"]


def test_a_stopped_study_says_how_to_go_on(seen):
    text = shown(seen(alive=False, running=()))
    assert "stopped: no process is at work; the same command goes on" in text
    assert "if it goes on with 2 at once" in " ".join(text.split())


def test_a_study_that_is_being_made(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "look", lambda location: None)
    (found,) = statuses(tmp_path)
    assert found.state == "starting"
    assert "look again in a moment" in shown(found)


def test_claims_are_studies_in_directories(tmp_path):
    for name in ("lion", "lamb"):
        with Store(tmp_path / name, {"claim": name, "protocol": "x"}) as store:
            store.add(tuning("adamw", 2, problem=name))
    found = statuses(tmp_path)
    assert [(each.name, each.kind, each.state) for each in found] == [
        ("lamb", "claim", "stopped"),
        ("lion", "claim", "stopped"),
    ]
    assert (found[0].done, found[0].total, found[0].total_known) == (0, 2, False)
    assert "0/2 trials, and final runs" in shown(found[0])


def test_plain_values(seen):
    found = json.loads(json.dumps(to_dict([seen()]), allow_nan=False))
    assert (found["schema"], found["schema_version"]) == ("trimtab.status", 2)
    assert found["studies"][0]["remaining"].keys() == {"seconds", "low", "high", "least"}


def test_how_far_a_race_is_on_one_problem_says_nothing_of_another(seen):
    own = [ended(replace(point, problem=name), 10) for name in "ab" for point in tuning("adamw")]
    more = [ended(replace(point, problem="a"), 10) for point in finals("adamw")[:2]]
    notes = NOTES | {"compared": ["a", "b"], "candidates": ["adamw"], "seeds": {"a": 5, "b": 5}}
    found = seen(manifest={"race": True}, annotation=notes, ended=(*own[:5], *more), running=(), waiting=())
    assert [(c.problem, c.final, c.finals) for c in found.candidates] == [("a", 2, None), ("b", 0, None)]
    assert found.total == len(own[:5]) + len(more)


def test_where_there_is_no_study(tmp_path):
    with pytest.raises(NoStudyError, match="it is no directory"):
        statuses(tmp_path / "nowhere")
    with pytest.raises(NoStudyError, match="there is no study"):
        statuses(tmp_path)


def test_where_nothing_is_tuned_there_is_no_column_of_it(seen):
    a = finals("random")
    found = seen(
        annotation=NOTES | {"candidates": ["random"], "trials": 0},
        ended=tuple(ended(point, 10, 0.5 - 0.1 * i) for i, point in enumerate(a)),
        running=(),
        waiting=(),
    )
    file = io.StringIO()
    print_status(Console(file=file, width=80), found, NOW)
    assert "best run so far random, 0.3" in file.getvalue()
    assert "candidate   final  best run" in file.getvalue()
    assert "tuned" not in file.getvalue()


def test_at_most_a_race_has_the_trials_of_those_whose_ranges_may_go_on_and_one_of_who_is_not_tuned(seen):
    def most(trials, **notes):
        fixed = Point("digits", "tune", "lion", 0, {}, 0)
        more = {"manifest": {"task": "digits", "race": True}, "running": (), "waiting": tuple(tuning("adamw"))}
        notes = {**NOTES, "trials": trials, "tuning_seeds": 3, **notes}
        return seen(annotation=notes, ended=(ended(fixed, 10),), **more).most

    assert most(8) == (8 + 4 * 2 + 3) + (1 + 3)
    assert most(8, goes_on={"adamw": [], "lion": []}) == most(8)
    assert most(8, goes_on={"adamw": ["lr"], "lion": []}) == most(8) + 4 * 3
    assert most(5, goes_on={"adamw": ["lr"], "lion": []}) == most(5)


def test_a_race_is_finished_when_it_says_so(seen):
    done = tuple(ended(point, 10) for point in (*tuning("adamw"), *finals("adamw")[:2]))
    racing = {"manifest": {"task": "digits", "race": True}, "ended": done, "running": (), "waiting": ()}
    between = seen(**racing)
    assert (between.state, between.done, between.total_known) == ("running", between.total, False)
    assert between.most == len(NOTES["candidates"]) * (NOTES["trials"] + NOTES["seeds"])
    file = io.StringIO()
    print_status(Console(file=file, width=80), between, NOW)
    assert f"6 of at most {between.most} trials, " in file.getvalue()
    assert seen(**racing, alive=False).state == "stopped"
    more = ended(finals("adamw")[2], 10)  # another reference needed it
    raced = {"digits": {"adamw": {"seeds": 2, "left": "worse"}}}
    over = seen(**racing | {"ended": (*done, more)}, alive=False, annotation={**NOTES, "raced": raced})
    assert (over.state, over.done, over.total_known) == ("finished", 6, True)
    assert over.remaining is None
    assert (over.candidates[0].final, over.candidates[0].finals, over.candidates[0].left) == (2, 2, "worse")
    assert over.beside == Beside((), (), 0, 3, 1)
    file = io.StringIO()
    print_status(Console(file=file, width=80), over, NOW)
    assert "candidate   tuned  final   left  best run" in file.getvalue()
    assert "kept, and not counted here or shown in the report: 1 final run that the race" in file.getvalue()
