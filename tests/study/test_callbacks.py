"""Callbacks are told what they have methods for, and can do a study no harm."""

import threading
from types import SimpleNamespace

import pytest

from tests.study.work import MANIFEST, LoggedWork, fixed, points
from trimtab.study import callbacks as module
from trimtab.study.callbacks import Callbacks, Observers, StudyAbout, check_callbacks
from trimtab.study.errors import InputError
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.outcome import Outcome
from trimtab.study.running import run_study
from trimtab.study.store import Store


@pytest.fixture
def about(tmp_path):
    return StudyAbout("abc", "toy", tmp_path, {})


class Whole:
    """Has every method, and writes down what it is told."""

    def __init__(self):
        self.told = []

    def begun(self, about):
        self.told.append(("begun", about.id))

    def planned(self, points, outcomes):
        self.told.append(("planned", len(points), len(outcomes)))

    def started(self, point):
        self.told.append(("started", point.key))

    def reported(self, point, cost, loss):
        self.told.append(("reported", point.key, cost, loss))

    def finished(self, point, outcome):
        self.told.append(("finished", point.key))

    def ended(self):
        self.told.append(("ended",))


class Started:
    """Has one of the methods."""

    def __init__(self):
        self.keys = []

    def started(self, point):
        self.keys.append(point.key)


def test_each_is_told_what_it_has_a_method_for_in_order(about):
    whole, started = Whole(), Started()
    first, second = points(2)
    with Callbacks([whole, started], about) as told:
        told.planned([first, second], {})
        told.started(first)
        told.reported(first, 7, 0.5)
        told.finished(first, Outcome("complete", loss=0.5))
    assert started.keys == [first.key]
    assert whole.told == [
        ("begun", "abc"),
        ("planned", 2, 0),
        ("started", first.key),
        ("reported", first.key, 7, 0.5),
        ("finished", first.key),
        ("ended",),
    ]


def test_a_function_gets_each_outcome_once_those_of_before_included(about):
    seen = []
    first, second = points(2)
    done = Outcome("complete", loss=0.5)
    with Callbacks([lambda point, outcome: seen.append((point.key, outcome.loss))], about) as told:
        told.planned([first, second], {first.key: done})
        told.finished(second, done)
        told.planned([first, second], {first.key: done, second.key: done})
    assert seen == [(first.key, 0.5), (second.key, 0.5)]


def test_a_fault_is_said_once_and_the_study_goes_on(about, tmp_path, warned):
    calls = []

    def faulty(point, outcome):
        calls.append(point.key)
        raise ValueError("no such run")

    with (
        Store(tmp_path, MANIFEST) as store,
        LocalExecutor(LoggedWork(tmp_path / "log"), jobs=1) as executor,
        Callbacks([faulty], about) as told,
    ):
        outcomes = run_study(fixed(*points(3)), store, executor, observer=told)
    assert len(outcomes) == 3
    assert sorted(calls) == sorted(outcomes)  # it is told of all, whatever it did with the first
    (words,) = warned
    assert "callback faulty failed when it was told 'finished': ValueError: no such run" in words
    assert "test_callbacks.py, line" in words


def test_what_leaves_the_program_is_a_fault_as_well(about, warned):
    class Leaver:
        def ended(self):
            raise SystemExit(3)

    with Callbacks([Leaver()], about):
        pass
    assert "callback Leaver failed when it was told 'ended': SystemExit: 3" in warned[0]


def test_one_may_refuse_a_study_before_it_begins_but_not_fail_it(about, warned):
    class Refuses:
        def begun(self, about):
            raise InputError(f"no room for {about.name}")

    class Fails:
        def begun(self, about):
            raise OSError("no disk")

    with pytest.raises(InputError, match="no room for toy"):
        Callbacks([Refuses()], about)
    with Callbacks([Fails()], about):
        pass
    assert "callback Fails failed when it was told 'begun': OSError: no disk" in warned[0]


def test_a_slow_one_holds_up_neither_the_study_nor_the_others_and_is_waited_for(about):
    release, seen, other = threading.Event(), [], []
    (first,) = points(1)

    def slow(point, outcome):
        release.wait(60)
        seen.append(point.key)

    def quick(point, outcome):
        other.append(point.key)
        release.set()

    with Callbacks([slow, quick], about) as told:
        told.finished(first, Outcome("complete", loss=0.5))
    assert (seen, other) == ([first.key], [first.key])


def test_a_study_that_is_cut_off_does_not_wait_for_one_that_hangs(about, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_TO_LEAVE", 0.01)
    release = threading.Event()

    def cut_off():
        with Callbacks([lambda point, outcome: release.wait(60)], about) as told:
            told.finished(points(1)[0], Outcome("complete", loss=0.5))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert not release.is_set()
    release.set()


def test_all_that_are_behind_together_have_the_time_that_one_has(about, monkeypatch):
    clock, given = SimpleNamespace(now=5.0), []

    class Hangs(module._Teller):
        def close(self, seconds):
            given.append(seconds)
            clock.now += seconds

    monkeypatch.setattr(module, "_Teller", Hangs)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def cut_off():
        with Callbacks([print, print, print], about):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert given == [module.SECONDS_TO_LEAVE, 0.0, 0.0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (5, "callbacks=5: a list"),
        ("tensorboard", "callbacks='tensorboard': a list"),
        ([Started], "Started is a class; one of its objects"),
        ([3], "3 is no function .* begun, planned, started, reported, finished and ended"),
    ],
)
def test_what_cannot_be_told_anything_is_refused(given, words):
    with pytest.raises(InputError, match=words):
        check_callbacks(given)


def test_what_can_be_told_is_taken():
    check_callbacks([Started(), Whole(), print])
    check_callbacks(())


def test_several_observers_are_told_in_turn():
    first, second = Whole(), Whole()
    both = Observers(first, second)
    (point,) = points(1)
    both.planned([point], {})
    both.started(point)
    both.reported(point, 3, 0.1)
    both.finished(point, Outcome("failed", error="x"))
    assert first.told == second.told
    assert [name for name, *_ in first.told] == ["planned", "started", "reported", "finished"]
