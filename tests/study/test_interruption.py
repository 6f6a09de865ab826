import signal
import threading
import time

import pytest

from trimtab.study import interruption
from trimtab.study.interruption import uninterrupted


class Stopped(KeyboardInterrupt):
    pass


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request):
    def stop(number, frame):
        raise Stopped

    before = signal.signal(request.param, stop)
    yield request.param
    assert signal.signal(request.param, before) is stop


def test_a_signal_waits_for_the_end(number):
    done = []

    def work():
        with uninterrupted():
            signal.raise_signal(number)
            done.append("all")

    with pytest.raises(Stopped):
        work()
    assert done == ["all"]


def test_the_second_signal_does_not_wait(number):
    done = []

    def work():
        with uninterrupted():
            signal.raise_signal(number)
            done.append("some")
            signal.raise_signal(number)
            done.append("all")

    with pytest.raises(Stopped):
        work()
    assert done == ["some"]


def test_a_signal_does_not_wait_for_ever(number, monkeypatch):
    monkeypatch.setattr(interruption, "LONGEST", 0.05)

    def work():
        with uninterrupted():
            signal.raise_signal(number)
            time.sleep(60)

    with pytest.raises(Stopped):
        work()


def test_an_error_within_goes_first_and_the_signal_is_not_lost(number):
    def work():
        with uninterrupted():
            signal.raise_signal(number)
            raise ValueError("deliberate")

    with pytest.raises(Stopped) as stopped:
        work()
    assert isinstance(stopped.value.__context__, ValueError)


def test_other_threads_do_without(number):
    seen = []

    def work():
        with uninterrupted():
            seen.append(signal.getsignal(number))

    before = signal.getsignal(number)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_signal_with_the_systems_own_handling_keeps_it():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with uninterrupted():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
