"""A worker process: it prepares once, then runs trial after trial for the process that started it."""

import contextlib
import multiprocessing
import os
import random
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from trimtab.study.errors import UnfitWorkerError
from trimtab.study.trial import Work, attempt, begin


def _start_method() -> str:
    """How processes come to be in this program, unless told otherwise; asking for it as usual would settle it."""
    return multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]


@dataclass(frozen=True)
class Conditions:
    """What a worker shall find as it would be without us.

    Args:
        threads: that it may use.
        environment: its variables.
        start_method: how processes that it starts come to be.
    """

    threads: int
    environment: Mapping[str, str]
    start_method: str = field(default_factory=_start_method)


def serve(connection: "Connection[Any, Any]", work: Work, conditions: Conditions, answers: bool) -> None:
    """A worker's life: takes points, runs them, sends back outcomes.

    Args:
        connection: a pipe to the process that started it.
        work: what runs a trial.
        conditions: what it shall find.
        answers: whether trials wait for an answer to their reports.
    """
    os.environ.clear()  # the process that it was forked from may be older than a variable
    os.environ.update(conditions.environment)  # before torch looks for devices, which it does when the first is used
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _die_with_parent()
    multiprocessing.current_process().daemon = False  # such may have no children, and a loader of batches has some
    multiprocessing.set_start_method(conditions.start_method, force=True)  # as they would be started without us

    random.seed()  # workers that were forked from one process share its generators' state
    begin(work, conditions.threads)

    def report(cost: int, loss: float) -> bool:
        try:
            connection.send((cost, loss))
            return bool(connection.recv()) if answers else False
        except (EOFError, OSError):
            os._exit(1)  # there is nobody any more to run it for

    with contextlib.suppress(EOFError, OSError):
        connection.send(None)
        while True:
            point = connection.recv()
            try:
                message: object = attempt(work, point, report)
            except UnfitWorkerError as error:
                message = error
            connection.send(message)


def _die_with_parent() -> None:
    """Ends this process at once when its parent is gone, even in the middle of a trial."""
    parent = cast(Any, multiprocessing.parent_process())

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
