"""Signals that ask a program to end, kept out of what must not be left half done."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

LONGEST = 5.0
"""Seconds for which a signal is held back."""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds Ctrl-C and SIGTERM back until the context ends, a second one comes, or :data:`LONGEST` seconds are over.

    An exception that is raised in the middle of a database's own code can leave a transaction open, for whose end the
    program would then wait itself. Signals whose handlers are not Python's are left alone, and so are other threads,
    in which handlers never run.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
    waiting: dict[int, threading.Timer] = {}

    def hold(number: int, frame: FrameType | None) -> None:
        if waiting:
            handlers[number](number, frame)
        else:
            waiting[number] = threading.Timer(LONGEST, os.kill, (os.getpid(), number))
            waiting[number].daemon = True
            waiting[number].start()

    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if callable(handler):
            handlers[number] = handler
            signal.signal(number, hold)
    try:
        yield
    finally:
        for held, handler in handlers.items():
            signal.signal(held, handler)
        for held, timer in waiting.items():
            timer.cancel()
            signal.raise_signal(held)
